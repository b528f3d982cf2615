"""Kernels of the gate `gemm` on real devices: each test is one process that sees one platform.

Skipped with the reason where the platform is not there.
"""

from __future__ import annotations

import functools
import json
import random

import pytest

from tests.gemm_devices import on_each_platform, script

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

COMMON = """
import hashlib, json, sys
import numpy as np
from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import correctness, families, table, tuning
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm, Timing
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
from pytest_cockpit_gates.gemm.kernels.variants import Variant

def refused(work):
    try:
        work()
    except CockpitError as error:
        return str(error)
    return "was done"

def filled(m, n, value):
    return np.full((m, n), value, np.float32)

device = open_device(sys.argv[1])
"""

# Every family with its first variants, whether or not the platform prefers it: a driver on the
# CPU is the only one that is sure to be there.
SHAPES = """
known = {it.id: it for name in (sys.argv[1], "nvidia") for it in families.variants(name)}
chosen = [known[name] for name in sys.argv[2].split(",")]
wrong, digests = [], {}
for m, n, k in json.loads(sys.argv[3]):
    a, b = inputs(m, n, k, 5)
    operands = Operands(device, m, n, k)
    for variant in chosen:
        gemm = Gemm(device, variant, m, n, k)
        for alpha, beta, there in (
            (1.0, 0.0, np.nan), (1.0, 0.0, np.inf), (-1.5, 0.5, 2.0), (1.0, 1.0, -3.0),
            (0.0, 0.0, np.nan), (0.0, -2.0, 1.0),
        ):
            before = filled(m, n, there)
            operands.load(a, b, before)
            gemm.run(operands, alpha, beta)
            found = correctness.judge(operands.result(), a, b, alpha=alpha, beta=beta,
                                      before=before)
            if not found.ok:
                wrong.append([variant.id, m, n, k, alpha, beta, str(found)])
            if (alpha, beta) == (1.0, 0.0) and not variant.id.endswith("-fma"):
                digest = hashlib.sha256(operands.result().tobytes()).hexdigest()
                digests.setdefault(f"{m} {n} {k}", set()).add(digest)
        gemm.free()
    operands.free()
print(json.dumps({"wrong": wrong, "digests": {key: sorted(it) for key, it in digests.items()}}))
"""
FAMILIES = {
    "pocl": "naive,portable-4x4,gpu-64x64-256-k16,panels-6x16-v8,panels-6x64-v16-fma",
    "rusticl": "naive,portable-4x4,gpu-64x64-256-k16",
    "clover": "naive,portable-4x4,gpu-64x64-256-k16",
}
# Blocks along k are 384 deep, tiles at most 64 wide: at, below and above an edge of each kind.
chance = random.Random(20)
SIZES = [
    *((1, 1, 1), (7, 7, 7), (0, 5, 3), (5, 0, 3), (5, 3, 0), (0, 0, 0)),
    *((64, 64, 64), (65, 63, 66), (6, 130, 385), (13, 17, 384), (4097, 2, 3), (3, 4097, 2)),
    (2, 3, 4097),
    *((chance.randint(1, 99), chance.randint(1, 99), chance.randint(1, 800)) for _ in range(4)),
]


@functools.cache
def shapes(platform):
    """What one process says of all sizes; shared by the tests that look at it."""
    return script(platform, COMMON + SHAPES, platform, FAMILIES[platform], json.dumps(SIZES))


@on_each_platform
def test_any_size_and_factor_is_right_and_c_is_not_read_in_vain(platform):
    assert shapes(platform)["wrong"] == []


def test_the_same_bits_of_all_kernels_on_all_platforms():
    found = [shapes(it)["digests"] for it in FAMILIES]
    for m, n, k in SIZES:
        # Where k is one block, all kernels that are not fused add in the same order.
        if k <= 384:
            digests = {digest for it in found for digest in it[f"{m} {n} {k}"]}
            assert len(digests) == 1, (m, n, k)


