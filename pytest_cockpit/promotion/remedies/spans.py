"""One value of a JSON document replaced, every other byte kept."""

from __future__ import annotations

import copy
import json
import re
from typing import Any

from pytest_cockpit.records import text

_SPACE = re.compile(r"[ \t\r\n]*")
_DECODER = json.JSONDecoder()


def replaced(document: bytes, pointer: str, value: Any) -> bytes | None:
    """The document with `value` at an RFC 6901 pointer that leads to something; else None."""
    tokens = [
        token.replace("~1", "/").replace("~0", "~")
        for token in pointer.removeprefix("/").split("/")
    ]
    try:
        was = text.parse(document)
        source = document.decode()
        start, end = _span(source, tokens)
    except (ValueError, LookupError):
        return None
    new = source[:start] + json.dumps(value, ensure_ascii=False) + source[end:]
    try:
        return new.encode() if text.parse(new.encode()) == _with(was, tokens, value) else None
    except ValueError:
        return None


def _span(source: str, tokens: list[str]) -> tuple[int, int]:
    """Where the value begins and ends. Raises `LookupError` where there is none."""
    at = _skip(source, 0)
    for token in tokens:
        at = _member(source, at, token) if source[at] == "{" else _item(source, at, token)
    return at, _DECODER.raw_decode(source, at)[1]


def _member(source: str, at: int, token: str) -> int:
    at = _skip(source, at + 1)
    while source[at] != "}":
        key, at = _DECODER.raw_decode(source, at)
        at = _skip(source, _skip(source, at) + 1)
        if key == token:
            return at
        at = _past(source, at)
    raise LookupError(token)


def _item(source: str, at: int, token: str) -> int:
    if source[at] != "[" or not token.isdecimal():
        raise LookupError(token)
    at = _skip(source, at + 1)
    for _ in range(int(token)):
        at = _past(source, at)
        if source[at] == "]":
            raise LookupError(token)
    return at


def _past(source: str, at: int) -> int:
    """Where the next member or item begins, or the closing bracket is."""
    at = _skip(source, _DECODER.raw_decode(source, at)[1])
    return _skip(source, at + 1) if source[at] == "," else at


def _skip(source: str, at: int) -> int:
    found = _SPACE.match(source, at)
    return found.end() if found else at


def _with(document: Any, tokens: list[str], value: Any) -> Any:
    changed = copy.deepcopy(document)
    place = changed
    for token in tokens[:-1]:
        place = place[int(token)] if isinstance(place, list) else place[token]
    last: Any = int(tokens[-1]) if isinstance(place, list) else tokens[-1]
    place[last] = value
    return changed
