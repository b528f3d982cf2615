"""The public names of modules, from the surfaces of their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.analysis.scan import uncollected
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import contents, surface
from pytest_cockpit.registry.faults import Fault
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.registry.surface import Name, Surface


@dataclass(frozen=True, slots=True)
class PublicApi:
    """What a module offers.

    Parameters
    ----------
    names: by name, relative to the module; in order.
    faults: files that do not parse, and names that are promised and not there.
    """

    names: Mapping[str, Name] = field(default_factory=dict)
    faults: tuple[Fault, ...] = ()


def of_all(place: Place, modules: Iterable[Module]) -> dict[str, PublicApi]:
    """The public API of each module, by the module's path."""
    modules = list(modules)
    layout = Layout(place.settings.lane)
    surfaces = _surfaces(place, (path for module in modules for path in contents.code(module)))
    return {module.path: _Offer(module, surfaces, layout).api() for module in modules}


def of(place: Place, module: Module) -> PublicApi:
    """The public API of one module."""
    return of_all(place, [module])[module.path]


# Of every content met in this process: the phases of a runbook look at nearly the same files.
_KNOWN: dict[str, Surface] = {}


def forget() -> None:
    """Read every file anew, as a new process would."""
    _KNOWN.clear()


def _surfaces(place: Place, paths: Iterable[str]) -> dict[str, Surface]:
    found = {path: place.entries[path] for path in paths}
    unknown = [path for path, entry in found.items() if entry.oid not in _KNOWN]
    with uncollected():
        for path, source in place.read_all(unknown):
            _KNOWN[found[path].oid] = surface.read(source)
    return {
        path: _KNOWN[entry.oid]
        for path, entry in found.items()
        if entry.oid in _KNOWN and entry.mode != "120000"
    }


class _Offer:
    """What one module's files come to."""

    def __init__(self, module: Module, surfaces: Mapping[str, Surface], layout: Layout) -> None:
        self.module = module
        self.files = {path: surfaces[path] for path in contents.code(module) if path in surfaces}
        self.dotted = {name: path for path in self.files if (name := layout.module_of(path))}
        self.folders = {folder for path in self.files for folder in contents.folders_above(path)}
        self.public = tuple(contents.public(self.files, module))
        self.faults: list[Fault] = []

    def api(self) -> PublicApi:
        """The names of every public file, and what is wrong with any file."""
        names: dict[str, Name] = {}
        for path, found in self.files.items():
            if found.broken:
                self.faults.append(Fault(path, "", "does not parse"))
        for path in self.public:
            prefix = self._prefix(path)
            for name, what in self._names(path):
                names[f"{prefix}{name}"] = what
        return PublicApi(dict(sorted(names.items())), tuple(self.faults))

    def _prefix(self, path: str) -> str:
        dotted = self.module.inner(path).removesuffix(".py").replace("/", ".")
        inner = dotted.removesuffix("__init__").rstrip(".")
        return f"{inner}." if inner else ""

    def _names(self, path: str) -> Iterator[tuple[str, Name]]:
        found = self.files[path]
        every = self._bound(path, frozenset())
        if found.exports is None:
            for name, what in every.items():
                if not name.startswith("_") and self._offered(path, what):
                    yield name, what
            return
        loose = found.open or self._unknown_stars(path)
        for name in self._exports(path, frozenset()):
            if name in every:
                yield name, every[name]
            elif self._submodule(path, name):
                yield name, Name("module")
            elif loose:
                yield name, Name("unknown")
            else:
                told = f"lists {name!r}, which the file does not have"
                self.faults.append(Fault(path, "__all__", told))

    def _offered(self, path: str, what: Name) -> bool:
        """Whether a public name is meant for others.

        An import is one's own business, unless it says otherwise as type checkers have it, or a
        package gathers what its files have.
        """
        if what.kind != "import" or what.again:
            return True
        source = what.detail.rpartition(".")[0]
        inner = what.detail.startswith(".") or source in self.dotted or what.detail in self.dotted
        return inner and path.endswith(INIT)

    def _bound(self, path: str, seen: frozenset[str]) -> Mapping[str, Name]:
        """What a file binds, star imports of the same module's files followed."""
        found = self.files[path]
        names: dict[str, Name] = {}
        for star in found.stars:
            target = self._file(path, star)
            if target is not None and target not in seen:
                names |= {
                    name: Name("import", f"{star}.{name}" if star.strip(".") else f"{star}{name}")
                    for name in self._given(target, seen | {path})
                }
        return {**names, **found.names}

    def _given(self, path: str, seen: frozenset[str]) -> Iterable[str]:
        """The names that a star import of a file gives."""
        if self.files[path].exports is not None:
            return self._exports(path, seen)
        return [name for name in self._bound(path, seen) if not name.startswith("_")]

    def _exports(self, path: str, seen: frozenset[str]) -> list[str]:
        """What `__all__` lists, with what it adds of other files of the module."""
        found = self.files[path]
        names = dict.fromkeys(found.exports or ())
        for other in found.extended:
            bound = found.names.get(other)
            target = self._file(path, bound.detail if bound else other)
            if target is not None and target not in seen:
                names |= dict.fromkeys(self._exports(target, seen | {path}))
        return [name for name in names if name.isidentifier()]

    def _unknown_stars(self, path: str) -> bool:
        found = self.files[path]
        others = [*found.stars, *found.extended]
        return any(self._file(path, star) is None for star in others)

    def _submodule(self, path: str, name: str) -> bool:
        folder = path.removesuffix(INIT)
        if folder == path:
            return False
        return f"{folder}{name}.py" in self.files or f"{folder}{name}" in self.folders

    def _file(self, path: str, source: str) -> str | None:
        """The module's own file that an import in one of its files names."""
        level = len(source) - len(source.lstrip("."))
        if not level:
            return self.dotted.get(source)
        parts = path.split("/")[:-level]
        parts += [part for part in source[level:].split(".") if part]
        stem = "/".join(parts)
        candidates = (f"{stem}.py", f"{stem}/{INIT}" if stem else INIT)
        return next((found for found in candidates if found in self.files), None)
