"""The user's index with one change brought forward, and everything else in it as it was."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.process import Completed

_TRIES = 60
_PAUSE_S = 0.05


class NextIndex:
    """A copy of a work tree's index on its way from one commit to another.

    Git does the work on the copy; the user's index is replaced at one blow, under git's own lock.
    """

    def __init__(self, repo: Repository, git_dir: Path, own: Path) -> None:
        self._repo = repo
        self._users = git_dir / "index"
        self._lock = git_dir / "index.lock"
        self._own = own

    def advance(self, base: str, commit: str) -> None:
        """Copy what the user has now, and bring it from `base` to `commit` without a work tree."""
        self.clear()
        # With its time: by it git knows what may have changed within the same second.
        shutil.copy2(self._users, self._own)
        self.run("read-tree", "-i", "-m", base, commit, tied=True)

    def run(
        self,
        *arguments: str,
        input: bytes | None = None,  # noqa: A002 - as in `Repository.run`
        env: Mapping[str, str] | None = None,
        check: bool = True,
        tied: bool = False,
    ) -> Completed:
        """Run git with this index."""
        whole = {**(env or {}), "GIT_INDEX_FILE": str(self._own)}
        return self._repo.run(*arguments, input=input, env=whole, check=check, tied=tied)

    def install(self, base: str, commit: str) -> None:
        """Give it to the user.

        Raises
        ------
        GitError: another git process has held the user's index for too long.
        """
        for _ in range(_TRIES):
            before = _signature(self._users)
            self.advance(base, commit)
            self.run("update-index", "-q", "--refresh", check=False, tied=True)
            if self._replace(before):
                return
            time.sleep(_PAUSE_S)
        raise GitError(f"{self._lock}: held by another git process; end it and run again")

    def _replace(self, before: tuple[int, ...]) -> bool:
        try:
            # One file with two names: after a kill it is plain whose lock this is.
            os.link(self._own, self._lock)
        except FileExistsError:
            return False
        if _signature(self._users) != before:
            self._lock.unlink()
            return False
        self._lock.replace(self._users)
        self._own.unlink()
        return True

    def unlock(self) -> None:
        """Release the lock of a killed `install`, and no other."""
        if self._lock.exists() and self._own.exists() and self._lock.samefile(self._own):
            self._lock.unlink()

    def clear(self) -> None:
        """Remove the copy. It may be the user's index by another name: it is never written to."""
        self._own.unlink(missing_ok=True)
        self._own.with_name(f"{self._own.name}.lock").unlink(missing_ok=True)


def _signature(path: Path) -> tuple[int, ...]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
