"""What the phases of a runbook have in common: the tree they look at, and what comes of each.

A phase reads a tree and says what is to be written; it writes nothing itself. A session of one
phase puts its changes into the work tree, a runbook commits those of each on top of the one before.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.records import ledger


def _silent(line: str) -> None:
    """Told to nobody."""


@dataclass(frozen=True)
class Place:
    """What a phase looks at.

    Parameters
    ----------
    tree: commit or tree id whose files are read.
    commit: the commit that measurements are bound to.
    now: the time that is written down, in UTC.
    say: told how long work goes on, a line at a time.
    """

    repository: Repository
    settings: Config
    tree: str
    commit: str
    now: datetime
    say: Callable[[str], None] = field(default=_silent)

    @cached_property
    def entries(self) -> Mapping[str, Entry]:
        """Every tracked path, in order."""
        return {entry.path: entry for entry in self.repository.entries(self.tree)}

    def read(self, path: str) -> bytes | None:
        """The content of a file; None where there is none, or a link or submodule."""
        return dict(self.read_all([path])).get(path)

    def read_all(self, paths: Iterable[str]) -> Iterator[tuple[str, bytes]]:
        """The contents of those of the paths that are files, in the order asked for."""
        files = [entry for path in paths if (entry := self.entries.get(path)) and _is_file(entry)]
        contents = self.repository.blobs(entry.oid for entry in files)
        for entry, (_, content) in zip(files, contents, strict=True):
            if content is None:
                raise CockpitError(
                    f"{entry.path}: its content is not in this clone; fetch it with git"
                )
            yield entry.path, content

    @cached_property
    def rows(self) -> list[dict[str, Any]]:
        """The rows of the ledger; [] where there is none.

        Raises
        ------
        LedgerError: it is broken.
        """
        try:
            return ledger.rows(self.read(self.settings.ledger) or b"")
        except ledger.LedgerError as error:
            raise ledger.LedgerError(f"{self.settings.ledger}: {error}") from error

    def at(self) -> str:
        """The time as it is written."""
        return self.now.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True, slots=True)
class Changes:
    """What a phase wants written: content by path, and rows to be chained to the ledger."""

    files: Mapping[str, bytes] = field(default_factory=dict)
    rows: tuple[Mapping[str, Any], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.files or self.rows)


@dataclass(frozen=True, slots=True)
class Result:
    """What a phase came to.

    Parameters
    ----------
    summary: one line.
    text: shown when it is not green.
    facts: figures for the runbook's report, fit for JSON.
    artifacts: documents by their name in the artifacts folder, each with the name of its schema.
    """

    verdict: Verdict
    summary: str
    text: str = ""
    changes: Changes = field(default_factory=Changes)
    facts: Mapping[str, Any] = field(default_factory=dict)
    artifacts: Mapping[str, tuple[Any, str]] = field(default_factory=dict)


def clock() -> datetime:
    """The time in UTC, or the one that `SOURCE_DATE_EPOCH` fixes for builds to be repeatable.

    Raises
    ------
    CockpitError: the variable is no number of seconds.
    """
    fixed = os.environ.get("SOURCE_DATE_EPOCH", "")
    try:
        return datetime.fromtimestamp(int(fixed), UTC) if fixed else datetime.now(UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise CockpitError(
            f"SOURCE_DATE_EPOCH: {fixed!r} is no number of seconds since 1970; unset it"
        ) from error


def is_fixed() -> bool:
    """Whether two runs over one tree are to write the same bytes, so that nothing is timed."""
    return bool(os.environ.get("SOURCE_DATE_EPOCH"))


def _is_file(entry: Entry) -> bool:
    return entry.kind == "blob" and entry.mode != "120000"
