"""The text of a Python file, and where in it the nodes of its syntax tree lie."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Iterable
from itertools import chain
from operator import itemgetter
from typing import Generic, TypeVar

_OPENING = re.compile(r"""[rRuU]?(\'\'\'|\"\"\"|\'|\")""")
# What Python ends a line with; `str.splitlines` knows more, the form feed among them.
_LINE_END = re.compile(r"\r\n|\r|\n")

Span = tuple[int, int]
Item = TypeVar("Item")


class Unreadable(Exception):
    """The file is no Python source that this interpreter can read."""


class Lines:
    """The lines of a text, counted as Python does."""

    def __init__(self, text: str) -> None:
        self._ends = [match.span() for match in _LINE_END.finditer(text)]
        self._ends.append((len(text), len(text)))
        self.starts = [0, *(end for _, end in self._ends[:-1])]

    def number(self, offset: int) -> int:
        """1-based number of the line that holds the offset."""
        return bisect_right(self.starts, offset)

    def span(self, number: int) -> Span:
        """Where a line lies, without its end."""
        return self.starts[number - 1], self._ends[number - 1][0]


class Spans(Generic[Item]):
    """Spans that do not overlap, each with what it stands for."""

    def __init__(self, spans: Iterable[tuple[int, int, Item]]) -> None:
        self._spans = sorted(spans, key=itemgetter(0))
        self._starts = [start for start, _, _ in self._spans]

    def at(self, offset: int) -> Item | None:
        """What the span stands for that holds the offset."""
        number = bisect_right(self._starts, offset) - 1
        if number < 0 or offset >= self._spans[number][1]:
            return None
        return self._spans[number][2]


class Source:
    """Decoded source whose encoding gives back the same bytes.

    Raises
    ------
    Unreadable: when the bytes cannot be decoded, do not survive the way back, or do not parse.
    """

    def __init__(self, content: bytes) -> None:
        try:
            self.encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
            self.text = content.decode(self.encoding)
        except (SyntaxError, UnicodeError, LookupError) as error:
            raise Unreadable(f"cannot be decoded: {error}") from None
        if self.text.encode(self.encoding) != content:
            raise Unreadable(f"does not survive decoding as {self.encoding}")
        self.tree = parse(self.text)
        self.lines = Lines(self.text)

    def encode(self, text: str) -> bytes:
        """The bytes of a changed text."""
        try:
            return text.encode(self.encoding)
        except UnicodeError as error:
            raise Unreadable(f"cannot spell the new name: {error}") from None

    def newline_after(self, offset: int) -> str:
        """The line end next to the offset, or the file's first, or a line feed."""
        match = _LINE_END.search(self.text, offset) or _LINE_END.search(self.text)
        return match.group() if match else "\n"

    def span(self, node: ast.expr | ast.stmt | ast.alias) -> Span:
        """Where a node lies."""
        end_line, end_column = node.end_lineno, node.end_col_offset
        if end_line is None or end_column is None:
            raise Unreadable("has a syntax tree without positions")
        return self._offset(node.lineno, node.col_offset), self._offset(end_line, end_column)

    def content(self, node: ast.Constant) -> Span | None:
        """Where a string's content lies, when the source spells it without escapes or pieces."""
        start, end = self.span(node)
        opening = _OPENING.match(self.text, start)
        if opening is None:
            return None
        quote = opening.group(1)
        inner = opening.end(), end - len(quote)
        spelled = self.text[slice(*inner)] == node.value
        return inner if spelled and self.text[inner[1] : end] == quote else None

    def _offset(self, line: int, column: int) -> int:
        """The offset of a position whose column counts UTF-8 bytes."""
        start = self.lines.starts[line - 1]
        prefix = self.text[start : start + column]
        if not prefix.isascii():
            prefix = prefix.encode()[:column].decode(errors="ignore")
        return start + len(prefix)


def parse(text: str) -> ast.Module:
    """The syntax tree of a module. Raises `Unreadable`."""
    try:
        with warnings.catch_warnings():
            # The file's own escapes and comparisons are nothing to warn about here.
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except SyntaxError as error:
        raise Unreadable(f"cannot be parsed: line {error.lineno}: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"cannot be parsed: {str(error) or type(error).__name__}") from None


def parse_expression(text: str) -> ast.Expression | None:
    """The syntax tree of an expression in a string; None when it is none."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def spliced(text: str, changes: list[tuple[int, int, str]]) -> str:
    """The text with spans replaced; the spans do not overlap."""
    changes = sorted(changes)
    ends = chain([0], (end for _, end, _ in changes))
    kept = [text[end:start] + new for end, (start, _, new) in zip(ends, changes, strict=False)]
    return "".join(kept) + text[changes[-1][1] if changes else 0 :]
