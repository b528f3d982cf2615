"""A test's marker taken away, and nothing else of the file changed."""

from __future__ import annotations

import ast

from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.promotion.remedies.model import LINE, READY, Action, Facts, Seen

_MARKER = "authz_quarantine"


def unneeded(seen: Seen, facts: Facts) -> Action | None:
    """A quarantined test that passes: its marker has served."""
    path = facts.here(seen.finding.path)
    test = seen.told("test") or (path or "")
    before = facts.read(path) if path else None
    if path is None or before is None:
        return None
    after = without_marker(before, test.partition("::")[2])
    diff = diffs.between(path, before, after) if after is not None else None
    detail = f"remove the marker {_MARKER} of {test}"
    return Action(
        "remove-marker", detail, READY if diff else LINE, path, seen.finding.line, diff=diff
    )


def without_marker(source: bytes, name: str) -> bytes | None:
    """The file without the decorator of one test; None unless it stands on lines of its own."""
    try:
        body = ast.parse(source).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    spans = [
        (decorator.lineno, decorator.end_lineno or decorator.lineno)
        for decorator in _decorators(body, name.partition("[")[0].split("::"))
        if _is_marker(decorator)
    ]
    if len(spans) != 1:
        return None
    first, last = spans[0]
    lines = source.splitlines(keepends=True)
    if not lines[first - 1].lstrip().startswith(b"@") or b"\f" in source or b"\r" in source:
        return None
    after = b"".join([*lines[: first - 1], *lines[last:]])
    try:
        ast.parse(after)
    except (SyntaxError, ValueError):
        return None
    return after


def _decorators(body: list[ast.stmt], names: list[str]) -> list[ast.expr]:
    """The decorators of the function or class that a node id's parts lead to."""
    first, *rest = names
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name == first and rest:
            return _decorators(node.body, rest)
        if (
            isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
            and node.name == first
            and not rest
        ):
            return node.decorator_list
    return []


def _is_marker(node: ast.expr) -> bool:
    called = node.func if isinstance(node, ast.Call) else node
    return isinstance(called, ast.Attribute) and called.attr == _MARKER
