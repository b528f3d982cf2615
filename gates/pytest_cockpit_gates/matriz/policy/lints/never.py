"""A body whose conditions contradict each other never holds.

Seen are conditions that compare one and the same reference with constants (`x == 1; x == 2`,
`n > 4; n < 3`, `x == []; x != []`), constants with constants, a condition beside its own negation,
and a comparison with a kind of value that no case provides. Conditions inside comprehensions and
`every`, and references with `_`, which may stand for another element each time, are left alone.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module, Tokens
from pytest_cockpit_gates.matriz.policy.terms import (
    constant,
    kind,
    kind_of,
    parted,
    references,
    text,
)

_SIGNS = ("==", "=", ":=", "!=", "<", "<=", ">", ">=")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_OPPOSITE = {"==": "!=", "!=": "=="}
_EQUAL = ("==", "=", ":=")


@dataclass(frozen=True, slots=True)
class Condition:
    """`what sign value`: `what` is a reference as text, `value` a constant or its text."""

    what: str
    sign: str
    value: Any
    line: int

    @property
    def shown(self) -> str:
        """As Rego writes it."""
        value = self.value.text if isinstance(self.value, Written) else _shown(self.value)
        return f"{self.what} {self.sign} {value}"


@dataclass(frozen=True, slots=True)
class Written:
    """A collection that is written down without variables."""

    text: str


def lint(subject: Subject) -> Iterator[Finding]:
    """Each body that never holds, once."""
    for module in subject.policies:
        for clause in module.clauses:
            found = _contradiction(clause) if clause.body is not None else None
            if found is not None:
                yield _finding(module, clause, *found)
            elif clause.body is not None:
                yield from _kinds(subject, module, clause)


def _contradiction(clause: Clause) -> tuple[str, int] | None:
    """What contradicts what, and the line of the second."""
    seen: list[Condition] = []
    whole: dict[str, int] = {}
    for expression in clause.body.expressions if clause.body else ():
        line = expression[0].line
        if (reason := _constantly_false(expression) or _negated(expression, whole)) is not None:
            return reason, line
        whole.setdefault(text(expression), line)
        condition = _condition(expression)
        if condition is None:
            continue
        clash = next((one for one in seen if clashes(one, condition)), None)
        if clash is not None:
            return f"`{clash.shown}` and `{condition.shown}` never hold together", line
        seen.append(condition)
    return None


def _constantly_false(expression: Tokens) -> str | None:
    value = constant(expression)
    if value is False:
        return "`false` never holds"
    sides = parted(expression, *_SIGNS)
    if sides is None or sides[1] in ("=", ":="):
        return None
    left, right = constant(sides[0]), constant(sides[2])
    if left is ... or right is ...:
        return None
    false = not _holds(left, sides[1], right)
    return f"`{text(expression)}` never holds" if false else None


def _negated(expression: Tokens, whole: dict[str, int]) -> str | None:
    """A condition that is denied elsewhere in the body, word for word."""
    if any(word.is_("_", "with") for word in expression):
        return None
    said = text(expression)
    other = said.removeprefix("not ") if said.startswith("not ") else f"not {said}"
    if other in whole:
        return f"`{other}` and `{said}` never hold together"
    return None


def _condition(expression: Tokens) -> Condition | None:
    line = expression[0].line
    denied = expression[0].is_("not")
    sides = parted(expression[denied:], *_SIGNS)
    if sides is None or any(word.is_("_", "with", "(") for word in expression):
        return None
    left, sign, right = sides
    value = _value(right)
    if value is ...:
        left, value, sign = right, _value(left), _TURNED.get(sign, sign)
    sign = "==" if sign in _EQUAL else sign
    if denied:
        sign = _OPPOSITE.get(sign, "")
    if value is ... or not sign or not _is_reference(left):
        return None
    return Condition(text(left).replace(" . ", "."), sign, value, line)


def _value(words: Tokens) -> Any:
    value = constant(words)
    if value is not ... or kind_of(words) is None:
        return value
    variables = any(True for _ in references(words))
    return ... if variables else Written(text(words))


def _is_reference(words: Tokens) -> bool:
    found = next(references(words), None)
    return found is not None and not found.start and found.stop == len(words) and found.whole


def clashes(one: Condition, other: Condition) -> bool:
    """Whether no value fulfils both."""
    if one.what != other.what:
        return False
    if one.sign == "==":
        return not _holds(one.value, other.sign, other.value)
    if other.sign == "==":
        return not _holds(other.value, one.sign, one.value)
    if "!=" in (one.sign, other.sign) or not (_is_number(one.value) and _is_number(other.value)):
        return False
    if one.sign[0] == other.sign[0]:
        return False
    low, high = (one, other) if one.sign[0] == ">" else (other, one)
    return bool(
        low.value > high.value
        or (low.value == high.value and not (low.sign == ">=" and high.sign == "<="))
    )


def _holds(left: Any, sign: str, right: Any) -> bool:
    """Whether a comparison holds; one that cannot be told is taken to hold."""
    if sign in ("==", "!="):
        same = _same(left, right)
        return same if sign == "==" else not same
    if _is_number(left) and _is_number(right):
        results = {"<": left < right, "<=": left <= right, ">": left > right, ">=": left >= right}
        return bool(results[sign])
    return True


def _same(left: Any, right: Any) -> bool:
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    return bool(left == right)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kinds(subject: Subject, module: Module, clause: Clause) -> Iterator[Finding]:
    """Comparisons with a kind of value that the path has in no case."""
    for expression in clause.body.expressions if clause.body else ():
        condition = _condition(expression)
        if condition is None or condition.sign != "==" or isinstance(condition.value, Written):
            continue
        found = next(references(expression[expression[0].is_("not") :]))
        kinds = subject.samples.kinds(found.path) if found.root == "input" else frozenset()
        if kinds and kind(condition.value) not in kinds:
            value = _shown(condition.value)
            reason = f"{condition.what} is {_either(kinds)} in every case, never {value}"
            yield _finding(module, clause, reason, condition.line, Severity.WARNING)


def _either(kinds: Iterable[str]) -> str:
    return " or ".join(sorted(kinds))


def _shown(value: Any) -> str:
    return json.dumps(value)


def _finding(
    module: Module, clause: Clause, reason: str, line: int, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        rules.NEVER,
        f"this body of {clause.name} is never true: {reason}",
        severity=severity,
        path=module.path,
        line=line,
        remedy="correct the condition, or remove the body",
    )
