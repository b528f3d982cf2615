"""Bound files: every change of one has a row with the digest of what it became.

A file without a row must be what it was at the base commit, and what it was when the ledger began:
whether it was bound in between cannot be told from git, so a change since then is unknown.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records import ledger_content
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger.rows import Facts

RULE = "ledger.unbound-change"

_MEANING = re.compile(r"[*?\[\\]")


@dataclass(frozen=True, slots=True)
class Place:
    """The tree, and its place in git.

    Parameters
    ----------
    way: the way down from the repository's top, with a slash at its end.
    base: the commit to compare with.
    began: the commit at which the ledger began, where that is known.
    """

    root: Path
    git: Git | None
    way: str = ""
    base: str | None = None
    began: str | None = None


def began(git: Git, first: Mapping[str, Any] | None, paths: Sequence[str]) -> str | None:
    """The commit at which a ledger began: by its first row, or by the commit that added it."""
    named = first.get("base") if first else None
    if isinstance(named, str) and git.present([named]):
        return named
    for path in paths:
        added = git.run("log", "--diff-filter=A", "--format=%H", "HEAD", "--", path).split()
        if added:
            return added[-1].decode("ascii")
    return None


def judge(place: Place, globs: Sequence[str], facts: Facts) -> Iterator[Finding]:
    """Findings about bound files that are not what their newest row says.

    A file is bound by a glob, or by having a row.
    """
    root, git, base = place.root, place.git, place.base
    for path, (expected, _, line) in sorted(facts.contents.items()):
        content = ledger_content.stored(root, git, path, expected)
        found = None if content is None else sha256(content)
        if found != expected:
            yield _finding(path, _told(found, expected, line), {"row": expected, "found": found})
    if not globs:
        return
    if git is None or base is None:
        yield _unknown("there is no commit to compare with")
        return
    try:
        pathspecs = [_pathspec(place.way, glob) for glob in globs]
        since_base = list(_without_row(place, git, base, pathspecs, facts))
        yield from since_base
        if place.began not in (None, base):
            told = {one.path for one in since_base}
            since_then = _without_row(place, git, str(place.began), pathspecs, facts)
            yield from (_perhaps(one) for one in since_then if one.path not in told)
    except Unreadable as error:
        yield _unknown(str(error))


def _pathspec(way: str, glob: str) -> str:
    prefix = _MEANING.sub(lambda found: f"\\{found[0]}", way)
    return f":(top,glob){prefix}{glob}"


def _perhaps(found: Finding) -> Finding:
    """The finding about a file that may have been bound only after it changed."""
    message = f"{found.message}; whether it was bound by then cannot be told"
    return replace(found, message=message, severity=Severity.UNKNOWN)


def _without_row(
    place: Place, git: Git, base: str, pathspecs: Sequence[str], facts: Facts
) -> Iterator[Finding]:
    for full, old in sorted(git.differing(base, *pathspecs).items()):
        path = full.removeprefix(place.way)
        if path in facts.contents:
            continue
        before = git.read(old) if old else None
        expected = None if before is None else sha256(before)
        content = ledger_content.stored(place.root, git, path, expected)
        found = None if content is None else sha256(content)
        if found != expected:
            was = (
                "is new" if expected is None else "was deleted" if found is None else "has changed"
            )
            message = f"{was} since commit {base[:12]}, and no row says so"
            yield _finding(path, message, {"base": expected, "found": found})


def _told(found: str | None, expected: str | None, line: int) -> str:
    if expected is None:
        return f"is there, line {line} of the ledger says that it was deleted"
    state = "is gone" if found is None else f"is {found[:12]}"
    return f"{state}, its newest row, line {line}, says {expected[:12]}"


def _finding(path: str, message: str, evidence: dict[str, str | None]) -> Finding:
    remedy = f"cockpit ledger record {path}"
    return Finding(RULE, message, path=path, remedy=remedy, evidence=evidence)


def _unknown(reason: str) -> Finding:
    return Finding(
        RULE,
        f"changes of bound files cannot be seen: {reason}",
        severity=Severity.UNKNOWN,
        remedy="judge in a clone that has the base commit",
    )
