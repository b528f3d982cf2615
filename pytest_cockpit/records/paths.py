"""Absolute paths of this machine in what others read: told from the tree, or from the home."""

from __future__ import annotations

import os
import re
from functools import lru_cache
from pathlib import Path

# A path may end a sentence; `/home/me.old` and `/home/me-too` are others.
_END = rb"(?![\w-])(?!\.\w)"

_Rules = tuple[tuple[re.Pattern[bytes], bytes], ...]


def told(data: bytes, root: Path) -> bytes:
    """`data` with paths below `root` as relative ones, and `~` for the user's home."""
    for pattern, instead in _rules(root, os.path.expanduser("~")):  # noqa: PTH111 - a home that nobody knows is no error
        data = pattern.sub(instead, data)
    return data


@lru_cache(maxsize=8)
def _rules(root: Path, home: str) -> _Rules:
    rules: list[tuple[bytes, bytes]] = []
    for place in dict.fromkeys((root, root.resolve())):
        start = _start(os.fsencode(place))
        rules += [(start + rb"/(?=[\w.])", b""), (start + _END, b".")] if start else []
    start = _start(os.fsencode(home))
    rules += [(start + _END, b"~")] if start else []
    return tuple((re.compile(pattern), instead) for pattern, instead in rules)


def _start(place: bytes) -> bytes:
    """The pattern of a folder's path; empty of one that says nothing, as `/` does."""
    named = place.rstrip(b"/")
    return rb"(?<![\w.-])" + re.escape(named) if named.startswith(b"/") else b""
