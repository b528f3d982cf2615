"""What `@pytest.mark.authz_quarantine(…)` says, and what is wrong with it. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

MARKER = "authz_quarantine"
MAX_DAYS = 90
UNEXPECTED = ("[XPASS(strict)]", "Unexpected success")
"""How reports of pytest, and of unittest, begin that call it a failure that a test passes."""

_ISSUE = re.compile(r"https?://[^\s/]+/\S+|#[1-9]\d*|[A-Z][A-Z0-9_]*-[1-9]\d*")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NAMES = ("issue", "owner", "expires")
_SHOWN = 60


@dataclass(frozen=True, slots=True)
class Mark:
    """Why a test is in quarantine, who answers for it, and its last day there."""

    issue: str
    owner: str
    expires: date

    def expired(self, today: date) -> bool:
        """Whether its last day is over; that day itself still counts."""
        return today > self.expires

    def __str__(self) -> str:
        return f"{self.issue}, {self.owner}, until {self.expires}"


def utc_today() -> date:
    """The day it is, in UTC: the same one for everybody."""
    return datetime.now(UTC).date()


def read(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Mark | None:
    """The mark, or None where `complaints` has something to say for every day."""
    issue, owner = keywords.get("issue"), keywords.get("owner")
    expires = _day(keywords.get("expires"))
    if list(_form(arguments, keywords)) or expires is None:
        return None
    return Mark(str(issue), str(owner).strip(), expires)


def complaints(
    arguments: Sequence[Any], keywords: Mapping[str, Any], today: date, max_days: int = MAX_DAYS
) -> list[str]:
    """All that is wrong with a marker's arguments; [] when nothing is."""
    found = list(_form(arguments, keywords))
    expires = _day(keywords.get("expires"))
    if expires is not None and (expires - today).days > max_days:
        last = today + timedelta(max_days)
        found.append(f"expires={expires}: more than {max_days} days ahead; the last is {last}")
    return found


def days_left(mark: Mark, today: date) -> int:
    """Days after today on which the mark still holds; negative once it has expired."""
    return (mark.expires - today).days


def _form(arguments: Sequence[Any], keywords: Mapping[str, Any]) -> Iterator[str]:
    if arguments:
        yield f"{_shown(arguments[0])}: write issue=…, owner=…, expires=… by name"
    for name in sorted(map(str, keywords.keys() - set(_NAMES))):
        said = " ".join(name.split())[:_SHOWN]
        yield f"{said}: no such argument; there are issue, owner, expires"
    missing = [name for name in _NAMES if keywords.get(name) in (None, "")]
    if missing:
        yield f"{', '.join(missing)}: missing"
    issue, owner, expires = (keywords.get(name) for name in _NAMES)
    if "issue" not in missing and not (isinstance(issue, str) and _ISSUE.fullmatch(issue)):
        yield f"issue={_shown(issue)}: expected a URL, #123 or KEY-1"
    if "owner" not in missing and not (isinstance(owner, str) and owner.strip()):
        yield f"owner={_shown(owner)}: expected who answers for it"
    if "expires" not in missing and _day(expires) is None:
        yield f"expires={_shown(expires)}: expected a day such as 2026-12-31"


def _day(value: object) -> date | None:
    if isinstance(value, date):
        return None if isinstance(value, datetime) else value
    # `fromisoformat` also takes 20261231 and weeks, which readers stumble over.
    if not isinstance(value, str) or not _DAY.fullmatch(value):
        return None
    try:
        return date.fromisoformat(value)
    except ValueError:
        return None


def _shown(value: object) -> str:
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - a value of the user's, which may not even have a form
        text = f"a {type(value).__name__}"
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
