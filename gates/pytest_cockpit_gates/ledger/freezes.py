"""Freezes that the ledger has recorded: the tag of each leads to the commit that brought its row.

The row cannot name that commit, being in it. It names the commit before, whose tree is frozen, and
the manifest; it is the last row there, and nothing else has changed: that is one tree and no other.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records import checkpoint
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit.records.ledger_kinds import FREEZE
from pytest_cockpit.records.text import one_line, parse, sha256
from pytest_cockpit_gates.ledger.rows import Facts

RULE = "ledger.moved-tag"

_CHAIN = ("seq", "prev")
_REMEDY = "git fetch --tags --force brings back the published tag; cockpit freeze verify tells more"


def judge(facts: Facts, git: Git, paths: Sequence[str], path: str) -> Iterator[Finding]:
    """Findings about tags of freezes that were moved, or are not in this clone.

    Parameters
    ----------
    paths: where the ledger is in commits, and where it was.
    path: the ledger's, for findings.
    """
    seen: dict[str, int] = {}
    for line, row in facts.tags:
        if row["kind"] != FREEZE:
            continue
        name = row["tag"]
        if name in seen:
            message = f"tag {name} was frozen before, on line {seen[name]}; a tag is never moved"
            yield Finding(RULE, message, path=path, line=line, remedy="choose another name")
            continue
        seen[name] = line
        try:
            found = _fault(git, row, paths)
        except Unreadable as error:
            found = f"cannot be compared: {error}", Severity.UNKNOWN
        if found is not None:
            said, severity = found
            yield Finding(
                RULE,
                f"tag {name} of a freeze {said}",
                severity=severity,
                path=path,
                line=line,
                remedy=_REMEDY,
            )


def _fault(git: Git, row: Mapping[str, Any], paths: Sequence[str]) -> tuple[str, Severity] | None:
    """What is wrong with the tag of a freeze, and whether it is wrong or only not known."""
    found = git.ref(f"refs/tags/{row['tag']}")
    if found is None:
        # A freeze is made in a commit that no branch has yet, and published with its tag.
        lines = _lines(git, git.commit("HEAD"), paths)
        published = any(b'"freeze"' in line and _same(line, row) for line in lines)
        return ("is not in this clone", Severity.UNKNOWN) if published else None
    held, commit = found
    if held == commit:
        return f"is a lightweight tag at {commit[:12]}", Severity.ERROR
    parents = git.run("rev-parse", f"{commit}^@").decode("ascii").split()
    *before, last = _lines(git, commit, paths) or [b""]
    if parents != [row["base"]] or not _same(last, row):
        said = "which is not the commit that brought this row"
    elif before != _lines(git, row["base"], paths):
        said = "whose ledger is not the one that was frozen"
    else:
        said = _changed(git, commit, row, paths)
    return (f"leads to {commit[:12]}, {said}", Severity.ERROR) if said else None


def _changed(git: Git, commit: str, row: Mapping[str, Any], paths: Sequence[str]) -> str:
    """What the commit of a freeze has changed that a freeze does not; empty where it is nothing."""
    where = row["manifest"]
    entry = git.entry(commit, (where,))
    if entry is None or sha256(git.read(entry.oid)) != row["manifest_sha256"]:
        return f"where {one_line(where)} is not the manifest of this row"
    own = {where, *paths, *map(checkpoint.path_of, paths)}
    words = ("diff-tree", "-r", "-z", "--no-renames", "--name-only", row["base"], commit)
    told = git.run(*words).split(b"\0")[:-1]
    others = [path for path in map(os.fsdecode, told) if path not in own]
    return f"which changes {one_line(others[0])} too" if others else ""


def _lines(git: Git, commit: str, paths: Sequence[str]) -> list[bytes]:
    """The rows of a commit's ledger."""
    blob = git.entry(commit, paths)
    return git.read(blob.oid).splitlines() if blob else []


def _same(line: bytes, row: Mapping[str, Any]) -> bool:
    """Whether a line says the same as a row, wherever a merge of ledgers has put them."""
    try:
        found = parse(line)
    except ValueError:
        return False
    return isinstance(found, dict) and _content(found) == _content(row)


def _content(row: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in row.items() if key not in _CHAIN}
