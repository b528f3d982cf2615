"""Where things stand in a JSON text: the line of every value, whatever else is wrong with it."""

from __future__ import annotations

import bisect
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_cockpit.records.text import pointer as pointer_of

_TOKEN = re.compile(
    r'\s+|(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<mark>[\[\]{}:,])|(?P<literal>[^\s"\[\]{}:,]+)',
    re.DOTALL,
)
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(?P<float>(?:\.\d+)?(?:[eE][-+]?\d+)?)")
_DEEPEST = 200
_LONGEST_INTEGER = 20


@dataclass(frozen=True, slots=True)
class Place:
    """Something odd in a document: where, on which line, and what it reads there."""

    pointer: str
    line: int
    text: str


@dataclass(frozen=True, slots=True)
class Positions:
    """What a document's text shows.

    Parameters
    ----------
    lines: JSON pointer to line; a member of an object stands where its key does.
    duplicates: second and later uses of a key within one object.
    numbers: numbers that JSON does not know, or that are out of range.
    """

    lines: Mapping[str, int]
    duplicates: tuple[Place, ...]
    numbers: tuple[Place, ...]

    def line(self, pointer: str) -> int | None:
        """The line of a value, or of the nearest one around it that is there."""
        while pointer not in self.lines:
            if not pointer:
                return None
            pointer = pointer.rpartition("/")[0]
        return self.lines[pointer]


def positions(text: str, until: str | None = None) -> Positions:
    """Read as much of `text` as is JSON, or up to the pointer `until`; never raises."""
    return _Scan(text).run(until)


@dataclass(slots=True)
class _Frame:
    """An open object or array: `key` is the one being read, None where a key must come."""

    pointer: str
    is_object: bool
    key: str | None = None
    index: int = 0
    seen: set[str] = field(default_factory=set)


class _Scan:
    def __init__(self, text: str) -> None:
        self.text = text
        self.breaks = [match.start() for match in re.finditer("\n", text)]
        self.lines: dict[str, int] = {}
        self.duplicates: list[Place] = []
        self.numbers: list[Place] = []
        self.stack: list[_Frame] = []

    def run(self, until: str | None) -> Positions:
        at = 0
        while at < len(self.text) and until not in self.lines:
            token = _TOKEN.match(self.text, at)
            if token is None or not self._take(token):
                break
            at = token.end()
        return Positions(self.lines, tuple(self.duplicates), tuple(self.numbers))

    def _take(self, token: re.Match[str]) -> bool:
        """Take one token in; False where the text stops being JSON."""
        line = bisect.bisect_left(self.breaks, token.start()) + 1
        if token["string"] is not None:
            return self._string(token["string"], line)
        if token["literal"] is not None:
            return self._literal(token["literal"], line)
        if token["mark"] is not None:
            return self._mark(token["mark"], line)
        return True

    def _string(self, text: str, line: int) -> bool:
        frame = self.stack[-1] if self.stack else None
        if frame is None or not frame.is_object or frame.key is not None:
            return self._value(line) is not None
        try:
            key = str(json.loads(text, strict=False))
        except ValueError:
            key = text[1:-1]
        frame.key = frame.pointer + pointer_of((key,))
        if key in frame.seen:
            self.duplicates.append(Place(frame.key, line, key))
        frame.seen.add(key)
        self.lines[frame.key] = line
        return True

    def _literal(self, text: str, line: int) -> bool:
        pointer = self._value(line)
        if pointer is None:
            return False
        if text in {"NaN", "Infinity", "-Infinity"} or _out_of_range(text):
            self.numbers.append(Place(pointer, line, text))
        return True

    def _mark(self, mark: str, line: int) -> bool:
        if mark in "{[":
            pointer = self._value(line)
            if pointer is None or len(self.stack) >= _DEEPEST:
                return False
            self.stack.append(_Frame(pointer, is_object=mark == "{"))
        elif mark in "}]":
            if not self.stack or self.stack.pop().is_object != (mark == "}"):
                return False
        elif mark == ",":
            if not self.stack:
                return False
            self.stack[-1].key = None
            self.stack[-1].index += 1
        return True

    def _value(self, line: int) -> str | None:
        """Enter a value that starts here; its pointer, or None where no value may stand."""
        if not self.stack:
            if "" in self.lines:
                return None
            pointer = ""
        elif not self.stack[-1].is_object:
            pointer = f"{self.stack[-1].pointer}/{self.stack[-1].index}"
        elif self.stack[-1].key is None:
            return None
        else:
            pointer = self.stack[-1].key
        self.lines.setdefault(pointer, line)
        return pointer


def _out_of_range(text: str) -> bool:
    number = _NUMBER.fullmatch(text)
    if number is None:
        return False
    if number["float"]:
        return math.isinf(float(text))
    return len(text) > _LONGEST_INTEGER or not -(2**63) <= int(text) < 2**63
