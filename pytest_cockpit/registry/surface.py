"""What one Python file offers by name, taken from its bytes without running it."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.registry import signatures

# What may give a file names that no statement of it binds; and words without which it is not there,
# which are found much faster.
_OPENS = re.compile(rb"\b(?:globals|vars|exec|setattr)\s*\(|__getattr__|sys\.modules")
_WORDS = (b"globals", b"vars", b"exec", b"setattr", b"__getattr__", b"sys.modules")
DEFINED = ("function", "async function", "class")


@dataclass(frozen=True, slots=True)
class Name:
    """One name that a file binds.

    Parameters
    ----------
    kind: `function`, `async function`, `class`, `constant`, `variable` or `import`.
    detail: a signature; of an import, what is imported, with the dots of a relative one.
    again: an import `as` its own name, which says that it is for others too.
    """

    kind: str
    detail: str = ""
    again: bool = False

    def __str__(self) -> str:
        return f"{self.kind} {self.detail}".rstrip()


@dataclass(frozen=True, slots=True)
class Surface:
    """What one file offers.

    Parameters
    ----------
    names: what its statements bind, private names included.
    stars: the modules all of whose names it imports, with the dots of relative ones.
    exports: what `__all__` lists; None without one, or where it cannot be told.
    extended: the modules whose `__all__` it adds to its own.
    open: it may have names that no statement of it binds.
    broken: it does not parse; versions of Python differ in what they say of the reason.
    """

    names: Mapping[str, Name] = field(default_factory=dict)
    stars: tuple[str, ...] = ()
    exports: tuple[str, ...] | None = None
    extended: tuple[str, ...] = ()
    open: bool = False
    broken: bool = False


def read(source: bytes) -> Surface:
    """The surface of a file's bytes; never raises, whatever the bytes are."""
    try:
        with warnings.catch_warnings():
            # The parser warns of escapes and literals; under `-W error` that is an error.
            warnings.simplefilter("ignore")
            tree = ast.parse(source)
        return _Reading().module(tree, opens=_opens(source))
    except (SyntaxError, ValueError, LookupError, RecursionError, MemoryError):
        # Null bytes and codecs that are no text encoding are no syntax errors to the parser.
        return Surface(broken=True)


def _opens(source: bytes) -> bool:
    return any(word in source for word in _WORDS) and _OPENS.search(source) is not None


class _Reading:
    """One walk over the statements that run when a file is imported."""

    def __init__(self) -> None:
        self.names: dict[str, Name] = {}
        self.stars: list[str] = []
        self.exports: list[str] | None = None
        self.extended: list[str] = []
        self.open = False

    def module(self, tree: ast.Module, *, opens: bool) -> Surface:
        """Walk a whole module."""
        # Statements with whether they stand in for others that may have run before.
        pending: list[tuple[ast.stmt, bool]] = [(node, False) for node in reversed(tree.body)]
        while pending:
            node, instead = pending.pop()
            act = _ACTS.get(node.__class__)
            if act is not None:
                act(self, node, instead)
            pending.extend(reversed(list(_inner(node, instead))))
        exports = None if self.exports is None else tuple(dict.fromkeys(self.exports))
        return Surface(
            dict(self.names),
            tuple(self.stars),
            exports,
            tuple(self.extended),
            self.open or opens,
        )

    def bind(self, name: str, found: Name, instead: bool) -> None:
        """Remember a name; what stands in for another does not hide it."""
        if not (instead and name in self.names):
            self.names[name] = found

    def export(self, value: ast.expr) -> None:
        """Take what is assigned or added to `__all__`."""
        found = self.exports = self.exports or []
        for part in _summands(value):
            if isinstance(part, ast.List | ast.Tuple | ast.Set):
                found.extend(filter(None, map(self._text, part.elts)))
            elif isinstance(part, ast.Attribute) and part.attr == "__all__":
                self.extended.append(_dotted(part.value))
            else:
                self.open = True

    def _text(self, item: ast.expr) -> str:
        if isinstance(item, ast.Constant) and isinstance(item.value, str):
            return item.value
        self.open = True
        return ""


def _function(reading: _Reading, node: Any, instead: bool) -> None:
    kind = "async function" if isinstance(node, ast.AsyncFunctionDef) else "function"
    reading.bind(node.name, Name(kind, signatures.of_function(node.args)), instead)


def _class(reading: _Reading, node: Any, instead: bool) -> None:
    reading.bind(node.name, Name("class", signatures.of_class(node)), instead)


def _assign(reading: _Reading, node: Any, instead: bool) -> None:
    for name in (name for target in node.targets for name in _targets(target)):
        if name == "__all__":
            reading.exports = None
            reading.export(node.value)
        else:
            # What is wrapped under its own name is still what it was defined as.
            known = reading.names.get(name)
            defined = known is not None and known.kind in DEFINED
            reading.bind(name, _value(name), instead or defined)


def _annotated(reading: _Reading, node: Any, instead: bool) -> None:
    for name in _targets(node.target):
        if name == "__all__" and node.value is not None:
            reading.exports = None
            reading.export(node.value)
        elif node.value is not None:
            reading.bind(name, _value(name), instead)


def _augmented(reading: _Reading, node: Any, instead: bool) -> None:
    if isinstance(node.target, ast.Name) and node.target.id == "__all__":
        reading.export(node.value)


