"""Our kernels on PoCL beside NumPy's OpenBLAS and CLBlast, in pairs, all cores each.

Each peer is a process of its own; the two of a pair take turns, the first by the toss of a coin,
and the ratio is that of the pairs' times, with the interval of the signed ranks at 95 %. A sample
multiplies often enough to last some 50 ms at least. CPU seconds are those of all threads, so
spinning counts.

Both peers are measured in two ways: OpenBLAS as it comes, and with the kernels for AVX-512 that it
does not choose by itself on every CPU that has it; CLBlast by its own database, and by the fastest
here of some sets of parameters that its own tuner does not try.
"""

from __future__ import annotations

import random
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from benchmarks import gemm_figures, gemm_peers
from pytest_cockpit_gates.gemm.workers import platforms

SIZES = (512, 1024, 1400, 2048, 3072)
PAIRS = 12
TABLE = f"gemm: PoCL beside its peers, {gemm_figures.CORES} cores, GFLOPS of the median"
HEAD = (
    "| peer | size | ours by CPU | peer by CPU | ratio by CPU | ours by the clock |"
    " peer by the clock | ratio by the clock | goal |"
)
RULE = "|---|---:|---:|---:|---|---:|---:|---|---|"
GOALS = {
    "openblas": {512: 0.9, **dict.fromkeys(SIZES[1:], 1.0)},
    "openblas, AVX-512": {},
    "clblast": dict.fromkeys(SIZES, 3.0),
    "clblast, searched": dict.fromkeys(SIZES, 3.0),
}
VARIABLES = {"openblas, AVX-512": {"OPENBLAS_CORETYPE": "Cooperlake"}}
_LINES: list[str] = []
_NOTES: list[str] = []


def _has_avx512() -> bool:
    try:
        return "avx512_bf16" in Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return False


@pytest.mark.parametrize("name", GOALS)
@pytest.mark.benchmark(group=TABLE)
def test_ours_beside_a_peer(name, benchmark, tell):
    if name.startswith("clblast") and gemm_peers.clblast() is None:
        pytest.skip("CLBlast is not installed: apt-get install libclblast1")
    if name in VARIABLES and not _has_avx512():
        pytest.skip("this CPU has no AVX-512 with bfloat16")
    why = platforms.missing("pocl")
    if why is not None:
        pytest.skip(why)
    told, rows = benchmark.pedantic(_compare, args=(name,), rounds=1, iterations=1)
    benchmark.extra_info |= {"peer": told, "pairs": {str(it): rows[it] for it in rows}}
    for size, pairs in rows.items():
        goal = GOALS[name].get(size)
        cells = []
        for key in ("cpu_s", "wall_s"):
            for index in (0, 1):
                speed = gemm_figures.gflops(size, [pair[index] for pair in pairs], key)
                cells.append(f"{speed:.0f}")
            cells.append(gemm_figures.shown(gemm_figures.ratio(pairs, key)))
        met = "" if goal is None else gemm_figures.met(gemm_figures.ratio(pairs), goal)
        _LINES.append(f"| {name} | {size} | {' | '.join(cells)} | {met} |")
    if told:
        _NOTES.append(f"- {name}: {told}")
    tell(TABLE, "\n".join((HEAD, RULE, *_LINES, "", *_NOTES)))


def _compare(name):
    """What the peer says of itself, and the pairs of each size."""
    chance = random.Random(7)
    what, _, how = name.partition(", ")
    arguments = (what, "pocl", *([how] if how == "searched" else []))
    rows = {}
    with tempfile.TemporaryDirectory() as folder:
        variables = platforms.environment("pocl", Path(folder))
        other = {**variables, **VARIABLES.get(name, {})}
        with (
            gemm_peers.peer("ours", "pocl", environment=variables) as ours,
            gemm_peers.peer(*arguments, environment=other) as theirs,
        ):
            for size in SIZES:
                ours.sample(size)
                told = theirs.sample(size).get("told", "")
                rows[size] = [_pair(ours, theirs, size, chance) for _ in range(PAIRS)]
    return told, rows


def _pair(ours, theirs, size, chance):
    if chance.random() < 0.5:
        first = ours.sample(size)
        return first, theirs.sample(size)
    second = theirs.sample(size)
    return ours.sample(size), second
