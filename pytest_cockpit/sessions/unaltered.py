"""Whether a work tree is exactly what is committed, so that what is said of it is of a commit."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository

_STATUS = (
    *("-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false"),
    *("status", "--porcelain=v1", "-z", "--no-renames"),
    *("--untracked-files=all", "--ignore-submodules=none"),
)

_OWN = b"?? %s/.gitignore"
"""What a session itself adds in a checkout that has no artifacts folder yet."""


@dataclass(frozen=True, slots=True)
class Unaltered:
    """Compares a work tree with `HEAD` by an index of its own.

    The user's index may be told to overlook changes (`--assume-unchanged`, `--skip-worktree`).

    Parameters
    ----------
    folder: existing private folder, for the index.
    artifacts: repository-relative artifacts folder.
    """

    repository: Repository
    folder: Path
    artifacts: str

    def tree(self) -> str | None:
        """The tree of `HEAD`, where the work tree is that; None where anything differs.

        Files that git ignores may lie there.
        """
        try:
            tree = self.repository.tree("HEAD")
            index = self.folder / f"index-{tree}"
            if not index.exists():
                self._run(index, "read-tree", tree)
                self._run(index, "update-index", "-q", "--refresh", check=False)
            rows = self._run(index, *_STATUS).split(b"\0")[:-1]
        except CockpitError:
            return None
        own = _OWN % self.artifacts.encode("utf-8", "surrogateescape")
        return None if any(row != own for row in rows) else tree

    def _run(self, index: Path, *arguments: str, check: bool = True) -> bytes:
        env = {"GIT_INDEX_FILE": str(index)}
        return self.repository.run(*arguments, env=env, check=check).stdout
