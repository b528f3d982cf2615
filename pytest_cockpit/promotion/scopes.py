"""Names, who binds them and where they are read: what a survey of a file collects."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import Enum

Block = tuple[int, str]
"""A list of statements: the node that has it, by identity, and the field."""


@dataclass(slots=True, eq=False)
class Scope:
    """A module, class, function or comprehension, and what it does with names.

    `plain` holds `import a.b` by the name it binds, `others` every other binding, with the dotted
    name that it imports or None, `uses` what is read, `elsewhere` the names of `global` (True)
    and `nonlocal` (False) statements.
    """

    parent: Scope | None = None
    is_class: bool = False
    is_comprehension: bool = False
    plain: dict[str, list[Plain]] = field(default_factory=dict)
    others: dict[str, list[str | None]] = field(default_factory=dict)
    uses: dict[str, list[Use]] = field(default_factory=dict)
    elsewhere: dict[str, bool] = field(default_factory=dict)

    def binds(self, name: str) -> bool:
        """Whether the name is bound here."""
        return name in self.plain or name in self.others

    def bind(self, name: str | None, imported: str | None = None) -> None:
        """Note a binding that is no plain import."""
        if name:
            self.others.setdefault(name, []).append(imported)

    def visible(self) -> Iterator[Scope]:
        """The scopes in which a name used here is looked up, this one first."""
        yield self
        scope = self.parent
        while scope is not None:
            if not scope.is_class:
                yield scope
            scope = scope.parent

    def owner(self, name: str) -> Scope | None:
        """The scope that binds a name used here; None for builtins and what a star brings."""
        scopes = list(self.visible())
        for scope in scopes:
            if scope.elsewhere.get(name):
                return scopes[-1] if scopes[-1].binds(name) else None
            if scope.binds(name):
                return scope
        return None

    def settle(self, module: Scope) -> None:
        """Hand what `global` and `nonlocal` name to the scope that they mean."""
        for name, is_global in self.elsewhere.items():
            outer = (scope for scope in self.visible() if scope is not self and scope.binds(name))
            home = module if is_global else next(outer, module)
            if name in self.plain:
                home.plain.setdefault(name, []).extend(self.plain.pop(name))
            if name in self.others:
                home.others.setdefault(name, []).extend(self.others.pop(name))


@dataclass(frozen=True, slots=True, eq=False)
class Plain:
    """`import a.b`: one module of the statement, without `as`."""

    module: str
    alias: ast.alias
    statement: ast.Import
    block: Block | None


@dataclass(frozen=True, slots=True)
class Quoted:
    """Code in a string, such as an annotation, and where the string's content starts."""

    text: str
    start: int

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Where in the file a node of this code lies."""
        end = node.end_col_offset or 0
        line = self.text.encode()
        first, last = (
            len(line[:column].decode(errors="ignore")) for column in (node.col_offset, end)
        )
        return self.start + first, self.start + last


@dataclass(frozen=True, slots=True, eq=False)
class Use:
    """A name, or the attributes taken from it one by one, where it is read."""

    node: ast.Name | ast.Attribute
    quoted: Quoted | None


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """An import statement; `base` is the absolute module of a `from` import, if it has one."""

    node: ast.Import | ast.ImportFrom
    base: str | None


class Role(Enum):
    """What a string literal is for."""

    PATH = "import path"
    TOP = "import path whose first part alone is the result"
    LOGGER = "logger name"
    DOC = "docstring"
    FORMAT = "f-string"
    CODE = "annotation"
    TEXT = "string"


@dataclass(frozen=True, slots=True, eq=False)
class Literal:
    """A string literal, f-strings included; `package` anchors a relative import path."""

    node: ast.expr
    role: Role
    package: str | None = None
