"""What was measured, in Markdown: as the checks judge it; everything in it is escaped."""

from __future__ import annotations

import re
from typing import Any

from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit_gates.gemm.closing import figures
from pytest_cockpit_gates.gemm.closing.account import Account
from pytest_cockpit_gates.gemm.closing.figures import Figure, significant
from pytest_cockpit_gates.gemm.closing.results import Line, lines
from pytest_cockpit_gates.gemm.closing.sections import NONE, grid
from pytest_cockpit_gates.gemm.closing.tables import table, tables
from pytest_cockpit_gates.gemm.strict import names

_MEANT = (
    "Figures are those of the checks: an estimate, its interval, and the bound it is held to; what "
    "is told as a mean has too little for an interval. The best is the mean of each session's "
    "fastest multiplication."
)


def results(account: Account) -> list[str]:
    """What was measured of each kernel, size and platform, as the checks judge it."""
    rows = [
        (
            code(line.key),
            f"{line.rows - line.failed} of {line.rows}",
            _figure(line.speed, "at least", line.average),
            _number(line.peak),
            _figure(line.latency, "at most", line.p95_ms),
            _figure(line.cost, "at most", None),
            _number(line.fallback),
            _error(line),
        )
        for line in lines(account.artifact or {}, account.checks)
    ]
    header = (
        *("kernel:size@platform", "rows ok", "GFLOPS", "best GFLOPS", "95th percentile, ms"),
        *("fault detection, %", "T3 fallback", "error"),
    )
    out = grid(header, rows)
    if rows:
        out += [_MEANT, ""]
    return [*out, *_ratios(account)]


def _ratios(account: Account) -> list[str]:
    """The ratio of two platforms, as the checks judge it."""
    found = [
        (key.partition("@")[0], names.shown(name, key), figure)
        for (name, key), figure in figures.of_checks(account.checks).items()
        if name == names.RATIO and key
    ]
    if not found:
        compared = "platforms are compared by the split, which multiplies on both in turns"
        return [f"No ratio: {compared}.", ""] if account.track == "replay" else []
    rows = [
        (
            code(row),
            code(pair),
            plain(figure.words("at least") or NONE),
            code(figure.verdict),
            plain(figure.count or NONE),
        )
        for row, pair, figure in found
    ]
    return grid(("kernel:size", "ratio", "is", "verdict", "from"), rows)


def snapshots(account: Account) -> list[str]:
    """What was decided after each snapshot, and why one ended the campaign."""
    artifact = account.artifact or {}
    rows = [
        (
            plain(str(it.get("snapshot"))),
            plain(_second(it.get("started"))),
            plain(_second(it.get("finished"))),
            code(str(it.get("decision"))),
            " ".join(code(str(one)) for one in _list(it.get("failed"))) or NONE,
        )
        for it in tables(artifact.get("snapshots"))
    ]
    if not rows:
        return []
    out = ["", *grid(("snapshot", "begun", "ended", "decision", "failed"), rows)]
    event = table(artifact.get("rollback_event"))
    if event:
        out += [f"Snapshot {plain(str(event.get('snapshot')))} ended the campaign:", ""]
        out += [*(f"- {plain(str(it))}" for it in _list(event.get("reasons"))), ""]
    return out[1:]


def _figure(figure: Figure | None, side: str, mean: float | None) -> str:
    """A figure as its check says it; a mean is told as one."""
    said = [figure.words(side)] if figure else []
    if mean is not None and (figure is None or figure.interval is None):
        said = [f"mean {significant(mean)}", *said]
    return plain(", ".join(filter(None, said)) or NONE)


def _error(line: Line) -> str:
    told = _scientific(line.error)
    return told if line.bound is None else f"{told}, at most {_scientific(line.bound)}"


def _number(value: float | None) -> str:
    return NONE if value is None else significant(value)


def _scientific(value: float | None) -> str:
    return NONE if value is None else f"{value:.2e}"


def _second(told: Any) -> str:
    """A time of an artifact, without the parts of its second."""
    return re.sub(r"\.\d+", "", str(told))


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
