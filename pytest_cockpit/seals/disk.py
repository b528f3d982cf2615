"""What lies at a path of the user's checkout, told apart from what git would store there."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.git import Repository, quoted

State = tuple[str, str]
"""Mode and object id of a path; both empty where there is nothing."""

Pair = tuple[State, State]

ABSENT: State = ("", "")
LINK = "120000"
EXECUTABLE = "100755"
REGULAR = "100644"
_SHA256_HEX = 64

Signature = tuple[int, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Seen:
    """A path as it was when looked at; `signature` tells whether it was touched since."""

    state: State
    signature: Signature | None
    hindrance: str = ""


class Disk:
    """The work tree of a repository, looked at and changed path by path."""

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self._root = repo.root
        mode = repo.run("config", "--type=bool", "--get", "core.fileMode", check=False)
        self._knows_modes = mode.stdout.strip() != b"false"

    def look(self, wanted: Mapping[str, Pair], goes: frozenset[str]) -> dict[str, Seen]:
        """What lies at each path, of which `wanted` has the two states that would be right.

        A path below one of `goes`, files that are going to be removed, is free.
        """
        seen: dict[str, Seen] = {}
        regular: dict[str, os.stat_result] = {}
        for path, pair in wanted.items():
            place = self._root / path
            hindrance = self._hindrance(path, goes)
            status = _status(place)
            if hindrance or status is None:
                seen[path] = Seen(ABSENT, None, hindrance)
            elif stat.S_ISLNK(status.st_mode):
                oid = _blob_id(os.fsencode(place.readlink()), len(max(pair)[1]))
                seen[path] = Seen((LINK, oid), _signature(status))
            elif stat.S_ISREG(status.st_mode):
                regular[path] = status
            else:
                seen[path] = Seen(ABSENT, None, "a folder" if place.is_dir() else "no file")
        for path, oid in self._hash(regular).items():
            mode = self._mode(regular[path], oid, wanted[path])
            seen[path] = Seen((mode, oid), _signature(regular[path]))
        return seen

    def untouched(self, path: str, seen: Seen) -> bool:
        """Whether nobody has been there since."""
        status = _status(self._root / path)
        now = None if status is None else _signature(status)
        return now == seen.signature and not behind_link(self._root, path)

    def put(self, path: str, ready: Path) -> None:
        """Move a finished file to its place: a reader sees the old one or the new one."""
        place = self._root / path
        place.parent.mkdir(parents=True, exist_ok=True)
        try:
            ready.replace(place)
        except OSError as error:
            if error.errno != errno.EXDEV:
                raise
            # A linked work tree on another disk than the git directory.
            near = place.with_name(".cockpit-take.tmp")
            near.unlink(missing_ok=True)
            shutil.copy2(ready, near, follow_symlinks=False)
            near.replace(place)

    def remove(self, path: str) -> None:
        """Remove a file, and the folders that it leaves empty."""
        (self._root / path).unlink(missing_ok=True)
        here = Path.cwd()
        kept = {self._root, here, *here.parents}
        for parent in (self._root / path).parents:
            if parent in kept:
                return
            try:
                parent.rmdir()
            except OSError:
                return

    def _hindrance(self, path: str, goes: frozenset[str]) -> str:
        link = behind_link(self._root, path)
        if link:
            return f"behind the symlink {link}"
        for parent in (self._root / path).parents:
            if parent.is_dir():
                return "" if os.access(parent, os.W_OK | os.X_OK) else "in a read-only folder"
            name = parent.relative_to(self._root).as_posix()
            if parent.exists() and name not in goes:
                return f"below the file {name}"
        return ""

    def _mode(self, status: os.stat_result, oid: str, pair: Pair) -> str:
        if not self._knows_modes:
            return next((state[0] for state in pair if state[1] == oid), REGULAR)
        return EXECUTABLE if status.st_mode & stat.S_IXUSR else REGULAR

    def _hash(self, paths: Iterable[str]) -> dict[str, str]:
        """Object ids of files as git would store them, line endings and filters considered."""
        paths = list(paths)
        if not paths:
            return {}
        asked = b"".join(quoted(path) + b"\n" for path in paths)
        done = self._repo.run("hash-object", "--stdin-paths", input=asked)
        return dict(zip(paths, done.stdout.decode().split(), strict=True))


def behind_link(root: Path, path: str) -> str:
    """The symlink among the folders above a path, or nothing."""
    place = root
    for part in path.split("/")[:-1]:
        place /= part
        if place.is_symlink():
            return place.relative_to(root).as_posix()
    return ""


def _status(place: Path) -> os.stat_result | None:
    try:
        return place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None


def _signature(status: os.stat_result) -> Signature:
    return (
        status.st_mode,
        status.st_ino,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def _blob_id(content: bytes, length: int) -> str:
    digest = hashlib.new("sha256" if length == _SHA256_HEX else "sha1", usedforsecurity=False)
    digest.update(b"blob %d\0" % len(content) + content)
    return digest.hexdigest()
