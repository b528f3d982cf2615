"""What the source of one module binds to names, without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field

from pytest_cockpit_gates.matriz.bindings import Binding
from pytest_cockpit_gates.matriz.conditioned import unreached
from pytest_cockpit_gates.matriz.scopes import Scope

_DYNAMIC = re.compile(rb"\b(?:globals|vars|locals|exec|setattr|modules|__dict__)\b")
_WRITERS = frozenset({"update", "setdefault", "__setitem__"})
_TABLES = frozenset({"globals", "vars", "locals"})


@dataclass(frozen=True, slots=True)
class Namespace:
    """What a module binds.

    Parameters
    ----------
    stars: modules that `import *` takes from, with their levels.
    exported: what a literal `__all__` lists; None where there is none or it is computed.
    computed: whether `__all__` cannot be read.
    maybe: names that functions bind by `global`.
    dynamic: whether names may come to be that no statement shows.
    unreached: functions and classes that stand where nothing ever runs, with their lines.
    error: why the source cannot be read at all.
    """

    bindings: Mapping[str, tuple[Binding, ...]] = field(default_factory=dict)
    stars: tuple[tuple[str, int], ...] = ()
    exported: frozenset[str] | None = None
    computed: bool = False
    maybe: frozenset[str] = frozenset()
    dynamic: bool = False
    unreached: Mapping[str, int] = field(default_factory=dict)
    error: str | None = None


def namespace(source: bytes) -> Namespace:
    """What the source binds; never raises, whatever the bytes are."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(source)
            return _namespace(tree, source)
        except SyntaxError as error:
            return Namespace(error=f"{error.msg or 'invalid syntax'}, line {error.lineno or 1}")
        except (RecursionError, MemoryError):
            return Namespace(error="nested too deeply to be parsed")
        except (ValueError, LookupError) as error:
            # Null bytes, and codecs that are no text encoding.
            return Namespace(error=str(error))


def _namespace(tree: ast.Module, source: bytes) -> Namespace:
    scope = Scope(walrus=b":=" in source)
    scope.block(tree.body, sure=True)
    maybe = {
        name
        for node in (ast.walk(tree) if b"global" in source else ())
        if isinstance(node, ast.Global)
        for name in node.names
    }
    dynamic = "__getattr__" in scope.names or (
        _DYNAMIC.search(source) is not None and any(map(_is_dynamic, ast.walk(tree)))
    )
    return Namespace(
        bindings={name: tuple(found) for name, found in scope.names.items()},
        stars=tuple(scope.stars),
        exported=None if scope.computed else scope.exported,
        computed=scope.computed,
        maybe=frozenset(maybe),
        dynamic=dynamic,
        unreached=unreached(tree),
    )


def _is_dynamic(node: ast.AST) -> bool:
    """Whether a node may bind module attributes under names that it computes."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.ctx, ast.Store) and (
            _is_table(node.value) or _is_modules(node.value)
        )
    if not isinstance(node, ast.Call):
        return False
    function = node.func
    if isinstance(function, ast.Attribute):
        return function.attr in _WRITERS and _is_table(function.value)
    if not isinstance(function, ast.Name) or not node.args:
        return False
    target = node.args[0]
    if function.id == "setattr":
        return isinstance(target, ast.Subscript) and _is_modules(target.value)
    return function.id == "exec"


def _is_table(node: ast.expr) -> bool:
    """Whether it is `globals()` or the like, or some `__dict__`."""
    if isinstance(node, ast.Call):
        return isinstance(node.func, ast.Name) and node.func.id in _TABLES
    return isinstance(node, ast.Attribute) and node.attr == "__dict__"


def _is_modules(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "modules"
