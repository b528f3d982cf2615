"""`x in object` tests the object's values: asked for a key it is never true, and denied always.

```rego
step_up := {"transfer": true}

safe if not input.action in step_up    # true for every action
```

Objects are known where they are written down: in the body, in a rule of the package, or in what
every case provides at a path of the input.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module, closing
from pytest_cockpit_gates.matriz.policy.terms import (
    Reference,
    constant,
    has_keys,
    kind_of,
    references,
)
from pytest_cockpit_gates.matriz.policy.tokens import Token


def lint(subject: Subject) -> Iterator[Finding]:
    """Each membership test of an object."""
    for module in subject.policies:
        for index, word in enumerate(module.words):
            if word.is_("in") and not _iterates(module.words, index):
                severity = _severity(subject, module, index)
                if severity is not None:
                    yield _finding(module, module.words, index, severity)


def _iterates(words: Sequence[Token], at: int) -> bool:
    """Whether `some` or `every` belongs to this `in`, or the name is part of a path."""
    if at == 0 or words[at - 1].is_("."):
        return True
    depth = 0
    for word in reversed(words[:at]):
        depth += word.is_(")", "]", "}") - word.is_("(", "[", "{")
        if depth < 0 or (not depth and (word.kind == "newline" or word.is_(";", "not", "if"))):
            return False
        if not depth and word.is_("some", "every", ","):
            return True
    return False


def _severity(subject: Subject, module: Module, at: int) -> Severity | None:
    """How sure it is that an object stands right of `in`; None where it is not."""
    words = module.words[at + 1 :]
    if not words:
        return None
    if words[0].is_("{"):
        inner = words[1 : closing(words, 0)]
        known = has_keys(inner) and not _has_value(inner, module.words[at - 1])
        return Severity.ERROR if known else None
    found = next(references(words), None)
    if found is None or found.start or found.called or not found.whole:
        return None
    if found.root == "input":
        kinds = subject.samples.kinds(found.path)
        return Severity.WARNING if kinds == {"object"} else None
    return Severity.ERROR if _is_object(subject, module, found, module.words[at]) else None


def _has_value(inner: Sequence[Token], asked: Token) -> bool:
    """Whether a written object has the constant that is asked for among its values."""
    value = constant((asked,))
    after = [constant((word,)) for colon, word in itertools.pairwise(inner) if colon.is_(":")]
    return value is not ... and value in [found for found in after if found is not ...]


def _is_object(subject: Subject, module: Module, found: Reference, place: Token) -> bool:
    here = _around(module, place)
    if not found.path:
        if here is not None and found.root in {word.text for word in here.arguments or ()}:
            return False
        local = _assigned(module, here, found.root, place)
        if local is not None:
            return local == "object"
        return _rule_is_object(subject, module.package, found.root)
    if found.root == "data":
        package, _, rule = ".".join(found.path).rpartition(".")
        return _rule_is_object(subject, package, rule)
    return False


def _around(module: Module, place: Token) -> Clause | None:
    return next(
        (
            clause
            for clause in module.clauses
            if clause.body is not None and clause.body.start <= place.start < clause.body.end
        ),
        None,
    )


def _assigned(module: Module, clause: Clause | None, name: str, place: Token) -> str | None:
    """The kind that the body gives to a name above; empty where it cannot be told."""
    if clause is None or clause.body is None:
        return None
    for expression in clause.body.expressions:
        if expression[0].start > place.start:
            break
        if expression[0].is_(name) and len(expression) > 1 and expression[1].is_(":=", "="):
            return kind_of(expression[2:]) or ""
        if expression[0].is_("some") and name in {word.text for word in expression}:
            return ""
    return None


def _rule_is_object(subject: Subject, package: str, name: str) -> bool:
    clauses = subject.clauses(package, name)
    return bool(clauses) and all(
        clause.arguments is None and not clause.key and kind_of(clause.value) == "object"
        for clause in clauses
    )


def _finding(module: Module, words: Sequence[Token], at: int, severity: Severity) -> Finding:
    found = next(references(words[at + 1 :]), None)
    named = found is not None and not found.start
    what = found.dotted if found is not None and named else "the object"
    sure = "is" if severity is Severity.ERROR else "is in every case"
    keys = what if named else "…"
    return Finding(
        rules.MEMBERSHIP,
        f"{what} {sure} an object: `in` tests its values, not its keys",
        severity=severity,
        path=module.path,
        line=words[at].line,
        remedy=f"write `in object.keys({keys})`, or `some value in …` to test values",
    )
