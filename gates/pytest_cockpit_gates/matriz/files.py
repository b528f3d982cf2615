"""Find files of a tree by patterns, in one walk that stays out of other people's code."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from pytest_cockpit.records.environments import is_environment

PATH = {
    "title": "path below the repository's root",
    "type": "string",
    "minLength": 1,
    "not": {"pattern": r"^/|(^|/)\.\.(/|$)|\x00"},
}
"""The JSON Schema of a path or pattern in the settings."""

_FOREIGN = frozenset(
    {".git", ".hg", ".nox", ".svn", ".tox", ".venv", "__pycache__", "node_modules", "site-packages"}
)
_TOKENS = re.compile(r"(?P<deep>\*\*/)|(?P<any>\*\*)|(?P<star>\*)|(?P<one>\?)|(?P<set>\[[^]]+\])")


def walk(root: Path) -> Iterator[str]:
    """Repository-relative paths of all files, in no order.

    Left out: folders of version control, of installed packages and of virtual environments that
    git does not track; links to folders are not followed.
    """
    top = os.fspath(root)
    for folder, folders, names in os.walk(top):
        marked = "pyvenv.cfg" in names and folder != top
        if marked and is_environment(root, os.path.relpath(folder, top)):
            folders.clear()
            continue
        folders[:] = [name for name in folders if name not in _FOREIGN]
        prefix = "" if folder == top else f"{os.path.relpath(folder, top)}/"
        yield from (prefix + name for name in names)


def matcher(patterns: Iterable[str], *, any_case: bool = False) -> re.Pattern[str]:
    """A regular expression that matches a whole path by any of the patterns.

    `*` and `?` stay within a path's part, `**` does not; `folder/` means all below it.
    """
    flags = re.DOTALL | (re.IGNORECASE if any_case else 0)
    return re.compile("|".join(map(_translated, patterns)) or r"(?!)", flags)


def _translated(pattern: str) -> str:
    pattern = f"{pattern}**" if pattern.endswith("/") else pattern
    parts, at = [], 0
    for token in _TOKENS.finditer(pattern):
        parts.append(re.escape(pattern[at : token.start()]))
        parts.append(_piece(token))
        at = token.end()
    return "".join([*parts, re.escape(pattern[at:])])


def _piece(token: re.Match[str]) -> str:
    match token.lastgroup:
        case "deep":
            return "(?:[^/]+/)*"
        case "any":
            return ".*"
        case "star":
            return "[^/]*"
        case "one":
            return "[^/]"
        case _:
            return _character_set(token.group())


def _character_set(text: str) -> str:
    negated = text[1] in "!^"
    inner = text[1 + negated : -1]
    escaped = re.sub(r"([\\^\[\]&~|])", r"\\\1", inner)
    return f"(?!/)[{'^' if negated else ''}{escaped}]" if inner else re.escape(text)
