"""All campaigns of a week, whatever became of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.records import campaigns
from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing.debts import ROLLBACK, TRACKS, Row
from pytest_cockpit_gates.gemm.closing.decision import UNKNOWN
from pytest_cockpit_gates.gemm.closing.sections import NONE, grid
from pytest_cockpit_gates.gemm.closing.tables import table
from pytest_cockpit_gates.gemm.closing.week import Week

_LONGEST = 200


@dataclass(frozen=True, slots=True)
class Campaign:
    """One campaign by the ledger; `ended` is empty where it has no end."""

    mode: str
    begun: str
    ended: str
    attempt: str
    plan: str
    verdict: str
    came_to: str
    why: str
    session_id: str


def of(rows: Sequence[Row], week: Week) -> tuple[Campaign, ...]:
    """The replays, splits and rollbacks that began in a week, in their order."""
    ends = {str(row.get("session_id")): row for row in rows if row.get("kind") == campaigns.ENDED}
    return tuple(
        _campaign(row, ends.get(str(row.get("session_id"))))
        for row in rows
        if row.get("kind") == campaigns.BEGUN
        and row.get("mode") in (*TRACKS, ROLLBACK)
        and week.has(row.get("at"))
    )


def section(found: Sequence[Campaign]) -> list[str]:
    """The same as a table."""
    rows = [
        (
            plain(it.begun),
            plain(it.ended or NONE),
            plain(it.mode),
            plain(it.attempt),
            code(it.plan),
            code(it.verdict),
            plain(it.came_to),
            plain(it.why or NONE),
            code(it.session_id),
        )
        for it in found
    ]
    header = ("begun", "ended", "campaign", "attempt", "plan", "verdict", "came to", "why")
    return grid((*header, "session"), rows)


def _campaign(begun: Row, ended: Row | None) -> Campaign:
    given = ended or {}
    record = table(given.get("record"))
    why = record.get("rationale") or record.get("reason") or _red(given.get("phases"))
    return Campaign(
        mode=one_line(str(begun.get("mode"))),
        begun=one_line(str(begun.get("at"))),
        ended=one_line(str(given.get("at") or "")),
        attempt=one_line(str(begun.get("attempt"))),
        plan=one_line(str(begun.get("plan_sha256")))[:12],
        verdict=one_line(str(given.get("verdict") or UNKNOWN)),
        came_to=one_line(str(record.get("decision") or record.get("action") or UNKNOWN)),
        why=one_line(str(why if ended else "it has no end"))[:_LONGEST],
        session_id=one_line(str(begun.get("session_id"))),
    )


def _red(phases: Any) -> str:
    """The first phase that is not green, of a campaign that says nothing itself."""
    red = [
        f"{name} is {it}"
        for name, it in table(phases).items()
        if it not in ("pass", "warn", "skip")
    ]
    return ", ".join(map(str, red))
