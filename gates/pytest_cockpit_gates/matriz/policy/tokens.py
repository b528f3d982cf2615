"""Words of a Rego file, each with its place. Comments are left out, ends of lines are kept.

Rego has no parser for Python that tells where things stand, so the lints read the words
themselves. What is no word of Rego raises `Unreadable`; the evaluator is the judge of the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_WORD = re.compile(
    r"""
    (?P<space>[ \t\r]+)
    |(?P<newline>\n)
    |(?P<comment>\#[^\n]*)
    |(?P<string>\$?"(?:[^"\\\n]|\\.)*"|\$?`[^`]*`)
    |(?P<number>(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<sign>:=|==|!=|<=|>=|[][(){}.,;:=<>+\-*/%&|])
    """,
    re.VERBOSE,
)


class Unreadable(ValueError):
    """Text that is no Rego, with its line."""

    def __init__(self, message: str, line: int) -> None:
        super().__init__(message)
        self.line = line


@dataclass(frozen=True, slots=True)
class Token:
    """One word: `kind` is `name`, `string`, `number`, `sign` or `newline`."""

    kind: str
    text: str
    start: int
    line: int

    @property
    def end(self) -> int:
        """Where the next character begins."""
        return self.start + len(self.text)

    def is_(self, *texts: str) -> bool:
        """Whether it is one of these names or signs; a string that looks like one is not."""
        return self.kind in ("name", "sign") and self.text in texts


def tokens(text: str) -> list[Token]:
    """All words of a file.

    Raises
    ------
    Unreadable: a character begins no word, or a string has no end.
    """
    return list(_words(text))


def _words(text: str) -> Iterator[Token]:
    at, line = 0, 1
    while at < len(text):
        found = _WORD.match(text, at)
        if found is None:
            what = "a string has no end" if text[at] in '"`$' else f"{text[at]!a} begins no word"
            raise Unreadable(what, line)
        kind = str(found.lastgroup)
        if kind not in ("space", "comment"):
            yield Token(kind, found.group(), at, line)
        line += found.group().count("\n")
        at = found.end()
