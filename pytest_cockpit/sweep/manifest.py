"""Figures entered in a manifest, as whoever wrote it would have entered them by hand."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_TABLE = "testing"
_SPACE = re.compile(r"[ \t\r\n]*")


class Unfit(ValueError):
    """A manifest that nothing can be entered in; the text says why."""


@dataclass(frozen=True, slots=True)
class _Member:
    key: str
    start: int
    value: int
    end: int


def entered(content: bytes, values: Mapping[str, Any]) -> bytes:
    """The manifest with these values in its table `testing`; nothing else in it changes.

    Raises
    ------
    Unfit: it is no JSON object in UTF-8, or its `testing` is none.
    """
    try:
        text = content.decode("utf-8")
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unfit("not JSON") from error
    if not isinstance(document, dict):
        raise Unfit("expected an object")
    if not isinstance(document.get(_TABLE, {}), dict):
        raise Unfit(f"{_TABLE}: expected an object")
    start = text.index("{")
    if _TABLE not in document:
        text = _with(text, start, _TABLE, {})
    for key, value in values.items():
        # Of a key that is there twice, readers take the last.
        table = [each for each in _members(text, start) if each.key == _TABLE][-1]
        text = _with(text, table.value, key, value)
    return text.encode("utf-8")


def says(content: bytes, key: str, value: Any) -> bool:
    """Whether the manifest has this value in its table `testing`, whoever entered it there."""
    try:
        found = json.loads(content.decode("utf-8"))[_TABLE][key]
    except (ValueError, RecursionError, LookupError, TypeError):
        return False
    return type(found) is not bool and bool(found == value)


def _with(text: str, start: int, key: str, value: Any) -> str:
    """The text with a member set, in the object that begins at `start`."""
    members = list(_members(text, start))
    there = [each for each in members if each.key == key]
    written = json.dumps(value)
    if there:
        return text[: there[-1].value] + written + text[there[-1].end :]
    if members:
        last = members[-1]
        between = text[members[-2].end : last.start] if len(members) > 1 else None
        gap = text[start + 1 : members[0].start] if between is None else between.partition(",")[2]
        colon = text[last.start : last.value].rpartition(":")[2]
        return f"{text[: last.end]},{gap}{json.dumps(key)}:{colon}{written}{text[last.end :]}"
    return _first(text, start, f"{json.dumps(key)}: {written}")


def _first(text: str, start: int, member: str) -> str:
    """The text with a first member, in the style of what is around its object."""
    end = text.index("}", start)
    line = text.rfind("\n", 0, start) + 1
    outer = text[line : _end(_SPACE.match(text, line), line)]
    if line == 0 and "\n" not in text.strip():
        return f"{text[: start + 1]}{member}{text[end:]}"
    step = outer or "  "
    unit = "\t" if step.startswith("\t") else " " * (2 if len(step) % 4 else _unit(text))
    return f"{text[: start + 1]}\n{outer}{unit}{member}\n{outer}{text[end:]}"


def _unit(text: str) -> int:
    """How far the members of the outermost object are indented."""
    found = re.search(r"\n( +)\S", text)
    return len(found[1]) if found else 2


def _members(text: str, start: int) -> Iterator[_Member]:
    """The members of the object that begins at `start`, in text that is known to be JSON."""
    decoder = json.JSONDecoder()
    here = _skip(text, start + 1)
    while text[here] != "}":
        key, after = decoder.raw_decode(text, here)
        value = _skip(text, _skip(text, after) + 1)
        _, end = decoder.raw_decode(text, value)
        yield _Member(key, here, value, end)
        here = _skip(text, end)
        if text[here] == ",":
            here = _skip(text, here + 1)


def _skip(text: str, here: int) -> int:
    return _end(_SPACE.match(text, here), here)


def _end(found: re.Match[str] | None, here: int) -> int:
    return found.end() if found else here
