"""Names that stand for nothing, and names used above the line that binds them.

OPA refuses both. The evaluator that runs here does not: it goes through a body from top to bottom
and takes a name that is not bound yet for undefined, so that the body silently never holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module, Tokens, closing
from pytest_cockpit_gates.matriz.policy.terms import KEYWORDS, parted, references
from pytest_cockpit_gates.matriz.policy.tokens import Token

_ALWAYS = frozenset({"input", "data", "_", "set", "if"})


def lint(subject: Subject) -> Iterator[Finding]:
    """Each name of a body that nothing binds, or that is bound further down."""
    for module in subject.modules:
        known = {
            *_ALWAYS,
            *module.imports,
            *(
                clause.name.partition(".")[0]
                for other in subject.modules
                if other.package == module.package
                for clause in other.clauses
            ),
        }
        for clause in module.clauses:
            yield from _unbound(module, clause, known)
            yield from _early(module, clause, known)


def _unbound(module: Module, clause: Clause, known: set[str]) -> Iterator[Finding]:
    words = _words(clause)
    bound = known | _bound(words) | {word.text for word in clause.arguments or ()}
    told: set[str] = set()
    for read in references(words):
        replaced = read.before is not None and read.before.is_("with")
        if read.root in bound or read.called or replaced or read.root in told:
            continue
        told.add(read.root)
        yield Finding(
            rules.NAME,
            f"{read.root} is bound nowhere in this body of {clause.name}, and is no rule",
            path=module.path,
            line=read.line,
            remedy="correct the name, or bind it with `:=` or `some`",
        )


def _words(clause: Clause) -> Tokens:
    body = clause.body.tokens if clause.body is not None else ()
    return (*clause.key, *clause.value, *body)


def _bound(words: Sequence[Token]) -> set[str]:
    """Every name that something may bind, wherever that is; rather one too many."""
    found: set[str] = set()
    for index, word in enumerate(words):
        if word.is_("some", "every"):
            found |= _names(_until(words, index + 1, "in", ";", "{"))
        elif word.is_(":=", "="):
            found |= _names(_side(words, index))
            if word.is_("="):
                found |= _names(_until(words, index + 1, ";"))
        elif word.is_("[") or (word.is_("(") and index and words[index - 1].is_("walk")):
            found |= _names(words[index + 1 : closing(words, index)])
    return found


def _names(words: Sequence[Token]) -> set[str]:
    return {word.text for word in words if word.kind == "name" and word.text not in KEYWORDS}


def _until(words: Sequence[Token], start: int, *stops: str) -> Sequence[Token]:
    at = start
    while at < len(words) and words[at].kind != "newline" and not words[at].is_(*stops):
        at = closing(words, at) + 1
    return words[start:at]


def _side(words: Sequence[Token], sign: int) -> Sequence[Token]:
    """What stands left of a sign, back to where its expression may begin."""
    start = next((at + 1 for at in reversed(range(sign)) if _parts(words[at])), 0)
    return words[start:sign]


def _parts(word: Token) -> bool:
    return word.kind == "newline" or word.is_(";", "|")


def _early(module: Module, clause: Clause, known: set[str]) -> Iterator[Finding]:
    if clause.body is None:
        return
    expressions = clause.body.expressions
    binds = [_binds(expression) - known for expression in expressions]
    used: dict[str, int] = {}
    for expression, names in zip(expressions, binds, strict=True):
        for name in sorted(names & used.keys()):
            yield Finding(
                rules.NAME,
                f"{name} is used above the line that binds it",
                path=module.path,
                line=used[name],
                remedy=f"move it below the line that binds {name}",
            )
        if not any(word.is_("|", "every") for word in expression):
            for read in references(expression):
                used.setdefault(read.root, read.line)


def _binds(expression: Tokens) -> set[str]:
    """The names that a condition declares; those of `=` may stand in any order."""
    if expression[0].is_("some"):
        return _names(_until(expression, 1, "in"))
    sides = parted(expression, ":=")
    return _names(sides[0]) if sides is not None else set()
