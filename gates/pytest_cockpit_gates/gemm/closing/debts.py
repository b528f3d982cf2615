"""What campaigns came to, and whether a rerun is owed after a rollback."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records import campaigns
from pytest_cockpit_gates.gemm.closing import selection
from pytest_cockpit_gates.gemm.closing.selection import Selection
from pytest_cockpit_gates.gemm.closing.tables import table
from pytest_cockpit_gates.gemm.verdicts import PROMOTE

GATE = "gemm"
TRACKS = ("replay", "split")
ROLLBACK = "gemm-rollback"

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Debt:
    """A rerun that is owed: since when, by which session's rollback, and why that was."""

    since: str
    session_id: str
    reason: str

    @property
    def words(self) -> str:
        """In one line."""
        return (
            f"a rerun is owed since the rollback of {self.since}: neither a replay nor a split "
            "after it is green with the decision promote"
        )


def rows(root: Path, records: str) -> list[dict[str, Any]]:
    """The gate's rows of the ledger of campaigns.

    Raises
    ------
    CockpitError: the ledger cannot be read, or its chain is broken.
    """
    return [
        row for row in campaigns.rows(campaigns.path_of(root, records)) if row.get("gate") == GATE
    ]


def owed(among: Sequence[Row], selected: Selection | None) -> Debt | None:
    """The rerun that is owed by these rows and the file of the selection; None where none is.

    A session that was killed after it had selected has no last row: the file tells of it, or the
    row of the session that has undone it.
    """
    inside = selected if selected is not None and selected.kind == selection.ROLLBACK else None
    known = {str(row.get("session_id")) for row in among if applied(row)}
    known |= {str(_record(row).get("undone")) for row in among if "undone" in _record(row)}
    known |= {inside.session_id} if inside else set()
    debt: Debt | None = None
    for row in among:
        if str(row.get("session_id")) in known and not pays(row):
            reason = str(_record(row).get("reason", ""))
            debt = Debt(str(row.get("at")), str(row.get("session_id")), reason)
        elif pays(row):
            debt = None
    if inside is None or any(row.get("session_id") == inside.session_id for row in among):
        return debt
    # The ledger does not know the session that selected it: another clone's.
    later = any(pays(row) and str(row.get("at")) > inside.at for row in among)
    return debt if later else Debt(inside.at, inside.session_id, inside.reason)


def applied(row: Row) -> bool:
    """Whether a row is the end of a session that went back to the fallback platform."""
    if row.get("kind") != campaigns.ENDED or row.get("mode") != ROLLBACK:
        return False
    return _record(row).get("action") == "apply" and opens(table(row.get("phases")).get("apply"))


def pays(row: Row) -> bool:
    """Whether a row is the end of a green replay or split whose decision is promote.

    One that was held to less than the settings ask for does not pay.
    """
    return (
        row.get("kind") == campaigns.ENDED
        and row.get("mode") in TRACKS
        and opens(row.get("verdict"))
        and _record(row).get("decision") == PROMOTE
        and not _record(row).get("short")
    )


def opens(verdict: Any) -> bool:
    """Whether a verdict of a row is one that opens."""
    return verdict in {it.value for it in Verdict if it.opens}


def last(among: Iterable[Row], modes: Sequence[str] = TRACKS) -> Row | None:
    """The last campaign of these modes that has ended."""
    ended = [
        row for row in among if row.get("kind") == campaigns.ENDED and row.get("mode") in modes
    ]
    return ended[-1] if ended else None


def _record(row: Row) -> Mapping[str, Any]:
    return table(row.get("record"))
