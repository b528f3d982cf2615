"""What was measured of one module, as data: every process and the times it took."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.benchmarking.levels import Level
from pytest_cockpit.benchmarking.module import Benchmark, Measured, Task
from pytest_cockpit.benchmarking.running import Ran
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records.text import printable

SCHEMA = "pytest-cockpit/bench/1"

Process = tuple[Ran, int | None]
"""A process, and the number of its pair."""


def name(path: str) -> str:
    """Where it is kept, below the artifacts folder."""
    return "benchmarks.json" if path == "." else f"benchmarks/{path}.json"


def document(task: Task, found: Measured, machine: Mapping[str, Any]) -> dict[str, Any]:
    """The artifact of one module."""
    processes = list(_processes(task, found))
    return {
        "schema": SCHEMA,
        "module": printable(task.path),
        "commit": task.head,
        "base": found.against,
        "at": task.at,
        "fingerprint": task.fingerprint,
        "machine": dict(machine),
        "threshold": task.threshold,
        "level": task.level,
        "processes": [
            {"commit": ran.commit, "pair": pair, "wall_s": round(ran.wall_s, 6)}
            for ran, pair in processes
        ],
        "benchmarks": [_benchmark(each, processes) for each in found.benchmarks],
    }


def _processes(task: Task, found: Measured) -> Iterator[Process]:
    """Every process in the order they ran."""
    if task.base is None:
        for run in found.runs:
            yield run, None
    for number, pair in enumerate(found.pairs):
        both = (pair.head, pair.base) if pair.head_first else (pair.base, pair.head)
        yield from ((run, number) for run in both)


def _benchmark(each: Benchmark, processes: list[Process]) -> dict[str, Any]:
    opinion = each.opinion
    return {
        "name": each.name,
        "samples": each.samples,
        "median": _ends(each.middle),
        "verdict": opinion.verdict.value,
        "said": opinion.said,
        "ratio": _ends(opinion.ratio),
        "pairs": opinion.pairs,
        "limit_s": opinion.limit,
        "recorded": opinion.recorded,
        "steps": [_step(level) for level in each.levels],
        "times": [
            {
                "process": number,
                "count": times.count,
                "median": times.median,
                "every": times.every,
                "seconds": list(times.kept),
            }
            for number, (run, _) in enumerate(processes)
            if (times := run.times.get(each.name)) is not None
        ],
    }


def _step(level: Level) -> dict[str, Any]:
    return {
        "at": level.date,
        "since": level.since,
        "until": level.until,
        "ratio": level.ratio,
        "interval": _ends(level.interval),
        "runs": level.age,
    }


def _ends(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"low": found.low, "estimate": found.estimate, "high": found.high}
