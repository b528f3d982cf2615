"""Bring the user's checkout forward to a sealed commit, losing nothing of theirs.

What git's own fast-forward does, with two differences: a file that already has the new content is
no obstacle, and a run that was killed in the middle is completed by the next one.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records import artifacts

_ABSENT = ("", "")
_LINK = "120000"
_EXECUTABLE = "100755"
_SHOWN = 3

State = tuple[str, str]
"""Mode and object id of a path; both empty where there is none."""


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether the checkout shows the commit now, and the reason in one line."""

    done: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between base and commit."""

    path: str
    old: State
    new: State


def take(repository: Repository, branch_ref: str, base: str, commit: str) -> Taken:
    """Move the checkout and `branch_ref` from `base` to `commit`.

    Nothing is touched unless HEAD is that branch at that base and every path that differs is
    clean: as it is in `base`, or already as it is in `commit`.
    """
    if repository.branch() != branch_ref or repository.resolve("HEAD") != base:
        return Taken(False, f"HEAD is no longer {_name(branch_ref)} at {base[:12]}")
    changes = _changes(repository, base, commit)
    blocked = _blocked(repository, changes)
    if blocked:
        return Taken(False, f"uncommitted changes in {_some(blocked)}")
    record = {"ref": branch_ref, "base": base, "commit": commit}
    artifacts.write(_journal(repository), record)
    return _bring(repository, changes, branch_ref, base, commit)


def resume(repository: Repository) -> Taken | None:
    """Complete what a killed `take` began; None where nothing is left to do."""
    journal = _journal(repository)
    if not journal.exists():
        return None
    record = artifacts.read(journal)
    ref, base, commit = record["ref"], record["base"], record["commit"]
    if repository.branch() != ref or repository.resolve("HEAD") not in (base, commit):
        journal.unlink()
        return Taken(False, f"HEAD was moved off {_name(ref)} meanwhile")
    changes = _changes(repository, base, commit)
    blocked = _blocked(repository, changes)
    if blocked:
        return Taken(False, f"changed meanwhile: {_some(blocked)}; restore or commit them")
    return _bring(repository, changes, ref, base, commit)


def _bring(
    repository: Repository, changes: Iterable[Change], ref: str, base: str, commit: str
) -> Taken:
    changes = list(changes)
    # Files that go are removed first: a folder may take the place of one of them.
    for change in changes:
        if change.new == _ABSENT:
            _remove(repository.root, change.path)
    written = [change for change in changes if change.new != _ABSENT]
    contents = repository.blobs([change.new[1] for change in written])
    for change, (_, content) in zip(written, contents, strict=True):
        if content is None:
            raise GitError(f"{change.path}: blob {change.new[1]} is not in the object store")
        if _on_disk(repository, change.path, change.new) != change.new:
            _put(repository, change.path, change.new[0], content)
    _index(repository, changes)
    if repository.resolve("HEAD") != commit:
        repository.run("update-ref", "-m", "cockpit: take", ref, commit, base)
    _journal(repository).unlink()
    return Taken(True, f"{_name(ref)} is at {commit[:12]}")


def _changes(repository: Repository, base: str, commit: str) -> list[Change]:
    done = repository.run("diff-tree", "-r", "-z", "--no-renames", base, commit)
    fields = iter(os.fsdecode(field) for field in done.stdout.split(b"\0")[:-1])
    changes = []
    for head in fields:
        old_mode, new_mode, old, new, _ = head.lstrip(":").split(" ")
        path = next(fields)
        changes.append(Change(path, _state(old_mode, old), _state(new_mode, new)))
    return changes


def _state(mode: str, oid: str) -> State:
    return _ABSENT if mode == "000000" else (mode, oid)


def _blocked(repository: Repository, changes: Iterable[Change]) -> list[str]:
    changes = list(changes)
    index = _index_states(repository, [change.path for change in changes])
    blocked = []
    for change in changes:
        fine = (change.old, change.new)
        on_disk = _on_disk(repository, change.path, change.new)
        if index.get(change.path, _ABSENT) not in fine or on_disk not in fine:
            blocked.append(change.path)
    return blocked


def _index_states(repository: Repository, paths: list[str]) -> Mapping[str, State]:
    wanted = set(paths)
    done = repository.run("ls-files", "-z", "--stage", "--full-name")
    states = {}
    for row in done.stdout.split(b"\0")[:-1]:
        head, _, path = row.partition(b"\t")
        name = os.fsdecode(path)
        if name in wanted:
            mode, oid, stage = head.decode().split(" ")
            states[name] = (mode, oid) if stage == "0" else ("conflict", oid)
    return states


def _on_disk(repository: Repository, path: str, like: State) -> State:
    """What lies at a path, as git would store it; a folder or anything odd equals no state."""
    place = repository.root / path
    try:
        _no_link_above(repository.root, path)
        if place.is_symlink():
            return _LINK, _hash(repository, os.fsencode(place.readlink()), None)
        if not place.exists():
            return _ABSENT
        if not place.is_file():
            return "other", ""
        oid = _hash(repository, place.read_bytes(), path)
    except (OSError, GitError):
        return "other", ""
    executable = os.access(place, os.X_OK) and bool(place.stat().st_mode & 0o100)
    return (_EXECUTABLE if executable else "100644"), oid


def _hash(repository: Repository, content: bytes, path: str | None) -> str:
    filters = ["--path", path] if path is not None else []
    done = repository.run("hash-object", "-t", "blob", *filters, "--stdin", input=content)
    return done.stdout.decode().strip()


def _no_link_above(root: Path, path: str) -> None:
    place = root
    for part in path.split("/")[:-1]:
        place /= part
        if place.is_symlink():
            raise GitError(f"{path}: lies behind a symlink")
        if place.exists() and not place.is_dir():
            return


def _put(repository: Repository, path: str, mode: str, content: bytes) -> None:
    """Write a file whole or not at all, with no leftover in the checkout when killed."""
    root = repository.root
    _no_link_above(root, path)
    place = root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    # Below the git directory, which a checkout shares its file system with unless it is a linked
    # one; there the file's own folder has to do.
    folder = repository.common_dir / "cockpit"
    if folder.stat().st_dev != place.parent.stat().st_dev:
        folder = place.parent
    descriptor, name = tempfile.mkstemp(dir=folder, prefix=".incoming-")
    os.close(descriptor)
    temporary = Path(name)
    try:
        if mode == _LINK:
            temporary.unlink()
            temporary.symlink_to(os.fsdecode(content))
        else:
            temporary.write_bytes(content)
            mask = os.umask(0)
            os.umask(mask)
            temporary.chmod((0o777 if mode == _EXECUTABLE else 0o666) & ~mask)
        temporary.replace(place)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def _remove(root: Path, path: str) -> None:
    _no_link_above(root, path)
    place = root / path
    place.unlink(missing_ok=True)
    for parent in place.parents:
        if parent == root:
            break
        with contextlib.suppress(OSError):
            parent.rmdir()


def _index(repository: Repository, changes: Iterable[Change]) -> None:
    lines = []
    for change in changes:
        mode, oid = change.new if change.new != _ABSENT else ("0", "0" * len(change.old[1]))
        lines.append(b"%s %s\t%s\0" % (mode.encode(), oid.encode(), os.fsencode(change.path)))
    repository.run("update-index", "-z", "--index-info", input=b"".join(lines))
    repository.run("update-index", "-q", "--refresh", check=False)


def _journal(repository: Repository) -> Path:
    return repository.common_dir / "cockpit" / "take.json"


def _name(ref: str) -> str:
    return ref.removeprefix("refs/heads/")


def _some(paths: list[str]) -> str:
    shown = ", ".join(artifacts.printable(path) for path in paths[:_SHOWN])
    return shown + (f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else "")
