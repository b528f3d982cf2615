"""The names that statements bind, in the order in which they would run."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from pytest_cockpit_gates.matriz import conditioned
from pytest_cockpit_gates.matriz.bindings import Binding, ClassFacts, Kind

_PLAIN_DECORATORS = frozenset(
    {"dataclass", "final", "runtime_checkable", "total_ordering", "unique", "deprecated"}
)
_PLAIN_METACLASSES = frozenset({"ABCMeta", "type"})


class Scope:
    """One module or class body."""

    def __init__(self, *, walrus: bool) -> None:
        """Start with no name; `walrus` when expressions may bind some, too."""
        self.walrus = walrus
        self.names: dict[str, list[Binding]] = {}
        self.stars: list[tuple[str, int]] = []
        self.exported: frozenset[str] | None = None
        self.computed = False

    def block(self, body: Iterable[ast.stmt], *, sure: bool) -> None:
        """Take statements in; `sure` when nothing decides whether they run."""
        for node in conditioned.live(body):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                self._bind(node.name, Binding(Kind.FUNCTION), sure)
            elif isinstance(node, ast.ClassDef):
                cls = _class(node, walrus=self.walrus)
                self._bind(node.name, Binding(Kind.CLASS, cls=cls), sure)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self._import(node, sure)
            else:
                self._statement(node, sure)

    def _bind(self, name: str, binding: Binding, sure: bool) -> None:
        if sure:
            self.names[name] = [binding]
        else:
            self.names.setdefault(name, []).append(binding)

    def _import(self, node: ast.Import | ast.ImportFrom, sure: bool) -> None:
        for alias in node.names:
            if isinstance(node, ast.Import):
                module = alias.name if alias.asname else alias.name.partition(".")[0]
                binding = Binding(Kind.IMPORT, module)
                self._bind(alias.asname or module, binding, sure)
            elif alias.name == "*":
                self.stars.append((node.module or "", node.level))
            else:
                binding = Binding(Kind.IMPORT, node.module or "", node.level, alias.name)
                self._bind(alias.asname or alias.name, binding, sure)

    def _statement(self, node: ast.stmt, sure: bool) -> None:
        if isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            self._assign(node, sure)
        elif isinstance(node, ast.Delete):
            for target in node.targets:
                if isinstance(target, ast.Name) and sure:
                    self.names.pop(target.id, None)
        for body in conditioned.blocks(node):
            self.block(body, sure=False)
        for target in _bound_by_blocks(node):
            self._target(target, Binding(Kind.VALUE), sure=False)
        if self.walrus:
            for expression in _expressions(node):
                for inner in ast.walk(expression):
                    if isinstance(inner, ast.NamedExpr):
                        self._target(inner.target, Binding(Kind.VALUE), sure=False)

    def _assign(self, node: ast.Assign | ast.AnnAssign | ast.AugAssign, sure: bool) -> None:
        if node.value is None:
            return  # an annotation alone binds nothing
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        added = isinstance(node, ast.AugAssign)
        for target in targets:
            if isinstance(target, ast.Name) and target.id == "__all__":
                self._all(node.value, added=added, sure=sure)
            binding = Binding(Kind.VALUE) if added else _bound(node.value)
            self._target(target, binding, sure=sure)

    def _all(self, value: ast.expr, *, added: bool, sure: bool) -> None:
        try:
            names = frozenset(map(str, ast.literal_eval(value)))
        except (ValueError, TypeError):
            self.computed = True
            return
        kept = self.exported if (added or not sure) and self.exported else frozenset()
        self.exported = kept | names

    def _target(self, target: ast.expr, binding: Binding, *, sure: bool) -> None:
        if isinstance(target, ast.Name):
            self._bind(target.id, binding, sure)
        elif isinstance(target, ast.Tuple | ast.List):
            for item in target.elts:
                self._target(item, Binding(Kind.VALUE), sure=sure)
        elif isinstance(target, ast.Starred):
            self._target(target.value, Binding(Kind.VALUE), sure=sure)


def _bound_by_blocks(node: ast.stmt) -> Iterator[ast.expr]:
    if isinstance(node, ast.For | ast.AsyncFor):
        yield node.target
    elif isinstance(node, ast.With | ast.AsyncWith):
        yield from (item.optional_vars for item in node.items if item.optional_vars is not None)


def _expressions(node: ast.stmt) -> Iterator[ast.expr]:
    return (child for child in ast.iter_child_nodes(node) if isinstance(child, ast.expr))


def _bound(value: ast.expr) -> Binding:
    chain = _chain(value)
    if chain is not None:
        return Binding(Kind.ALIAS, chain=chain)
    literal = ast.Constant | ast.JoinedStr | ast.List | ast.Tuple | ast.Set | ast.Dict
    return Binding(Kind.CONSTANT if isinstance(value, literal) else Kind.VALUE)


def _chain(node: ast.expr) -> tuple[str, ...] | None:
    """The parts of a dotted name; of `Base[T]` those of `Base`."""
    if isinstance(node, ast.Subscript):
        node = node.value
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if not isinstance(node, ast.Name):
        return None
    return (node.id, *reversed(parts))


def _class(node: ast.ClassDef, *, walrus: bool) -> ClassFacts:
    scope = Scope(walrus=walrus)
    scope.block(node.body, sure=True)
    functions = (it for it in node.body if isinstance(it, ast.FunctionDef | ast.AsyncFunctionDef))
    return ClassFacts(
        members={name: tuple(found) for name, found in scope.names.items()},
        bases=tuple(map(_chain, node.bases)),
        open=_is_open(node) or bool(scope.names.keys() & {"__getattr__", "__getattribute__"}),
        instance=frozenset(name for function in functions for name in _set_on_self(function)),
    )


def _is_open(node: ast.ClassDef) -> bool:
    """Whether a decorator or a metaclass may add members."""
    decorators = (
        _chain(item.func if isinstance(item, ast.Call) else item) for item in node.decorator_list
    )
    if any(chain is None or chain[-1] not in _PLAIN_DECORATORS for chain in decorators):
        return True
    metaclasses = (_chain(item.value) for item in node.keywords if item.arg in {"metaclass", None})
    return any(chain is None or chain[-1] not in _PLAIN_METACLASSES for chain in metaclasses)


def _set_on_self(function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[str]:
    arguments = [*function.args.posonlyargs, *function.args.args]
    if not arguments:
        return
    for node in ast.walk(function):
        if (
            isinstance(node, ast.Attribute)
            and isinstance(node.ctx, ast.Store)
            and isinstance(node.value, ast.Name)
            and node.value.id == arguments[0].arg
        ):
            yield node.attr
