"""What a burst changes from checkpoint to checkpoint, in figures from the gates' own evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TypeVar

from pytest_cockpit.api import CockpitError, Report
from pytest_cockpit.promotion import readings
from pytest_cockpit.promotion.burst import Checkpoint, Figures
from pytest_cockpit.records import artifacts

_HEALTHY = "healthy"
_UNKNOWN = "unknown"

_Read = TypeVar("_Read")


def at(reports: Mapping[str, Report], folder: Path, commit: str, lane: int) -> Figures:
    """The figures of one checkpoint; None for what no gate has measured there.

    Parameters
    ----------
    reports: what the gates said of `commit`.
    folder: the artifacts, those that the gates wrote for this commit among them.
    lane: files left in the lane.
    """
    said = {name: report.to_json() for name, report in reports.items()}
    contracts = _read(lambda: readings.matriz(said["matriz"]))
    coverage = _read(lambda: readings.coverage(said["coverage"]))
    return {
        "lane": lane,
        "missing_lines": coverage[1] if coverage else None,
        "missing_lines_change": _read(lambda: _change(folder / "coverage_ratchet.json", commit)),
        "contracts": contracts[2] if contracts else None,
        "contracts_with_errors": contracts[1] if contracts else None,
        "import_failures": _read(lambda: _failures(reports["imports"])),
    }


def rows(checkpoints: Sequence[Checkpoint], lane: int) -> Iterable[tuple[str, ...]]:
    """Cells of a table: one row for each checkpoint, and one for all of them together.

    `lane` is the number of files that waited before the first.
    """
    left: int | None = lane
    lines: int | None = 0
    for point in checkpoints:
        now = point.figures
        yield (str(point.number), _step(left, now.get("lane")), *_rest(now, lines))
        left, lines = now.get("lane"), now.get("missing_lines_change")
    last = checkpoints[-1].figures
    failures = [point.figures.get("import_failures") for point in checkpoints]
    known = [number for number in failures if number is not None]
    total = {**last, "import_failures": sum(known) if len(known) == len(failures) else None}
    yield ("in all", _step(lane, last.get("lane")), *_rest(total, 0))


def line(checkpoints: Sequence[Checkpoint], lane: int) -> str:
    """The last row in words."""
    *_, (_, files, lines, contracts, failures) = rows(checkpoints, lane)
    return (
        f"in all: files in the lane {files}, missing lines {lines}, contracts with errors "
        f"{contracts}, import failures {failures}"
    )


def _rest(now: Figures, lines: int | None) -> tuple[str, str, str]:
    contracts, failing = now.get("contracts"), now.get("contracts_with_errors")
    judged = _UNKNOWN if contracts is None or failing is None else f"{failing} of {contracts}"
    failures = now.get("import_failures")
    return (
        _step(lines, now.get("missing_lines_change")),
        judged,
        _UNKNOWN if failures is None else f"{failures:,}",
    )


def _step(before: int | None, after: int | None) -> str:
    return _UNKNOWN if before is None or after is None else f"{after - before:+,}"


def _change(path: Path, commit: str) -> int:
    """Missing lines of this commit beyond those that the baseline permits."""
    document = artifacts.read(path)
    if not isinstance(document, dict) or document.get("commit") != commit:
        raise CockpitError(f"{path.name}: is of another commit")
    return -readings.coverage_delta(document)[1]


def _failures(report: Report) -> int:
    """Modules that could not be imported, of those that were tried."""
    [classes] = [dict(item.data) for item in report.evidence if item.name == "classes"]
    if not classes:
        raise CockpitError("gates/imports.json: tried no module")
    return sum(int(count) for name, count in classes.items() if name != _HEALTHY)


def _read(reader: Callable[[], _Read]) -> _Read | None:
    """What a document says; None where it is not there or says nothing of the sort."""
    try:
        return reader()
    except (CockpitError, KeyError, TypeError, ValueError):
        return None
