"""What git keeps of a ledger: its content at commits, by id, without trusting settings or hooks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line

_GIT = (
    "git",
    "--no-replace-objects",
    "--literal-pathspecs",
    *("-c", "core.hooksPath=/dev/null"),
    *("-c", "core.fsmonitor=false"),
    *("-c", "log.showSignature=false"),
)
_ENVIRONMENT = {"GIT_NO_LAZY_FETCH": "1", "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"}
_SECONDS = 600.0


class Unreadable(CockpitError):
    """Git could not say; the text is one line."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A file's content at some commit."""

    oid: str
    size: int


@dataclass(frozen=True, slots=True)
class Change:
    """A path whose content in a commit is not what one of its parents has; `new` None: deleted."""

    commit: str
    path: str
    old: str
    new: str | None


@dataclass(frozen=True, slots=True)
class Git:
    """The repository that a tree belongs to; every method may raise `Unreadable`."""

    root: Path
    shallow: Path | None = None
    merge_head: Path | None = None

    @classmethod
    def around(cls, folder: Path) -> tuple[Git, str]:
        """The repository that holds a folder, and the way down to it, with a slash at its end."""
        asked = ("--show-toplevel", "--show-prefix", "--git-path", "shallow")
        told = cls(folder).run("rev-parse", *asked, "--git-path", "MERGE_HEAD").split(b"\n")
        if len(told) != 5:  # noqa: PLR2004 - four answers, and nothing behind the last line break
            raise Unreadable(f"{one_line(str(folder))}: its path holds a line break")
        top, way, shallow, merge_head = map(os.fsdecode, told[:-1])
        return cls(Path(top), folder / shallow, folder / merge_head), way

    def commit(self, rev: str) -> str:
        """The commit that a revision leads to."""
        return self.word("rev-parse", "--verify", "-q", "--end-of-options", f"{rev}^{{commit}}")

    def boundary(self) -> set[str]:
        """The commits at which a shallow clone's history was cut off."""
        return set(_words(self.shallow))

    def merging(self) -> list[str]:
        """The commits of a merge that is under way."""
        return _words(self.merge_head)

    def files(self, commit: str, folder: str) -> dict[str, str]:
        """The blobs of a commit below a folder, by path."""
        told = self.run(
            "ls-tree", "-r", "-z", "--full-tree", "--end-of-options", commit, "--", folder
        )
        rows = (row.partition(b"\t") for row in told.split(b"\0")[:-1])
        return {os.fsdecode(path): words.split()[2].decode("ascii") for words, _, path in rows}

    def parents(self, tips: Iterable[str], seen: Iterable[str] = ()) -> dict[str, tuple[str, ...]]:
        """Every commit that `tips` lead to and `seen` do not, newest first, with its parents."""
        asked = "".join([f"{tip}\n" for tip in tips] + [f"^{done}\n" for done in seen])
        told = self.run("rev-list", "--topo-order", "--parents", "--stdin", stdin=asked.encode())
        rows = [line.split() for line in told.decode("ascii").splitlines()]
        return {row[0]: tuple(row[1:]) for row in rows}

    def present(self, commits: Iterable[str]) -> list[str]:
        """Those of the commits that this repository has."""
        asked = list(commits)
        rows = self._batch_check(asked)
        kinds = (row.split() for row in rows)
        return [
            commit for commit, words in zip(asked, kinds, strict=True) if words[1:2] == [b"commit"]
        ]

    def blobs(self, commits: Sequence[str], paths: Sequence[str]) -> dict[str, Blob | None]:
        """What each commit has at the first of the paths that it has; None where it has none.

        None may also mean that the repository lacks the object: see `entry`.
        """
        rows = iter(self._batch_check([f"{one}:{path}" for one in commits for path in paths]))
        found: dict[str, Blob | None] = {}
        for commit in commits:
            known = [_blob(next(rows)) for _ in paths]
            found[commit] = next((blob for blob in known if blob), None)
        return found

    def entry(self, commit: str, paths: Sequence[str]) -> Blob | None:
        """What a commit has at the first of the paths, told by its trees: never None by mistake."""
        for path in paths:
            listed = self.run(
                "ls-tree", "-z", "--full-tree", "--end-of-options", commit, "--", path
            )
            words = listed.partition(b"\t")[0].split()
            if len(words) == 3 and words[1] == b"blob":  # noqa: PLR2004 - mode, kind and id
                oid = words[2].decode("ascii")
                return Blob(oid, int(self.word("cat-file", "-s", oid)))
        return None

    def read(self, oid: str) -> bytes:
        """A blob's content."""
        return self.run("cat-file", "blob", oid)

    def changes(self, commits: Iterable[str], folder: str) -> Iterator[Change]:
        """Every change and deletion below `folder`, from each parent of each commit."""
        asked = "".join(f"{commit}\n" for commit in commits).encode()
        if not asked:
            return
        options = ("--stdin", "-r", "-m", "--raw", "--no-abbrev", "--no-renames", "-z")
        told = self.run("diff-tree", *options, "--", folder, stdin=asked)
        commit = ""
        words = iter(told.split(b"\0"))
        for word in words:
            if word.startswith(b":"):
                _, _, old, new, kind = word.decode("ascii").split()
                path = os.fsdecode(next(words))
                if kind != "A":
                    yield Change(commit, path, old, new if kind != "D" else None)
            elif word:
                commit = word.decode("ascii").strip()

    def ref(self, name: str) -> tuple[str, str] | None:
        """What a ref holds and the commit it leads to; None where there is no such ref."""
        form = "%(objectname) %(if)%(*objectname)%(then)%(*objectname)%(else)%(objectname)%(end)"
        told = self.run("for-each-ref", f"--format={form} %(refname)", "--", name).decode()
        rows = [line.split(" ", 2) for line in told.splitlines()]
        return next(((row[0], row[1]) for row in rows if row[2] == name), None)

    def values(self, ref: str) -> list[str]:
        """The commits that a ref has led to by its reflog, oldest first."""
        told = self.run("log", "-g", "--format=%H", "--end-of-options", ref, "--")
        return told.decode("ascii").split()[::-1]

    def tracked(self, *pathspecs: str) -> list[str]:
        """Paths of the index that match any of the pathspecs, which may be globs."""
        told = self.run("ls-files", "-z", "--full-name", "--", *pathspecs, literal=False)
        return [os.fsdecode(path) for path in told.split(b"\0") if path]

    def differing(self, base: str, *pathspecs: str) -> dict[str, str | None]:
        """Paths that may differ between a commit and the files, with the commit's blobs."""
        options = ("-z", "--raw", "--no-abbrev", "--no-renames", "--end-of-options", base)
        told = self.run("diff-index", *options, "--", *pathspecs, literal=False)
        words = iter(told.split(b"\0")[:-1])
        return {
            os.fsdecode(next(words)): old if any(char != "0" for char in old) else None
            for old in (word.decode("ascii").split()[2] for word in words)
        }

    def word(self, *arguments: str) -> str:
        """The one word that git answers with."""
        found = self.run(*arguments).decode("utf-8", "backslashreplace").strip()
        if not found:
            raise Unreadable(f"git {arguments[0]}: no answer")
        return found

    def run(self, *arguments: str, stdin: bytes | None = None, literal: bool = True) -> bytes:
        """What git says."""
        command = [word for word in _GIT if literal or word != "--literal-pathspecs"]
        environment = process.environment(extra=_ENVIRONMENT)
        try:
            done = process.run(
                [*command, *arguments],
                cwd=self.root,
                env=environment,
                input=stdin,
                timeout=_SECONDS,
                # Short and reading alone: not worth the full fork that tying would cost.
                tied=False,
            )
        except CockpitError as error:
            raise Unreadable(one_line(str(error))) from error
        if done.returncode == 0:
            return done.stdout
        told = done.stderr.decode("utf-8", "backslashreplace").strip().splitlines()
        raise Unreadable(one_line(told[-1]) if told else f"git {arguments[0]} failed")

    def _batch_check(self, names: Sequence[str]) -> list[bytes]:
        asked = b"".join(os.fsencode(name) + b"\n" for name in names)
        rows = self.run(
            "cat-file", "--batch-check=%(objectname) %(objecttype) %(objectsize)", stdin=asked
        )
        answers = rows.split(b"\n")[:-1]
        if len(answers) != len(names):
            raise Unreadable("git cat-file: answered for other objects than asked")
        return answers


def _words(place: Path | None) -> list[str]:
    try:
        return place.read_text(encoding="ascii").split() if place else []
    except FileNotFoundError:
        return []


def _blob(row: bytes) -> Blob | None:
    words = row.split()
    if len(words) == 3 and words[1] == b"blob":  # noqa: PLR2004 - id, kind and size
        return Blob(words[0].decode("ascii"), int(words[2]))
    return None