EDGES = """
a, b = inputs(3, 4, 5, 1)
operands = Operands(device, 3, 4, 5)
gemm = Gemm(device, families.NAIVE, 3, 4, 5)
said = {}
operands.load(filled(3, 5, np.nan), b, filled(3, 4, 1.0))
gemm.run(operands, 0.0, 2.0)
said["alpha 0 reads neither A nor B"] = operands.result().tolist() == filled(3, 4, 2.0).tolist()
operands.load(filled(3, 5, np.nan), b, filled(3, 4, 1.0))
gemm.run(operands, 1e-60, 2.0)
said["nor does one that no float is small enough for"] = bool((operands.result() == 2.0).all())
operands.load(a, b, filled(3, 4, np.nan))
gemm.run(operands, 1.0, 0.5)
said["NaN in C is seen where beta is not 0"] = bool(np.isnan(operands.result()).all())
a[1, 1] = np.inf
operands.load(a, b)
gemm.run(operands)
said["infinity in A is seen"] = np.isfinite(operands.result()).all(axis=1).tolist()
operands.result()[0, 0] = 77.0
operands.release()
said["C can be written"] = float(operands.result()[0, 0])
timing = gemm.run(operands)
said["and is overwritten"] = float(operands.result()[0, 0]) != 77.0
said["timed"] = timing.wall_s > 0
said["another size"] = refused(lambda: Gemm(device, families.NAIVE, 3, 4, 6).run(operands))
said["another shape"] = refused(lambda: operands.load(b, a))
said["another type"] = refused(lambda: operands.load(a.astype(np.float64), b))
said["negative"] = refused(lambda: Operands(device, 3, -4, 5))
said["no memory"] = refused(lambda: Operands(device, 1 << 20, 1 << 20, 1 << 20))
said["no family"] = refused(lambda: Gemm(device, Variant("x", "no", "naive.cl"), 1, 1, 1))
said["no build"] = refused(lambda: device.program("__kernel void broken("))
said["same program"] = device.built(families.NAIVE) is device.built(families.NAIVE)
said["any name"] = refused(lambda: open_device("intel-fpga"))
said["info"] = device.info
print(json.dumps(said))
"""


@on_each_platform
def test_edges_and_refusals(platform):
    said = script(platform, COMMON + EDGES, platform)
    info = said.pop("info")
    # The one platform that is seen answers to any name of an ICD file.
    assert said.pop("any name") == "was done"
    assert set(info) == {
        *("platform", "platform_name", "platform_version", "device", "driver", "opencl_c"),
        *("type", "compute_units", "global_mem_bytes", "fingerprint"),
        *("image_width", "image_height", "image_buffer_texels"),
    }
    assert (info["platform"], info["type"]) == (platform, "cpu")
    assert len(info["fingerprint"]) == 16
    lines = {
        key: said.pop(key)
        for key in (
            *("another size", "another shape", "another type", "negative", "no memory"),
            *("no family", "no build"),
        )
    }
    assert said == {
        "alpha 0 reads neither A nor B": True,
        "nor does one that no float is small enough for": True,
        "NaN in C is seen where beta is not 0": True,
        "infinity in A is seen": [True, False, True],
        "C can be written": 77.0,
        "and is overwritten": True,
        "timed": True,
        "same program": True,
    }
    assert lines["another size"] == "gemm: operands of 3 x 4 x 5 given to kernels for 3 x 4 x 6"
    assert lines["another shape"] == "gemm: A is float32 (5, 4), not float32 (3, 5)"
    assert lines["another type"] == "gemm: A is float64 (3, 5), not float32 (3, 5)"
    assert lines["negative"] == "gemm: 3 x -4 x 5: a size is 0 or more"
    assert lines["no memory"].startswith(
        f"gemm: {platform}: no memory for matrices of 1048576 x 1048576 x 1048576 ("
    )
    assert lines["no memory"].endswith(" MiB in all); take a smaller size")
    assert "no family of kernels is called no" in lines["no family"]
    assert "cannot build a kernel" in lines["no build"]
    assert all("\n" not in line for line in lines.values())


KEPT = """
from pathlib import Path
import pyopencl as cl
from pytest_cockpit_gates.gemm.workers import caches
what = sys.argv[2]
known = families.variants(device.platform)
variant = next(it for it in known if it.family == "portable")
built = []
plain = cl.Program.__init__
def noted(self, *arguments):
    built.append("source" if len(arguments) == 2 else "binary")
    plain(self, *arguments)
cl.Program.__init__ = noted
folder = caches.folder("programs", Path("unused"))
for path in folder.iterdir():
    content = path.read_bytes()
    if what == "torn":
        path.write_bytes(content[: len(content) // 2])
a, b = inputs(9, 9, 9, 1)
operands = Operands(device, 9, 9, 9)
operands.load(a, b, filled(9, 9, np.nan))
Gemm(device, variant, 9, 9, 9).run(operands)
print(json.dumps([built, correctness.judge(operands.result(), a, b).ok, len(list(folder.iterdir()))]))
"""


