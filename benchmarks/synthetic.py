"""Synthetic repositories of a chosen size, written straight into git's object store."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

_IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}

_BODY = '''
LIMIT = {index}


class Ledger{index}:
    """Adds amounts up to a limit."""

    def __init__(self, limit=LIMIT):
        self.limit = limit
        self.rows = []

    def add(self, amount, note=""):
        if amount < 0 or amount > self.limit:
            raise ValueError(f"{{amount}} is not within 0..{{self.limit}}")
        self.rows.append((amount, note))
        return sum(row[0] for row in self.rows)


def total(rows, start=0):
    result = start
    for amount, _note in rows:
        result += amount
    return result
'''


def module(index: int, lane: int, *, fan_out: int = 2) -> str:
    """A module of about 30 lines that imports some lane modules with smaller numbers."""
    needed = sorted({(index * 7 + step * 13) % max(index, 1) for step in range(1, fan_out + 1)})
    lines = [
        f"from candidate.p{number % 50:02d}.m{number:05d} import total as total_{number}"
        for number in needed
        if number < min(index, lane)
    ]
    return "import json\nimport os\n" + "\n".join(lines) + "\n" + _BODY.format(index=index)


def files(modules: int, lane: int, plain: int = 0) -> Iterator[tuple[str, str]]:
    """`modules` modules, the first `lane` of them in the lane, and `plain` text files."""
    for package in range(50):
        yield f"candidate/p{package:02d}/__init__.py", f'"""Package {package}."""\n'
        yield f"prod/q{package:02d}/__init__.py", f'"""Package {package}."""\n'
    yield "prod/__init__.py", ""
    for index in range(modules):
        text = module(index, lane)
        if index < lane:
            yield f"candidate/p{index % 50:02d}/m{index:05d}.py", text
        else:
            yield f"prod/q{index % 50:02d}/m{index:05d}.py", text
    for index in range(plain):
        yield f"data/{index % 100:02d}/{index // 100 % 100:02d}/f{index:06d}.txt", f"row {index}\n"


def repository(root: Path, modules: int, lane: int, plain: int = 0) -> Path:
    """A bare-minimum git repository with one commit; its work tree is not checked out."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Bench")
    git(root, "config", "user.email", "bench@example.org")
    stream = [
        b"commit refs/heads/main\n",
        b"committer Bench <bench@example.org> 1700000000 +0000\n",
        b"data 5\nstart\n",
    ]
    for path, text in files(modules, lane, plain):
        data = text.encode()
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    git(root, "fast-import", "--quiet", stdin=b"".join(stream))
    return root


def git(root: Path, *arguments: str, stdin: bytes | None = None) -> str:
    """Run git with a fixed identity."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        input=stdin,
        capture_output=True,
        check=True,
        env={**os.environ, **_IDENTITY},
    )
    return done.stdout.decode().strip()
