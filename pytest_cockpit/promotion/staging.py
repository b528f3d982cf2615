"""The private tree in which gates see a commit: kept between runs, updated by difference.

It lies outside of the repository, where `places` says, and is a clone of its own that borrows the
user's objects: code run in it finds a real repository whose refs, index, hooks and configuration
are not the user's. Nothing is believed that such code could have changed; what the tree holds is
compared with an index kept outside of it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

from filelock import FileLock, Timeout

from pytest_cockpit.git import Entry, GitError, Repository, quoted
from pytest_cockpit.process import Completed
from pytest_cockpit.promotion import places
from pytest_cockpit.promotion.places import remove
from pytest_cockpit.records.artifacts import os_error

_PATIENCE_S = 60
_SHA256_HEX = 64
_CONFIG = """\
[core]
	hooksPath = /dev/null
	autocrlf = false
[gc]
	auto = 0
[advice]
	detachedHead = false
[lfs]
	skipDownloadErrors = true
"""


class StagedTree:
    """The private tree of one repository.

    `lost` holds the files that the tree, while in use, does not show because the repository does
    not have their content.
    """

    def __init__(self, repo: Repository) -> None:
        self._repo = repo
        self.lost: tuple[Entry, ...] = ()

    @cached_property
    def place(self) -> places.Place:
        """Where the tree lies; what is left of others is removed when it is first asked for."""
        place = places.of(self._repo.common_dir)
        places.tidy(place, self._repo.common_dir)
        return place

    @property
    def _root(self) -> Path:
        return self.place.folder / "tree"

    @property
    def _index(self) -> Path:
        return self.place.folder / "tree.index"

    @property
    def _inner(self) -> Path:
        return self._root / ".git" / "index"

    @contextlib.contextmanager
    def at(self, commit: str) -> Iterator[Path]:
        """The tree holding exactly `commit`, detached; nobody else's meanwhile.

        Whatever an earlier run, a killed one included, left in it is put right or thrown away.

        Raises
        ------
        CockpitError: the commit cannot be checked out, or another session holds the tree.
        """
        whole = self._repo.resolve(commit)
        with self._locked():
            try:
                self._bring(whole)
            except (GitError, OSError):
                # Whatever state it is in, a new one costs a checkout and is certain.
                self._renew(whole)
            yield self._root

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        place = self.place.folder / places.LOCK
        lock = FileLock(place)
        try:
            self.place.folder.mkdir(parents=True, exist_ok=True)
            lock.acquire(timeout=_PATIENCE_S)
        except Timeout:
            raise GitError(
                f"{place}: another session has been using the staged tree for {_PATIENCE_S} s; "
                "wait for it or end it"
            ) from None
        except OSError as error:
            raise os_error(place, "cannot lock", error) from error
        try:
            yield
        finally:
            lock.release()

    def _renew(self, commit: str) -> None:
        try:
            remove(self._root)
            remove(self._index)
            self._bring(commit)
        except OSError as error:
            raise os_error(self._root, "cannot stage", error) from error

    def _bring(self, commit: str) -> None:
        self._found(commit)
        self._check_out(commit)
        # Pipes and sockets, which git never looks at but a reader of the tree would wait for.
        for path in _special(self._root):
            path.unlink()
        self._git("clean", "-ffdxq", tied=True)
        self._give_index()
        done = self._git("status", "--porcelain", "--ignored", "-z", index=self._inner)
        if done.stdout:
            raise GitError(f"{self._root}: does not hold {commit} after an update")

    def _check_out(self, commit: str) -> None:
        remove(self._index.with_name("tree.index.lock"))
        self.lost = ()
        done = self._git("read-tree", "--reset", "-u", commit, check=False, tied=True)
        if done.returncode:
            self.lost = self._find_lost(commit)
            self._git("read-tree", "--reset", "-u", self._without_lost(commit), tied=True)

    def _find_lost(self, commit: str) -> tuple[Entry, ...]:
        """What the store lacks and cannot fetch; a repository may be only partly cloned."""
        blobs = [entry for entry in self._repo.entries(commit) if entry.kind == "blob"]
        asked = "".join(f"{entry.oid}\n" for entry in blobs).encode()
        done = self._git("cat-file", "--batch-check=%(objectname)", input=asked)
        rows = [row.split() for row in done.stdout.decode().splitlines()]
        absent = dict.fromkeys(oid for oid, *missing in rows if missing)
        gone = {oid for oid, content in self._repo.blobs(absent) if content is None}
        return tuple(entry for entry in blobs if entry.oid in gone)

    def _without_lost(self, commit: str) -> str:
        if not self.lost:
            return commit
        part = self._index.with_name("tree.index.part")
        remove(part)
        self._git("read-tree", commit, index=part)
        paths = b"".join(os.fsencode(entry.path) + b"\0" for entry in self.lost)
        self._git("update-index", "-z", "--force-remove", "--stdin", index=part, input=paths)
        return self._git("write-tree", index=part).stdout.decode().strip()

    def _give_index(self) -> None:
        """The repository in the tree gets an index of its own, where lost files are no change."""
        shutil.copyfile(self._index, self._inner)
        if self.lost:
            rows = [f"{lost.mode} {lost.oid}\t{lost.path}\0" for lost in self.lost]
            paths = [f"{lost.path}\0" for lost in self.lost]
            for command, lines in (("--index-info", rows), ("--skip-worktree --stdin", paths)):
                content = os.fsencode("".join(lines))
                options = command.split()
                self._git("update-index", "-z", *options, index=self._inner, input=content)

    def _found(self, commit: str) -> None:
        """Lay a new git directory over the tree; refs and objects made in the old one go."""
        own = self._root / ".git"
        remove(own)
        # Code that loses this one must not come upon the user's in the folders above.
        (self.place.folder / ".git").write_text("gitdir: nowhere\n")
        form = "sha256" if len(commit) == _SHA256_HEX else "sha1"
        self._repo.run("init", "-q", "--template=", f"--object-format={form}", str(self._root))
        with (own / "config").open("a") as config:
            config.write(_CONFIG)
        alternates = own / "objects" / "info" / "alternates"
        alternates.parent.mkdir(exist_ok=True)
        alternates.write_bytes(quoted(str(self._repo.common_dir / "objects")) + b"\n")
        with contextlib.suppress(FileNotFoundError):
            shutil.copyfile(self._repo.common_dir / "shallow", own / "shallow")
        self._git("update-ref", "--no-deref", "HEAD", commit)

    def _git(
        self,
        *arguments: str,
        index: Path | None = None,
        input: bytes | None = None,  # noqa: A002 - as in `Repository.run`
        check: bool = True,
        tied: bool = False,
    ) -> Completed:
        # All named outright: with a damaged git directory, git would go and find the user's.
        places = {
            "GIT_DIR": str(self._root / ".git"),
            "GIT_WORK_TREE": str(self._root),
            "GIT_INDEX_FILE": str(index or self._index),
        }
        private = Repository(self._root, self._root / ".git")
        return private.run(*arguments, input=input, check=check, env=places, tied=tied)


def _special(folder: Path) -> Iterator[Path]:
    with os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _special(Path(entry.path))
            elif not entry.is_file(follow_symlinks=False) and not entry.is_symlink():
                yield Path(entry.path)
