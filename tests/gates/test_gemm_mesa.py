"""Kernels for llvmpipe: any size, the bits of the naive kernel, and what its compilers bear."""

from __future__ import annotations

import json
import re
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Context, Verdict
from pytest_cockpit_gates.gemm.kernels import families, table
from pytest_cockpit_gates.gemm.phases import canonical
from pytest_cockpit_gates.gemm.workers import caches, platforms
from tests.gemm_devices import script

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from pytest_cockpit_gates.gemm.kernels import mesa

MESA = ("rusticl", "clover")
OWN = {"rusticl": "texel-buffers", "clover": "texel-images"}
on_mesa = pytest.mark.parametrize("platform", MESA)

COMMON = """
import hashlib, json, os, sys
import numpy as np
from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import families, shader_cache
from pytest_cockpit_gates.gemm.kernels.device import open_device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
from pytest_cockpit_gates.gemm.kernels.variants import Variant
device = open_device(sys.argv[1])

def small(step):
    kind = {"rusticl": "texel-buffers", "clover": "texel-images"}[sys.argv[1]]
    sizes = {"ROWS": 3, "TEXELS": 1, "STEP": step, "BUFFERS": int(kind == "texel-buffers")}
    return Variant(f"small-{step}", kind, "llvmpipe_texels.cl", sizes)
"""

BITS = """
other, digests = [], []
for m, n, k in json.loads(sys.argv[2]):
    a, b = inputs(m, n, k, 5)
    operands = Operands(device, m, n, k)
    chosen = [families.NAIVE, small(1), small(2)]
    built = [Gemm(device, it, m, n, k) for it in chosen]
    # Again and again on the same copies: what a run leaves in them is no part of the next.
    for alpha, beta, there in (
        (1.0, 0.0, np.nan), (-1.5, 0.0, np.inf), (1.0, 1.0, -3.0), (0.5, -2.0, 1.0),
    ):
        found = []
        for gemm in built:
            operands.load(a, b, np.full((m, n), there, np.float32))
            gemm.run(operands, alpha, beta)
            found.append(operands.result().tobytes())
        digests.append(hashlib.sha256(found[0]).hexdigest())
        other += [[it.id, m, n, k, alpha, beta]
                  for it, bits in zip(chosen, found) if bits != found[0]]
    for gemm in built:
        gemm.free()
    operands.free()
print(json.dumps([other, digests]))
"""
# A texel is 4 wide, a step along k 4 or 8, a tile 3 x 32: at, below and above each edge.
SIZES = [
    (1, 1, 1),
    (3, 32, 8),
    (4, 33, 9),
    (2, 31, 7),
    (7, 4, 12),
    (5, 6, 4),
    (3, 64, 5),
    (6, 3, 16),
    (4097, 2, 3),
    (3, 4097, 2),
    (2, 3, 4097),
]


def test_the_bits_of_the_naive_kernel_at_any_size_on_both():
    said = {it: script(it, COMMON + BITS, it, json.dumps(SIZES)) for it in MESA}
    assert [other for other, _ in said.values()] == [[], []]
    assert said["rusticl"][1] == said["clover"][1]


BLEMISHES = """
m, n, k = 5, 6, 7
a, b = inputs(m, n, k, 5)
operands = Operands(device, m, n, k)
gemm = Gemm(device, small(2), m, n, k)
a[4, 6], b[0, 5] = np.inf, np.nan
operands.load(a, b)
gemm.run(operands)
blemished = (~np.isfinite(operands.result())).tolist()
a[4, 6] = b[0, 5] = 1.0
operands.load(a, b)
gemm.run(operands)
print(json.dumps([blemished, bool(np.isfinite(operands.result()).all())]))
"""


@on_mesa
def test_infinity_at_an_edge_stays_in_its_row_and_nan_in_its_column(platform):
    blemished, healed = script(platform, COMMON + BLEMISHES, platform)
    assert blemished == [[row == 4 or column == 5 for column in range(6)] for row in range(5)]
    assert healed


CHOSEN = """
from pathlib import Path
from pytest_cockpit_gates.gemm.kernels import correctness, table
m = n = k = 72
a, b = inputs(m, n, k, 5)
operands = Operands(device, m, n, k)
operands.load(a, b)
shipped = table.load(Path("none")).shipped
variant = table.Table((), shipped).best(device.info, 256, 256, 256)
Gemm(device, variant, m, n, k).run(operands)
found = correctness.judge(operands.result(), a, b)
try:
    Gemm(device, small(1), int(sys.argv[2]), 1, 1)
    refused = "was done"
except CockpitError as error:
    refused = str(error)
print(json.dumps([variant.family, found.ok, refused, device.info["device"]]))
"""