def _call(reading: _Reading, node: Any, instead: bool) -> None:
    """`__all__.extend(…)`, `.append(…)` and whatever else is done with it."""
    call = node.value
    if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
        return
    if not (isinstance(call.func.value, ast.Name) and call.func.value.id == "__all__"):
        return
    if call.func.attr == "extend" and len(call.args) == 1:
        reading.export(call.args[0])
    elif call.func.attr == "append" and len(call.args) == 1:
        reading.export(ast.List([call.args[0]], ast.Load()))
    else:
        reading.open = True


def _import(reading: _Reading, node: Any, instead: bool) -> None:
    for alias in node.names:
        name = alias.asname or alias.name.partition(".")[0]
        what = alias.name if alias.asname else name
        reading.bind(name, Name("import", what, alias.asname == alias.name), instead)


def _import_from(reading: _Reading, node: Any, instead: bool) -> None:
    source = "." * node.level + (node.module or "")
    for alias in node.names:
        if alias.name == "*":
            reading.stars.append(source)
            continue
        what = f"{source}{alias.name}" if source.endswith(".") else f"{source}.{alias.name}"
        again = alias.asname == alias.name
        reading.bind(alias.asname or alias.name, Name("import", what, again), instead)


def _alias(reading: _Reading, node: Any, instead: bool) -> None:
    reading.bind(node.name.id, Name("variable"), instead)


def _delete(reading: _Reading, node: Any, instead: bool) -> None:
    for name in (name for target in node.targets for name in _targets(target)):
        reading.names.pop(name, None)


def _bound_on_the_way(reading: _Reading, node: Any, instead: bool) -> None:
    """A loop's variable, or what `with` gives: private by custom, though it can be listed."""
    targets = (
        [node.target]
        if isinstance(node, ast.For)
        else [item.optional_vars for item in node.items if item.optional_vars is not None]
    )
    for name in (name for target in targets for name in _targets(target)):
        reading.bind(name, Name("variable"), True)


_Act = Callable[[_Reading, Any, bool], None]
_ACTS: dict[type[ast.stmt], _Act] = {
    ast.FunctionDef: _function,
    ast.AsyncFunctionDef: _function,
    ast.ClassDef: _class,
    ast.Assign: _assign,
    ast.AnnAssign: _annotated,
    ast.AugAssign: _augmented,
    ast.Expr: _call,
    ast.Import: _import,
    ast.ImportFrom: _import_from,
    ast.Delete: _delete,
    ast.For: _bound_on_the_way,
    ast.With: _bound_on_the_way,
}
if hasattr(ast, "TypeAlias"):
    _ACTS[ast.TypeAlias] = _alias


def _inner(node: ast.stmt, instead: bool) -> Iterator[tuple[ast.stmt, bool]]:
    """The statements of a block that runs on import, and whether they stand in for others."""
    if isinstance(node, ast.If):
        if not _never(node.test):
            yield from ((item, instead) for item in node.body)
        yield from ((item, True) for item in node.orelse)
    elif isinstance(node, ast.Try | ast.TryStar):
        yield from ((item, instead) for item in (*node.body, *node.orelse))
        yield from ((item, True) for handler in node.handlers for item in handler.body)
        yield from ((item, instead) for item in node.finalbody)
    elif isinstance(node, ast.With | ast.For | ast.While):
        yield from ((item, instead) for item in node.body)
        yield from ((item, True) for item in getattr(node, "orelse", ()))
    elif isinstance(node, ast.Match):
        yield from ((item, True) for case in node.cases for item in case.body)


def _never(test: ast.expr) -> bool:
    """Whether a block does not run on import: that of a script, or for type checkers."""
    if isinstance(test, ast.Compare) and isinstance(test.left, ast.Name):
        return test.left.id == "__name__"
    name = test.attr if isinstance(test, ast.Attribute) else getattr(test, "id", "")
    return name == "TYPE_CHECKING"


def _value(name: str) -> Name:
    return Name("constant" if name.isupper() else "variable")


def _targets(target: ast.expr) -> Iterator[str]:
    if isinstance(target, ast.Name):
        yield target.id
    elif isinstance(target, ast.Tuple | ast.List):
        for item in target.elts:
            yield from _targets(item)
    elif isinstance(target, ast.Starred):
        yield from _targets(target.value)


def _summands(value: ast.expr) -> Iterator[ast.expr]:
    """The parts of a sum, from left to right, without recursion."""
    pending: list[ast.expr] = [value]
    while pending:
        part = pending.pop()
        if isinstance(part, ast.BinOp) and isinstance(part.op, ast.Add):
            pending += [part.right, part.left]
        elif _is_list_of(part):
            pending.append(part.args[0])  # type: ignore[attr-defined] # a call, as just asked
        else:
            yield part


def _is_list_of(part: ast.expr) -> bool:
    """`list(…)`, `tuple(…)`, `sorted(…)` or `set(…)` of one thing."""
    return (
        isinstance(part, ast.Call)
        and isinstance(part.func, ast.Name)
        and part.func.id in ("list", "tuple", "sorted", "set")
        and len(part.args) == 1
    )


def _dotted(value: ast.expr) -> str:
    parts: list[str] = []
    while isinstance(value, ast.Attribute):
        parts.append(value.attr)
        value = value.value
    return ".".join([*([value.id] if isinstance(value, ast.Name) else []), *reversed(parts)])
