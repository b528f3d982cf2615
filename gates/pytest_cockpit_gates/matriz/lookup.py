"""Whether a module has a function, followed through imports, aliases and base classes."""

from __future__ import annotations

import builtins
import enum
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import Lane
from pytest_cockpit_gates.matriz import modules
from pytest_cockpit_gates.matriz.bindings import Binding, ClassFacts, Kind
from pytest_cockpit_gates.matriz.namespaces import Namespace, namespace

_SOURCES = frozenset({".py", ".pyi"})
# Bases that add no public member to a class.
_BARE = frozenset({"ABC", "Generic", "Protocol"})
_BARE_MODULES = frozenset({"abc", "typing", "typing_extensions"})


class Answer(enum.IntEnum):
    """What was found of a name; of several ways to bind it the highest counts."""

    MISSING = 0
    NO_FUNCTION = 1
    UNKNOWN = 2
    FOUND = 3


@dataclass(frozen=True, slots=True)
class Outcome:
    """An answer, with the reason where it is not `FOUND`.

    `foreign` when it hangs on an attribute of something that is not in the tree.
    """

    answer: Answer
    why: str = ""
    foreign: bool = False


_FOUND = Outcome(Answer.FOUND)
_MODULE = Outcome(Answer.NO_FUNCTION, "it is a module")

Names = tuple[str, ...]