@on_mesa
def test_the_shipped_choice_is_right_and_what_is_too_large_is_refused(platform):
    # Where there is memory enough, an image may still be too large.
    rows = 1 << (28 if platform == "rusticl" else 16)
    family, right, refused, device = script(platform, COMMON + CHOSEN, platform, rows)
    if not device.startswith("llvmpipe"):
        pytest.skip(f"{platform} runs on {device}")
    assert (family, right) == (OWN[platform], True)
    why = "no memory for" if platform == "rusticl" else "the images of"
    assert refused.startswith(f"gemm: {platform}: {why} small-1 of {rows} x 1 x 1")


UNKEPT = "import os\nos.environ['MESA_SHADER_CACHE_DISABLE'] = 'true'\n"
PROBE = """
kept = shader_cache.probe(device)
print(json.dumps([kept.problem, kept.again_s < kept.first_s]))
"""


@on_mesa
def test_a_driver_that_keeps_its_kernels_is_told(platform):
    assert script(platform, COMMON + PROBE, platform) == ["", True]


def test_a_driver_that_compiles_at_every_launch_keeps_the_canonical_gate_shut(
    tmp_path, monkeypatch
):
    if script("rusticl", UNKEPT + COMMON + PROBE, "rusticl") == ["", True]:
        pytest.skip("this version of rusticl keeps kernels in memory")
    environment = platforms.environment

    def steered(name, fallback):
        return {**environment(name, fallback), "MESA_SHADER_CACHE_DISABLE": "true"}

    monkeypatch.setattr(platforms, "environment", steered)
    settings = {"candidate": "clover", "fallback": "rusticl"}
    report = canonical.run("gate", Context(tmp_path, tmp_path, settings), {"mode": "replay"})
    assert report.verdict is Verdict.UNKNOWN
    # Its results are right all the same.
    assert report.summary.startswith("1 of 1 platforms launch and verify a kernel: rusticl: ")
    [finding] = report.findings
    assert finding.rule == "gemm.evidence-missing"
    assert finding.message.startswith("rusticl: each launch compiles its kernel again (")
    place = caches.folder("mesa", tmp_path)
    assert finding.remedy == (
        f"see that {place} can be written and has room, or name another folder in COCKPIT_CACHE"
    )


def told(platform: str, device: str) -> Any:
    return SimpleNamespace(
        platform=platform, info={"platform_name": platform.capitalize(), "device": device}
    )


@pytest.mark.parametrize(
    ("platform", "device", "options"),
    [
        ("clover", "llvmpipe (LLVM 14.0.6, 256 bits)", ()),
        ("clover", "llvmpipe (LLVM 15.0.6, 256 bits)", ("-no-opaque-pointers",)),
        ("clover", "llvmpipe (LLVM 16.0.6, 256 bits)", ("-no-opaque-pointers",)),
        ("rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", ()),
        ("rusticl", "llvmpipe (LLVM 19.1.0, 256 bits)", ()),
    ],
)
def test_clover_is_asked_for_typed_pointers_where_it_would_die(platform, device, options):
    assert tuple(mesa.options(told(platform, device))) == options


@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("llvmpipe (LLVM 17.0.6, 256 bits)", "Clover with LLVM 17 cannot compile images"),
        ("AMD Radeon RX 590 Series (polaris10, LLVM 15.0.6)", "is not llvmpipe"),
    ],
)
def test_where_it_would_die_anyway_it_is_not_compiled(device, why):
    with pytest.raises(CockpitError, match=f"^gemm: clover: .*{why}.*; take another"):
        mesa.options(told("clover", device))


@pytest.mark.parametrize(
    ("platform", "device", "size", "family"),
    [
        ("rusticl", "llvmpipe (LLVM 19.1.0, 256 bits)", 1400, "texel-buffers"),
        ("rusticl", "llvmpipe (LLVM 15.0.6, 256 bits)", 16, "portable"),
        ("rusticl", "AMD Radeon RX 590 Series (polaris10, LLVM 15.0.6)", 1400, "portable"),
        ("clover", "llvmpipe (LLVM 15.0.6, 256 bits)", 1400, "texel-images"),
        ("clover", "llvmpipe (LLVM 17.0.6, 256 bits)", 1400, "portable"),
    ],
)
def test_the_shipped_choice_fits_the_device(platform, device, size, family, tmp_path):
    info = {"platform": platform, "platform_version": "OpenCL 1.1 Mesa 22.3.6", "device": device}
    shipped = table.load(tmp_path / "none")
    assert shipped.best(info, size, size, size).family == family


# Each of these ends Clover's process, or is emulated there and slower than everything around it.
DEADLY = r"\b(vload|vstore|async_work_group|wait_group|atom(ic)?_|printf|fma\b)"


def test_nothing_that_clover_dies_of_is_in_its_kernels():
    for variant in (*families.variants("clover"), mesa.BLEND):
        assert not re.search(DEADLY, variant.text()), variant.id
        # A sampler that is written into the kernel reads nonsense there.
        assert "sampler_t nearest =" not in variant.text(), variant.id
    for variant in families.variants("rusticl"):
        assert not re.search(r"\bfma\(", variant.text()), variant.id
