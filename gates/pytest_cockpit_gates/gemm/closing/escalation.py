"""Escalation: who is to be told of a severity, on which channel, and by when.

Nothing is sent from here: a file says who, and the minutes say until when.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_cockpit.records.wording import meant
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.closing.documents import Document
from pytest_cockpit_gates.gemm.closing.severity import Assessment, stamp
from pytest_cockpit_gates.gemm.closing.sla import Level, Sla
from pytest_cockpit_gates.gemm.refusing import refuse

SCHEMA = "gemm-escalation"


@dataclass(frozen=True, slots=True)
class Contact:
    """Who is told of one level, so many minutes after the evaluation at the latest."""

    role: str
    contact: str
    channel: str
    level: str
    minutes: float


@dataclass(frozen=True, slots=True)
class Matrix:
    """All contacts of a file."""

    path: str
    sha256: str
    contacts: tuple[Contact, ...]


@dataclass(frozen=True, slots=True)
class Told:
    """Somebody who is to be told, and by when; `why` names what of."""

    contact: Contact
    by: datetime
    why: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        it = self.contact
        return {
            "role": it.role,
            "contact": it.contact,
            "channel": it.channel,
            "severity": it.level,
            "by": stamp(self.by),
            "about": list(self.why),
        }


def load(root: Path, path: str, sla: Sla) -> Matrix | None:
    """The matrix of a JSON or TOML file of the tree; None where `path` is empty.

    Raises
    ------
    CockpitError: it cannot be read; a contact's level is not the SLA's; nobody is told of a level
        that bars promotion, or only later than the SLA wants a response.
    """
    if not path:
        return None
    return of(documents.read(root, path, SCHEMA), sla)


def of(document: Document, sla: Sla) -> Matrix:
    """The matrix of a document that answers to its schema; raises as `load`."""
    where = document.path
    contacts: list[Contact] = []
    wrong: list[str] = []
    for number, row in enumerate(document.data["contacts"]):
        level = _level(sla, row["severity"])
        if level is None:
            wrong.append(
                f"{where}: /contacts/{number}/severity: {sla.path} has no level {row['severity']}"
                f"{meant(row['severity'], [it.name for it in sla.levels])}; name one of its levels"
            )
            continue
        # A channel goes by its name in the SLA, or is what it says.
        channel = sla.channels.get(row["channel"], row["channel"])
        contacts.append(Contact(row["role"], row["contact"], channel, level.name, row["minutes"]))
    for level in sla.levels:
        wrong += _nobody(where, sla, level, contacts)
    refuse(wrong)
    return Matrix(where, document.sha256, tuple(contacts))


def who(matrix: Matrix | None, assessment: Assessment) -> tuple[Told, ...]:
    """Who is to be told of an assessment, the soonest first; nobody where there is no matrix."""
    if matrix is None:
        return ()
    about: dict[str, list[str]] = {}
    for incident in assessment.incidents:
        about.setdefault(incident.level.name, []).append(f"{incident.check} {incident.key}".strip())
    return _told(matrix, assessment.at, about or {assessment.level.name: ["all checks are green"]})


def later(matrix: Matrix | None, severity: Mapping[str, Any]) -> tuple[Told, ...]:
    """The same of an assessment that was recorded; what of it cannot be read is left out."""
    try:
        at = datetime.fromisoformat(str(severity.get("evaluated_at")))
    except ValueError:
        return ()
    incidents = severity.get("incidents")
    about: dict[str, list[str]] = {}
    for it in incidents if isinstance(incidents, list) else ():
        if isinstance(it, Mapping):
            named = f"{it.get('check')} {it.get('key') or ''}".strip()
            about.setdefault(str(it.get("severity")), []).append(named)
    return _told(matrix, at, about) if matrix is not None else ()


def _told(matrix: Matrix, at: datetime, about: Mapping[str, list[str]]) -> tuple[Told, ...]:
    told = [
        Told(
            contact,
            at + timedelta(minutes=contact.minutes),
            tuple(dict.fromkeys(about[contact.level])),
        )
        for contact in matrix.contacts
        if contact.level in about
    ]
    return tuple(sorted(told, key=lambda it: it.by))


def _level(sla: Sla, wanted: str) -> Level | None:
    return next((it for it in sla.levels if wanted in (it.name, f"sev{it.rank}")), None)


def _nobody(where: str, sla: Sla, level: Level, contacts: list[Contact]) -> Iterator[str]:
    """That nobody is told of a level that bars promotion, or only too late."""
    if level.action.promotion:
        return
    soonest = min((it.minutes for it in contacts if it.level == level.name), default=None)
    if soonest is None:
        yield f"{where}: /contacts: nobody is told of {level.name} of {sla.path}; add a contact"
    elif soonest > level.minutes:
        yield (
            f"{where}: /contacts: nobody is told of {level.name} before {soonest:g} minutes, and "
            f"{sla.path} wants a response within {level.minutes:g}; tell somebody sooner"
        )
