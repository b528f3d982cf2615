"""Manifests as they are: what is odd about each, which is said and no reason to stop."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import schema
from pytest_cockpit.records.text import Path, one_line, pointer, printable
from pytest_cockpit.registry.contents import inside, resolve
from pytest_cockpit.registry.faults import Fault
from pytest_cockpit.registry.modules import Module

SCHEMA = "module_manifest"

_SHOWN = 3


def faults(place: Place, modules: Sequence[Module]) -> dict[str, tuple[Fault, ...]]:
    """What is odd about the manifest of each module, by the module's path."""
    ground = _Ground(place, modules)
    return {module.path: tuple(ground.of(module)) for module in modules}


class _Ground:
    """What manifests are held against."""

    def __init__(self, place: Place, modules: Sequence[Module]) -> None:
        self.named: dict[str, list[Module]] = defaultdict(list)
        for module in modules:
            self.named[module.name].append(module)
        self.places = _with_folders(place.entries)

    def of(self, module: Module) -> Iterator[Fault]:
        """Everything odd about one manifest, in order."""
        if module.unreadable:
            yield Fault(module.manifest, "", module.unreadable)
            return
        found = [
            *(
                (problem.path, problem.message)
                for problem in schema.problems(module.declared, SCHEMA)
            ),
            *self._name(module),
            *self._needed(module),
            *self._paths(module),
            *_notes(module),
        ]
        for keys, what in sorted(found, key=lambda row: (pointer(row[0]), row[1])):
            yield Fault(module.manifest, pointer(keys), one_line(printable(what)))

    def _name(self, module: Module) -> Iterator[tuple[Path, str]]:
        given = module.declared.get("module")
        if not isinstance(given, str) or not given.strip():
            return
        dotted = module.path.replace("/", ".")
        if module.path != "." and given != dotted:
            yield ("module",), f"is {given!r}; its folder is {dotted!r}"
        others = [other.path for other in self.named[given] if other is not module]
        if others:
            yield ("module",), f"is the name of {_some(others)} as well"

    def _needed(self, module: Module) -> Iterator[tuple[Path, str]]:
        """Modules that are needed, and are none or more than one."""
        for index, name in enumerate(_list(module.declared.get("dependencies"))):
            found = self.named.get(name, []) if isinstance(name, str) else None
            if found == []:
                yield ("dependencies", index), f"{name!r} is the name of no module"
            elif found is not None and len(found) > 1:
                paths = [other.path for other in found]
                yield ("dependencies", index), f"{name!r} is the name of {_some(paths)}"

    def _paths(self, module: Module) -> Iterator[tuple[Path, str]]:
        """Paths that lead nowhere."""
        declared = module.declared
        for key, value in _table(_table(declared.get("layout")).get("paths")).items():
            yield from self._path(module, ("layout", "paths", key), value)
        for key, value in _table(declared.get("links")).items():
            if isinstance(value, str) and "://" not in value:
                yield from self._path(module, ("links", key), value)
        for index, value in enumerate(_list(declared.get("contracts"))):
            yield from self._contract(module, ("contracts", index), value)
        contract = _table(declared.get("matrix")).get("contract")
        if contract != "":
            yield from self._contract(module, ("matrix", "contract"), contract)

    def _path(self, module: Module, keys: Path, value: Any) -> Iterator[tuple[Path, str]]:
        if not isinstance(value, str):
            return
        where = resolve(module, value)
        if where is None:
            yield keys, f"{value!r} leads out of the repository"
        elif not value:
            yield keys, "is empty"
        elif where not in self.places:
            yield keys, f"{value!r} is no tracked file or folder"

    def _contract(self, module: Module, keys: Path, value: Any) -> Iterator[tuple[Path, str]]:
        if not isinstance(value, str):
            return
        candidates = {resolve(module, value), inside(value)} - {None}
        if not candidates & self.places:
            yield keys, f"{value!r} is no tracked file, in the module or in the repository"


def _notes(module: Module) -> Iterator[tuple[Path, str]]:
    """Times that a generator writes anew whenever it runs."""
    notes = _table(module.declared.get("_provenance"))
    timed = [key for key, note in notes.items() if "extracted_at" in _table(note)]
    if timed:
        yield ("_provenance",), "holds the times of a generator's run: each run makes a difference"


def _with_folders(paths: Iterable[str]) -> set[str]:
    """The paths, and every folder above any of them."""
    found = {"."}
    for path in paths:
        parent = path
        while parent and parent not in found:
            found.add(parent)
            parent = parent.rpartition("/")[0]
    return found


def _some(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(sorted(paths)[:_SHOWN]) + more


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _list(value: Any) -> Sequence[Any]:
    return value if isinstance(value, list) else ()
