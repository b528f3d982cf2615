"""Our kernels on PoCL beside NumPy's OpenBLAS and CLBlast, in pairs, all cores each.

Each peer is a process of its own; the two of a pair take turns, the first by the toss of a coin,
and the ratio is that of the pairs' times, with the interval of the signed ranks at 95 %. A sample
multiplies often enough to last some 50 ms at least. CPU seconds are those of all threads, so
spinning counts.

Both peers are measured in two ways: OpenBLAS as it comes, and with the kernels for AVX-512 that it
does not choose by itself on every CPU that has it; CLBlast by its own database, and with parameters
that were searched for beyond what its own tuner tries.
"""

from __future__ import annotations

import math
import random
import statistics
import tempfile
from pathlib import Path

import pytest

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from benchmarks import gemm_peers
from pytest_cockpit.estimation import intervals
from pytest_cockpit_gates.gemm.workers import platforms

SIZES = (512, 1024, 1400, 2048, 3072)
PAIRS = 12
LEVEL = 0.05
TABLE = f"gemm: PoCL beside its peers, {gemm_peers.CORES} cores, GFLOPS of the median"
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
# CLBlast takes seconds for the larger ones.
LARGEST = {"clblast": 1400}
_LINES: list[str] = []


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
    sizes = [it for it in SIZES if it <= LARGEST.get(name, SIZES[-1])]
    rows = benchmark.pedantic(_compare, args=(name, sizes), rounds=1, iterations=1)
    benchmark.extra_info["pairs"] = {str(size): pairs for size, pairs in rows.items()}
    for size, pairs in rows.items():
        goal = GOALS[name].get(size)
        ratios = {key: _ratio(pairs, key) for key in ("cpu_s", "wall_s")}
        cells = []
        for key in ("cpu_s", "wall_s"):
            for index in (0, 1):
                seconds = statistics.median(pair[index][key] for pair in pairs)
                cells.append(f"{_gflops(size, seconds, key):.0f}")
            low, high = (math.exp(it) for it in (ratios[key].low, ratios[key].high))
            cells.append(f"{math.exp(ratios[key].estimate):.2f} ({low:.2f} to {high:.2f})")
        met = "" if goal is None else f">= {goal:g}: {_verdict(ratios['cpu_s'], goal)}"
        _LINES.append(f"| {name} | {size} | {' | '.join(cells)} | {met} |")
    tell(TABLE, "\n".join((HEAD, RULE, *_LINES)))


def _compare(name, sizes):
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
            for size in sizes:
                for it in (ours, theirs):
                    it.sample(size)
                rows[size] = [_pair(ours, theirs, size, chance) for _ in range(PAIRS)]
    return rows


def _pair(ours, theirs, size, chance):
    if chance.random() < 0.5:
        first = ours.sample(size)
        return first, theirs.sample(size)
    second = theirs.sample(size)
    return ours.sample(size), second


def _ratio(pairs, key):
    found = intervals.location([math.log(b[key] / a[key]) for a, b in pairs], LEVEL)
    assert found is not None
    return found


def _gflops(size, seconds, key):
    """Of all cores: CPU seconds are spread over them."""
    return 2 * size**3 / seconds / 1e9 * (gemm_peers.CORES if key == "cpu_s" else 1)


def _verdict(ratio, goal):
    above = ratio.at_least(math.log(goal))
    return "met" if above else "not shown" if above is None else "**missed**"
