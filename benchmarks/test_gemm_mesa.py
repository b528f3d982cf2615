"""Our kernels on llvmpipe: beside the naive kernel, and rusticl beside Clover.

Each platform is one worker. What is compared takes turns, the first by the toss of a coin; the
ratio is that of the pairs' CPU times, with the interval of the signed ranks at 95 %. The naive
kernel takes seconds, so there are few pairs with it, and their ratio is given by its ends.
"""

from __future__ import annotations

import random
import statistics
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from benchmarks import gemm_figures
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import Worker

MESA = ("rusticl", "clover")
SIZES = (512, 1024, 1400, 2048)
PAIRS = 10
NAIVE_SIZE, NAIVE_PAIRS, NAIVE_GOAL = 1400, 2, 50
RATIO_GOAL = 0.85
TIMEOUT_S = 300.0
NAIVE_TABLE = f"gemm: llvmpipe beside its naive kernel at {NAIVE_SIZE}, by CPU time"
NAIVE_HEAD = (
    "| platform | variant | ours, GFLOPS | naive, GFLOPS | ratio | goal |\n"
    "|---|---|---:|---:|---|---|"
)
RATIO_TABLE = "gemm: rusticl beside Clover, by CPU time"
RATIO_HEAD = (
    "| size | rusticl, GFLOPS | Clover, GFLOPS | ratio | ratio by the clock | goal |\n"
    "|---:|---:|---:|---|---|---|"
)
_NAIVE_LINES: list[str] = []


def _require(name):
    why = platforms.missing(name)
    if why is not None:
        pytest.skip(why)


@pytest.mark.parametrize("name", MESA)
@pytest.mark.benchmark(group=NAIVE_TABLE)
def test_ours_beside_the_naive_kernel(name, benchmark, tell):
    _require(name)
    variant, pairs = benchmark.pedantic(_beside_naive, args=(name,), rounds=1, iterations=1)
    benchmark.extra_info["pairs"] = pairs
    ratios = sorted(naive["cpu_s"] / ours["cpu_s"] for ours, naive in pairs)
    cells = [gemm_figures.gflops(NAIVE_SIZE, [pair[index] for pair in pairs]) for index in (0, 1)]
    ends = Interval(ratios[0], statistics.median(ratios), ratios[-1])
    _NAIVE_LINES.append(
        f"| {name} | {variant} | {cells[0]:.1f} | {cells[1]:.2f} |"
        f" {ends.low:.1f} to {ends.high:.1f} | {gemm_figures.met(ends, NAIVE_GOAL)} |"
    )
    tell(NAIVE_TABLE, "\n".join((NAIVE_HEAD, *_NAIVE_LINES)))


@pytest.mark.benchmark(group=RATIO_TABLE)
def test_rusticl_beside_clover(benchmark, tell):
    for name in MESA:
        _require(name)
    rows = benchmark.pedantic(_beside_each_other, rounds=1, iterations=1)
    benchmark.extra_info["pairs"] = {str(size): pairs for size, pairs in rows.items()}
    lines = []
    for size, pairs in rows.items():
        ratio, clock = (gemm_figures.ratio(pairs, key) for key in ("cpu_s", "wall_s"))
        speeds = [gemm_figures.gflops(size, [pair[index] for pair in pairs]) for index in (0, 1)]
        lines.append(
            f"| {size} | {speeds[0]:.1f} | {speeds[1]:.1f} | {gemm_figures.shown(ratio)}"
            f" | {gemm_figures.shown(clock)} | {gemm_figures.met(ratio, RATIO_GOAL)} |"
        )
    tell(RATIO_TABLE, "\n".join((RATIO_HEAD, *lines)))


def _beside_naive(name):
    with tempfile.TemporaryDirectory() as folder, _worker(name, folder) as worker:
        variant = _sample(worker, NAIVE_SIZE, "static")["variant"]["id"]
        _sample(worker, NAIVE_SIZE, "naive")
        pairs = []
        for turn in range(NAIVE_PAIRS):
            names = ("static", "naive")[:: 1 if turn % 2 else -1]
            found = {it: _sample(worker, NAIVE_SIZE, it) for it in names}
            pairs.append((found["static"], found["naive"]))
        return variant, pairs


def _beside_each_other():
    chance = random.Random(7)
    rows: dict[Any, Any] = {}
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        workers = [stack.enter_context(_worker(name, folder)) for name in MESA]
        for size in SIZES:
            for worker in (*workers, *workers):
                _sample(worker, size, "static")
            rows[size] = []
            for _ in range(PAIRS):
                order = [0, 1] if chance.random() < 0.5 else [1, 0]
                found = {it: _sample(workers[it], size, "static") for it in order}
                rows[size].append((found[0], found[1]))
    return rows


def _worker(name, folder):
    scratch = Path(folder) / name
    scratch.mkdir()
    return Worker(name, scratch, timeout_s=TIMEOUT_S)


def _sample(worker, size, kernel):
    found = worker.ask("sample", size=size, seed=7, kernel=kernel)
    assert found["ok"]
    return found
