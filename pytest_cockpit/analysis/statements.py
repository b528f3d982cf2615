"""One walk over a module's statements: its imports, and what makes it dynamic.

Expressions are never entered: no import statement can hide in one, and skipping them makes the
walk cheaper than the parse it follows.
"""

from __future__ import annotations

import ast
import re
from bisect import bisect_left
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

WORDS = re.compile(rb"import|sys|__path__")
"""What a line must have to be of interest inside a function."""

_CAUGHT = frozenset({"ImportError", "ModuleNotFoundError", "Exception", "BaseException"})
_SHARED = frozenset({"modules", "meta_path", "path"})
_MUTATORS = frozenset({"append", "extend", "insert", "setdefault", "update"})


@dataclass(frozen=True, slots=True)
class Import:
    """One import statement; `import a, b` counts as two.

    `import a.b` has module "a.b" and no names; `from .x import y` module "x", level 1, names
    ("y",). `guarded`: its failure is caught, or it is the fallback of one that is. `lazy`: it
    does not run when the file is imported. `typing_only`: it never runs.
    """

    module: str
    level: int
    names: tuple[str, ...]
    line: int
    guarded: bool
    lazy: bool
    typing_only: bool


class _State(NamedTuple):
    """What surrounds a statement."""

    guarded: bool = False
    lazy: bool = False
    typing_only: bool = False
    function: bool = False
    inner: bool = False


_Block = tuple[Sequence[ast.stmt], _State]
_Blocks = Sequence[_Block]


@dataclass(slots=True)
class Walk:
    """What the walk found. `error` is a mistake that the parser lets through.

    `marked` are the lines, in order, where words stand that the walk looks for. A function
    without any of them is not entered: most code lies in functions, and this halves the walk.
    """

    marked: Sequence[int]
    imports: list[Import] = field(default_factory=list)
    dynamic: bool = False
    error: tuple[str, int] | None = None

    def module(self, tree: ast.Module) -> Walk:
        """Walk a whole module."""
        self._future(tree.body)
        pending: list[_Block] = [(tree.body, _State())]
        while pending:
            body, state = pending.pop()
            for node in body:
                leaf = _LEAVES.get(node.__class__)
                if leaf is not None:
                    leaf(self, node, state)
                else:
                    block = _BLOCKS.get(node.__class__)
                    if block is not None:
                        pending.extend(block(self, node, state))
        self.imports.sort(key=lambda found: found.line)
        return self

    def fail(self, message: str, line: int) -> None:
        """Keep the error that stands first in the file."""
        if self.error is None or line < self.error[1]:
            self.error = (message, line)

    def enters(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
        """Whether one of the marked lines lies in a function."""
        place = bisect_left(self.marked, node.lineno)
        return place < len(self.marked) and self.marked[place] <= (node.end_lineno or node.lineno)

    def _future(self, body: Sequence[ast.stmt]) -> None:
        allowed = True
        for index, node in enumerate(body):
            future = isinstance(node, ast.ImportFrom) and node.module == "__future__"
            if future and not allowed:
                self.fail("from __future__ imports must occur at the beginning", node.lineno)
            allowed = allowed and (future or (index == 0 and _is_docstring(node)))


def _is_docstring(node: ast.stmt) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )


def _import(walk: Walk, node: ast.Import, state: _State) -> None:
    for alias in node.names:
        walk.imports.append(_made(node, state, alias.name, 0, ()))


def _import_from(walk: Walk, node: ast.ImportFrom, state: _State) -> None:
    names = tuple(alias.name for alias in node.names)
    if names == ("*",) and state.inner:
        walk.fail("import * only allowed at module level", node.lineno)
    walk.imports.append(_made(node, state, node.module or "", node.level, names))


def _made(node: ast.stmt, state: _State, module: str, level: int, names: tuple[str, ...]) -> Import:
    return Import(module, level, names, node.lineno, state.guarded, state.lazy, state.typing_only)


def _return(walk: Walk, node: ast.Return, state: _State) -> None:
    if not state.function:
        walk.fail("'return' outside function", node.lineno)


