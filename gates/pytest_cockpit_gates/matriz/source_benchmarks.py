"""Measurements in the JSON of pytest-benchmark."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.records.text import parse
from pytest_cockpit_gates.matriz.samples import Binding, Doubt, Sample, Target
from pytest_cockpit_gates.matriz.source_metrics import moment

STATISTICS = ("min", "max", "mean", "median")


@dataclass(frozen=True, slots=True)
class Benchmarks:
    """One such file. A benchmark says in `extra_info` of which module and metric it is."""

    path: str
    binding: Binding
    rows: Sequence[Mapping[str, Any]]
    statistic: str
    rounds: int

    def about(self, target: Target, metric: str) -> Iterator[Sample | Doubt]:
        """The chosen statistic of the benchmarks that measure one metric of one module."""
        for row in self.rows:
            info = row.get("extra_info", {})
            if info.get("module") != target.module or info.get("metric") != metric:
                continue
            stats = row["stats"]
            rounds = stats.get("rounds")
            if type(rounds) is not int or rounds < self.rounds:
                yield Doubt(f"has {rounds} rounds, {self.rounds} are needed", self.path)
            elif self.statistic not in stats:
                yield Doubt(f"has no {self.statistic}", self.path)
            else:
                yield Sample(stats[self.statistic], self.path, self.binding, "s")


def read(path: str, data: bytes, statistic: str, rounds: int) -> Benchmarks:
    """The benchmarks in `data`. Raises `ValueError` where it is no such file."""
    document = parse(data)
    rows = document.get("benchmarks") if isinstance(document, dict) else None
    if not isinstance(rows, list) or not all(map(_is_row, rows)):
        raise ValueError("is not what pytest-benchmark writes")
    info = document.get("commit_info")
    commit = info.get("id") if isinstance(info, dict) and info.get("dirty") is False else None
    binding = Binding(
        commit=commit if isinstance(commit, str) else None, at=moment(document.get("datetime"))
    )
    return Benchmarks(path, binding, rows, statistic, rounds)


def _is_row(row: Any) -> bool:
    return (
        isinstance(row, dict)
        and isinstance(row.get("stats"), dict)
        and isinstance(row.get("extra_info", {}), dict)
    )
