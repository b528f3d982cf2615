"""Real repositories made of objects alone, so that any path and any mode can be in them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.forge_server import ForgeServer

Content = str | bytes | tuple[str, str] | None
"""What a path is committed with: a regular file's content, a mode with the link's target or the
submodule's commit, or None to delete it."""


@pytest.fixture(scope="session", autouse=True)
def private_trees(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Private trees of the repositories of tests go where those repositories are."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("COCKPIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@dataclass(frozen=True)
class ObjectRepository:
    """A repository whose commits are written without ever touching its work tree."""

    root: Path

    def git(self, *arguments: str, stdin: bytes = b"") -> str:
        """Run git and return its standard output, stripped."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, input=stdin, capture_output=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return os.fsdecode(done.stdout).strip()

    def commit(self, files: Mapping[str, Content], when: int = 1_700_000_000) -> str:
        """Commit changes on top of main and return the commit id."""
        known = subprocess.run(
            ["git", "rev-parse", "-q", "--verify", "main"],
            cwd=self.root,
            capture_output=True,
            check=False,
        )
        lines = [b"commit refs/heads/main", b"committer Port <port@example.org> %d +0000" % when]
        lines += [b"data 6", b"change"]
        if known.returncode == 0:
            lines.append(b"from " + known.stdout.strip())
        for path, content in files.items():
            lines += _change(_quoted(path), content)
        self.git("fast-import", "--quiet", "--force", stdin=b"\n".join(lines) + b"\n")
        return self.git("rev-parse", "main")


def _change(path: bytes, content: Content) -> list[bytes]:
    if content is None:
        return [b"D " + path]
    mode, text = content if isinstance(content, tuple) else ("100644", content)
    if mode == "160000":
        return [b"M 160000 %b %b" % (_bytes(text), path)]
    data = _bytes(text)
    return [f"M {mode} inline ".encode() + path, b"data %d" % len(data), data]


def _bytes(text: str | bytes) -> bytes:
    return text.encode() if isinstance(text, str) else text


def _quoted(path: str) -> bytes:
    return b'"' + b"".join(b"\\%03o" % byte for byte in os.fsencode(path)) + b'"'


@pytest.fixture
def make_repository(tmp_path: Path) -> Callable[..., ObjectRepository]:
    """Create a repository with the given content committed."""

    def make(files: Mapping[str, Content], name: str = "repository") -> ObjectRepository:
        return create(tmp_path / name, files)

    return make


def create(root: Path, files: Mapping[str, Content]) -> ObjectRepository:
    """A repository with the given content committed."""
    root.mkdir()
    repository = ObjectRepository(root)
    # Its samples of hooks would be most of what is written.
    repository.git("init", "-q", "-b", "main", "--template=")
    repository.commit(files)
    return repository


@pytest.fixture
def forge() -> Iterator[ForgeServer]:
    """A GitHub on this machine; what violates GitHub's description fails the test."""
    from tests import forge_server

    with forge_server.running() as server:
        yield server
