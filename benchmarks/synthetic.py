"""Synthetic repositories of a chosen size, written straight into git's object store."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

PER_PACKAGE = 50
_IDENTITY = {
    "GIT_AUTHOR_NAME": "Bench",
    "GIT_AUTHOR_EMAIL": "bench@example.org",
    "GIT_COMMITTER_NAME": "Bench",
    "GIT_COMMITTER_EMAIL": "bench@example.org",
}
STANDARD = ("json", "os", "re", "logging", "itertools", "pathlib", "functools", "datetime")

_CLASS = '''

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
'''
_FUNCTION = '''

def total_{part}(rows, start=0, *, skip=()):
    """Amounts of the rows whose note is not to be skipped."""
    result = start
    for amount, note in rows:
        if note in skip:
            continue
        result += amount if amount > 0 else -amount
    return {{"rows": len(rows), "result": result, "part": "{part}"}}
'''

_TEST = """\
from {package} import Ledger{index}


def test_adds_up():
    assert Ledger{index}(limit=5).add(3) == 3
"""


def module(index: int, lane: int, hubs: int = 10) -> str:
    """A module of 27 to 90 lines, 58 in the mean, with up to four imports of its project.

    It imports from smaller numbers of its own package; one in `hubs` imports from the first
    package of its half, and one in ten outside the lane from the lane.
    """
    half = 0 if index < lane else lane
    package = max(index - index % PER_PACKAGE, half)
    wanted = set()
    if index > package:
        wanted |= {package + (index * step) % (index - package) for step in (3, 5)}
    if index % hubs == 0:
        wanted.add(half + (index // hubs * 7) % (PER_PACKAGE // 2))
    if index >= lane and index % 10 == 0 and lane:
        wanted.add((index * 31) % lane)
    needed = sorted(number for number in wanted if number < index)
    return source(
        index, [f"from {dotted(number, lane)} import total_0 as t{number}" for number in needed]
    )


def source(index: int, imports: Iterable[str] = ()) -> str:
    """The text of a module with these imports of its project."""
    lines = [f"import {STANDARD[(index + step) % len(STANDARD)]}" for step in (0, 3, 5)]
    lines += [*imports, "", f"LIMIT = {index}"]
    functions = (_FUNCTION.format(part=part) for part in range(1 + index * 13 % 8))
    return "\n".join(lines) + "\n" + _CLASS.format(index=index) + "".join(functions)


def path_of(index: int, lane: int) -> str:
    """Where a module lies: in the lane, or in the package `prod`."""
    folder = f"candidate/p{index // PER_PACKAGE:04d}" if index < lane else ""
    return f"{folder or f'prod/q{index // PER_PACKAGE:04d}'}/m{index:06d}.py"


def dotted(index: int, lane: int) -> str:
    """The name a module is imported by."""
    return path_of(index, lane).removesuffix(".py").replace("/", ".")


def files(modules: int, lane: int, plain: int = 0, hubs: int = 10) -> Iterator[tuple[str, str]]:
    """`modules` modules, the first `lane` of them in the lane, and `plain` text files."""
    folders: dict[str, None] = {}
    for index in range(modules):
        path = path_of(index, lane)
        folders[path.rpartition("/")[0]] = None
        yield path, module(index, lane, hubs)
    for folder in {name.partition("/")[0]: None for name in folders} | folders:
        yield f"{folder}/__init__.py", '"""A package."""\n'
    for index in range(plain):
        yield f"data/{index // 10000:02d}/{index // 100 % 100:02d}/f{index:06d}.txt", f"{index}\n"


def manifest(index: int) -> str:
    """What a module with a manifest says of itself."""
    return json.dumps(
        {
            "schema_version": "3.0.0",
            "module": folder_of(index).replace("/", "."),
            "description": f"Adds amounts up to a limit of {index}.",
            "matrix": {"lane": f"L{1 + index % 3}", "gates_profile": "standard"},
            "tags": ["amounts", f"part-{index % 7}"],
            "dependencies": [folder_of(index // 2).replace("/", ".")] if index else [],
            "layout": {"paths": {"code": ".", "docs": "docs", "tests": "tests"}},
            "links": {"docs": "./README.md", "repo": "https://example.org/bench"},
        },
        indent=2,
    )


def folder_of(index: int) -> str:
    """Where a module with a manifest lies; one in ten lies within the one before it."""
    if index % 10 == 9:
        return f"{folder_of(index - 1)}/inner{index:05d}"
    return f"area{index // PER_PACKAGE:03d}/unit{index:05d}"


def with_manifests(count: int) -> Iterator[tuple[str, str]]:
    """`count` modules with manifests, ten files each: four of code, two of tests, three to read.

    Their tests pass where the root can be imported from.
    """
    for index in range(count):
        folder = folder_of(index)
        parts = range(index, index + 3)
        names = [f"Ledger{part}" for part in parts]
        gathered = "".join(f"from .part{part} import Ledger{part}\n" for part in parts)
        yield f"{folder}/module.manifest.json", manifest(index)
        for page in ("README.md", "CHANGELOG.md", "docs/guide.md"):
            yield f"{folder}/{page}", f"# Unit {index}\n"
        yield f"{folder}/__init__.py", f"{gathered}\n__all__ = {names!r}\n"
        for part in parts:
            yield f"{folder}/part{part}.py", source(part)
        yield f"{folder}/tests/conftest.py", ""
        yield (
            f"{folder}/tests/test_unit{index:05d}.py",
            _TEST.format(package=folder.replace("/", "."), index=index),
        )


def repository(root: Path, modules: int, lane: int, plain: int = 0, hubs: int = 10) -> Path:
    """A repository with one commit; its work tree is not checked out."""
    return committed(root, files(modules, lane, plain, hubs))


def committed(root: Path, content: Iterable[tuple[str, str]]) -> Path:
    """A repository with one commit of these files; its work tree is not checked out."""
    root.mkdir(parents=True)
    git(root, "init", "-q", "-b", "main")
    git(root, "config", "user.name", "Bench")
    git(root, "config", "user.email", "bench@example.org")
    stream = [
        b"commit refs/heads/main\n",
        b"committer Bench <bench@example.org> 1700000000 +0000\n",
        b"data 5\nstart\n",
    ]
    for path, text in content:
        data = text.encode()
        stream.append(b"M 100644 inline %s\ndata %d\n%s\n" % (path.encode(), len(data), data))
    git(root, "fast-import", "--quiet", stdin=b"".join(stream))
    return root


def checkout(source: Path, target: Path) -> Path:
    """A clone of a repository with its work tree written; it borrows the objects."""
    git(source, "clone", "-q", "--shared", ".", str(target))
    return target


def git(
    root: Path,
    *arguments: str,
    stdin: bytes | None = None,
    env: Mapping[str, str] | None = None,
) -> str:
    """Run git with a fixed identity."""
    done = subprocess.run(
        ["git", *arguments],
        cwd=root,
        input=stdin,
        capture_output=True,
        check=True,
        env={**os.environ, **_IDENTITY, **(env or {})},
    )
    return done.stdout.decode().strip()