@pytest.mark.parametrize("platform", ["rusticl", "clover"])
def test_programs_are_kept_and_read_if_they_are_whole(platform, tmp_path, monkeypatch):
    monkeypatch.setenv("COCKPIT_CACHE", str(tmp_path))
    for what, expected in (
        ("first", "source"),
        ("again", "binary"),
        ("torn", "source"),
    ):
        said = script(platform, COMMON + KEPT, platform, what)
        assert said == [[expected], True, 1], what


MISSING = """
import json, sys
from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels.device import open_device
try:
    open_device(sys.argv[1])
except CockpitError as error:
    print(json.dumps(str(error)))
"""


def test_a_platform_that_is_not_there_is_named_with_what_is():
    said = script("pocl", MISSING, "clover")
    assert said == (
        "gemm: clover: no such OpenCL platform (there: Portable Computing Language);"
        " install its driver and name its .icd file in OCL_ICD_VENDORS"
    )


TUNING = """
lines = []
wrong = Variant("wrong", "portable", "scale.cl", {"TM": 1, "TN": 1, "WX": 8, "WY": 1})
text = Variant("portable-2x2", "portable", "portable.cl", {"TM": 2, "TN": 2, "WX": 8, "WY": 1})
broken = sys.argv[2] == "broken"
class Lying(Variant):
    def text(self):
        return super().text().replace("mad(u0, v0, c0_0)", "0.5f")
class Idle(Variant):
    def text(self):
        return super().text().replace("*at = beta", "float gone = beta")
liar = Lying("liar", "portable", "portable.cl", {"TM": 1, "TN": 1, "WX": 8, "WY": 1})
idle = Idle("idle", "portable", "portable.cl", {"TM": 2, "TN": 2, "WX": 8, "WY": 1})
tired = Variant("tired", "portable", "portable.cl", {"TM": 1, "TN": 2, "WX": 8, "WY": 1})
class Tiring(Gemm):
    launches = 0
    def run(self, operands, *factors):
        self.launches += 1
        if self.variant is tired and self.launches > 1:
            return Timing(1e-9, 1e-9)
        return super().run(operands, *factors)
tuning.Gemm, tuning._QUIET_S = Tiring, 0.0
graphics = families.by_id("nvidia", "gpu-64x64-256-k16")
offered = (wrong, liar) if broken else (wrong, liar, graphics, text, idle, tired, families.NAIVE)
families.variants = lambda platform: offered
said = refused(lambda: entries.extend(tuning.tune(device, [33, 8, 33], lines.append)))
print(json.dumps({"said": said, "lines": lines,
                  "chosen": [[it.m, it.variant, it.gflops > 0, it.sha256 == text.sha256]
                             for it in entries]}))
""".replace("lines = []", "lines, entries = [], []", 1)


def test_only_what_is_right_is_measured_and_kept():
    said = script("pocl", COMMON + TUNING, "pocl", "sound")
    assert said["said"] == "was done"
    assert said["chosen"] == [[8, "portable-2x2", True, True], [33, "portable-2x2", True, True]]
    lines = said["lines"]
    assert len(lines) == 22
    assert lines[0].startswith("pocl 8: wrong: gemm: pocl: the driver refused")
    assert lines[1].startswith("pocl 8: liar: wrong by ")
    assert lines[2].startswith("pocl 8: portable-2x2, ")
    assert lines[2].endswith(" GFLOPS at first")
    # It writes nothing, into memory where the right result was a moment ago.
    assert lines[3].startswith("pocl 8: idle: wrong by inf; ")
    # It wrote at its first launch only, and would be the fastest of all.
    assert lines[4].startswith("pocl 8: tired: wrong by inf; ")
    # Who waits for long is told how far it is.
    for number in range(1, 6):
        assert lines[4 + number].startswith(f"pocl 8: round {number} of 5, portable-2x2, ")
    assert lines[10].startswith("pocl 8: portable-2x2, ")
    assert lines[11].startswith("pocl 33: wrong")
    assert not any("naive" in line or "gpu" in line for line in lines)


def test_a_driver_with_which_nothing_is_right_is_an_error():
    said = script("pocl", COMMON + TUNING, "pocl", "broken")
    assert said["said"].startswith("gemm: pocl: no variant is right at 8; the driver is broken")
    assert said["chosen"] == []