def _assign(walk: Walk, node: ast.Assign | ast.AnnAssign | ast.AugAssign, state: _State) -> None:
    targets = node.targets if isinstance(node, ast.Assign) else [node.target]
    for target in targets:
        if isinstance(target, ast.Name):
            walk.dynamic |= not state.inner and target.id in {"__path__", "__getattr__"}
        elif isinstance(target, ast.Subscript):
            walk.dynamic |= _is_shared(target.value)
        else:
            walk.dynamic |= _is_shared(target)


def _expr(walk: Walk, node: ast.Expr, state: _State) -> None:
    call = node.value
    if (
        isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr in _MUTATORS
    ):
        walk.dynamic |= _is_shared(call.func.value)


def _is_shared(node: ast.expr) -> bool:
    """Whether it is `sys.modules`, `sys.meta_path`, `sys.path` or `__path__`."""
    if isinstance(node, ast.Name):
        return node.id == "__path__"
    return (
        isinstance(node, ast.Attribute)
        and node.attr in _SHARED
        and isinstance(node.value, ast.Name)
        and node.value.id.strip("_") == "sys"
    )


def _function(walk: Walk, node: ast.FunctionDef | ast.AsyncFunctionDef, state: _State) -> _Blocks:
    if node.name == "__getattr__" and not state.inner:
        walk.dynamic = True
    if not walk.enters(node):
        return ()
    return [(node.body, _State(False, True, state.typing_only, function=True, inner=True))]


def _class(walk: Walk, node: ast.ClassDef, state: _State) -> _Blocks:
    return [(node.body, state._replace(function=False, inner=True))]


def _if(walk: Walk, node: ast.If, state: _State) -> _Blocks:
    test, body, orelse = node.test, node.body, node.orelse
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        test, body, orelse = test.operand, orelse, body
    if _is_typing(test):
        return [(body, state._replace(typing_only=True)), (orelse, state)]
    if _is_main(test):
        return [(body, state._replace(lazy=True)), (orelse, state)]
    return [(body, state), (orelse, state)]


def _is_typing(test: ast.expr) -> bool:
    if isinstance(test, ast.Constant):
        return not test.value
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _is_main(test: ast.expr) -> bool:
    return (
        isinstance(test, ast.Compare)
        and isinstance(test.left, ast.Name)
        and test.left.id == "__name__"
        and isinstance(test.ops[0], ast.Eq)
    )


def _try(walk: Walk, node: ast.Try, state: _State) -> _Blocks:
    caught = any(_catches(handler.type) for handler in node.handlers)
    guarded = state._replace(guarded=True) if caught else state
    # A fallback matters only where the first choice failed, which is not known here.
    handlers = [
        (handler.body, guarded if _catches(handler.type) else state) for handler in node.handlers
    ]
    return [(node.body, guarded), *handlers, (node.orelse, state), (node.finalbody, state)]


def _catches(node: ast.expr | None) -> bool:
    if node is None:
        return True
    types = node.elts if isinstance(node, ast.Tuple) else [node]
    return any(
        (kind.attr if isinstance(kind, ast.Attribute) else getattr(kind, "id", "")) in _CAUGHT
        for kind in types
    )


def _with(walk: Walk, node: ast.With | ast.AsyncWith, state: _State) -> _Blocks:
    guarded = state.guarded or any(map(_suppresses, node.items))
    return [(node.body, state._replace(guarded=guarded))]


def _suppresses(item: ast.withitem) -> bool:
    call = item.context_expr
    if not isinstance(call, ast.Call):
        return False
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    return name == "suppress" and any(map(_catches, call.args))


def _loop(walk: Walk, node: ast.For | ast.AsyncFor | ast.While, state: _State) -> _Blocks:
    return [(node.body, state), (node.orelse, state)]


def _match(walk: Walk, node: ast.Match, state: _State) -> _Blocks:
    return [(case.body, state) for case in node.cases]


_LEAVES: dict[type[ast.stmt], Callable[[Walk, Any, _State], None]] = {
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Return: _return,
    ast.Assign: _assign,
    ast.AnnAssign: _assign,
    ast.AugAssign: _assign,
    ast.Expr: _expr,
}
_BLOCKS: dict[type[ast.stmt], Callable[[Walk, Any, _State], _Blocks]] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.If: _if,
    ast.Try: _try,
    ast.TryStar: _try,
    ast.With: _with,
    ast.AsyncWith: _with,
    ast.For: _loop,
    ast.AsyncFor: _loop,
    ast.While: _loop,
    ast.Match: _match,
}
