"""One walk over a file's syntax tree: imports, names and who binds them, texts that are read.

The tree is walked with a list of what is still to be visited, not by recursion: expressions may
be nested deeper than Python's own stack allows.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from typing import Any, ClassVar

from pytest_cockpit.promotion.scopes import (
    Block,
    Literal,
    Plain,
    Quoted,
    Role,
    Scope,
    Statement,
    Use,
)
from pytest_cockpit.promotion.sources import Source, parse_expression

_ANNOTATION = "annotation"
_FORMAT = "f-string"
_Mode = str | Quoted | None
_Visit = Callable[[Any, Any, Scope, Block | None, _Mode], None]
_PATCHES = frozenset({"object", "dict", "multiple"})
_PATH_CALLS = frozenset(
    {"patch", "import_module", "find_spec", "importorskip", "run_module", "resolve_name"}
)
_PATH_METHODS = frozenset({"setattr", "delattr"})
_PATH_KEYWORDS = frozenset({"target", "name", "modname", "mod_name", "in_dict"})
_BEFORE_NAMES = 3  # arguments of __import__ before `fromlist`
_TYPE_PARAMETERS = ("TypeVar", "ParamSpec", "TypeVarTuple")
_SELF = frozenset({"__name__", "__package__"})
OWN_PACKAGE = "."
"""The anchor `__package__` or `__name__` of a relative import path."""


class Survey:
    """What the walk found.

    Parameters
    ----------
    source: the file.
    resolve: gives the absolute module of a relative import (level, module), or None.
    """

    def __init__(self, source: Source, resolve: Callable[[int, str], str | None]) -> None:
        self.source = source
        self.statements: list[Statement] = []
        self.literals: list[Literal] = []
        self.exported: set[str] = set()
        self.module = Scope()
        self.scopes = [self.module]
        self._resolve = resolve
        self._roles: dict[int, tuple[Role, str | None]] = {}
        self._pending: list[tuple[ast.AST, Scope, Block | None, _Mode]] = []
        self._push(source.tree, self.module)
        while self._pending:
            node, scope, block, mode = self._pending.pop()
            visit = self._VISITORS.get(type(node).__name__)
            if visit is None:
                self._fields(node, scope, mode)
            else:
                visit(self, node, scope, block, mode)
        for scope in self.scopes:
            scope.settle(self.module)

    def _push(
        self, item: Any, scope: Scope, mode: _Mode = None, block: Block | None = None
    ) -> None:
        """Visit later what is a node or a list of nodes; optional fields may be None."""
        if isinstance(item, ast.AST):
            self._pending.append((item, scope, block, mode))
        elif isinstance(item, list):
            for each in item:
                self._push(each, scope, mode, block)

    def _fields(self, node: ast.AST, scope: Scope, mode: _Mode) -> None:
        for name in node._fields:
            self._push(getattr(node, name, None), scope, mode, (id(node), name))

    def _inner(
        self, scope: Scope, *, is_class: bool = False, is_comprehension: bool = False
    ) -> Scope:
        self.scopes.append(Scope(scope, is_class, is_comprehension))
        return self.scopes[-1]

    def _name(self, node: ast.Name, scope: Scope, _: Block | None, mode: _Mode) -> None:
        if isinstance(node.ctx, ast.Load):
            quoted = mode if isinstance(mode, Quoted) else None
            scope.uses.setdefault(node.id, []).append(Use(node, quoted))
        else:
            scope.bind(node.id)

    def _attribute(self, node: ast.Attribute, scope: Scope, _: Block | None, mode: _Mode) -> None:
        base: ast.expr = node
        while isinstance(base, ast.Attribute):
            base = base.value
        if isinstance(base, ast.Name):
            quoted = mode if isinstance(mode, Quoted) else None
            scope.uses.setdefault(base.id, []).append(Use(node, quoted))
        else:
            self._push(base, scope, None if mode == _ANNOTATION else mode)

    def _import(self, node: ast.Import, scope: Scope, block: Block | None, _: _Mode) -> None:
        self.statements.append(Statement(node, None))
        for alias in node.names:
            if alias.asname:
                scope.bind(alias.asname, alias.name)
            else:
                plain = Plain(alias.name, alias, node, block)
                scope.plain.setdefault(alias.name.partition(".")[0], []).append(plain)

    def _import_from(self, node: ast.ImportFrom, scope: Scope, _: Block | None, __: _Mode) -> None:
        base = self._resolve(node.level, node.module or "") if node.level else node.module
        self.statements.append(Statement(node, base))
        for alias in node.names:
            if alias.name != "*":
                scope.bind(alias.asname or alias.name, f"{base}.{alias.name}" if base else None)

    def _function(self, node: Any, scope: Scope, _: Block | None, __: _Mode) -> None:
        scope.bind(node.name)
        self._push(node.decorator_list, scope)
        self._push(node.returns, scope, _ANNOTATION)
        self._push(getattr(node, "type_params", None), scope)
        self._push(node.body, self._called(node.args, scope), None, (id(node), "body"))

    def _lambda(self, node: ast.Lambda, scope: Scope, _: Block | None, mode: _Mode) -> None:
        self._push(node.body, self._called(node.args, scope), mode)

    def _called(self, arguments: ast.arguments, scope: Scope) -> Scope:
        """The scope of a function; what its signature evaluates belongs to the scope outside."""
        self._push([*arguments.defaults, *arguments.kw_defaults], scope)
        inner = self._inner(scope)
        plain = [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]
        for argument in (*plain, arguments.vararg, arguments.kwarg):
            if argument is not None:
                inner.bind(argument.arg)
                self._push(argument.annotation, scope, _ANNOTATION)
        return inner

    def _class(self, node: ast.ClassDef, scope: Scope, _: Block | None, __: _Mode) -> None:
        scope.bind(node.name)
        self._push([*node.decorator_list, *node.bases, *node.keywords], scope)
        self._push(getattr(node, "type_params", None), scope)
        self._push(node.body, self._inner(scope, is_class=True), None, (id(node), "body"))

    def _comprehension(self, node: Any, scope: Scope, _: Block | None, mode: _Mode) -> None:
        inner = self._inner(scope, is_comprehension=True)
        first, *others = node.generators
        self._push(first.iter, scope, mode)
        self._push([first.target, *first.ifs, *others], inner, mode)
        for name in ("elt", "key", "value"):
            self._push(getattr(node, name, None), inner, mode)

    def _walrus(self, node: ast.NamedExpr, scope: Scope, _: Block | None, mode: _Mode) -> None:
        home = scope
        while home.is_comprehension and home.parent is not None:
            home = home.parent
        home.bind(node.target.id)
        self._push(node.value, scope, mode)

    def _elsewhere(self, node: Any, scope: Scope, _: Block | None, __: _Mode) -> None:
        scope.elsewhere.update(dict.fromkeys(node.names, isinstance(node, ast.Global)))

    def _binder(self, node: Any, scope: Scope, _: Block | None, mode: _Mode) -> None:
        """A handler, pattern or type parameter: it binds a name that is no node of its own."""
        scope.bind(getattr(node, "name", None) or getattr(node, "rest", None))
        self._fields(node, scope, mode)

    def _call(self, node: ast.Call, scope: Scope, _: Block | None, mode: _Mode) -> None:
        inner = None if mode == _ANNOTATION else mode
        called, of = _called_name(node.func)
        first = node.args[0] if node.args else None
        named = {keyword.arg: keyword.value for keyword in node.keywords}
        path = first or next((named[key] for key in _PATH_KEYWORDS if key in named), None)
        role = _role_of(called, of, node, named)
        if path is not None and role is not None:
            package = node.args[1] if len(node.args) > 1 else named.get("package")
            self._roles[id(path)] = (role, _anchor(package))
        self._push([node.func, *node.args[1:], *node.keywords], scope, inner)
        self._push(first, scope, _ANNOTATION if called == "cast" and inner is None else inner)

    def _assign(self, node: Any, scope: Scope, _: Block | None, __: _Mode) -> None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        names = {target.id for target in targets if isinstance(target, ast.Name)}
        values = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else [node.value]
        if "pytest_plugins" in names:
            self._roles.update((id(value), (Role.PATH, None)) for value in values)
        if "__all__" in names:
            self.exported.update(
                value.value
                for value in values
                if isinstance(value, ast.Constant) and isinstance(value.value, str)
            )
        self._push([*targets, node.value], scope)
        self._push(getattr(node, "annotation", None), scope, _ANNOTATION)

    def _expression(self, node: ast.Expr, scope: Scope, _: Block | None, __: _Mode) -> None:
        if isinstance(node.value, ast.Constant):
            self._roles[id(node.value)] = (Role.DOC, None)
        self._push(node.value, scope)

    def _subscript(self, node: ast.Subscript, scope: Scope, _: Block | None, mode: _Mode) -> None:
        self._push(node.value, scope, mode)
        name = _called_name(node.value)[0]
        if mode == _ANNOTATION and name == "Literal":
            mode = None
        if mode == _ANNOTATION and name == "Annotated" and isinstance(node.slice, ast.Tuple):
            first, *rest = node.slice.elts
            self._push(first, scope, mode)
            self._push(rest, scope)
        else:
            self._push(node.slice, scope, mode)

    def _constant(self, node: ast.Constant, scope: Scope, _: Block | None, mode: _Mode) -> None:
        if not isinstance(node.value, str) or mode == _FORMAT or isinstance(mode, Quoted):
            return
        role, package = self._roles.pop(id(node), (Role.TEXT, None))
        code = self._quoted(node, node.value) if mode == _ANNOTATION else None
        if code is not None:
            self._push(code[0], scope, code[1])
            role = Role.CODE
        self.literals.append(Literal(node, role, package))

    def _quoted(self, node: ast.Constant, text: str) -> tuple[ast.Expression, Quoted] | None:
        content = self.source.content(node)
        code = parse_expression(text) if content and "\n" not in text else None
        return (code, Quoted(text, content[0])) if code and content else None

    def _format(self, node: ast.JoinedStr, scope: Scope, _: Block | None, mode: _Mode) -> None:
        if mode != _FORMAT and not isinstance(mode, Quoted):
            self.literals.append(Literal(node, Role.FORMAT))
        self._fields(node, scope, _FORMAT)

    _VISITORS: ClassVar[dict[str, _Visit]] = {
        "Name": _name,
        "Attribute": _attribute,
        "Import": _import,
        "ImportFrom": _import_from,
        "FunctionDef": _function,
        "AsyncFunctionDef": _function,
        "Lambda": _lambda,
        "ClassDef": _class,
        **dict.fromkeys(("ListComp", "SetComp", "DictComp", "GeneratorExp"), _comprehension),
        "NamedExpr": _walrus,
        "Global": _elsewhere,
        "Nonlocal": _elsewhere,
        **dict.fromkeys(("ExceptHandler", "MatchAs", "MatchStar", "MatchMapping"), _binder),
        **dict.fromkeys(_TYPE_PARAMETERS, _binder),
        "Call": _call,
        **dict.fromkeys(("Assign", "AnnAssign", "AugAssign"), _assign),
        "Expr": _expression,
        "Subscript": _subscript,
        "Constant": _constant,
        **dict.fromkeys(("JoinedStr", "TemplateStr"), _format),
    }


def _called_name(node: ast.expr) -> tuple[str, str]:
    """The last name of an expression such as `a.b.c`, and the one before it."""
    if isinstance(node, ast.Attribute):
        before = node.value
        last = before.attr if isinstance(before, ast.Attribute) else getattr(before, "id", "?")
        return node.attr, last
    return (node.id, "") if isinstance(node, ast.Name) else ("", "")


def _role_of(
    called: str, of: str, node: ast.Call, named: dict[str | None, ast.expr]
) -> Role | None:
    """What a call's first argument is for, when it is a string."""
    if called == "__import__":
        has_names = "fromlist" in named or len(node.args) > _BEFORE_NAMES
        return Role.PATH if has_names else Role.TOP
    if called == "getLogger":
        return Role.LOGGER
    is_path = (
        called in _PATH_CALLS
        or (called in _PATH_METHODS and of)
        or (called in _PATCHES and of == "patch")
    )
    return Role.PATH if is_path else None


def _anchor(package: ast.expr | None) -> str | None:
    if isinstance(package, ast.Constant) and isinstance(package.value, str):
        return package.value
    return OWN_PACKAGE if isinstance(package, ast.Name) and package.id in _SELF else None
