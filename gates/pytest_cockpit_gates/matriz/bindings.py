"""What a name of a module or class may be bound to."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass


class Kind(enum.Enum):
    """What a name is bound to, as far as the source shows."""

    FUNCTION = enum.auto()
    CLASS = enum.auto()
    IMPORT = enum.auto()
    """A module, or a name taken from one."""
    ALIAS = enum.auto()
    """Another name, maybe with attributes."""
    VALUE = enum.auto()
    """What some expression gives; it may be a function."""
    CONSTANT = enum.auto()
    """A literal, which nobody can call."""


@dataclass(frozen=True, slots=True)
class Binding:
    """One way in which a name gets its value.

    Parameters
    ----------
    module, level, name: of an import; `name` is None where the module itself is bound.
    chain: of an alias, the name and its attributes.
    cls: of a class, what it consists of.
    """

    kind: Kind
    module: str = ""
    level: int = 0
    name: str | None = None
    chain: tuple[str, ...] = ()
    cls: ClassFacts | None = None


@dataclass(frozen=True, slots=True)
class ClassFacts:
    """A class: its own members, the names of its bases, and whether it may have other members.

    A base that is no plain name is None.
    """

    members: Mapping[str, tuple[Binding, ...]]
    bases: tuple[tuple[str, ...] | None, ...]
    open: bool
    instance: frozenset[str]
    """Attributes that its methods set on instances."""
