"""What modules have of what the template gives: by path, and as it is in a tree."""

from __future__ import annotations

import difflib
import enum
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Place
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.scaffolding import marks

FILE, FOLDER, LINK, SUBMODULE = "a file", "a folder", "a symbolic link", "a submodule"

_DIFF_LINES = 400
_MODES = {"120000": LINK, "160000": SUBMODULE}


class State(enum.StrEnum):
    """How a file stands to what the template gives."""

    LACKING = "lacking"
    """It is not there."""
    BLOCKED = "blocked"
    """It is not there, and something else is in its place."""
    CURRENT = "current"
    """It is as the template gives it."""
    EDITED = "edited"
    """People changed it; the template gives what it gave then."""
    OUTDATED = "outdated"
    """Nobody changed it; the template gives something else by now."""
    DIVERGED = "diverged"
    """People changed it, and the template gives something else by now."""
    OWN = "own"
    """It never came from the template."""


@dataclass(frozen=True, slots=True)
class File:
    """One file of a module.

    Parameters
    ----------
    path: relative to the root.
    content: what the template gives.
    said: of a file that drifted, what the template would make of it; of one that is blocked, by
        what.
    """

    path: str
    state: State
    content: bytes
    said: str = ""


@dataclass(frozen=True)
class Standing:
    """One module's files; `left_out` are Python files that no given test imports, with why."""

    module: Module
    files: tuple[File, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    def of(self, *states: State) -> tuple[File, ...]:
        """Its files in any of these states."""
        return tuple(file for file in self.files if file.state in states)

    @cached_property
    def verdict(self) -> Verdict:
        """Red where something lacks, a warning where the template has moved on."""
        if self.of(State.LACKING, State.BLOCKED):
            return Verdict.FAIL
        if self.of(State.OUTDATED, State.DIVERGED):
            return Verdict.WARN
        return Verdict.PASS


class Ground:
    """A tree that what is rendered is held against.

    Parameters
    ----------
    lies: what is at a path that is not in the tree, such as `a folder`; empty for nothing.
    """

    def __init__(self, place: Place, lies: Callable[[str], str]) -> None:
        self.place = place
        self.lies = lies
        entries = place.entries
        self._folders = _folders(entries)
        # Some file systems take `readme.md` for `README.md`.
        self._folded = {path.casefold() for path in entries}

    def standings(
        self, rendered: Iterable[tuple[Module, Mapping[str, bytes]]]
    ) -> list[tuple[Module, tuple[File, ...]]]:
        """How modules stand to what is rendered for them."""
        given = [
            (module, {_below(module.path, inner): files[inner] for inner in sorted(files)})
            for module, files in rendered
        ]
        there = dict(self.place.read_all(path for _, files in given for path in files))
        return [
            (
                module,
                tuple(
                    file
                    for path, content in files.items()
                    if (file := self._file(path, content, there.get(path)))
                ),
            )
            for module, files in given
        ]

    def _file(self, path: str, content: bytes, there: bytes | None) -> File | None:
        if there is not None:
            return _compared(path, content, there)
        blocked = self._blocked(path)
        if blocked:
            return File(path, State.BLOCKED, content, blocked)
        if path.casefold() in self._folded or self.lies(path):
            # Under another spelling, or untracked: it is there, and nobody's but theirs.
            return File(path, State.OWN, content)
        folder, _, name = path.rpartition("/")
        if name == "__init__.py" and folder in self._folders:
            # Files that are there already may be imported in another way than those of a package.
            return None
        return File(path, State.LACKING, content)

    def _blocked(self, path: str) -> str:
        """What is in the place of a folder on the way to a file, or of the file itself."""
        found = self._what(path)
        if found not in {"", FILE}:
            return f"{one_line(printable(path))} is {found}"
        for parent in list(PurePosixPath(path).parents)[:-1]:
            found = self._what(parent.as_posix())
            if found not in {"", FOLDER}:
                return f"{one_line(printable(parent.as_posix()))} is {found}"
        return ""

    def _what(self, path: str) -> str:
        """What is at a path, in the tree or beside it; empty for nothing."""
        if path in self._folders:
            return FOLDER
        entry = self.place.entries.get(path)
        return self.lies(path) if entry is None else _MODES.get(entry.mode, FILE)


def _compared(path: str, content: bytes, there: bytes) -> File:
    told = marks.recorded(there)
    if told is None:
        return File(path, State.OWN, content)
    plain = there.replace(b"\r\n", b"\n")
    if plain == content:
        return File(path, State.CURRENT, content)
    same = marks.recorded(content) == told
    if marks.is_scaffold(there):
        # The same digest with other bytes: only the line itself was moved.
        return File(path, State.CURRENT if same else State.OUTDATED, content, _diff(there, content))
    return File(path, State.EDITED if same else State.DIVERGED, content, _diff(there, content))


def _diff(there: bytes, given: bytes) -> str:
    """What the template would make of a file, without the lines that mark both."""
    before, after = (list(_lines(data)) for data in (there, given))
    names = ("as it is", "as the template gives it")
    lines = list(difflib.unified_diff(before, after, *names, lineterm="", n=2))
    more = len(lines) - _DIFF_LINES
    return "\n".join(lines[:_DIFF_LINES] + ([f"… and {more:,} more lines"] if more > 0 else []))


def _lines(data: bytes) -> Iterator[str]:
    text = marks.bare(data).decode("utf-8", "replace")
    return ("\t".join(map(one_line, line.split("\t"))) for line in text.split("\n"))


def _folders(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        while (path := path.rpartition("/")[0]) and path not in found:
            found.add(path)
    return found


def _below(folder: str, inner: str) -> str:
    return inner if folder == "." else f"{folder}/{inner}"
