"""Text of a repository inside Markdown: shown as it is, and never more than text."""

from __future__ import annotations

import re

from pytest_cockpit.records.text import one_line, printable

_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", "@": "&#64;"})
_SIGNS = re.compile(r"([\\`*_{}\[\]()#|~])")


def code(text: str) -> str:
    """An inline code span, its fence longer than any run of backticks in the text."""
    line = one_line(printable(text))
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    # A table cell ends at a bar even within a span; a space keeps a leading backtick apart.
    space = " " if "`" in line or not line.strip() else ""
    return f"{fence}{space}{line.replace('|', chr(92) + '|')}{space}{fence}"


def plain(text: str) -> str:
    """Running text: no markup, no HTML, nobody mentioned."""
    return _SIGNS.sub(r"\\\1", one_line(printable(text))).translate(_HTML)


def fenced(text: str, language: str = "") -> str:
    """A block of code that no line of the text can end."""
    # A tab is part of a patch.
    lines = ["\t".join(map(one_line, printable(line).split("\t"))) for line in text.split("\n")]
    longest = max((len(run) for line in lines for run in re.findall("`+", line)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([f"{fence}{language}", *lines, fence])
