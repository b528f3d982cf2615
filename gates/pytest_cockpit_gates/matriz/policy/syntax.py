"""The rules of a Rego file as far as lints and coverage need them: heads, bodies, expressions.

Reads Rego of both versions: with `if` and `contains`, and without. What it cannot make out it
takes for one expression, and never guesses a rule where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_cockpit_gates.matriz.policy.tokens import Token, Unreadable, tokens

Tokens = tuple[Token, ...]

_OPEN, _CLOSE = "([{", ")]}"
_GOES_ON = frozenset(
    [
        "if",
        ":=",
        "=",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&",
        "|",
        ",",
        ":",
        ".",
        "not",
        "some",
        "every",
        "in",
        "with",
        "as",
        "contains",
        "else",
        "default",
        "import",
        "package",
    ]
)
"""After these a line's end is not the end of the expression."""
_JOINS = frozenset(
    [
        ":=",
        "=",
        "==",
        "!=",
        "<",
        "<=",
        ">",
        ">=",
        "+",
        "-",
        "*",
        "/",
        "%",
        "&",
        "|",
        ".",
        "with",
        "as",
        "in",
        "else",
        "if",
        "contains",
    ]
)
"""Before these neither."""


@dataclass(frozen=True, slots=True)
class Body:
    """What has to hold: `tokens` without the braces, `start` and `end` with them."""

    tokens: Tokens
    start: int
    end: int
    braces: bool
    classic: bool

    @property
    def expressions(self) -> list[Tokens]:
        """The single conditions."""
        return list(split(self.tokens))


@dataclass(frozen=True, slots=True)
class Clause:
    """One way of defining a rule: a head with at most one body.

    Parameters
    ----------
    name: the rule's name, dotted where its head is a reference.
    line: where the clause begins; of an `else`, where that stands.
    default: it begins with `default`.
    arguments: between the parentheses of a function; None for any other rule.
    key: after `contains`, or between the brackets of the head.
    value: after `:=` or `=`.
    body: None where the rule always holds.
    otherwise: how many clauses of the same chain come before it; 0 but for an `else`.
    end: where the head and value end.
    """

    name: str
    line: int
    default: bool
    arguments: Tokens | None
    key: Tokens
    value: Tokens
    body: Body | None
    otherwise: int
    end: int


@dataclass(frozen=True, slots=True)
class Module:
    """One file: its package, the names its imports give, and its clauses in order."""

    path: str
    text: str
    words: Tokens
    package: str
    imports: tuple[str, ...]
    clauses: tuple[Clause, ...]

    @property
    def is_test(self) -> bool:
        """Whether it is a file of unit tests."""
        return self.path.endswith("_test.rego")

    @property
    def classic(self) -> bool:
        """Whether it has bodies without `if`, which Rego before version 1 had."""
        return any(clause.body is not None and clause.body.classic for clause in self.clauses)


def parse(path: str, text: str) -> Module:
    """The file's rules.

    Raises
    ------
    Unreadable: words that are none, brackets that do not match, or no package.
    """
    words = tuple(tokens(text))
    _demand_brackets(words)
    package = ""
    imports: list[str] = []
    clauses: list[Clause] = []
    for statement in split(words):
        first = statement[0]
        if first.is_("package"):
            package = _package(statement)
        elif first.is_("import"):
            imports.append(statement[-1].text)
        else:
            clauses += _Reader(statement).clauses()
    if not package:
        raise Unreadable("the file names no package", 1)
    return Module(path, text, words, package, tuple(imports), tuple(clauses))


def _package(statement: Tokens) -> str:
    odd = next((word for word in statement if word.kind == "sign" and word.text not in ".[]"), None)
    if odd is not None:
        raise Unreadable(f"{odd.text} was not expected here", odd.line)
    return _dotted(statement[1:])


def split(words: Sequence[Token]) -> Iterator[Tokens]:
    """Statements or conditions: what ends of lines and semicolons part, outside brackets."""
    part: list[Token] = []
    depth = 0
    for index, word in enumerate(words):
        depth += _turn(word)
        if depth or not (word.kind == "newline" or word.is_(";")):
            part.append(word)
        elif part and not (word.kind == "newline" and _goes_on(part, words, index)):
            yield _solid(part)
            part = []
    if part:
        yield _solid(part)


def closing(words: Sequence[Token], at: int) -> int:
    """The index of the bracket that closes the one at `at`."""
    depth = 0
    for index in range(at, len(words)):
        depth += _turn(words[index])
        if not depth:
            return index
    return len(words) - 1


def solid(words: Sequence[Token]) -> Tokens:
    """Without ends of lines at either side."""
    return _solid(list(words))


def _solid(part: list[Token]) -> Tokens:
    start, stop = 0, len(part)
    while start < stop and part[start].kind == "newline":
        start += 1
    while stop > start and part[stop - 1].kind == "newline":
        stop -= 1
    return tuple(part[start:stop])


