"""Globs of repository paths: `*` and `?` stay within one name, `**` crosses folders."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from fnmatch import translate
from functools import lru_cache


def split(glob: str) -> list[str]:
    """The parts of a glob, or of a path."""
    return [part for part in glob.split("/") if part not in {"", "."}]


def begins(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether the pattern matches the path or one of the folders above it.

    All places that the pattern may have reached are followed at once, so that a glob of many `**`
    costs no more than its length times the path's.
    """
    reached = {0}
    for part in parts:
        reached = _past_folders(reached, pattern)
        if len(pattern) in reached:
            return True
        reached = {
            place + (pattern[place] != "**")
            for place in reached
            if pattern[place] == "**" or _compiled(pattern[place]).match(part)
        }
    return len(pattern) in reached


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether any of the globs matches the path or one of the folders above it."""
    parts = split(path)
    return any(begins(parts, pattern) for glob in globs if (pattern := split(glob)))


def _past_folders(reached: set[int], pattern: Sequence[str]) -> set[int]:
    """The places reached when each `**` may also stand for no folder at all."""
    found = set(reached)
    for place in reached:
        after = place
        while after < len(pattern) and pattern[after] == "**":
            after += 1
            found.add(after)
    return found


@lru_cache(maxsize=1024)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
