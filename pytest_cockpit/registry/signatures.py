"""What functions and classes are called with, in words that every version of Python shares."""

from __future__ import annotations

import ast
from collections.abc import Iterator


def of_function(arguments: ast.arguments, *, bound: bool = False) -> str:
    """Parameters as `inspect` would show them, without annotations and with `...` for defaults.

    Parameters
    ----------
    bound: leave out the first one, which is the instance.
    """
    plain = [*arguments.posonlyargs, *arguments.args]
    optional = len(plain) - len(arguments.defaults)
    shown = [_shown(item.arg, default=index >= optional) for index, item in enumerate(plain)]
    if arguments.posonlyargs:
        shown.insert(len(arguments.posonlyargs), "/")
    if bound and plain:
        del shown[0]
        shown = shown[1:] if shown[:1] == ["/"] else shown
    if arguments.vararg is not None:
        shown.append(f"*{arguments.vararg.arg}")
    elif arguments.kwonlyargs:
        shown.append("*")
    shown += [
        _shown(item.arg, default=value is not None)
        for item, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)
    ]
    if arguments.kwarg is not None:
        shown.append(f"**{arguments.kwarg.arg}")
    return f"({', '.join(shown)})"


def of_class(node: ast.ClassDef) -> str:
    """What a class is called with, as far as its own statements say; empty where they do not."""
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            return of_function(item.args, bound=True)
    dataclass = next(filter(_is_dataclass, node.decorator_list), None)
    # The fields of a base come first, and only running the file would tell which these are.
    if dataclass is None or not {_last(base) for base in node.bases} <= _WITHOUT_FIELDS:
        return ""
    options = _options(dataclass)
    if _is(options.get("init"), value=False):
        return ""
    plain: list[str] = []
    named: list[str] = []
    only_named = _is(options.get("kw_only"), value=True)
    for name, default, keyword in _fields(node):
        (named if only_named or keyword else plain).append(_shown(name, default=default))
    return f"({', '.join([*plain, *(['*'] if named else []), *named])})"


def _fields(node: ast.ClassDef) -> Iterator[tuple[str, bool, bool]]:
    """Name, whether it has a default, and whether it is given by name alone."""
    only_named = False
    for item in node.body:
        if not (isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name)):
            continue
        kind = _last(item.annotation)
        if kind == "KW_ONLY":
            only_named = True
        elif kind != "ClassVar":
            options = _options(item.value) if _last(item.value) == "field" else None
            if options is None:
                yield item.target.id, item.value is not None, only_named
            elif not _is(options.get("init"), value=False):
                keyword = only_named or _is(options.get("kw_only"), value=True)
                yield item.target.id, not options.keys().isdisjoint(_DEFAULTS), keyword


_WITHOUT_FIELDS = frozenset({"ABC", "Generic", "Protocol", "object"})
_DEFAULTS = ("default", "default_factory")


def _is_dataclass(decorator: ast.expr) -> bool:
    return _last(decorator) == "dataclass"


def _last(node: ast.expr | None) -> str:
    """The last name of `a.b.name`, `name(…)` or `name[…]`."""
    while isinstance(node, ast.Call | ast.Subscript):
        node = node.func if isinstance(node, ast.Call) else node.value
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        # An annotation within quotes.
        return node.value.partition("[")[0].rpartition(".")[2].strip()
    return node.id if isinstance(node, ast.Name) else ""


def _options(node: ast.expr | None) -> dict[str, ast.expr]:
    keywords = node.keywords if isinstance(node, ast.Call) else []
    return {keyword.arg: keyword.value for keyword in keywords if keyword.arg is not None}


def _is(node: ast.expr | None, *, value: bool) -> bool:
    return isinstance(node, ast.Constant) and node.value is value


def _shown(name: str, *, default: bool) -> str:
    return f"{name}=..." if default else name
