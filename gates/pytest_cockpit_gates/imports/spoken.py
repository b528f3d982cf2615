"""Modules that a file imports by calls: their names are strings, which no import statement has."""

from __future__ import annotations

import ast
from collections.abc import Iterator

_CALLS = ("import_module", "__import__")
_MARKS = tuple(call.encode() for call in _CALLS)


def mentions(content: bytes, name: str) -> bool:
    """Whether such a call of a name could be in a file: cheap, and never wrongly false."""
    return any(mark in content for mark in _MARKS) and name.encode() in content


def names(content: bytes) -> Iterator[tuple[str, int]]:
    """The absolute dotted name and the line of each call that imports a literal one."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args and _called(node.func) in _CALLS:
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value, node.lineno


def _called(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None
