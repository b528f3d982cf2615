"""Modules that a file imports by calls: their names are strings, which no import statement has."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Iterator

_CALLS = ("import_module", "__import__")
_RUNS = ("exec", "eval", "compile")
_MARK = re.compile(rb"import_module|__import__|\b(?:exec|eval)\s*\(")
_DEEPEST = 3


def mentions(content: bytes, name: str) -> bool:
    """Whether such a call of a name could be in a file: cheap, as most files have none."""
    return name.encode() in content and _MARK.search(content) is not None


def names(content: bytes) -> Iterator[tuple[str, int]]:
    """The absolute dotted name and the line of each call that imports a literal one.

    Code in a literal string that is run is read, too: its imports are on the line of the call.
    """
    tree = _parsed(content)
    if tree is not None:
        yield from _called_in(tree, _DEEPEST)


def _called_in(tree: ast.AST, deep: int) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        called = _called(node.func)
        if called in _CALLS:
            name = _literal(node, 0, "name")
            package = _literal(node, 1, "package") if called == "import_module" else None
            if name:
                yield _absolute(name, package or ""), node.lineno
        elif called in _RUNS and isinstance(node.func, ast.Name) and deep:
            inner = _parsed((_literal(node, 0, "source") or "").encode("utf-8", "replace"))
            if inner is not None:
                lines = (name for name, _ in (*_imported(inner), *_called_in(inner, deep - 1)))
                yield from ((name, node.lineno) for name in lines)


def _imported(tree: ast.AST) -> Iterator[tuple[str, int]]:
    """What import statements of a text without a place name."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
            yield node.module, node.lineno


def _parsed(source: bytes) -> ast.AST | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return ast.parse(source)
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return None


def _literal(call: ast.Call, place: int, keyword: str) -> str | None:
    given = {word.arg: word.value for word in call.keywords}
    node = call.args[place] if len(call.args) > place else given.get(keyword)
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _absolute(name: str, package: str) -> str:
    """What a name with dots in front means from a package; any other name as it is."""
    bare = name.lstrip(".")
    above = package.split(".")
    kept = above[: len(above) - (len(name) - len(bare)) + 1]
    return ".".join([*kept, bare]) if bare != name and package else name


def _called(function: ast.expr) -> str | None:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else None
