"""Where in a test file a marker is, and the file without it. Pure: text in, text out."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pytest_cockpit.quarantine.marks import MARKER

_ITSELF = ast.Attribute(ast.Name("mark", ast.Load()), MARKER, ast.Load())
_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True, slots=True)
class Spot:
    """A marker's place.

    Parameters
    ----------
    line: the first line of the expression that brings it.
    scope: `case`, `function`, `class` or `module`: what is marked by it.
    without: the whole file without it; None where that takes a person.
    """

    line: int
    scope: str
    without: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """An expression that may bring markers, and the statement it makes up, if it makes up one."""

    node: ast.expr
    scope: str
    statement: ast.stmt | None = None


def spot(text: str, node_id: str, issue: object) -> Spot | None:
    """The marker of this issue that is nearest to the test; None when none is to be seen."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    aliases = _aliases(tree)
    for place in _places(tree, _names(node_id)):
        for node in ast.walk(place.node):
            if _brings(node, aliases, issue):
                return _spot(text, place, node, aliases)
    return None


def _names(node_id: str) -> list[str]:
    # Only the last name has parameters, which may hold anything.
    whole = node_id.partition("::")[2].partition("[")[0]
    return whole.split("::") if whole else []


def _aliases(tree: ast.Module) -> dict[str, ast.expr]:
    """Module-level names of values that hold the marker, or that were imported as the marker."""
    found: dict[str, ast.expr] = {}
    for statement in tree.body:
        if isinstance(statement, ast.ImportFrom):
            found |= {
                name.asname or name.name: _ITSELF for name in statement.names if name.name == MARKER
            }
        if isinstance(statement, ast.Assign) and _mentions(statement.value):
            for target in statement.targets:
                if isinstance(target, ast.Name):
                    found[target.id] = statement.value
    return found


def _mentions(node: ast.AST) -> bool:
    return any(isinstance(it, ast.Attribute) and it.attr == MARKER for it in ast.walk(node))


def _places(tree: ast.Module, names: Sequence[str]) -> Iterator[_Place]:
    """Where a test's markers may come from, the nearest first."""
    found = list(_of_body(tree.body, "module"))
    body: Sequence[ast.stmt] = tree.body
    for name in names:
        defined = [it for it in body if isinstance(it, _Definition) and it.name == name]
        if not defined:
            break
        last = defined[-1]
        scope = "class" if isinstance(last, ast.ClassDef) else "function"
        # The lowest decorator is applied first, and is the nearest.
        own = [_Place(node, scope) for node in reversed(last.decorator_list)]
        inner = list(_of_body(last.body, scope)) if scope == "class" else []
        found = [*own, *inner, *found]
        body = last.body
    return iter(found)


def _of_body(body: Sequence[ast.stmt], scope: str) -> Iterator[_Place]:
    for statement in body:
        if isinstance(statement, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == "pytestmark"
            for target in statement.targets
        ):
            yield _Place(statement.value, scope, statement)


def _brings(node: ast.AST, aliases: dict[str, ast.expr], issue: object) -> bool:
    if isinstance(node, ast.Name) and node.id in aliases:
        return any(_brings(it, {}, issue) for it in ast.walk(aliases[node.id]))
    if not (isinstance(node, ast.Call) and _is_marker(node.func, aliases)):
        return False
    told = [word.value for word in node.keywords if word.arg == "issue"]
    # What is not written out may well be it.
    return not told or not isinstance(told[0], ast.Constant) or told[0].value == issue


def _is_marker(node: ast.expr, aliases: dict[str, ast.expr]) -> bool:
    return (isinstance(node, ast.Attribute) and node.attr == MARKER) or (
        isinstance(node, ast.Name)
        and node.id in aliases
        and isinstance(aliases[node.id], ast.Attribute)
    )


def _spot(text: str, place: _Place, node: ast.AST, aliases: dict[str, ast.expr]) -> Spot:
    if node is place.node:
        without = _less_lines(text, place.statement or place.node)
        return Spot(place.node.lineno, place.scope, _sound(without))
    case = _case(place.node, node)
    if case is None:
        return Spot(place.node.lineno, place.scope, None)
    call, word = case
    return Spot(word.value.lineno, "case", _sound(_less_keyword(text, call, word, node)))


def _case(outer: ast.expr, node: ast.AST) -> tuple[ast.Call, ast.keyword] | None:
    """The innermost `param(…)` and its `marks=…` that the marker is in."""
    found = None
    for call in ast.walk(outer):
        if isinstance(call, ast.Call):
            for word in call.keywords:
                if word.arg == "marks" and any(it is node for it in ast.walk(word.value)):
                    found = call, word
    return found


def _less_lines(text: str, node: ast.expr | ast.stmt) -> str | None:
    """The text without the lines of a node; None where something else is on them too."""
    lines = _lines(text)
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    before, after = lines[first][: node.col_offset], lines[last][node.end_col_offset :]
    if before.strip() not in (b"", b"@") or after.strip()[:1] not in (b"", b"#"):
        return None
    return b"".join([*lines[:first], *lines[last + 1 :]]).decode()


def _lines(text: str) -> list[bytes]:
    """Lines as Python counts them: text also has ends of lines that are none to it."""
    return text.encode().splitlines(keepends=True)


def _less_keyword(text: str, call: ast.Call, word: ast.keyword, node: ast.AST) -> str | None:
    if word.value is not node:
        return None
    starts = [0]
    for line in _lines(text):
        starts.append(starts[-1] + len(line))
    data = text.encode()
    begin = starts[word.lineno - 1] + word.col_offset
    end = starts[(word.value.end_lineno or 1) - 1] + (word.value.end_col_offset or 0)
    before = data[:begin].rstrip()
    if before.endswith(b","):
        return (before[:-1] + data[end:]).decode()
    after = re.sub(rb"^\s*,\s*", b"", data[end:])
    return (data[:begin] + after).decode()


def _sound(text: str | None) -> str | None:
    """The text, if it is still a program."""
    try:
        ast.parse(text or "")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    return text
