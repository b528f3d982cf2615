"""What sessions left behind, and whether it still says something of a commit.

A report counts as evidence when a session's record vouches for its bytes, when it was made of the
very tree that is asked about, by the very settings, and when it is not too old. Whatever else is
found is no evidence: the caller gets the reason, and shows `unknown`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import parse, sha256

MAX_AGE = timedelta(days=7)
"""Older reports are not believed: what a gate looks at is not in git alone."""

AHEAD = timedelta(minutes=1)
"""A report from further ahead has no age: the clock that dated it, or this one, is wrong."""

JUDGED = "judged"
"""Name of the last evidence of a report on a commit: which tree it is of, by which settings."""

REST, REST_OWN = "gates/rest", "gates/rest/artifacts"
"""Where reports on the rest of a red batch are, and what gates wrote beside them."""

_SHORT = 12


@dataclass(frozen=True, slots=True)
class Kept:
    """A gate's report and the artifact asked for beside it, with the session they are of."""

    report: dict[str, Any]
    beside: dict[str, Any]
    session: str
    at: datetime


class Shelf:
    """The artifacts folder of a checkout, as it was when this was made.

    Parameters
    ----------
    root: the checkout.
    folder: repository-relative artifacts folder.
    own: what the session that asks has written itself, so that no record names it yet.
    now: when it wrote that.
    settings: digest of the configuration that reports count for.
    """

    def __init__(
        self, root: Path, folder: str, own: Iterable[Path], now: datetime, settings: str
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._place = root / folder
        self._outside = (root / folder).resolve() != root.resolve() / folder
        self._vouched = dict(self._vouching())
        for path in own:
            name = path.relative_to(root).as_posix()
            self._vouched[name, sha256(path.read_bytes())] = ("this session", now)

    def kept(self, gate: str, tree: str, now: datetime, beside: str = "") -> Kept | str:
        """A gate's report on a tree, or why there is none that counts.

        Where a red batch was promoted without some of its files, that of the rest may be it.
        """
        found = self._kept(f"gates/{gate}.json", tree, now, beside)
        if isinstance(found, Kept):
            return found
        rest = self._kept(f"{REST}/{gate}.json", tree, now, beside and f"{REST_OWN}/{beside}")
        return rest if isinstance(rest, Kept) else found

    def _kept(self, name: str, tree: str, now: datetime, beside: str) -> Kept | str:
        try:
            report, session, at = self._read(name, "gate-report")
            other_than = _other_than(report, tree, self._settings)
            if other_than:
                return f"{self._folder}/{name}: {other_than}"
            age = now - at
            if age > MAX_AGE:
                return f"{self._folder}/{name}: is {age.days} days old"
            if age < -AHEAD:
                return f"{self._folder}/{name}: is dated {at:%Y-%m-%d %H:%M}, which is to come"
            other: dict[str, Any] = {}
            if beside:
                other, also, _ = self._read(beside, None)
                if also != session:
                    return f"{self._folder}/{beside}: is of another session than the report"
        except CockpitError as error:
            return str(error)
        return Kept(report, other, session, at)

    def _read(self, name: str, schema: str | None) -> tuple[dict[str, Any], str, datetime]:
        """A JSON artifact and the session that wrote it.

        Raises
        ------
        CockpitError: it is not there, or no session's record vouches for these bytes.
        """
        where, path = f"{self._folder}/{name}", self._place / name
        if self._outside or path.is_symlink():
            raise CockpitError(f"{where}: a link leads elsewhere")
        try:
            data = path.read_bytes()
        except OSError:
            raise CockpitError(f"{where}: is not there") from None
        known = self._vouched.get((where, sha256(data)))
        if known is None:
            raise CockpitError(f"{where}: no session's record names it with this content")
        try:
            document = parse(data)
        except ValueError as error:
            raise CockpitError(f"{where}: not JSON ({error})") from error
        if not isinstance(document, dict) or (schema and artifacts.validate(document, schema)):
            raise CockpitError(f"{where}: not as its schema says")
        return document, *known

    def _vouching(self) -> Iterator[tuple[tuple[str, str], tuple[str, datetime]]]:
        """Path and digest of what sessions wrote, with the session and when it ended."""
        records = []
        for path in [] if self._outside else self._place.glob("session.*.json"):
            try:
                record = artifacts.read(path, "session")
                at = datetime.fromisoformat(record["finished"])
            except (CockpitError, ValueError):
                continue
            records.append((at, record))
        for at, record in sorted(records, key=lambda pair: pair[0]):
            for row in record["artifacts"]:
                yield (row["path"], row["sha256"]), (record["session_id"], at)


def _other_than(report: dict[str, Any], tree: str, settings: str) -> str:
    """What else a report is of than this tree by these settings; empty where it is of them."""
    last = report["evidence"][-1] if report["evidence"] else {}
    # The session says so last; of a working tree it says nothing.
    judged = last["data"] if last.get("name") == JUDGED else {}
    if judged.get("tree") != tree:
        of = f"tree {str(judged['tree'])[:_SHORT]}" if "tree" in judged else "a working tree"
        return f"is of {of}, not of this commit's tree"
    return "" if judged.get("settings_sha256") == settings else "was judged by other settings"
