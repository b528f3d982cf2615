"""The public names of modules, from the surfaces of their files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import contents, surfaces
from pytest_cockpit.registry.faults import Fault
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.registry.surface import Name, Surface

UNPARSED = "does not parse"
"""Said of a file whose names nobody knows."""

# Files that are followed one out of another; nobody has so many on purpose.
_DEEPEST = 50


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


@dataclass(frozen=True, slots=True)
class Followed:
    """What a file has and lists, that of the module's other files included.

    Parameters
    ----------
    loose: only running it would tell whether that is all.
    """

    names: Mapping[str, Name]
    exports: tuple[str, ...] | None
    loose: bool

    def starred(self) -> Iterable[str]:
        """The names that a star import of it gives."""
        if self.exports is not None:
            return self.exports
        return [name for name in self.names if not name.startswith("_")]


def of_all(place: Place, modules: Iterable[Module]) -> dict[str, PublicApi]:
    """The public API of each module, by the module's path."""
    modules = list(modules)
    layout = Layout(place.settings.lane)
    importable = _importable(path for module in modules for path in module.python)
    code = {module.path: contents.code(module, place.settings.bench) for module in modules}
    known = surfaces.of(place, (path for paths in code.values() for path in paths))
    files = {
        module: {path: known[path] for path in paths if path in known}
        for module, paths in code.items()
    }
    return {
        module.path: _Offer(module, files[module.path], layout, importable).api()
        for module in modules
    }


def of(place: Place, module: Module) -> PublicApi:
    """The public API of one module."""
    return of_all(place, [module])[module.path]


def _importable(paths: Iterable[str]) -> frozenset[str]:
    """Python files without their suffix, and the folders they are in."""
    found: set[str] = set()
    for path in paths:
        found.add(path.removesuffix(".py"))
        found.update(contents.folders_above(path))
    return frozenset(found)


class _Offer:
    """What one module's files come to."""

    def __init__(
        self,
        module: Module,
        files: Mapping[str, Surface],
        layout: Layout,
        importable: AbstractSet[str],
    ) -> None:
        self.module = module
        self.files = files
        self.dotted = {name: path for path in self.files if (name := layout.module_of(path))}
        self.importable = importable
        self.public = tuple(contents.public(self.files, module))
        self.faults: list[Fault] = []
        self.followed: dict[str, Followed] = {}

    def api(self) -> PublicApi:
        """The names of every public file, and what is wrong with any file."""
        names: dict[str, Name] = {}
        for path, found in self.files.items():
            if found.broken:
                self.faults.append(Fault(path, "", UNPARSED))
        for path in self.public:
            prefix = self._prefix(path)
            for name, what in self._names(path):
                names[f"{prefix}{name}"] = what
        return PublicApi(dict(sorted(names.items())), tuple(self.faults))

    def _prefix(self, path: str) -> str:
        return "".join(f"{part}." for part in contents.inner_name(path, self.module))

    def _names(self, path: str) -> Iterator[tuple[str, Name]]:
        found = self._follow(path)
        if found.exports is None:
            for name, what in found.names.items():
                if not name.startswith("_") and self._offered(path, what):
                    yield name, what
            return
        for name in found.exports:
            if name in found.names:
                yield name, found.names[name]
            elif self._submodule(path, name):
                yield name, Name("module")
            elif found.loose:
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

    def _follow(self, path: str, depth: int = 0) -> Followed:
        """What a file has with its star imports, and what it lists with the `__all__` of others.

        Only the module's own files are followed. In a ring of files, the one that is met again has
        what its own statements bind: as when they are imported.
        """
        if path in self.followed:
            return self.followed[path]
        own = self.files[path]
        exports = None if own.exports is None else tuple(filter(str.isidentifier, own.exports))
        found = self.followed[path] = Followed(own.names, exports, own.open or own.broken)
        names: dict[str, Name] = {}
        listed, loose = dict.fromkeys(exports or ()), found.loose
        for star in own.stars:
            given = self._other(path, star, depth)
            loose |= given.loose
            dot = "" if star.endswith(".") else "."
            names |= {name: Name("import", f"{star}{dot}{name}") for name in given.starred()}
        for other in own.extended:
            bound = own.names.get(other)
            given = self._other(path, bound.detail if bound else other, depth)
            loose |= given.loose
            listed |= dict.fromkeys(given.exports or ())
        exports = None if exports is None else tuple(listed)
        self.followed[path] = Followed({**names, **own.names}, exports, loose)
        return self.followed[path]

    def _other(self, path: str, source: str, depth: int) -> Followed:
        target = self._file(path, source)
        if target is None or depth == _DEEPEST:
            return Followed({}, None, loose=True)
        return self._follow(target, depth + 1)

    def _submodule(self, path: str, name: str) -> bool:
        folder = path.removesuffix(INIT)
        return folder != path and f"{folder}{name}" in self.importable

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
