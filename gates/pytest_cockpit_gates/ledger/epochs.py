"""Imported history: unverified, but fixed from its import on, and no way to wash verified rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.records import ledger_content, ledger_epoch
from pytest_cockpit.records.ledger_git import Git
from pytest_cockpit.records.ledger_rows import START, row_of
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.ledger.history import Past
from pytest_cockpit_gates.ledger.rows import Facts

CHANGED, LAUNDERED = "ledger.epoch-changed", "ledger.laundered"

_RESTORE = "restore it from git; imported history is never edited"
_REMEDY = "take the import back with git; what was verified stays in its own ledger"


def judge(root: Path, git: Git | None, facts: Facts, path: str) -> Iterator[Finding]:
    """Findings about the files of every import."""
    seen: dict[str, int] = {}
    for line, row in facts.epochs:
        for file in row["files"]:
            yield from _once(file, line, seen, path)
            yield from _unchanged(root, git, file, line, path)
            if file["path"] in facts.contents:
                told = f"line {facts.contents[file['path']][2]} of {path} is about it"
                yield Finding(
                    LAUNDERED,
                    f"was imported as unverified, but {told} and was verified",
                    path=file["path"],
                    remedy=_REMEDY,
                )


def vanished(
    past: Past, commits: Sequence[str], root: Path, way: str, folder: str
) -> Iterator[Finding]:
    """Findings about chained ledgers of the records folder that were removed or rewritten.

    A ledger that is moved away and started anew, or imported, would lose its chain that way.
    """
    git = past.git
    for change in git.changes(commits, f"{way}{folder}"):
        if change.path in past.paths or not change.path.endswith(".ndjson"):
            continue
        old = git.read(change.old)
        new = git.read(change.new) if change.new else b""
        if not new.startswith(old) and _is_chained(old):
            yield _gone(change.path, f"in commit {change.commit[:12]}")
    for full, oid in git.files(past.tips[-1], f"{way}{folder}").items():
        if full in past.paths or not full.endswith(".ndjson"):
            continue
        old = git.read(oid)
        now = ledger_content.of(root, full.removeprefix(way)) or b""
        if not now.startswith(old) and _is_chained(old):
            yield _gone(full, "in this tree")


def _once(file: Mapping[str, Any], line: int, seen: dict[str, int], path: str) -> Iterator[Finding]:
    for key in (file["path"], file["sha256"]):
        if key in seen:
            yield Finding(
                LAUNDERED,
                f"{file['path']} was imported before, on line {seen[key]}",
                path=path,
                line=line,
                remedy=_REMEDY,
            )
            return
    seen.update({file["path"]: line, file["sha256"]: line})


def _unchanged(
    root: Path, git: Git | None, file: Mapping[str, Any], line: int, path: str
) -> Iterator[Finding]:
    content = ledger_content.stored(root, git, file["path"], file["sha256"])
    if content is None or sha256(content) != file["sha256"]:
        state = "is gone" if content is None else f"is {sha256(content)[:12]} now"
        yield Finding(
            CHANGED,
            f"{state}, line {line} of {path} imported {file['sha256'][:12]}",
            path=file["path"],
            remedy=_RESTORE,
            evidence={"recorded": file["sha256"]},
        )
        return
    chained = ledger_epoch.chained(content)
    if chained is not None:
        yield Finding(
            LAUNDERED,
            "holds rows of a chained ledger, but was imported as unverified",
            path=file["path"],
            line=chained,
            remedy=_REMEDY,
        )


def _gone(path: str, where: str) -> Finding:
    return Finding(
        LAUNDERED,
        f"a chained ledger, whose rows were taken away {where}",
        path=path,
        remedy="bring it back with git; if it is this ledger's old place, add it to formerly",
    )


def _is_chained(content: bytes) -> bool:
    row, _ = row_of(content.partition(b"\n")[0] + b"\n")
    return row is not None and row["seq"] == 0 and row["prev"] == START
