"""Waivers: findings tolerated for a time, each with a reason and an owner, kept in the ledger."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit.records import globs, ledger, schema
from pytest_cockpit.records.text import one_line, parse, printable

KIND, REVOKED = "waiver", "waiver-revoked"
SCHEMA = "waiver"
EVER = "*"
"""In the place of a rule's own name: every rule of the gate."""

_MENTION = b'"waiver'
_DATED = re.compile(rb'"at":"([0-9]{4}-[0-9]{2}-[0-9]{2})T')


@dataclass(frozen=True, slots=True)
class Waiver:
    """One row of kind `waiver`.

    Parameters
    ----------
    rule: id of a rule, or a gate's prefix and `.*`.
    given: day on which it was entered.
    expires: last day on which it holds.
    file, label, environment: where it holds; all that are named must be so.
    max_findings: with more findings in one report it covers none of them.
    """

    id: str
    rule: str
    reason: str
    owner: str
    given: date
    expires: date
    file: str | None = None
    label: str | None = None
    environment: str | None = None
    max_findings: int | None = None

    def to_json(self) -> dict[str, str]:
        """What a report says of a waiver that covers something."""
        return {
            "id": self.id,
            "rule": self.rule,
            "owner": self.owner,
            "expires": self.expires.isoformat(),
            "reason": self.reason,
        }

    @property
    def scope(self) -> dict[str, str]:
        """Where it holds, as in its row."""
        parts = {"file": self.file, "label": self.label, "environment": self.environment}
        return {key: value for key, value in parts.items() if value is not None}


@dataclass(frozen=True, slots=True)
class Situation:
    """What a waiver may depend on besides the finding.

    Parameters
    ----------
    today: the day by which it expires; see `latest`.
    labels: given to the session by its caller.
    environment: the session's own variables; their values go nowhere.
    max_days: most days that a waiver may be given for.
    clock: the day by the clock alone; None where that does not matter.
    """

    today: date
    labels: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    max_days: int = 90
    clock: date | None = None


@dataclass(frozen=True, slots=True)
class Book:
    """The waivers of a ledger.

    Parameters
    ----------
    void: why a waiver can never hold, by its id.
    fault: why none of them holds, or None.
    unfit: rows that call themselves waivers and are none, each in one line.
    written: day of the newest row of any kind.
    """

    waivers: tuple[Waiver, ...] = ()
    void: Mapping[str, str] = field(default_factory=dict)
    fault: str | None = None
    unfit: tuple[str, ...] = ()
    written: date | None = None

    def refusal(self, waiver: Waiver, situation: Situation) -> str | None:
        """Why this waiver covers nothing now, whatever its scope; None when it may."""
        if self.fault:
            return f"does not hold: {self.fault}"
        if waiver.id in self.void:
            return self.void[waiver.id]
        if situation.today > waiver.expires:
            return f"expired on {waiver.expires}"
        # One that was given in years to come would hold until then. Clocks differ by hours.
        if situation.clock is not None and waiver.given > situation.clock + timedelta(days=1):
            return f"is dated {waiver.given}, and today is {situation.clock}"
        days = (waiver.expires - waiver.given).days
        if days > situation.max_days:
            return f"is for {days} days; waivers.max_days allows {situation.max_days}"
        return None


def read(data: bytes, *, base: bytes = b"") -> Book:
    """The waivers of a ledger.

    A ledger that is broken, or does not begin with the bytes of `base`, has waivers that can be
    named, and none that holds.
    """
    if _MENTION not in data:
        return Book()
    rows = list(_rows(data))
    found: dict[str, Waiver] = {}
    void = {
        str(row.get("id")): f"was revoked: {one_line(str(row.get('reason', 'no reason given')))}"
        for _, row in rows
        if row.get("kind") == REVOKED
    }
    unfit = []
    for line, row in rows:
        if row.get("kind") == KIND:
            waiver = _waiver(row)
            if isinstance(waiver, str):
                unfit.append(f"line {line}: {waiver}")
            elif waiver.id in found:
                void[waiver.id] = "does not hold: its id was given twice"
            else:
                found[waiver.id] = waiver
    # Canonical rows have no other spelling of it, and parsing all of them takes too long.
    written = max(_DATED.findall(data), default=b"").decode()
    return Book(tuple(found.values()), void, _fault(data, base), tuple(unfit), _day(written))


def latest(now: datetime, *others: date | None) -> date:
    """The day to judge by: today, or a later one that something was already dated with.

    A clock that was set back brings no expired waiver to life again.
    """
    return max([now.astimezone(UTC).date(), *(day for day in others if day is not None)])


def covers(waiver: Waiver, rule: str, path: str | None, situation: Situation) -> bool:
    """Whether a finding lies in the waiver's scope."""
    if not (_rule_matches(waiver.rule, rule) and _here(waiver, situation)):
        return False
    if waiver.file is None:
        return True
    if path is None:
        return False
    return globs.begins(globs.split(printable(path)), globs.split(waiver.file))


def protected(rule: str) -> bool:
    """Whether no waiver may cover this rule: a ledger cannot excuse itself."""
    return rule.partition(".")[0] == "ledger"


def known(rule: str, rules: Iterable[str]) -> bool:
    """Whether any of the rules is covered by a waiver of `rule`."""
    return any(_rule_matches(rule, each) for each in rules)


def _rule_matches(pattern: str, rule: str) -> bool:
    prefix, _, name = pattern.rpartition(".")
    return rule.startswith(f"{prefix}.") if name == EVER else rule == pattern


def _here(waiver: Waiver, situation: Situation) -> bool:
    if waiver.label is not None and waiver.label not in situation.labels:
        return False
    if waiver.environment is None:
        return True
    name, valued, value = waiver.environment.partition("=")
    seen = situation.environment.get(name)
    return seen is not None and (not valued or seen == value)


def _rows(data: bytes) -> Iterator[tuple[int, JSON]]:
    """Every line that holds an object and mentions waivers, with its number."""
    for number, line in enumerate(data.split(b"\n")[:-1], 1):
        if _MENTION in line:
            try:
                row = parse(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield number, row


def _waiver(row: JSON) -> Waiver | str:
    """The waiver of a row, or what is wrong with it."""
    problems = schema.problems(row, SCHEMA)
    if problems:
        return str(problems[0])
    given, expires = _day(row["at"]), _day(row["expires"])
    if given is None or expires is None:
        return "at, expires: no such day"
    scope: dict[str, Any] = row["scope"]
    if "file" in scope and not is_relative(scope["file"]):
        return "/scope/file: expected relative glob with / and without .."
    return Waiver(
        id=row["id"],
        rule=row["rule"],
        reason=row["reason"],
        owner=row["owner"],
        given=given,
        expires=expires,
        max_findings=row.get("max_findings"),
        **scope,
    )


def is_relative(glob: str) -> bool:
    """Whether a glob is one of paths below the repository's root."""
    return bool(globs.split(glob)) and glob[0] != "/" and ".." not in glob.split("/")


def _day(moment: object) -> date | None:
    try:
        return datetime.fromisoformat(str(moment)).date()
    except ValueError:
        return None


def _fault(data: bytes, base: bytes) -> str | None:
    breaks = ledger.verify(data)
    if breaks:
        return f"the ledger is broken at line {breaks[0].line}: {breaks[0].reason}"
    if not data.startswith(base):
        return "the ledger does not begin with the rows of the base commit"
    return None
