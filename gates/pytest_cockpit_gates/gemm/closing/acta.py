"""The minutes of a week, from what its campaigns came to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit_gates.gemm.closing import history, measured, sections
from pytest_cockpit_gates.gemm.closing.account import Account
from pytest_cockpit_gates.gemm.closing.history import Campaign
from pytest_cockpit_gates.gemm.closing.selection import Selection
from pytest_cockpit_gates.gemm.closing.severity import stamp


def page(
    title: str,
    accounts: Sequence[Account],
    document: Mapping[str, Any],
    *,
    at: datetime,
    selected: Selection | None,
    owed: str,
    matrix: bool,
    campaigns: Sequence[Campaign] = (),
) -> str:
    """The minutes in Markdown.

    Parameters
    ----------
    document: the decision.
    selected, owed: the platform that is selected, and the rerun that is owed in words.
    matrix: whether there is an escalation matrix.
    campaigns: all of the week, also those that came to nothing.
    """
    told = sorted(
        (it for account in accounts for it in account.escalation), key=lambda it: str(it.get("by"))
    )
    review = code(document["review_id"])
    lines = [
        f"# {plain(title)}",
        "",
        f"Review {review}, {plain(stamp(at))}: **{plain(document['block_decision'])}**.",
        "",
        *_section("Scope", _each(accounts, sections.scope)),
        *_section("Checklist", sections.checklist(accounts)),
        *_section("Required gates", sections.gates(document)),
        *_section("Campaigns", history.section(campaigns)),
        *_section("Results", _each(accounts, measured.results)),
        *_section("Checks", _each(accounts, sections.checks)),
        *_section("Severity and deadlines", _each(accounts, sections.severity)),
        *_section("Rollback", sections.rollback(selected, owed)),
        *_section("Decisions", sections.decisions(document)),
        *_section("Evidence", sections.evidence(accounts)),
        *_section("Escalation", sections.escalation(told, matrix=matrix)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def _section(name: str, lines: Sequence[str]) -> list[str]:
    return [f"## {name}", "", *lines]


def _each(accounts: Sequence[Account], section: Any) -> list[str]:
    out: list[str] = []
    for account in accounts:
        out += [f"### {plain(account.track)}", "", *section(account)]
    return out