class Lookup:
    """Looks functions up in one tree; every file is read once."""

    def __init__(self, root: Path, lane: Lane) -> None:
        """Look in the tree at `root`."""
        self._root = root.resolve()
        self._lane = lane
        self._layout = Layout(lane)
        self._read: dict[Path, Namespace] = {}
        self._places: dict[str, Path | None] = {}

    def has_module(self, module: str) -> bool:
        """Whether an import of `module` finds something in the tree."""
        return self._place(module) is not None

    def function(self, module: str, name: str) -> Outcome:
        """Whether `name`, which may be dotted, is a function or class of `module`."""
        try:
            return self._find(module, tuple(name.split(".")), frozenset())
        except RecursionError:
            return Outcome(Answer.UNKNOWN, f"{module} leads through too many other modules")

    def names(self, module: str) -> list[str]:
        """What the module itself binds, for hints."""
        place = self._place(module)
        return [] if place is None else sorted(self._namespace(place).bindings)

    def _find(self, module: str, names: Names, seen: frozenset[tuple[str, Names]]) -> Outcome:
        if (module, names) in seen:
            return Outcome(Answer.MISSING, f"{module} takes {names[0]} from itself")
        seen |= {(module, names)}
        place = self._place(module)
        if place is None:
            return Outcome(Answer.UNKNOWN, f"{module} is not in this tree")
        moved = modules.shim_target(place)
        if moved is not None:
            return self._find(moved, names, seen)
        if place.is_file() and place.suffix not in _SOURCES:
            return Outcome(Answer.UNKNOWN, f"{module} is compiled")
        known = self._namespace(place)
        if known.error is not None:
            return Outcome(Answer.UNKNOWN, f"{module} cannot be read: {known.error}")
        return _best(self._ways(module, known, names, seen))

    def _ways(
        self, module: str, known: Namespace, names: Names, seen: frozenset[tuple[str, Names]]
    ) -> Iterator[Outcome]:
        """What each way of finding the first name leads to."""
        head, rest = names[0], names[1:]
        own = self._own_name(module)
        yield from (
            self._bound(own, binding, rest, seen) for binding in known.bindings.get(head, ())
        )
        if head not in known.bindings and self.has_module(f"{own}.{head}"):
            yield (self._find(f"{own}.{head}", rest, seen) if rest else _MODULE)
        if head not in known.bindings:
            yield from (self._starred(own, star, names, seen) for star in known.stars)
        if known.dynamic or head in known.maybe:
            yield Outcome(Answer.UNKNOWN, f"{module} makes names at run time")
        line = known.unreached.get(head)
        never = f"{module} has {head} on line {line} alone, which never runs"
        yield Outcome(Answer.MISSING, never if line else f"{module} has no {head}")

    def _bound(
        self, module: str, binding: Binding, rest: Names, seen: frozenset[tuple[str, Names]]
    ) -> Outcome:
        match binding.kind:
            case Kind.IMPORT:
                return self._imported(module, binding, rest, seen)
            case Kind.CLASS if rest and binding.cls is not None:
                return _best(self._members(module, binding.cls, rest, seen))
            case Kind.ALIAS:
                return self._alias(module, binding.chain, rest, seen)
            case Kind.CONSTANT if not rest:
                return Outcome(Answer.NO_FUNCTION, "it is a constant")
        if rest:
            return Outcome(Answer.UNKNOWN, f"what has {rest[0]} is made at run time")
        return _FOUND

    def _imported(
        self, module: str, binding: Binding, rest: Names, seen: frozenset[tuple[str, Names]]
    ) -> Outcome:
        source = self._absolute(module, binding.module, binding.level)
        names = rest if binding.name is None else (binding.name, *rest)
        if source is None:
            return Outcome(Answer.UNKNOWN, f"{module} imports from beyond its top")
        if not names:
            return _MODULE
        if self._is_ours(source, binding.level):
            return _best(self._taken(source, names, seen))
        if binding.level or source.partition(".")[0] == module.partition(".")[0]:
            return Outcome(Answer.UNKNOWN, f"{module} imports {source}, which is not in this tree")
        return _foreign(source, binding.name, rest)

    def _is_ours(self, source: str, level: int) -> bool:
        """Whether an import means the tree, not what is installed under the same name."""
        place = self._place(source)
        if place is None or level:
            return place is not None
        # A folder without `__init__.py` does not hide an installed package.
        return source.partition(".")[0] not in sys.stdlib_module_names and not (
            place.is_dir() and "." not in source
        )

    def _taken(
        self, source: str, names: Names, seen: frozenset[tuple[str, Names]]
    ) -> Iterator[Outcome]:
        yield self._find(source, names, seen)
        inner = f"{source}.{names[0]}"
        if self.has_module(inner):
            yield from [self._find(inner, names[1:], seen)] if names[1:] else [_MODULE]

    def _alias(
        self, module: str, chain: Names, rest: Names, seen: frozenset[tuple[str, Names]]
    ) -> Outcome:
        found = self._find(module, (*chain, *rest), seen)
        if found.foreign and not rest:
            return _FOUND  # else importing the module would fail
        if found.answer is Answer.MISSING:
            # Such a module could not be imported, so there is more to it than was read.
            why = f"{module} takes it from {'.'.join(chain)}, which was not found"
            return _FOUND if _is_builtin(chain) and not rest else Outcome(Answer.UNKNOWN, why)
        return found

    def _members(
        self, module: str, cls: ClassFacts, names: Names, seen: frozenset[tuple[str, Names]]
    ) -> Iterator[Outcome]:
        head, rest = names[0], names[1:]
        yield from (
            self._bound(module, binding, rest, seen) for binding in cls.members.get(head, ())
        )
        if head in cls.members:
            return
        for base in cls.bases:
            if base is None:
                yield Outcome(Answer.UNKNOWN, "a base class is computed")
            elif _is_builtin(base):
                found = hasattr(getattr(builtins, base[0]), head)
                yield _FOUND if found else Outcome(Answer.MISSING, f"{base[0]} has no {head}")
            else:
                yield self._find(module, (*base, *names), seen)
        if cls.open or head in cls.instance:
            yield Outcome(Answer.UNKNOWN, f"{head} may be set at run time")
        yield Outcome(Answer.MISSING, f"the class has no {head}")

    def _starred(
        self,
        module: str,
        star: tuple[str, int],
        names: Names,
        seen: frozenset[tuple[str, Names]],
    ) -> Outcome:
        source = self._absolute(module, *star)
        place = None if source is None else self._place(source)
        if source is None or place is None:
            shown = source or "." * star[1]
            return Outcome(Answer.UNKNOWN, f"{module} takes all of {shown}, not in this tree")
        exported = self._namespace(place) if place.is_file() else Namespace()
        if exported.exported is None and not exported.computed and names[0].startswith("_"):
            return Outcome(Answer.MISSING, f"{source} keeps {names[0]} to itself")
        if exported.exported is not None and names[0] not in exported.exported:
            return Outcome(Answer.MISSING, f"{source} does not list {names[0]} in __all__")
        found = self._find(source, names, seen)
        if exported.computed and found.answer is Answer.FOUND:
            return Outcome(Answer.UNKNOWN, f"{source} computes its __all__")
        return found

    def _absolute(self, module: str, name: str, level: int) -> str | None:
        """The dotted name that an import in `module` means; None beyond the top."""
        if not level:
            return name
        place = self._place(module)
        is_package = place is not None and place.name.partition(".")[0] == "__init__"
        parts = module.split(".")
        kept = parts[: len(parts) - level + is_package]
        return ".".join([*kept, *([name] if name else [])]) if kept else None

    def _own_name(self, module: str) -> str:
        """What the file that serves `module` is called in the tree, past any alias."""
        place = self._place(module)
        if place is None or not place.is_relative_to(self._root):
            return module
        path = place.relative_to(self._root).as_posix()
        own = self._layout.module_of(f"{path}/__init__.py" if place.is_dir() else path)
        return own or module

    def _place(self, module: str) -> Path | None:
        if module not in self._places:
            self._places[module] = modules.resolve(self._root, self._lane, module)
        return self._places[module]

    def _namespace(self, place: Path) -> Namespace:
        if place not in self._read:
            self._read[place] = self._parsed(place)
        return self._read[place]

    def _parsed(self, place: Path) -> Namespace:
        if place.is_dir():
            return Namespace()
        if not place.resolve().is_relative_to(self._root):
            return Namespace(error="it is a link out of the tree")
        try:
            return namespace(place.read_bytes())
        except OSError as error:
            return Namespace(error=error.strerror or type(error).__name__)


def _best(outcomes: Iterable[Outcome]) -> Outcome:
    """The first of the highest answers."""
    return max(outcomes, key=lambda outcome: outcome.answer)


def _foreign(source: str, name: str | None, rest: Names) -> Outcome:
    """What can be said of a name taken from a module that is not in the tree."""
    if not rest:
        return _FOUND
    if source in _BARE_MODULES and name in _BARE:
        return Outcome(Answer.MISSING, f"{name} has no {rest[0]}")
    return Outcome(Answer.UNKNOWN, f"{source} is not in this tree", foreign=True)


def _is_builtin(chain: Names) -> bool:
    return len(chain) == 1 and hasattr(builtins, chain[0])
