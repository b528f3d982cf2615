"""What git says of the tree: what it held at the base commit, and what differs since.

The working tree counts as it stands, files that git does not track yet included: they are entered
into a copy of the index. Nothing is written into the repository.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line

Spans = tuple[tuple[int, int], ...]

_GIT = (
    *("git", "--no-replace-objects", "--literal-pathspecs"),
    *("-c", "core.hooksPath=/dev/null", "-c", "core.fsmonitor=false", "-c", "core.quotePath=true"),
)
_DIFF = (
    *("diff", "--find-renames", "--diff-filter=AMR", "--no-ext-diff", "--no-textconv"),
    # The tree's own .gitattributes could call its sources binary, of which no line is shown.
    "--text",
    *("--no-color", "--ignore-submodules=all", "--no-relative", "--src-prefix=a/"),
    *("--dst-prefix=b/", "-O/dev/null", "--inter-hunk-context=0", "-l1000"),
)
_SECONDS = 120.0
_HUNK = re.compile(rb"@@ -\S+ \+(\d+)(?:,(\d+))? @@")
_COMMIT = re.compile(r"[0-9a-f]{7,64}\Z")


class Unknown(CockpitError):
    """Git could not say it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """How the tree differs from a commit.

    `renames` has the old path of each renamed Python file by its new one; `lines` the lines that
    were added or changed in each Python file, as first and last.
    """

    renames: Mapping[str, str] = field(default_factory=dict)
    lines: Mapping[str, Spans] = field(default_factory=dict)


class History:
    """The repository whose work tree is `root`; `work` is an existing folder to write to."""

    def __init__(self, root: Path, work: Path) -> None:
        self._root = root
        self._work = work
        self._env: dict[str, str] | None = None

    @property
    def present(self) -> bool:
        """Whether `root` is a checkout of its own."""
        return (self._root / ".git").exists()

    def knows(self, commit: str) -> bool:
        """Whether the commit, named by its id, is in this clone."""
        if not _COMMIT.match(commit):
            return False
        found = self._run("cat-file", "-e", f"{commit}^{{commit}}")
        return found.returncode == 0

    def content(self, commit: str, path: str) -> bytes | None:
        """What the commit holds at `path`; None when it holds no file there.

        Raises
        ------
        Unknown: the commit is not in this clone.
        """
        listed = self._said("ls-tree", "-z", "--full-tree", commit, "--", path)
        words = listed.partition(b"\t")[0].split()
        if b"blob" not in words:
            return None
        return self._said("cat-file", "blob", words[-1].decode("ascii"))

    def since(self, commit: str) -> Difference:
        """How the work tree differs from `commit`.

        Raises
        ------
        Unknown: git cannot tell.
        """
        listed = self._differ(commit, "--name-status", "-z")
        text = self._differ(commit, "--unified=0")
        pairs = list(_pairs(listed))
        sections = list(_sections(text))
        if len(pairs) != len(sections):
            raise Unknown(f"git lists {len(pairs)} changed files and shows {len(sections)}")
        return Difference(
            renames={new: old for old, new in pairs if old != new},
            lines={new: spans for (_, new), spans in zip(pairs, sections, strict=True)},
        )

    def between(self, old: str, new: str) -> Spans:
        """The lines of the blob `new` that differ from the blob `old`, each `<commit>:<path>`.

        Raises
        ------
        Unknown: git has one of them not.
        """
        text = self._said(*_DIFF, "--unified=0", old, new)
        return next(_sections(text), ())

    def _differ(self, commit: str, *form: str) -> bytes:
        # A pathspec with a magic word, as the others are literal here.
        return self._said(*_DIFF, *form, commit, "--", "*.py", literal=False)

    def _said(self, *arguments: str, literal: bool = True) -> bytes:
        done = self._run(*arguments, literal=literal)
        if done.returncode:
            told = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
            raise Unknown(one_line(told[-1]) if told else f"git {arguments[0]} failed")
        return done.stdout

    def _run(self, *arguments: str, literal: bool = True) -> process.Completed:
        git = _GIT if literal else [word for word in _GIT if word != "--literal-pathspecs"]
        if self._env is None:
            self._env = self._prepared()
        return process.run([*git, *arguments], cwd=self._root, env=self._env, timeout=_SECONDS)

    def _prepared(self) -> dict[str, str]:
        """Variables under which git sees untracked files, and writes nothing of the repository."""
        plain = process.environment(extra={"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0"})
        untracked = self._plain(
            plain, "ls-files", "-z", "--others", "--exclude-standard", "--", ":(glob)**/*.py"
        )
        if not untracked:
            return plain
        paths = self._plain(
            plain, "rev-parse", "--path-format=absolute", "--git-path", "index",
            "--git-path", "objects",
        )  # fmt: skip
        index, objects = map(Path, os.fsdecode(paths).splitlines())
        copied = self._work / "index"
        if index.exists():
            # With its time: by it git knows what may have changed within the same second.
            shutil.copy2(index, copied)
        (self._work / "objects").mkdir(exist_ok=True)
        env = {
            **plain,
            "GIT_INDEX_FILE": str(copied),
            "GIT_OBJECT_DIRECTORY": str(self._work / "objects"),
            "GIT_ALTERNATE_OBJECT_DIRECTORIES": str(objects),
        }
        add = ("add", "--intent-to-add", "--pathspec-from-file=-", "--pathspec-file-nul")
        process.run([*_GIT, *add], cwd=self._root, env=env, input=untracked, timeout=_SECONDS)
        return env

    def _plain(self, env: Mapping[str, str], *arguments: str) -> bytes:
        git = [word for word in _GIT if word != "--literal-pathspecs"]
        done = process.run([*git, *arguments], cwd=self._root, env=env, timeout=_SECONDS)
        return done.stdout if done.returncode == 0 else b""


def _pairs(listed: bytes) -> Iterator[tuple[str, str]]:
    """Old and new path of each row of `--name-status -z`."""
    words = iter(listed.split(b"\0"))
    for status in words:
        if status:
            old = os.fsdecode(next(words))
            yield old, os.fsdecode(next(words)) if status.startswith(b"R") else old


def _sections(text: bytes) -> Iterator[Spans]:
    """The changed lines of each file of a patch without context, in its order."""
    for part in re.split(rb"^diff --git ", text, flags=re.MULTILINE)[1:]:
        yield tuple(_spans(part.split(b"\n")))


def _spans(lines: Iterable[bytes]) -> Iterator[tuple[int, int]]:
    for line in lines:
        found = _HUNK.match(line)
        if found:
            first, count = int(found[1]), int(found[2] or 1)
            if count:
                yield first, first + count - 1
