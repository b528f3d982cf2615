"""Figures that the benchmarks of GEMM tell: throughput, ratios of pairs, and goals."""

from __future__ import annotations

import os
import statistics
from collections.abc import Iterable, Mapping, Sequence

from benchmarks import gemm_history
from pytest_cockpit.estimation.intervals import Interval

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1

Sample = Mapping[str, float]
"""One product, or the mean of some: `wall_s` and `cpu_s`."""


def gflops(size: int, samples: Iterable[Sample], key: str = "cpu_s") -> float:
    """Of the median, by all cores: CPU seconds are spread over them."""
    seconds = statistics.median(it[key] for it in samples)
    return 2 * size**3 / seconds / 1e9 * (CORES if key == "cpu_s" else 1)


def ratio(pairs: Sequence[tuple[Sample, Sample]], key: str = "cpu_s") -> Interval:
    """Time of the second of each pair over that of the first, at 95 %; it takes six pairs."""
    found = gemm_history.ratio([(ours[key], theirs[key]) for ours, theirs in pairs])
    assert found is not None
    return gemm_history.interval(found)


def shown(found: Interval) -> str:
    """Estimate and ends."""
    return f"{found.estimate:.2f} ({found.low:.2f} to {found.high:.2f})"


def met(found: Interval, goal: float) -> str:
    """Whether the goal is."""
    above = found.at_least(goal)
    word = "met" if above else "not shown" if above is None else "**missed**"
    return f">= {goal:g}: {word}"
