"""Globs of lane paths, as the configuration has them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
from functools import lru_cache


def matcher(globs: Iterable[str], folder: str) -> Callable[[str], bool]:
    """A function that says whether a path matches any of the globs.

    `*` and `?` stay within one name, `**` crosses folders, and a glob that matches a folder
    matches all below it. A glob may count from the repository or from `folder`.
    """
    patterns = [[part for part in glob.split("/") if part not in {"", "."}] for glob in globs]
    prefix = f"{folder}/"

    def matches(path: str) -> bool:
        spelled = [path.split("/")]
        if path.startswith(prefix):
            spelled.append(path[len(prefix) :].split("/"))
        return any(_begins(parts, pattern) for parts in spelled for pattern in patterns if pattern)

    return matches


def _begins(parts: list[str], pattern: list[str]) -> bool:
    """Whether the pattern matches the path or one of the folders above it."""
    if not pattern:
        return True
    if pattern[0] == "**":
        return any(_begins(parts[skip:], pattern[1:]) for skip in range(len(parts)))
    return (
        bool(parts)
        and _compiled(pattern[0]).match(parts[0]) is not None
        and _begins(parts[1:], pattern[1:])
    )


@lru_cache(maxsize=1024)
def _compiled(part: str) -> re.Pattern[str]:
    return re.compile(translate(part))
