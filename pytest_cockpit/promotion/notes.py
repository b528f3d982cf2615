"""What a person should know of a file that moves; none of it is a reason to refuse it."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Container, Iterator

from pytest_cockpit.analysis.layout import INIT
from pytest_cockpit.analysis.scan import Facts, texts
from pytest_cockpit.promotion.ground import above, quoted
from pytest_cockpit.promotion.snapshot import Snapshot

_LONG = 10_000


class Notes:
    """Writes the notes of single files."""

    def __init__(self, snapshot: Snapshot) -> None:
        self._snapshot = snapshot
        self._layout = snapshot.layout
        self._waiting = frozenset(snapshot.waiting)
        self._twins: dict[str, list[str]] = defaultdict(list)
        for path in snapshot.waiting:
            self._twins[snapshot.entries[path].oid].append(path)
        self._data: dict[str, list[str]] = defaultdict(list)
        for path in snapshot.entries:
            if snapshot.layout.is_lane(path) and not path.endswith(".py"):
                folder, _, name = path.rpartition("/")
                self._data[folder].append(name)

    def of(self, path: str, source: bytes, moving: Container[str]) -> tuple[str, ...]:
        """The notes of a moving file with that content, in a fixed order."""
        return (
            *self._content(path),
            *self._markers(path, moving),
            *self._data_files(path, source),
        )

    def _content(self, path: str) -> Iterator[str]:
        facts = self._snapshot.facts.get(path) or Facts()
        if not facts.longest:
            yield "empty file: git cannot follow its history"
        elif not self._layout.is_package(path):
            twins = [twin for twin in self._twins[self._snapshot.entries[path].oid] if twin != path]
            if twins:
                more = f" and {len(twins) - 1} more" if len(twins) > 1 else ""
                yield f"same content as {quoted(twins[0])}{more}"
        if facts.invisible:
            yield f"invisible characters on {_lines(facts.invisible)}"
        if facts.longest > _LONG:
            yield f"a line of {facts.longest} bytes"

    def _markers(self, path: str, moving: Container[str]) -> Iterator[str]:
        entries = self._snapshot.entries
        for folder in filter(self._layout.is_lane, above(path)):
            marker = f"{folder}/{INIT}"
            target = self._layout.target_of(marker)
            if marker in moving or target in entries:
                continue
            if marker in self._waiting:
                package = self._layout.module_of(target)
                yield f"{package} stays a namespace package until {quoted(marker)} moves"
            elif folder == path.rpartition("/")[0]:
                yield f"no package marker: {quoted(folder)} has no {INIT}"

    def _data_files(self, path: str, source: bytes) -> Iterator[str]:
        """Files beside a module that one of its strings names."""
        folder = path.rpartition("/")[0]
        beside = [name for name in self._data[folder] if os.fsencode(name) in source]
        if beside:
            strings = texts(source)
            for name in sorted(beside):
                if any(text == name or text.endswith(f"/{name}") for text in strings):
                    yield f"data file left behind: {quoted(name)}"


def _lines(lines: tuple[int, ...]) -> str:
    return f"line {lines[0]}" + (f" and {len(lines) - 1} more" if len(lines) > 1 else "")
