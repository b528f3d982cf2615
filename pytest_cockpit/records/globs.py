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
        reached = _step(part, reached, pattern)
    return len(pattern) in reached


def matches(path: str, globs: Iterable[str]) -> bool:
    """Whether any of the globs matches the path or one of the folders above it."""
    parts = split(path)
    return any(begins(parts, pattern) for glob in globs if (pattern := split(glob)))


class Matcher:
    """`matches` for many paths: what the globs come to in a folder is worked out once."""

    def __init__(self, globs: Iterable[str]) -> None:
        """Read the globs."""
        self._patterns = [pattern for glob in globs if (pattern := split(glob))]
        self._folders = {"": [{0} for _ in self._patterns]}

    def matches(self, path: str) -> bool:
        """Whether any of the globs matches the path or one of the folders above it."""
        *folders, name = split(path) or ("",)
        found = self._below(self._folder(folders), name) if name else ()
        return any(map(_whole, self._patterns, found))

    def _folder(self, parts: Sequence[str]) -> list[set[int]]:
        """The places that each glob has reached in a folder."""
        path, reached = "/".join(parts), self._folders[""]
        if path in self._folders:
            return self._folders[path]
        for length, part in enumerate(parts, start=1):
            path = "/".join(parts[:length])
            if path not in self._folders:
                self._folders[path] = self._below(reached, part)
            reached = self._folders[path]
        return reached

    def _below(self, reached: list[set[int]], part: str) -> list[set[int]]:
        past = map(_past_folders, reached, self._patterns)
        return [
            # What has matched a folder has matched all in it.
            {len(pattern)} if _whole(pattern, places) else _step(part, places, pattern)
            for pattern, places in zip(self._patterns, past, strict=True)
        ]


def _whole(pattern: Sequence[str], reached: set[int]) -> bool:
    return len(pattern) in reached


def _step(part: str, reached: set[int], pattern: Sequence[str]) -> set[int]:
    """The places reached when a glob that is not through yet has seen one more part."""
    return {
        place + (pattern[place] != "**")
        for place in reached
        if pattern[place] == "**" or _compiled(pattern[place]).match(part)
    }


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
