"""Two trees and what lies in them: a commit and another one, or a commit and a working tree."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha1, sha256
from pathlib import Path

from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit_gates.guard.change import LINK, SUBMODULE, Entry

# What .gitmodules or a setting says of ignoring submodules does not count here.
_RAW = ("-z", "--raw", "--no-abbrev", "--ignore-submodules=dirty")
# With more pairs than this squared, git compares for sameness and no longer for likeness.
_COPIES = ("-M", "-C", "--find-copies-harder", "-l1000")
_FILE, _PROGRAM = "100644", "100755"
_AT_ONCE = 1000
_SHA1_HEX = 40


@dataclass(frozen=True, slots=True)
class Row:
    """One path that differs; `source` is another one where git found the content elsewhere."""

    path: str
    before: Entry | None
    after: Entry | None
    source: str
    percent: int


@dataclass(frozen=True)
class Trees:
    """A base and a tree; `commit` None stands for the working tree. Methods raise `Unreadable`.

    Parameters
    ----------
    way: where `root` lies below the repository's top, with a slash at its end; paths are
        counted from `root`.
    """

    git: Git
    root: Path
    way: str
    base: str
    commit: str | None

    def differing(self) -> Iterator[Row]:
        """Every path that differs, those of untracked files included."""
        yield from self._rows("--no-renames")
        if self.commit is None:
            told = self.git.run("ls-files", "-z", "--others", "--exclude-standard", "--full-name")
            for name in map(os.fsdecode, told.split(b"\0")[:-1]):
                if name.startswith(self.way):
                    path = name.removeprefix(self.way)
                    yield Row(path.rstrip("/"), None, self._untracked(path), "", 0)

    def copies(self) -> Iterator[Row]:
        """Paths whose content git finds at another path of the base."""
        return (row for row in self._rows(*_COPIES) if row.source)

    def known(self, path: str, entry: Entry) -> Entry:
        """The entry with its object id, where only the file can tell it."""
        if entry.mode == SUBMODULE or entry.oid:
            return entry
        try:
            return Entry(entry.mode, blob_id(self._on_disk(path), self.base))
        except OSError:
            # It went away meanwhile, or may not be read: only its name is certain.
            return entry

    def contents(self, entries: Mapping[str, Entry]) -> dict[str, bytes]:
        """What the tree has at these paths; nothing where a file cannot be read."""
        if self.commit is not None:
            read = self.blobs([entry.oid for entry in entries.values()])
            return dict(zip(entries, read, strict=True))
        found = {}
        for path in entries:
            try:
                found[path] = self._on_disk(path)
            except OSError:
                found[path] = b""
        return found

    def blobs(self, oids: Sequence[str]) -> list[bytes]:
        """Contents of objects, in the order asked for."""
        if not oids:
            return []
        asked = "".join(f"{oid}\n" for oid in oids).encode()
        told, found, at = self.git.run("cat-file", "--batch", stdin=asked), [], 0
        for oid in oids:
            end = told.index(b"\n", at)
            words = told[at:end].split()
            if len(words) != 3:  # noqa: PLR2004 - id, kind and size
                raise Unreadable(f"git cat-file: {oid} is not in this clone")
            at = end + int(words[2]) + 2
            found.append(told[end + 1 : at - 1])
        return found

    def at(self, commit: str, paths: Sequence[str]) -> Iterator[tuple[str, Entry]]:
        """What a commit has at these very paths."""
        asked = [f"{self.way}{path}" for path in paths]
        for start in range(0, len(asked), _AT_ONCE):
            yield from self._listed(commit, asked[start : start + _AT_ONCE])

    @cached_property
    def whole_base(self) -> Mapping[str, Entry]:
        """Every path of the base."""
        return dict(self._listed(self.base, []))

    def submodules(self, modules: bytes) -> frozenset[str]:
        """The paths that a `.gitmodules` of this content names."""
        asked = ("config", "-z", "--file", "-", "--get-regexp", r"^submodule\..*\.path$")
        # Nothing found is an exit code of its own, so something is always there to be found.
        told = self.git.run(*asked, stdin=modules + b'\n[submodule ""]\npath = ""\n')
        values = (row.partition(b"\n")[2] for row in told.split(b"\0")[:-1])
        return frozenset(os.fsdecode(value).strip("/") for value in values if value)

    def _rows(self, *options: str) -> Iterator[Row]:
        if self.commit is not None:
            trees = ("--end-of-options", self.base, self.commit)
            told = self.git.run("diff-tree", "-r", *_RAW, *options, *trees)
        else:
            told = self.git.run("diff-index", *_RAW, *options, "--end-of-options", self.base)
        fields = iter(told.split(b"\0")[:-1])
        for head in fields:
            old, new, was, now, kind = head[1:].decode("ascii").split()
            found = os.fsdecode(next(fields)) if kind[0] in "RC" else ""
            name = os.fsdecode(next(fields))
            if name.startswith(self.way):
                path = name.removeprefix(self.way)
                yield Row(
                    path,
                    _entry(old, was),
                    self._conflicting(path) if kind == "U" else _entry(new, now),
                    found.removeprefix(self.way),
                    int(kind[1:] or 0),
                )

    def _listed(self, commit: str, asked: Sequence[str]) -> Iterator[tuple[str, Entry]]:
        listing = ("ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit)
        told = self.git.run(*listing, *asked)
        for row in told.split(b"\0")[:-1]:
            head, _, name = row.partition(b"\t")
            mode, _, oid = head.decode("ascii").split()
            path = os.fsdecode(name)
            if path.startswith(self.way):
                yield path.removeprefix(self.way), Entry(mode, oid)

    def _conflicting(self, path: str) -> Entry | None:
        """What lies at a path that a merge left open: git says nothing of it."""
        return self._untracked(path) if os.path.lexists(self.root / path) else None

    def _untracked(self, path: str) -> Entry:
        if path.endswith("/"):
            # Git names a repository within this one as a folder and does not look into it.
            return Entry(SUBMODULE)
        try:
            return Entry(_mode((self.root / path).lstat().st_mode))
        except OSError:
            return Entry(_FILE)

    def _on_disk(self, path: str) -> bytes:
        place = self.root / path
        mode = place.lstat().st_mode
        if stat.S_ISLNK(mode):
            return os.fsencode(place.readlink())
        if not stat.S_ISREG(mode):
            # To read from a pipe would be to wait for somebody who writes to it.
            raise OSError(errno.EINVAL, "no file", str(place))
        return place.read_bytes()


def blob_id(content: bytes, like: str) -> str:
    """The object id of a file's content, by the same digest as the object id `like`."""
    digest = sha1(usedforsecurity=False) if len(like) == _SHA1_HEX else sha256()
    digest.update(b"blob %d\0" % len(content))
    digest.update(content)
    return digest.hexdigest()


def _entry(mode: str, oid: str) -> Entry | None:
    """One side of a row; git writes zeros for an id that it has not worked out."""
    if not mode.strip("0"):
        return None
    return Entry(mode, oid if oid.strip("0") else "")


def _mode(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return LINK
    return _PROGRAM if mode & stat.S_IXUSR else _FILE
