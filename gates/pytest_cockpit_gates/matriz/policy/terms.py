"""What a few words of Rego stand for: a reference, a constant, a collection."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit_gates.matriz.policy.syntax import Tokens, closing
from pytest_cockpit_gates.matriz.policy.tokens import Token

KEYWORDS = frozenset(
    [
        "as",
        "contains",
        "default",
        "else",
        "every",
        "false",
        "if",
        "import",
        "in",
        "not",
        "null",
        "package",
        "some",
        "true",
        "with",
    ]
)
_LITERALS = {"true": True, "false": False, "null": None}
_KINDS: dict[type, str] = {
    bool: "boolean",
    dict: "object",
    float: "number",
    int: "number",
    list: "array",
    str: "string",
    type(None): "null",
}


@dataclass(frozen=True, slots=True)
class Reference:
    """`input.a["b"]` is root `input` with path `("a", "b")`.

    `whole` is false where the path goes on in a way that only evaluation tells; `called` where
    an argument list follows; `before` is the word before it, `stop` the index behind it.
    """

    root: str
    path: tuple[str, ...]
    line: int
    whole: bool
    called: bool
    before: Token | None
    start: int
    stop: int

    @property
    def dotted(self) -> str:
        """As it would be written with dots."""
        return ".".join((self.root, *self.path))


def references(words: Sequence[Token]) -> Iterator[Reference]:
    """All references, those in strings and behind a dot excepted."""
    for index, word in enumerate(words):
        before = words[index - 1] if index else None
        if word.kind != "name" or word.text in KEYWORDS or (before and before.is_(".")):
            continue
        yield _reference(words, index, before)


def _reference(words: Sequence[Token], start: int, before: Token | None) -> Reference:
    path: list[str] = []
    at, whole = start + 1, True
    while at < len(words):
        if words[at].is_(".") and at + 1 < len(words):
            path.append(words[at + 1].text)
            at += 2
        elif words[at].is_("["):
            key = words[at + 1 : closing(words, at)]
            if len(key) != 1 or key[0].kind != "string":
                whole = False
                break
            path.append(str(constant(tuple(key))))
            at += 3
        else:
            break
    called = at < len(words) and words[at].is_("(")
    root = words[start]
    return Reference(root.text, tuple(path), root.line, whole, called, before, start, at)


def constant(words: Tokens) -> Any:
    """The value of one constant; `...` where the words are none."""
    if len(words) == 2 and words[0].is_("-") and words[1].kind == "number":  # noqa: PLR2004 - a sign and a number
        return -json.loads(words[1].text)
    if len(words) != 1:
        return ...
    word = words[0]
    if word.kind == "number":
        return json.loads(word.text)
    if word.kind == "name":
        return _LITERALS.get(word.text, ...)
    if word.kind == "string" and word.text[0] != "$":
        return word.text[1:-1] if word.text[0] == "`" else _unquoted(word.text)
    return ...


def _unquoted(text: str) -> Any:
    try:
        return json.loads(text, strict=False)
    except ValueError:
        return ...


def kind(value: Any) -> str:
    """The JSON kind of a value."""
    return next((name for base, name in _KINDS.items() if isinstance(value, base)), "value")


def kind_of(words: Tokens) -> str | None:
    """The kind of value that words stand for, where that can be seen."""
    value = constant(words)
    if value is not ...:
        return kind(value)
    if not words or closing(words, 0) != len(words) - 1:
        return None
    if words[0].is_("["):
        return "array"
    if words[0].is_("{"):
        return "object" if len(words) == 2 or has_keys(words[1:-1]) else "set"  # noqa: PLR2004 - two braces
    return None


def has_keys(words: Sequence[Token]) -> bool:
    """Whether what stands between two braces has a colon of its own, and so is an object."""
    return parted(words, ":") is not None


def text(words: Sequence[Token]) -> str:
    """Words without what is between them."""
    return " ".join(word.text for word in words if word.kind != "newline")


def parted(words: Sequence[Token], *signs: str) -> tuple[Tokens, str, Tokens] | None:
    """Left side, sign and right side of the first of these signs outside brackets."""
    at = 0
    while at < len(words):
        if words[at].is_(*signs):
            return tuple(words[:at]), words[at].text, tuple(words[at + 1 :])
        at = closing(words, at) + 1
    return None
