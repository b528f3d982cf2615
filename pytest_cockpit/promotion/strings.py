"""Files that are no Python and name moved modules or paths: rewritten where the format is sure.

TOML, CFG and INI files name modules and paths in whole tokens, which are replaced. Everything
else, from YAML to shell, is reported with line and text for somebody to look at.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from pytest_cockpit.promotion.names import Names, names_of
from pytest_cockpit.promotion.rewriter import Edit, Reference, Rewritten
from pytest_cockpit.promotion.sources import Lines, Spans, spliced

_INI_NAMES = frozenset({".coveragerc", ".flake8", ".importlinter", ".pylintrc"})
_INI_SUFFIXES = frozenset({".cfg", ".ini"})
# Strings and comments of TOML; what is in neither is structure.
_TOML = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*"""|'
    r"'''(?:[^']|'(?!''))*'''|"
    r'"(?:[^"\\\r\n]|\\.)*"|'
    r"'[^'\r\n]*'|"
    r"#[^\r\n]*",
    re.DOTALL,
)
_INI_LINE = re.compile(r"(?:^|(?<=[\r\n]))(?![ \t]*[#;])[^\r\n]+")
_LONGEST = 200


def rewrite_text(
    source: bytes,
    *,
    path: str,
    moved: Mapping[str, str],
    moved_paths: Mapping[str, str],
    known: frozenset[str] = frozenset(),
) -> Rewritten:
    """Follow the moves in a file that is no Python.

    Parameters
    ----------
    source: the file's bytes; whatever they are, nothing is raised.
    path: decides the format, and is named in what is reported.
    moved: old dotted module to new.
    moved_paths: old repository-relative path to new.
    known: every dotted module that exists before the batch; the longest that a name begins with
        decides, and a package whose modules do not all move with it is only reported.
    """
    search = _search_of(tuple(moved.items()), tuple(moved_paths.items()), known)
    if not search.may_occur(source):
        return Rewritten(source)
    try:
        text = source.decode()
    except UnicodeDecodeError:
        return _opaque(source, path, search, "not UTF-8")
    if "\0" in text:
        return _opaque(source, path, search, "binary file")
    return _followed(source, text, path, search)


class _Search:
    """Finds tokens that name something moved."""

    def __init__(self, names: Names, moved_paths: Mapping[str, str]) -> None:
        self.names = names
        self.paths = {old: new for old, new in moved_paths.items() if old != new}
        self._spelled = [os.fsencode(path) for path in self.paths]
        dotted = "|".join(map(re.escape, sorted(names.tops))) or "(?!)"
        paths = "|".join(map(re.escape, sorted(self.paths, key=len, reverse=True))) or "(?!)"
        self._tokens = re.compile(
            # Hyphens belong to a word, except in the names of mypy's sections.
            rf"(?<![\w./\\-])(?:mypy-)?(?P<module>(?:{dotted})(?:\.\w+)+)(?![\w/\\-]|\.\w)"
            rf"|(?<![\w./\\-])(?:\./)?(?P<path>{paths})(?![\w/\\-])(?!\.\w)"
        )
        self._mentions = re.compile(
            rf"(?<![\w.])(?P<module>(?:{dotted})(?:\.\w+)+)(?P<all>\.?\*)?|(?:{paths})(?!\w)"
        )

    def may_occur(self, source: bytes) -> bool:
        """Whether the bytes hold something moved; cheap."""
        return self.names.may_be_spelled(source) or any(path in source for path in self._spelled)

    def tokens(self, text: str) -> Iterator[tuple[int, int, str]]:
        """Where something moved is named for certain, and its new name."""
        for match in self._tokens.finditer(text):
            kind, end = match.lastgroup or "", match.end()
            named = match[kind]
            new = self.paths[named] if kind == "path" else self._renamed(named, text[end : end + 1])
            if new is not None:
                yield *match.span(kind), new

    def mentions(self, text: str) -> Iterator[int]:
        """Where something moved is named in whatever way, or is one of many named by a star."""
        for match in self._mentions.finditer(text):
            dotted = match["module"]
            if (
                dotted is None
                or self.names.module_in(dotted) is not None
                or (match["all"] and self.names.contains(dotted))
            ):
                yield match.start()

    def _renamed(self, dotted: str, follows: str) -> str | None:
        """The new name; None for a package some of whose modules stay, unless a name follows."""
        inside = f"{dotted}."
        is_split = dotted in self.names.moved and any(
            name.startswith(inside) and name not in self.names.moved for name in self.names.known
        )
        return None if is_split and follows != ":" else self.names.renamed(dotted)


@lru_cache(maxsize=8)
def _search_of(
    moved: tuple[tuple[str, str], ...],
    moved_paths: tuple[tuple[str, str], ...],
    known: frozenset[str],
) -> _Search:
    return _Search(names_of(dict(moved), known), dict(moved_paths))


def _followed(source: bytes, text: str, path: str, search: _Search) -> Rewritten:
    spans = _writable(path, text)
    changes = [
        change for change in search.tokens(text) if spans is not None and spans.at(change[0])
    ]
    lines = Lines(text)
    begins = {start for start, _, _ in changes}
    left = {lines.number(start) for start in search.mentions(text) if start not in begins}
    why = "left alone: " + ("no plain import path" if spans else "the format is not rewritten")
    reported = tuple(Reference(path, line, _shown(text, lines, line), why) for line in sorted(left))
    if not changes:
        return Rewritten(source, (), reported)
    edits = tuple(Edit(lines.number(start), text[start:end], new) for start, end, new in changes)
    return Rewritten(spliced(text, changes).encode(), edits, reported)


def _opaque(source: bytes, path: str, search: _Search, why: str) -> Rewritten:
    """One report for a file that is no text, when the bytes hold a name."""
    text = source.decode(errors="replace")
    start = next(search.mentions(text), None)
    if start is None:
        return Rewritten(source)
    lines = Lines(text)
    line = lines.number(start)
    shown = "" if "\0" in text else _shown(text, lines, line)
    return Rewritten(source, (), (Reference(path, line, shown, f"left alone: {why}"),))


def _shown(text: str, lines: Lines, line: int) -> str:
    return text[slice(*lines.span(line))].strip()[:_LONGEST]


def _writable(path: str, text: str) -> Spans[bool] | None:
    """Where a token may be replaced; None in a format that is not rewritten."""
    name = PurePosixPath(path)
    if name.suffix == ".toml":
        found = (match.span() for match in _TOML.finditer(text) if match.group()[0] != "#")
    elif name.suffix in _INI_SUFFIXES or name.name in _INI_NAMES:
        found = (match.span() for match in _INI_LINE.finditer(text))
    else:
        return None
    return Spans((start, end, True) for start, end in found)
