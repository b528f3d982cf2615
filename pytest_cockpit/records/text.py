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


def sha256(data: bytes) -> str:
    """The SHA-256 digest of `data` in hexadecimal."""
    return hashlib.sha256(data).hexdigest()


def printable(path: str) -> str:
    """`path` without lone surrogates: bytes that are no UTF-8 show as `\\udcff`."""
    return path.encode("utf-8", "backslashreplace").decode("utf-8")


def one_line(text: str) -> str:
    """`text` with line breaks, control characters and lone surrogates escaped."""
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode("ascii")
        for char in text
    )


def plain(value: Any, pointer: str = "", depth: int = 0) -> Any:
    """A copy of `value` made of dicts and lists, all of it fit for JSON.

    Raises
    ------
    ValueError: something in it is not; the text says where and why.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return _text(value, pointer)
    if isinstance(value, int):
        if -_INT_LIMIT <= value < _INT_LIMIT:
            return value
        raise ValueError(f"{_at(pointer)}: integer beyond 64 bits")
    if isinstance(value, float):
        if math.isfinite(value):
            return value
        raise ValueError(f"{_at(pointer)}: {value} is no JSON number")
    if depth >= MAX_DEPTH:
        raise ValueError(f"{_at(pointer[:40] + '…')}: nested deeper than {MAX_DEPTH} levels")
    if isinstance(value, Mapping):
        return {
            _key(key, pointer): plain(item, f"{pointer}/{escaped(key)}", depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item, f"{pointer}/{index}", depth + 1) for index, item in enumerate(value)]
    raise ValueError(f"{_at(pointer)}: {type(value).__name__} has no form in JSON")


def escaped(key: object) -> str:
    """One reference token of a JSON pointer (RFC 6901), on one line."""
    return one_line(str(key)).replace("~", "~0").replace("/", "~1")


def canonical(data: Any) -> bytes:
    """Indented JSON with sorted keys and a trailing newline; equal content gives equal bytes."""
    try:
        text = json.dumps(
            plain(data), sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False
        )
    except ValueError as error:
        raise CockpitError(f"cannot be written as JSON: {error}") from error
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
        if text.startswith("\ufeff"):
            raise ValueError("starts with a byte order mark")
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_finite,
            parse_constant=_constant,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise ValueError(f"nested deeper than {MAX_DEPTH} levels") from error
    except ValueError as error:
        raise ValueError(one_line(str(error))) from error
    if "\\u" in text or text.count("[") + text.count("{") > MAX_DEPTH:
        return plain(value)
    return value


def _at(pointer: str) -> str:
    return pointer or "(top level)"


def _text(value: str, pointer: str) -> str:
    try:
        value.isascii() or value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"{_at(pointer)}: lone surrogate in text") from error
    return value


def _key(key: object, pointer: str) -> str:
    if not isinstance(key, str):
        raise ValueError(f"{_at(pointer)}: key {one_line(repr(key))[:40]} is not text")
    return _text(key, pointer)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]  # set.add as the remembering half of `or`
        raise ValueError(f"key {json.dumps(twice[:40])} appears twice in one object")
    return table


def _finite(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise ValueError(f"number {text[:40]} is out of range")
    return value


def _integer(text: str) -> int:
    # int() refuses very long texts with advice about interpreter settings; ours is shorter.
    if len(text) > 20 or not -_INT_LIMIT <= int(text) < _INT_LIMIT:
        raise ValueError(f"integer {text[:24]}… is beyond 64 bits")
    return int(text)


def _constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON number")
