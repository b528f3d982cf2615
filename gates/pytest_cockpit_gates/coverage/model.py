"""What is measured of one file, and the bound it is held to."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError

_RANGES = re.compile(r"(?:\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*)?\Z", re.ASCII)
_COUNTS = ("missing_lines", "missing_branches", "statements")


@dataclass(frozen=True, slots=True)
class FileCoverage:
    """One file's statements and branches, and those that no test executed.

    Parameters
    ----------
    statements: how many there are.
    missing: lines of those that did not run.
    shown: the same as ranges, closed over lines that hold no statement.
    untaken: line, and number of its exits that were not taken, where it has more than one.
    sha256: digest of the file's bytes.
    branches: how many exits there are, of lines that have more than one.
    excluded_lines, excluded_branches: what comments, and patterns that are not the baseline's,
        keep from being counted; `escapes` are the lines of those comments and patterns.
    patch: lines of the statements that differ from the base commit's.
    """

    statements: int
    missing: tuple[int, ...] = ()
    shown: str = ""
    untaken: tuple[tuple[int, int], ...] = ()
    sha256: str = ""
    branches: int = 0
    excluded_lines: int = 0
    excluded_branches: int = 0
    escapes: tuple[int, ...] = ()
    patch: tuple[int, ...] = ()

    @property
    def missing_lines(self) -> int:
        """How many statements did not run."""
        return len(self.missing)

    @property
    def missing_branches(self) -> int:
        """How many exits were not taken."""
        return sum(count for _, count in self.untaken)

    @property
    def excluded(self) -> int:
        """How many statements and exits are kept from being counted."""
        return self.excluded_lines + self.excluded_branches

    @property
    def executed(self) -> bool:
        """Whether any of its statements ran."""
        return self.missing_lines < self.statements

    @property
    def patch_missing(self) -> tuple[int, ...]:
        """Lines of the changed statements that did not run."""
        missing = set(self.missing)
        return tuple(line for line in self.patch if line in missing)

    def entry(self) -> dict[str, Any]:
        """The file's entry in a baseline.

        The lines are kept where they can tell new gaps from old ones: in a file without gaps, or
        without anything else, the counts say as much. A file that nothing executes is kept with
        its digest instead: as long as both stay so, it need not be parsed to know its counts.
        """
        counts = {
            "missing_lines": self.missing_lines,
            "missing_branches": self.missing_branches,
            "excluded": self.excluded,
            "statements": self.statements,
        }
        if not self.missing:
            return counts
        if self.executed:
            return {**counts, "uncovered": self.shown}
        bound = (self.missing_lines, self.missing_branches, self.excluded, self.statements)
        return {**counts, "source": seal(self.sha256, bound)}


@dataclass(frozen=True, slots=True)
class Bound:
    """How much of a file may be missing.

    `uncovered` are the lines that were, where some were not; `source` is the seal over a file
    that nothing executed, with its counts. `excluded` is None where it was never counted.
    """

    missing_lines: int
    missing_branches: int
    statements: int
    uncovered: str = ""
    source: str = ""
    excluded: int | None = None

    @classmethod
    def of(cls, entry: Mapping[str, Any], where: str) -> Bound:
        """Read a baseline's entry.

        Raises
        ------
        CockpitError: a count is missing or is none; `where` names file and key.
        """
        for name in (*_COUNTS, *({"excluded"} & entry.keys())):
            value = entry.get(name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 0:
                raise CockpitError(
                    f"{where}: {name}: expected integer ≥ 0, got {value!r}; "
                    "measure it again with `pytest --cockpit-init`"
                )
        uncovered, source = entry.get("uncovered", ""), entry.get("source", "")
        if not isinstance(uncovered, str) or not _RANGES.match(uncovered):
            raise CockpitError(
                f"{where}: uncovered: expected lines such as 3-7,12, got {uncovered!r}; "
                "measure it again with `pytest --cockpit-init`"
            )
        lines, branches, statements = (entry[name] for name in _COUNTS)
        return cls(lines, branches, statements, uncovered, str(source), entry.get("excluded"))

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """What `source` is sealed with."""
        return (self.missing_lines, self.missing_branches, self.excluded or 0, self.statements)


def seal(sha256: str, counts: Iterable[int]) -> str:
    """A digest over a file's digest and its counts, so that none of them changes alone."""
    text = " ".join([sha256, *map(str, counts)])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def spans(text: str) -> list[tuple[int, int]]:
    """`3-7,12` as pairs of first and last line."""
    pairs = (part.partition("-") for part in text.split(",") if part)
    return [(int(first), int(last or first)) for first, _, last in pairs]


def ranges(lines: Iterable[int]) -> str:
    """Lines as `3-7,12`."""
    found: list[list[int]] = []
    for line in sorted(set(lines)):
        if found and line == found[-1][1] + 1:
            found[-1][1] = line
        else:
            found.append([line, line])
    return ",".join(f"{first}-{last}" if last > first else f"{first}" for first, last in found)


def newly_missing(now: FileCoverage, bound: Bound) -> tuple[int, ...]:
    """Missing lines that the bound does not list; empty where that cannot be told."""
    if bound.missing_lines == 0:
        return now.missing
    if not bound.uncovered:
        return ()
    old = spans(bound.uncovered)
    return tuple(
        line for line in now.missing if not any(first <= line <= last for first, last in old)
    )
