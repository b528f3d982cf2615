"""Real git repositories for the unit tests."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cockpit import process
from pytest_cockpit.git import Repository

Files = Mapping[str, str | bytes]
CONFIG = """\
[user]
\tname = Port Master
\temail = port@example.org
[commit]
\tgpgSign = false
[maintenance]
\tauto = false
"""


@dataclass(frozen=True)
class Checkout:
    """A checkout, acted on with the git of a plain shell rather than with what is under test."""

    root: Path

    @property
    def repo(self) -> Repository:
        """What is under test."""
        return Repository.discover(self.root)

    def git(self, *arguments: str, feed: bytes | None = None, code: int = 0) -> bytes:
        """Run git and return its standard output."""
        done = subprocess.run(
            ["git", *arguments],
            cwd=self.root,
            env=process.environment(),
            input=feed,
            capture_output=True,
            check=False,
        )
        assert done.returncode == code, done.stderr.decode("utf-8", "replace")
        return done.stdout

    def text(self, *arguments: str) -> str:
        """Run git and return its standard output as stripped text."""
        return self.git(*arguments).decode().strip()

    def write(self, files: Files) -> None:
        """Write files below the root."""
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)

    def commit(self, files: Files | None = None, message: str = "change") -> str:
        """Write and commit everything; return the commit id."""
        self.write(files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.text("rev-parse", "HEAD")

    def tree(self, commit: str) -> dict[str, tuple[str, str]]:
        """Mode and object id of everything in a commit, by path."""
        rows = self.git("ls-tree", "-r", "-z", "--full-tree", commit).split(b"\0")[:-1]
        found = {}
        for row in rows:
            head, _, path = row.partition(b"\t")
            mode, _, oid = head.decode().split(" ")
            found[os.fsdecode(path)] = (mode, oid)
        return found

    def show(self, commit: str, path: str) -> bytes:
        """The content of a path in a commit."""
        return self.git("cat-file", "blob", f"{commit}:{path}")

    def state(self) -> dict[str, object]:
        """Everything of the user's that must not change: refs, HEAD, index bytes, every file."""
        git_dir = self.root / ".git"
        files: dict[str, object] = {}
        for folder, names, members in os.walk(self.root):
            if Path(folder) == self.root:
                names.remove(".git")
            for name in [*members, *(each for each in names if Path(folder, each).is_symlink())]:
                path = Path(folder, name)
                content: object = "neither file nor link"
                if path.is_symlink():
                    content = path.readlink()
                elif path.is_file():
                    content = path.read_bytes()
                files[str(path)] = (path.lstat().st_mode, path.lstat().st_mtime_ns, content)
        refs = self.text("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
        return {
            "head": (git_dir / "HEAD").read_bytes(),
            "refs": [row for row in refs if not row.startswith("refs/cockpit/")],
            "index": (git_dir / "index").read_bytes() if (git_dir / "index").exists() else None,
            "config": (git_dir / "config").read_bytes(),
            "files": files,
        }


def create(root: Path, files: Files | None = None, *options: str) -> Checkout:
    """A repository with the given files committed, or an empty one; `options` are of git init."""
    root.mkdir()
    checkout = Checkout(root)
    # Its samples of hooks would be most of what is written.
    checkout.git("init", "-q", "-b", "main", "--template=", *options)
    with (root / ".git" / "config").open("a") as config:
        config.write(CONFIG)
    if files is not None:
        checkout.commit(files, "start")
    return checkout


@pytest.fixture
def make_checkout(tmp_path: Path) -> Callable[..., Checkout]:
    """Create a repository with the given files committed, or an empty one."""

    def make(files: Files | None = None, name: str = "repo", *options: str) -> Checkout:
        return create(tmp_path / name, files, *options)

    return make
