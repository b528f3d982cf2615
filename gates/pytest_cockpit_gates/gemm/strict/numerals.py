"""Numbers that a policy's text has and JSON does not, each with its key and line."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator

from pytest_cockpit.records.text import one_line

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<key>\s*:)?'
    r"|-?Infinity|NaN|-?\d+(?P<part>\.\d+)?(?P<power>[eE][+-]?\d+)?"
)
_LIMIT, _DIGITS = 2**63, 20
_SHOWN, _MOST = 40, 10


def faults(text: str) -> list[str]:
    """`line 12: max_p95_drift_percent: NaN is no JSON number`, for the first few of them.

    None of a text that is not even JSON with such numbers: its first fault is another one.
    """
    try:
        json.loads(text, parse_int=str)
    except (ValueError, RecursionError):
        return []
    found = list(_found(text))
    more = len(found) - _MOST
    return [*found[:_MOST], *([f"and {more} more numbers like these"] if more > 0 else [])]


def _found(text: str) -> Iterator[str]:
    key = ""
    for token in _TOKEN.finditer(text):
        if token["text"] is not None:
            key = token["text"] if token["key"] else key
            continue
        wrong = _wrong(token)
        if wrong:
            line = text.count("\n", 0, token.start()) + 1
            yield f"line {line}: {one_line(key[:_SHOWN]) or '(top level)'}: {wrong}"


def _wrong(token: re.Match[str]) -> str:
    number = token[0]
    if number.endswith(("y", "N")):
        return f"{number} is no JSON number"
    if token["part"] or token["power"]:
        return f"{number[:_SHOWN]} is out of range" if math.isinf(float(number)) else ""
    # int() refuses very long texts.
    beyond = len(number) > _DIGITS or not -_LIMIT <= int(number) < _LIMIT
    return f"{number[:_DIGITS]} is beyond 64 bits" if beyond else ""
