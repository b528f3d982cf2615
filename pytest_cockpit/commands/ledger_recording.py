"""`cockpit ledger record` and `import`: rows about files and tags."""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.commands.ledger_desk import Desk, at_hand


def record(arguments: argparse.Namespace) -> int:
    """Enter what files have become, and where tags lead."""
    desk = at_hand()
    if not arguments.paths and not arguments.tag:
        raise CockpitError("nothing to record; name a file, or a tag with --tag")
    made = [*_changes(desk, arguments.paths), *_tags(desk, arguments.tag)]
    return _append(desk, made, arguments.reason)


def _changes(desk: Desk, paths: Sequence[str]) -> Iterator[dict[str, Any]]:
    from pytest_cockpit.records import ledger_content
    from pytest_cockpit.records.text import sha256

    base, git = desk.base(), desk.git
    newest = ledger_content.newest(desk.rows())
    length = 64 if desk.repository.object_format() == "sha256" else 40
    for path in dict.fromkeys(each for text in paths for each in _files(desk, text)):
        before = _before(desk, base, path)
        committed = None if before is None else sha256(before)
        previous = newest.get(path, committed)
        content = ledger_content.stored(desk.root, git, path, previous)
        if content is None and path not in newest and before is None:
            raise CockpitError(f"{path}: is not there and never was; correct the path")
        row = ledger_content.row(path, content, previous, base, length)
        if path in newest and row["sha256"] == previous:
            print(f"{path}: recorded already")
        else:
            yield row


def _before(desk: Desk, base: str | None, path: str) -> bytes | None:
    """What a file was at the last commit that had it."""
    if base is None:
        return None
    found = desk.repository.blob(base, path)
    if found is None:
        # One that was deleted without a row was last in the parent of the commit that did it.
        last = desk.git.run("rev-list", "-1", base, "--", path).decode().strip()
        found = desk.repository.blob(f"{last}^", path) if last else None
    return found


def _files(desk: Desk, text: str) -> list[str]:
    path = desk.inside(text)
    if not (desk.root / path).is_dir() or (desk.root / path).is_symlink():
        return [path]
    return desk.git.tracked(f":(top,literal){path}")


def _tags(desk: Desk, names: Sequence[str]) -> Iterator[dict[str, Any]]:
    known = {row["tag"] for row in desk.rows() if row["kind"] == "tag"}
    for name in names:
        found = desk.git.ref(f"refs/tags/{name}")
        if found is None:
            raise CockpitError(f"{name}: no such tag; see `git tag`")
        if name in known:
            raise CockpitError(f"{name}: recorded before; a tag is never moved")
        yield {"kind": "tag", "tag": name, "object": found[0], "commit": found[1]}


def import_history(arguments: argparse.Namespace) -> int:
    """Enter files of history that nobody vouches for."""
    from pytest_cockpit.records import ledger_content, ledger_epoch

    desk = at_hand()
    files = {}
    tracked = set(desk.git.tracked())
    for text in arguments.paths:
        path = desk.inside(text)
        content = ledger_content.stored(desk.root, desk.git, path, None)
        if content is None:
            raise CockpitError(f"{text}: is not there; name a file of rows")
        if path not in tracked:
            raise CockpitError(f"{text}: git does not track it; git add it first")
        if path == desk.name:
            raise CockpitError(f"{text}: is the ledger itself; name another")
        files[path] = content
    return _append(desk, [ledger_epoch.row(files, desk.rows())], arguments.reason)


def _append(desk: Desk, made: Sequence[dict[str, Any]], reason: str | None) -> int:
    from pytest_cockpit.records import ledger

    # Appending looks at the last row alone; nothing is added to what is broken further up.
    desk.rows()
    extra = {"at": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")}
    if reason is not None:
        extra["reason"] = reason
    for row in made:
        ledger.append(desk.path, {**row, **extra}, lock=desk.repository.common_dir / ledger.LOCK)
        print(f"{desk.name}: {_told(row)}")
    return 0


def _told(row: Mapping[str, Any]) -> str:
    if row["kind"] == "tag":
        return f"tag {row['tag']} at {row['commit']}"
    if row["kind"] == "epoch":
        return f"{len(row['files'])} files, {sum(each['rows'] for each in row['files'])} rows"
    return f"{row['path']}: {row['sha256'] or 'deleted'}"