def _goes_on(part: Sequence[Token], words: Sequence[Token], newline: int) -> bool:
    # `import future.keywords.in` ends with a name that looks like an operator.
    if part[-1].is_(*_GOES_ON) and not (len(part) > 1 and part[-2].is_(".")):
        return True
    following = next((word for word in words[newline:] if word.kind != "newline"), None)
    return following is not None and following.is_(*_JOINS)


def _turn(word: Token) -> int:
    if word.kind != "sign":
        return 0
    return (word.text in _OPEN) - (word.text in _CLOSE)


def _demand_brackets(words: Sequence[Token]) -> None:
    opened: list[Token] = []
    for word in words:
        if _turn(word) > 0:
            opened.append(word)
        elif _turn(word) < 0 and (
            not opened or _OPEN.index(opened.pop().text) != _CLOSE.index(word.text)
        ):
            raise Unreadable(f"{word.text} closes nothing", word.line)
    if opened:
        raise Unreadable(f"{opened[-1].text} is not closed", opened[-1].line)


def _dotted(words: Sequence[Token]) -> str:
    """`a.b` of `a.b` and of `a["b"]`."""
    return ".".join(word.text.strip('"`') for word in words if word.kind in ("name", "string"))


class _Reader:
    """Reads one statement from left to right."""

    def __init__(self, words: Tokens) -> None:
        self._words = words
        self._at = 0

    def clauses(self) -> Iterator[Clause]:
        """The clause of the statement, and those of the `else` and braces that follow it."""
        line = self._words[0].line
        default = self._takes("default")
        name, key = self._reference()
        if not name:
            raise Unreadable("a rule has no name", line)
        arguments = self._bracketed() if self._sees("(") else None
        if self._takes("contains"):
            key = self._term()
        chain = 0
        while True:
            value = self._term() if self._takes(":=", "=") else ()
            end = self._words[self._at - 1].end
            body = self._body()
            yield Clause(name, line, default, arguments, key, value, body, chain, end)
            self._newlines()
            if self._at >= len(self._words):
                return
            line = self._words[self._at].line
            if self._takes("else"):
                chain += 1
            elif not self._sees("{"):
                raise Unreadable(f"{self._words[self._at].text} was not expected here", line)

    def _reference(self) -> tuple[str, Tokens]:
        start = self._at
        key: Tokens = ()
        while self._at < len(self._words):
            word = self._words[self._at]
            if word.is_("["):
                key = self._bracketed()
            elif word.is_(".") or (
                word.kind == "name" and (self._at == start or self._words[self._at - 1].is_("."))
            ):
                self._at += 1
            else:
                break
        outside = [word for word in self._words[start : self._at] if word not in key]
        return _dotted(outside), key

    def _body(self) -> Body | None:
        conditional = self._takes("if")
        self._newlines()
        if self._sees("{") and (conditional or self._at):
            start, inner = self._words[self._at], self._bracketed()
            stop = self._words[self._at - 1]
            if conditional and self._at < len(self._words) and not self._sees("else", "newline"):
                return self._rest_as_body(start, inner)
            return Body(inner, start.start, stop.end, braces=True, classic=not conditional)
        return self._literal() if conditional else None

    def _rest_as_body(self, start: Token, inner: Tokens) -> Body:
        """`if {…}[x]` and the like: a value in braces, not a body."""
        self._at -= len(inner) + 2
        return self._literal() or Body(inner, start.start, start.end, braces=True, classic=False)

    def _literal(self) -> Body | None:
        words = self._until("else")
        if not words:
            return None
        return Body(words, words[0].start, words[-1].end, braces=False, classic=False)

    def _term(self) -> Tokens:
        return self._until("if", "else", brace=True)

    def _until(self, *stops: str, brace: bool = False) -> Tokens:
        """Words up to one of these names, or up to a brace that begins a body."""
        start = self._at
        while self._at < len(self._words):
            word = self._words[self._at]
            if word.is_(*stops) or (brace and word.is_("{") and self._ends_term(start)):
                break
            self._at = closing(self._words, self._at) + 1
        return _solid(list(self._words[start : self._at]))

    def _ends_term(self, start: int) -> bool:
        """Whether a term is complete before this place."""
        if self._at == start:
            return False
        last = self._words[self._at - 1]
        return last.kind != "sign" or last.text in _CLOSE

    def _bracketed(self) -> Tokens:
        start = self._at
        self._at = closing(self._words, start) + 1
        return _solid(list(self._words[start + 1 : self._at - 1]))

    def _newlines(self) -> None:
        while self._at < len(self._words) and self._words[self._at].kind == "newline":
            self._at += 1

    def _sees(self, *texts: str) -> bool:
        if self._at >= len(self._words):
            return False
        word = self._words[self._at]
        return word.is_(*texts) or (word.kind == "newline" and "newline" in texts)

    def _takes(self, *texts: str) -> bool:
        if not self._sees(*texts):
            return False
        self._at += 1
        return True
