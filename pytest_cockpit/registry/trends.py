"""How coverage went on, derived from the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import ledger_kinds, tables
from pytest_cockpit.records.ledger_kinds import EPOCH
from pytest_cockpit.records.text import parse, sha256
from pytest_cockpit.registry import measured

_HEADER = ("date", "module", "coverage_pct", "delta_from_previous")
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_CENT = Decimal("0.01")
_DATE = len("2026-01-31")

Point = tuple[str, str, float]
"""Date, module and percentage."""


def coverage(rows: Iterable[Mapping[str, Any]]) -> bytes:
    """`coverage_trend.csv` of a ledger's rows, in their order: it is only ever added to."""
    return _table(
        (found.at[:_DATE], found.module, found.percent)
        for found in measured.coverage(rows)
        if found.at and found.percent is not None
    )


def unverified(place: Place) -> bytes | None:
    """The same of imported files that have no chain; None where they say nothing of coverage.

    Nobody vouches for it, so it is a file of its own. A file that is not what was imported is
    left out.
    """
    points = [point for content in _imported(place) for point in _points(content)]
    return _table(points) if points else None


def _imported(place: Place) -> Iterator[bytes]:
    files = {
        file["path"]: file["sha256"]
        for row in place.rows
        if row["kind"] == EPOCH and ledger_kinds.fits(row)
        for file in row["files"]
    }
    for path, content in place.read_all(files):
        if sha256(content) == files[path]:
            yield content


def _points(content: bytes) -> Iterator[Point]:
    for line in content.split(b"\n"):
        try:
            row = parse(line) if line.strip() else None
        except ValueError:
            continue
        if isinstance(row, dict):
            yield from _point(row)


def _point(row: Mapping[str, Any]) -> Iterator[Point]:
    """What a row of a published ledger says, under either of the names that were in use."""
    module = row.get("module")
    at = row.get("timestamp", row.get("ts"))
    percent = row.get("coverage_pct", row.get("coverage"))
    if not (isinstance(module, str) and module and isinstance(at, str) and _DAY.match(at)):
        return
    if type(percent) in (int, float) and 0 <= percent <= 100:  # noqa: PLR2004 - per cent
        yield at[:_DATE], module, float(percent)


def _table(points: Iterable[Point]) -> bytes:
    return tables.table(_HEADER, _lines(points))


def _lines(points: Iterable[Point]) -> Iterator[Sequence[str]]:
    before: dict[str, Decimal] = {}
    for date, module, percent in points:
        now = Decimal(percent).quantize(_CENT)
        # What came before the first is not known, which is not the same as no change.
        delta = f"{now - before[module]:+.2f}" if module in before else ""
        before[module] = now
        yield tables.cell(date), tables.cell(module), f"{now}", delta
