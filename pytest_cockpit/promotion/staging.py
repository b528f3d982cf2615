"""The private tree in which gates see a commit: kept between runs, updated by difference.

It is a clone of its own that borrows the user's objects, so code run in it finds a real
repository whose refs, index and configuration are not the user's.
"""

from __future__ import annotations

import contextlib
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from pytest_cockpit.git import GitError, Repository


class StagedTree:
    """The private tree of one repository, below its git directory."""

    def __init__(self, repository: Repository) -> None:
        self._repository = repository
        self._folder = repository.common_dir / "cockpit"
        self._root = self._folder / "tree"

    @contextlib.contextmanager
    def at(self, commit: str) -> Iterator[Path]:
        """The tree holding exactly `commit`; nobody else's meanwhile.

        Whatever an earlier run, a killed one included, left in it is put right or thrown away.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        with FileLock(self._folder / "tree.lock"):
            try:
                self._bring(commit)
            except (GitError, OSError):
                # Whatever state it is in, a new one costs a checkout and is certain.
                self._discard()
                self._bring(commit)
            yield self._root

    def _bring(self, commit: str) -> None:
        private = self._private()
        (self._root / ".git" / "index.lock").unlink(missing_ok=True)
        private.run("update-ref", "--no-deref", "HEAD", commit)
        private.run("read-tree", "--reset", "-u", commit)
        private.run("clean", "-ffdxq")
        if private.run("status", "--porcelain", "--ignored", "-z").stdout:
            raise GitError(f"{self._root}: is not {commit} after an update")

    def _private(self) -> Repository:
        marker = self._root / ".git" / "cockpit-ready"
        if not marker.is_file():
            self._discard()
            self._create()
            marker.touch()
        return Repository(self._root, self._root / ".git")

    def _create(self) -> None:
        form = self._repository.run("rev-parse", "--show-object-format").stdout.decode().strip()
        self._repository.run(
            "init", "-q", "--template=", f"--object-format={form}", str(self._root)
        )
        objects = Path(self._repository.run("rev-parse", "--git-path", "objects").stdout.decode().strip())
        alternates = self._root / ".git" / "objects" / "info" / "alternates"
        alternates.parent.mkdir(parents=True, exist_ok=True)
        alternates.write_text(f"{(self._repository.root / objects).resolve()}\n")
        private = Repository(self._root, self._root / ".git")
        for key, value in (
            ("gc.auto", "0"),
            ("core.hooksPath", "/dev/null"),
            ("user.name", "cockpit"),
            ("user.email", "cockpit@localhost"),
            ("advice.detachedHead", "false"),
        ):
            private.run("config", key, value)

    def _discard(self) -> None:
        def force(function: object, path: str, _: object) -> None:
            parent = Path(path).parent
            parent.chmod(parent.stat().st_mode | stat.S_IRWXU)
            if Path(path).is_dir() and not Path(path).is_symlink():
                Path(path).chmod(stat.S_IRWXU)
                shutil.rmtree(path)
            else:
                Path(path).unlink(missing_ok=True)

        if self._root.exists():
            shutil.rmtree(self._root, onerror=force)
