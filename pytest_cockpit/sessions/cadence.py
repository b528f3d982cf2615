"""The calendar at the start of a session: what it refuses, and the reason that goes past it."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import COCKPIT, PYPROJECT, Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import calendar
from pytest_cockpit.promotion.calendar import Clock, Closed, Seen
from pytest_cockpit.records import text
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.markdown import plain
from pytest_cockpit.sessions.conductor import Conductor

SESSIONS = "sessions.ndjson"

_TAIL = 1 << 16
_LONGEST = 500


@dataclass(frozen=True, slots=True)
class Cadence:
    """What the calendar says of a session that may begin.

    Parameters
    ----------
    header: lines for pytest's header.
    reason: given to promote on a closed day; empty where no day is closed.
    closed: why the days are closed.
    """

    header: list[str] = field(default_factory=list)
    reason: str = ""
    closed: tuple[Closed, ...] = ()

    def enter(self, conductor: Conductor) -> None:
        """Put a reason that was given into all that the session will leave behind."""
        conductor.config.stash[_KEY] = self
        if not self.reason:
            return
        because = [one.because for one in self.closed]
        forced = {"reason": self.reason, "because": because}
        conductor.facts.setdefault("extra", {})["forced"] = forced
        said = f"{plain('; '.join(because))}. Promoted all the same: {plain(self.reason)}"
        conductor.pages["forced"] = f"# Forced\n\n{said}\n"


_KEY = pytest.StashKey[Cadence]()


def signed(config: pytest.Config, message: str) -> str:
    """A commit message, with a trailer for the reason that the session was given."""
    reason = config.stash[_KEY].reason
    return f"{message}Forced: {reason}\n" if reason else message


def clock(repository: Repository, chosen: Config, commit: str) -> Clock:
    """What time it is, beside what `commit` and the last session's record are dated with."""
    return Clock.read(_committed(repository, commit), _recorded(repository.root / chosen.artifacts))


def judged(
    config: pytest.Config, repository: Repository, chosen: Config, commit: str, *, looks: bool
) -> Cadence:
    """What the calendar says of a batch or a burst that is about to begin.

    Parameters
    ----------
    looks: whether it can seal nothing; then it is refused on no day.

    Raises
    ------
    CockpitError: it would seal something on a closed day, without a reason or with an empty one.
    """
    option = config.option
    if option.cockpit_rollback:
        return Cadence()
    reason = _reason(config)
    found = clock(repository, chosen, commit)
    days = found.days(chosen.calendar)
    shut = [calendar.closed(chosen.calendar, day, burst=option.cockpit_burst) for day in days]
    closed = tuple(one for one in shut if one is not None)
    header = [f"cockpit: {found.told()}"] if found.backwards else []
    if not closed:
        return Cadence(header)
    why = "; ".join(one.because for one in closed)
    if looks:
        return Cadence([*header, f"cockpit: {why}: this session only looks"])
    if not reason:
        raise CockpitError(_refusal(chosen, closed[0], header))
    return Cadence([*header, f"cockpit: {why}; forced: {reason}"], reason, closed)


def _refusal(chosen: Config, closed: Closed, header: Sequence[str]) -> str:
    name = chosen.source.name if chosen.source else COCKPIT
    key = f"{'tool.cockpit.' if name == PYPROJECT else ''}calendar.{closed.key}"
    told = "".join(f" ({line.removeprefix('cockpit: ')})" for line in header)
    return (
        f"{name}: {key}: {closed.because}{told}; come back another day, look with "
        "--cockpit-dry-run or --co, or go on with --cockpit-force REASON"
    )


def _reason(config: pytest.Config) -> str:
    """The reason typed for this very session.

    Raises
    ------
    CockpitError: it is empty, or stands in a file that gives it to every session.
    """
    given: str | None = config.option.cockpit_force
    if given is None:
        return ""
    reason = text.one_line(" ".join(given.split()))[:_LONGEST].strip()
    if not any(char.isalnum() for char in reason):
        raise CockpitError('--cockpit-force: expected a reason, such as "hotfix for the release"')
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--cockpit-force")
    typed = parser.parse_known_args([*map(str, config.invocation_params.args)])[0]
    if typed.cockpit_force != given:
        raise CockpitError(
            f"--cockpit-force {printable(given)!r}: is not from the command line; a reason is for "
            "one session, so type it there"
        )
    return reason


def _committed(repository: Repository, commit: str) -> Seen | None:
    done = repository.run("log", "-1", "--format=%ct", commit, "--", check=False)
    seconds = done.stdout.strip()
    try:
        return Seen(datetime.fromtimestamp(int(seconds), UTC), f"commit {commit[:12]}")
    except (ValueError, OverflowError, OSError):
        return None


def _recorded(folder: Path) -> Seen | None:
    """When the last session ended, by its row in the sessions' ledger; a broken one tells nothing.

    Only the end of the file is read: it grows by a row with every session.
    """
    try:
        with (folder / SESSIONS).open("rb") as stream:
            stream.seek(max(stream.seek(0, 2) - _TAIL, 0))
            lines = stream.read().split(b"\n")[:-1]
        row = text.parse(lines[-1])
        at = datetime.fromisoformat(row["at"])
        return Seen(at.astimezone(UTC), "the last session's record")
    except (OSError, ValueError, KeyError, TypeError, IndexError, OverflowError):
        return None
