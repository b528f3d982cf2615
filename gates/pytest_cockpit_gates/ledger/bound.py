"""Bound files: every change of one has a row with the digest of what it became."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records import ledger_content
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger.rows import Facts

RULE = "ledger.unbound-change"

_MEANING = re.compile(r"[*?\[\\]")


def judge(
    root: Path, git: Git | None, way: str, base: str | None, globs: Sequence[str], facts: Facts
) -> Iterator[Finding]:
    """Findings about bound files that are not what their newest row says.

    A file is bound by a glob, or by having a row. One without a row must be what it was at `base`.
    """
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
        yield from _without_row(root, git, way, base, globs, facts)
    except Unreadable as error:
        yield _unknown(str(error))


def _without_row(
    root: Path, git: Git, way: str, base: str, globs: Sequence[str], facts: Facts
) -> Iterator[Finding]:
    prefix = _MEANING.sub(lambda found: f"\\{found[0]}", way)
    pathspecs = [f":(top,glob){prefix}{glob}" for glob in globs]
    for full, old in sorted(git.differing(base, *pathspecs).items()):
        path = full.removeprefix(way)
        if path in facts.contents:
            continue
        before = git.read(old) if old else None
        expected = None if before is None else sha256(before)
        content = ledger_content.stored(root, git, path, expected)
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
