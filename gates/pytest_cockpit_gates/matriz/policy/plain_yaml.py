"""Read YAML that somebody else wrote: plain data, bounded, with the line of every value.

Scalars mean what YAML 1.2 says: `yes` and `12:30` are texts. Anchors and `<<` are followed; what
they would grow to is counted before, so that no small file becomes a large document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

_LARGEST = 8 * 2**20
_MOST_VALUES = 1_000_000
_DEEPEST = 60
_LONGEST_NUMBER = 400

_TAGS = {
    f"tag:yaml.org,2002:{name}": name
    for name in ["str", "int", "float", "bool", "null", "map", "seq"]
}
_WORDS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_ENDLESS = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")


class Refused(ValueError):
    """A document that is not taken, with the line it stops at."""

    def __init__(self, message: str, line: int | None = None) -> None:
        super().__init__(message)
        self.line = line


class Table(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: dict[str, int] = {}


class Row(list[Any]):
    """A sequence that knows the line of each of its items."""

    __slots__ = ("lines",)

    def __init__(self) -> None:
        super().__init__()
        self.lines: list[int] = []


def read(content: bytes) -> Any:
    """The one document in `content`.

    Raises
    ------
    Refused: it is no YAML, no plain data, too large or too deep, or not one document.
    """
    import yaml

    if len(content) > _LARGEST:
        raise Refused(f"is larger than {_LARGEST // 2**20} MiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Refused("is no UTF-8", content.count(b"\n", 0, error.start) + 1) from error
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    builder = _Builder()
    try:
        for event in yaml.parse(text, Loader=loader):
            builder.take(event)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        reason = error.problem or error.context or "is no YAML"
        raise Refused(str(reason), mark.line + 1 if mark else None) from error
    except yaml.YAMLError as error:
        raise Refused(f"is no YAML: {getattr(error, 'reason', error)}") from error
    return builder.document()


@dataclass(slots=True)
class _Open:
    """A collection whose end has not come yet."""

    value: Table | Row
    line: int
    anchor: str | None
    weight: int = 1
    height: int = 1
    key: str | None = None
    key_line: int = 0
    merged: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Known:
    """What an anchor stands for: how many values, how deep."""

    value: Any
    weight: int
    height: int


class _Builder:
    """Makes one document of a parser's events, without recursion."""

    def __init__(self) -> None:
        self._stack: list[_Open] = []
        self._anchors: dict[str, _Known] = {}
        self._documents: list[Any] = []

    def document(self) -> Any:
        if not self._documents:
            raise Refused("holds nothing", 1)
        return self._documents[0]

    def take(self, event: Any) -> None:
        line = event.start_mark.line + 1
        handle: Callable[[Any, int], None] | None = getattr(
            self, f"_take_{type(event).__name__}", None
        )
        if handle is not None:
            handle(event, line)

    def _take_DocumentStartEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        if self._documents:
            raise Refused("holds a second document", line)

    def _take_MappingStartEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        self._open(event, line, Table(), "map")

    def _take_SequenceStartEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        self._open(event, line, Row(), "seq")

    def _take_MappingEndEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        done = self._stack.pop()
        for other in done.merged:
            for key, value in other.items():
                if key not in done.value:
                    _put(done.value, key, value, done.line)
        self._close(done)

    def _take_SequenceEndEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        self._close(self._stack.pop())

    def _take_ScalarEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        value = _scalar(event, line)
        known = _Known(value, 1, 0)
        if event.anchor is not None:
            self._anchors[event.anchor] = known
        self._add(known, line)

    def _take_AliasEvent(self, event: Any, line: int) -> None:  # noqa: N802 - PyYAML's name
        known = self._anchors.get(event.anchor)
        if known is None:
            raise Refused(f"*{event.anchor} stands for nothing that is complete", line)
        self._add(known, line)

    def _open(self, event: Any, line: int, value: Table | Row, kind: str) -> None:
        if _TAGS.get(event.tag, event.tag) not in (None, "!", kind):
            raise Refused(f"{event.tag} is no plain data", line)
        if len(self._stack) >= _DEEPEST:
            raise Refused(f"is nested deeper than {_DEEPEST}", line)
        if event.anchor is not None:
            self._anchors.pop(event.anchor, None)
        self._stack.append(_Open(value, line, event.anchor))

    def _close(self, done: _Open) -> None:
        known = _Known(done.value, done.weight, done.height)
        if done.anchor is not None:
            self._anchors[done.anchor] = known
        self._add(known, done.line)

    def _add(self, known: _Known, line: int) -> None:
        if not self._stack:
            self._documents.append(known.value)
            return
        top = self._stack[-1]
        top.weight += known.weight
        top.height = max(top.height, known.height + 1)
        if top.weight > _MOST_VALUES:
            raise Refused(f"grows to more than {_MOST_VALUES:,} values", line)
        if len(self._stack) + known.height > _DEEPEST:
            raise Refused(f"is nested deeper than {_DEEPEST}", line)
        if isinstance(top.value, Row):
            top.value.append(known.value)
            top.value.lines.append(line)
        elif top.key is None:
            top.key, top.key_line = _key(known.value, top, line), line
        else:
            self._fill(top, known.value)

    def _fill(self, top: _Open, value: Any) -> None:
        key, top.key = str(top.key), None
        if key != "<<":
            _put(top.value, key, value, top.key_line)
            return
        others = value if isinstance(value, Row) else [value]
        if not all(isinstance(other, dict) for other in others):
            raise Refused("<< takes mappings alone", top.key_line)
        top.merged += others


def _put(table: Table | Row, key: str, value: Any, line: int) -> None:
    if isinstance(table, Table):
        table[key] = value
        table.lines[key] = line


def _key(value: Any, top: _Open, line: int) -> str:
    if not isinstance(value, str):
        raise Refused("a key is no text", line)
    if value in top.value:
        raise Refused(f"key {value!r} is used twice", line)
    return value


def _scalar(event: Any, line: int) -> Any:
    kind = _TAGS.get(event.tag, event.tag)
    if kind in ("str", "!") or (kind is None and not event.implicit[0]):
        return event.value
    value = _plain(event.value, line)
    fits = {None: True, "null": value is None, "bool": isinstance(value, bool)}
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not fits.get(kind, number and kind in ("int", "float")):
        raise Refused(f"{event.tag} does not fit {event.value[:40]!r}", line)
    return value


def _plain(text: str, line: int) -> Any:
    if text in _WORDS:
        return _WORDS[text]
    if _ENDLESS.fullmatch(text):
        raise Refused(f"{text} is no number that JSON has", line)
    if text[0] not in "+-.0123456789":
        return text
    if len(text) > _LONGEST_NUMBER:
        return text
    return _number(text, line)


def _number(text: str, line: int) -> Any:
    if _INTEGER.fullmatch(text):
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    if _FLOAT.fullmatch(text):
        value = float(text)
        if not math.isfinite(value):
            raise Refused(f"{text} is out of range", line)
        return value
    return text


def lines_of(value: Table | Row) -> Iterator[tuple[str | int, int]]:
    """Each key or index with its line."""
    yield from value.lines.items() if isinstance(value, Table) else enumerate(value.lines)
