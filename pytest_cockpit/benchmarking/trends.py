"""How benchmarks went on, derived from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.benchmarking import history
from pytest_cockpit.records import tables

_HEADER = (
    *("date", "module", "benchmark", "median_s", "low_s", "high_s"),
    *("delta_from_previous", "fingerprint"),
)
_DATE = len("2026-01-31")


def table(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """`bench_trend.csv` of a ledger's rows, in their order: it is only ever added to.

    The change is that from the same benchmark's row before on a machine like this one.
    """
    return tables.table(_HEADER, _lines(rows))


def _lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[Sequence[str]]:
    before: dict[tuple[str, str, str], float] = {}
    for row in history.points(rows):
        key = (row.module, row.name, row.fingerprint)
        # What came before the first is not known, which is not the same as no change.
        delta = f"{row.median / before[key] - 1:+.4f}" if key in before else ""
        before[key] = row.median
        words = map(tables.cell, (row.at[:_DATE], row.module, row.name))
        times = (f"{value:.6g}" for value in (row.median, row.low, row.high))
        yield *words, *times, delta, tables.cell(row.fingerprint)
