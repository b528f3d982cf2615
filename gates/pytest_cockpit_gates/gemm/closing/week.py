"""The week: what its campaigns came to by the ledger, and by the artifacts that it vouches for."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records import artifacts, campaigns
from pytest_cockpit.records.text import one_line, parse, sha256
from pytest_cockpit_gates.gemm.closing import debts, documents
from pytest_cockpit_gates.gemm.closing.account import Account, timeline
from pytest_cockpit_gates.gemm.closing.debts import Row
from pytest_cockpit_gates.gemm.closing.decision import UNKNOWN
from pytest_cockpit_gates.gemm.closing.tables import table, tables
from pytest_cockpit_gates.gemm.verdicts import DROP, ITERATE, PROMOTE, STOP

_DECISIONS = (PROMOTE, ITERATE, STOP, DROP)
_MOST_BYTES = 256 * 1024 * 1024


@dataclass(frozen=True, slots=True, order=True)
class Week:
    """A week of the calendar of ISO 8601."""

    year: int
    number: int

    def __str__(self) -> str:
        return f"{self.year}-W{self.number:02}"

    def has(self, stamp: Any) -> bool:
        """Whether a time of the ledger lies in it; no time that is none does."""
        return _stamped(stamp) == self


def of(at: datetime) -> Week:
    """The week of a moment."""
    year, number, _ = at.isocalendar()
    return Week(year, number)


def _stamped(stamp: Any) -> Week | None:
    try:
        return of(datetime.fromisoformat(str(stamp)))
    except ValueError:
        return None


def chosen(options: JSON, now: datetime) -> Week:
    """The week that is to be closed: the one that is asked for, or that of the moment.

    Raises
    ------
    CockpitError: it has not begun.
    """
    this = of(now)
    if not options.get("week"):
        return this
    year, _, number = str(options["week"]).partition("-W")
    asked = Week(int(year), int(number))
    if asked > this:
        raise CockpitError(
            f"--cockpit-gemm-week: {asked} has not begun; name {this}, or one before it"
        )
    return asked


def accounts(
    root: Path, rows: Sequence[Row], week: Week, *, over: bool = False
) -> tuple[Account, ...]:
    """What each track came to in the week: its last campaign, however many there were.

    A campaign belongs to the week that it began in. One that began and has no end makes its track
    unknown, as one that was killed might otherwise hide what it was about to say.

    Parameters
    ----------
    over: the week is, so that no campaign can be of it any more.
    """
    return tuple(_account(root, rows, week, track, over=over) for track in debts.TRACKS)


def rollbacks(rows: Iterable[Row], week: Week) -> list[str]:
    """Sessions of the week that went back to the fallback platform, in words."""
    return [
        f"rollback:{row.get('session_id')}"
        for row in rows
        if debts.applied(row) and week.has(row.get("at"))
    ]


def _account(root: Path, rows: Sequence[Row], week: Week, track: str, *, over: bool) -> Account:
    begun = [
        row
        for row in rows
        if row.get("kind") == campaigns.BEGUN
        and row.get("mode") == track
        and week.has(row.get("at"))
    ]
    if not begun:
        last = _other(rows, week, track)
        why = f"there is no {track} in {week}" + (", which is over" if over else "")
        ways = [] if over else [f"run --cockpit-{track}"]
        ways += [f"close {last}: --cockpit-gemm-week {last}"] if last else []
        return Account(track, UNKNOWN, "; ".join(filter(None, [why, ", or ".join(ways)])))
    first = begun[-1]
    made = Account(
        track,
        UNKNOWN,
        one_line(
            f"the last {track}, begun {first.get('at')}, has no end"
            + ("" if over else "; run it again")
        ),
        session_id=str(first.get("session_id")),
        begun=str(first.get("at")),
        attempt=_attempt(first),
    )
    ended = next(
        (
            row
            for row in reversed(rows)
            if row.get("kind") == campaigns.ENDED
            and row.get("session_id") == first.get("session_id")
        ),
        None,
    )
    if ended is None:
        return made
    record = table(ended.get("record"))
    evidence, artifact, why = _evidence(root, record)
    decision, rationale = _decision(ended, record, why)
    if evidence and why and why not in rationale:
        rationale = f"{rationale}; {why}"
    before = _came_to(rows, begun[:-1])
    if before:
        rationale = f"{rationale}; campaigns of the week before it: {', '.join(before)}"
    return dataclasses.replace(
        made,
        decision=decision,
        rationale=rationale,
        ended=str(ended.get("at")),
        verdict=str(ended.get("verdict")),
        phases={str(key): str(value) for key, value in table(ended.get("phases")).items()},
        timeline=timeline(ended.get("timeline")),
        doubt=why if evidence else "",
        checks=_checks(artifact, record),
        severity=table(record.get("assessment")) or None,
        escalation=tuple(tables(record.get("escalation"))),
        evidence=evidence,
        artifact=artifact,
    )


def _other(rows: Sequence[Row], week: Week, track: str) -> Week | None:
    """The last of the other weeks that have a campaign of this track."""
    found = [
        _stamped(row.get("at"))
        for row in rows
        if row.get("kind") == campaigns.BEGUN and row.get("mode") == track
    ]
    return max((it for it in found if it is not None and it != week), default=None)


def _came_to(rows: Sequence[Row], begun: Sequence[Row]) -> list[str]:
    """What campaigns decided, in their order: who runs again until it is green is seen to."""
    told = {
        row.get("session_id"): table(row.get("record")).get("decision")
        for row in rows
        if row.get("kind") == campaigns.ENDED
    }
    return [
        str(it) if (it := told.get(row.get("session_id"))) in _DECISIONS else UNKNOWN
        for row in begun
    ]


def _decision(ended: Row, record: Mapping[str, Any], why: str) -> tuple[str, str]:
    """What the track decides: no promotion without its artifact, or of a session that is red."""
    said, rationale = record.get("decision"), one_line(str(record.get("rationale") or ""))
    if said not in _DECISIONS:
        return UNKNOWN, rationale or "it came to no decision"
    if said != PROMOTE:
        return str(said), rationale or f"it was decided to {said}"
    if why:
        return UNKNOWN, why
    if not debts.opens(ended.get("verdict")):
        return ITERATE, f"the session is {one_line(str(ended.get('verdict')))}; {rationale}"
    return PROMOTE, rationale or "all checks are green"


def _evidence(
    root: Path, record: Mapping[str, Any]
) -> tuple[tuple[tuple[str, str | None], ...], Mapping[str, Any] | None, str]:
    """Paths with digests, the artifact, and why they are no evidence; empty where they are."""
    found: list[tuple[str, str | None]] = []
    artifact: Mapping[str, Any] | None = None
    whys = []
    for number, row in enumerate(tables(record.get("evidence"))):
        path, digest = str(row.get("path")), row.get("sha256")
        try:
            content = _content(root, path)
        except CockpitError as error:
            found.append((path, None))
            whys.append(str(error))
            continue
        found.append((path, sha256(content)))
        if sha256(content) != digest:
            whys.append(
                f"{artifacts.printable(path)} is not what the ledger vouches for, which is "
                f"{str(digest)[:12]}"
            )
        elif number == 0:
            artifact = _read(content)
    if not found:
        whys.append("the ledger names no artifact")
    elif artifact is None and not whys:
        whys.append(f"{artifacts.printable(found[0][0])} is no run's artifact")
    return tuple(found), artifact, one_line("; ".join(whys))


def _content(root: Path, path: str) -> bytes:
    file = documents.inside(root, path)
    try:
        if not file.is_file() or file.stat().st_size > _MOST_BYTES:
            raise CockpitError(f"{artifacts.printable(path)}: missing, or no file to read")
        return file.read_bytes()
    except OSError as error:
        raise artifacts.os_error(Path(path), "cannot read", error) from error


def _read(content: bytes) -> Mapping[str, Any] | None:
    try:
        data = parse(content)
    except ValueError:
        return None
    return data if isinstance(data, Mapping) else None


def _checks(
    artifact: Mapping[str, Any] | None, record: Mapping[str, Any]
) -> tuple[Mapping[str, Any], ...]:
    """All checks of the artifact's evaluation; the red ones alone where only those are known."""
    checks = tables(table((artifact or {}).get("evaluation")).get("checks"))
    return tuple(checks or [{**it, "name": it.get("check")} for it in tables(record.get("red"))])


def _attempt(row: Row) -> int:
    attempt = row.get("attempt")
    return attempt if isinstance(attempt, int) else 0
