"""Which statements of a module never run, as far as the source shows it."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

_COMPARED: Mapping[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Is: operator.is_,
    ast.IsNot: operator.is_not,
    ast.In: lambda left, right: left in right,
    ast.NotIn: lambda left, right: left not in right,
}


def truth(test: ast.expr) -> bool | None:
    """What a condition is whenever the module is imported; None where that cannot be told."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        inner = truth(test.operand)
        return None if inner is None else not inner
    if isinstance(test, ast.BoolOp):
        return _of_several(test)
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test)
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return False if name == "TYPE_CHECKING" else _literal(test, bool)


def live(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements of a block up to one that leaves it."""
    for node in body:
        yield node
        if isinstance(node, ast.Raise | ast.Return | ast.Continue | ast.Break):
            return


def blocks(node: ast.stmt) -> Iterator[list[ast.stmt]]:
    """Blocks within a statement that may run when the module is imported."""
    if isinstance(node, ast.If):
        known = truth(node.test)
        yield from (
            body
            for body, when in ((node.body, True), (node.orelse, False))
            if known is not (not when)
        )
    elif isinstance(node, ast.Try | ast.TryStar):
        yield from (node.body, *(handler.body for handler in node.handlers))
        yield from (node.orelse, node.finalbody)
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield node.body
    elif isinstance(node, ast.While):
        yield from [node.orelse] if truth(node.test) is False else [node.body, node.orelse]
    elif isinstance(node, ast.For | ast.AsyncFor):
        yield from [node.orelse] if _literal(node.iter, bool) is False else [node.body, node.orelse]
    elif isinstance(node, ast.Match):
        yield from (case.body for case in node.cases if not _is_false(case.guard))


def unreached(tree: ast.Module) -> dict[str, int]:
    """The functions and classes that stand in the module and never come to be, with their lines."""
    reached: set[ast.stmt] = set()
    pending = [tree.body]
    while pending:
        for node in live(pending.pop()):
            reached.add(node)
            pending += blocks(node)
    return {
        node.name: node.lineno
        for node in _outside_functions(tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and node not in reached
    }


def _outside_functions(tree: ast.Module) -> Iterator[ast.AST]:
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        yield node
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.expr):
            pending += ast.iter_child_nodes(node)


def _is_false(guard: ast.expr | None) -> bool:
    return guard is not None and truth(guard) is False


def _of_several(test: ast.BoolOp) -> bool | None:
    deciding = isinstance(test.op, ast.Or)
    known = [truth(value) for value in test.values]
    if deciding in known:
        return deciding
    return None if None in known else not deciding


def _compared(test: ast.Compare) -> bool | None:
    kind = type(test.ops[0])
    if isinstance(test.left, ast.Name) and test.left.id == "__name__":
        # Of `__name__` it is known that it is not the script's.
        return isinstance(test.ops[0], ast.NotEq | ast.IsNot) if _is_main(test) else None
    return _literal(
        test.left,
        lambda left: _literal(
            test.comparators[0], lambda right: bool(_COMPARED[kind](left, right))
        ),
    )


def _is_main(test: ast.Compare) -> bool:
    right = test.comparators[0]
    return isinstance(right, ast.Constant) and right.value == "__main__"


def _literal(node: ast.expr, told: Callable[[Any], bool | None]) -> bool | None:
    """What `told` says of the value of a literal; None where it is none."""
    try:
        return told(ast.literal_eval(node))
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None
