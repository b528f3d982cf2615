"""Contracts and policies as places that an edit can be made at. Pure: text in, text out.

A document keeps its own formatting: an edit puts some text in the place of some other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

Scalar = str | int | float | bool | None


@dataclass(frozen=True, slots=True)
class Value:
    """A scalar: where it is, by pointer and by characters, and how the text writes such a one."""

    pointer: str
    value: Scalar
    start: int
    end: int
    quoted: bool = True


@dataclass(frozen=True, slots=True)
class Array:
    """A list or set of scalars; in block style each of its items has a line of its own."""

    pointer: str
    items: tuple[Value, ...]
    start: int
    end: int
    block: bool = False


@dataclass(frozen=True, slots=True)
class Document:
    """A document's scalars, and its lists of scalars, whose items are among the former."""

    path: str
    text: str
    values: tuple[Value, ...] = ()
    arrays: tuple[Array, ...] = ()
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit: `text` in the place of the characters from `start` to `end`."""

    path: str
    pointer: str
    kind: str
    before: Scalar
    after: Scalar
    start: int
    end: int
    text: str = field(compare=False)

    @property
    def meaning(self) -> str:
        """The edit in words."""
        old, new = (json.dumps(it, ensure_ascii=False) for it in (self.before, self.after))
        place = f"{self.pointer.replace('line:', 'line ') or 'the whole'} of {self.path}"
        if self.kind == "add":
            return f"adds {new} to {place}"
        if self.kind == "remove":
            return f"removes {old} from {place}"
        return f"changes {place} from {old} to {new}"


class Overlap(ValueError):
    """Two edits of the same place."""


def applied(text: str, edits: Sequence[Edit]) -> str:
    """The text after all the edits.

    Raises
    ------
    Overlap: they cannot all be made.
    """
    parts, at = [], 0
    for edit in sorted(edits, key=lambda it: (it.start, it.end)):
        if edit.start < at:
            raise Overlap(edit.pointer)
        parts += [text[at : edit.start], edit.text]
        at = edit.end
    return "".join([*parts, text[at:]])


def adding(document: Document, array: Array, value: Scalar) -> Edit:
    """The edit that puts a value at the end of a list."""
    shown = _written(value, array.items[-1] if array.items else None)
    if not array.items:
        start = end = array.start + 1
    else:
        start = end = array.items[-1].end
        shown = _separator(document.text, array) + shown
    return Edit(document.path, array.pointer, "add", None, value, start, end, shown)


def removing(document: Document, array: Array, index: int) -> Edit | None:
    """The edit that takes an item out of a list; None for the only item of a block."""
    items, item = array.items, array.items[index]
    if array.block:
        if len(items) == 1:
            return None
        start, end = _line(document.text, item.start, item.end)
    elif index:
        start, end = items[index - 1].end, item.end
    elif len(items) > 1:
        start, end = item.start, items[1].start
    else:
        start, end = array.start + 1, array.end - 1
    return Edit(document.path, array.pointer, "remove", item.value, None, start, end, "")


def changing(document: Document, place: Value, value: Scalar) -> Edit:
    """The edit that puts another scalar in the place of one."""
    shown = _written(value, place)
    return Edit(
        document.path, place.pointer, "change", place.value, value, place.start, place.end, shown
    )


def token(key: object) -> str:
    """A key as a part of a JSON pointer."""
    return str(key).replace("~", "~0").replace("/", "~1")


def gathered(
    path: str, text: str, values: Sequence[Value], arrays: Sequence[Array], keys: Iterator[str]
) -> Document:
    """A document of these places."""
    return Document(path, text, tuple(values), tuple(arrays), frozenset(keys))


def _written(value: Scalar, like: Value | None) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if like is None or like.quoted or not isinstance(value, str):
        return text
    return value if _is_plain(value) else text


def _is_plain(value: str) -> bool:
    """Whether YAML may have it without quotes; nothing but the most harmless is taken for that."""
    words = {"true", "false", "yes", "no", "on", "off", "null", "y", "n"}
    return value[:1].isalpha() and value.lower() not in words and _harmless(value)


def _harmless(value: str) -> bool:
    return value.isascii() and all(sign.isalnum() or sign in "._/-" for sign in value)


def _separator(text: str, array: Array) -> str:
    """What stands between two items."""
    items = array.items
    if array.block:
        first, _ = _line(text, items[-1].start, items[-1].end)
        return "\n" + text[first : items[-1].start]
    if len(items) > 1:
        between = text[items[-2].end : items[-1].start]
        # A comment belongs to the item before it.
        return between if between.strip() == "," else ", "
    before = text[array.start + 1 : items[0].start]
    return f",{before}" if before.startswith("\n") and not before.strip() else ", "


def _line(text: str, start: int, end: int) -> tuple[int, int]:
    after = text.find("\n", end)
    return text.rfind("\n", 0, start) + 1, len(text) if after < 0 else after + 1


def plain(value: Any) -> bool:
    """Whether a value is a scalar."""
    return value is None or isinstance(value, str | int | float | bool)
