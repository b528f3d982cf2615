"""JSON text: read without surprises, written so that equal content is equal bytes."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import CockpitError

MAX_DEPTH = 100
"""Deepest nesting read or written; anything deeper is an accident or an attack."""

_INT_LIMIT = 2**63
_INT_DIGITS = 20

Path = tuple[str | int, ...]


class Unfit(ValueError):
    """A value that JSON cannot carry; `path` holds the keys that lead to it."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.path: Path = ()

    def __str__(self) -> str:
        return f"{pointer(self.path[:8]) or '(top level)'}: {self.reason}"


def sha256(data: bytes) -> str:
    """The SHA-256 digest of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def printable(path: str) -> str:
    r"""`path` without lone surrogates: the bytes that are no UTF-8 show as `\udcff`."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """`text` with line breaks, control characters and lone surrogates escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def pointer(path: Path) -> str:
    """RFC 6901 JSON pointer of the place that these keys lead to."""
    tokens = (one_line(str(part)).replace("~", "~0").replace("/", "~1") for part in path)
    return "".join(f"/{token}" for token in tokens)


def plain(value: Any, depth: int = 0) -> Any:
    """A copy of `value` made of dicts, lists and printable text, all of it fit for JSON.

    Raises
    ------
    Unfit: something in it is not.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return printable(value)
    if isinstance(value, int):
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return int(value)
        raise Unfit("integer beyond 64 bits")
    if isinstance(value, float):
        if math.isfinite(value):
            return float(value)
        raise Unfit(f"{value} is no JSON number")
    if depth >= MAX_DEPTH:
        raise Unfit(f"nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return _plain_table(value, depth)
    if isinstance(value, list | tuple):
        return [_below(index, item, depth) for index, item in enumerate(value)]
    raise Unfit(f"{type(value).__name__} has no form in JSON")


def canonical(data: Any) -> bytes:
    """Indented JSON with sorted keys and a trailing newline; equal content gives equal bytes."""
    try:
        value = plain(data)
    except Unfit as error:
        raise CockpitError(f"cannot be written as JSON: {error}") from error
    text = json.dumps(value, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False)
    return text.encode() + b"\n"


def canonical_line(data: Any) -> bytes:
    """One line of RFC 8785 JSON with its newline: the form of ledger rows and of digests."""
    import rfc8785

    try:
        return rfc8785.dumps(plain(data)) + b"\n"
    except ValueError as error:
        raise CockpitError(f"cannot be written as JSON: {one_line(str(error))}") from error


def parse(data: bytes) -> Any:
    """The value of a JSON document.

    Stricter than `json.loads`: one value per key, finite numbers, no byte order mark, no lone
    surrogates, no bottomless nesting; what was read can be written again.

    Raises
    ------
    ValueError: the bytes are no such document; the text is one line.
    """
    try:
        text = data.decode("utf-8")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_constant,
            parse_int=_integer,
        )
        if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
            _demand_writable(value)
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise ValueError(one_line(str(error))) from error
    return value


def count(number: int, noun: str) -> str:
    """A number with its noun, in the plural where it must be."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _plain_table(table: Mapping[Any, Any], depth: int) -> dict[str, Any]:
    copy = {}
    for key, item in table.items():
        if not isinstance(key, str):
            raise Unfit(f"key {one_line(repr(key))[:40]} is not text")
        copy[printable(key)] = _below(key, item, depth)
    return copy


def _below(key: str | int, item: Any, depth: int) -> Any:
    try:
        return plain(item, depth + 1)
    except Unfit as error:
        error.path = (key, *error.path)
        raise


def _demand_writable(value: Any) -> None:
    if plain(value) != value:
        raise ValueError("lone surrogate in text")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in table if keys.count(key) > 1)
        raise ValueError(f"key {json.dumps(twice[:40])} appears twice in one object")
    return table


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number {text[:40]} is out of range")
    return value


def _integer(text: str) -> int:
    # int() refuses very long texts with advice about interpreter settings; ours is shorter.
    if len(text) > _INT_DIGITS or not -_INT_LIMIT <= int(text) < _INT_LIMIT:
        raise ValueError(f"integer {text[:_INT_DIGITS]} is beyond 64 bits")
    return int(text)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
