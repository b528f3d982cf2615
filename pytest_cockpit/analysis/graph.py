"""Which file an import statement means, and the graph that follows from it."""

from __future__ import annotations

import itertools
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.analysis.scan import Facts, Import

_MARKER = ".__init__"
_NAMESPACE = ""
"""Stands for the file of a package that is a folder without `__init__.py`."""


@dataclass(frozen=True, slots=True)
class Resolution:
    """What one import statement means inside the repository.

    `paths` are the files it names, `modules` their dotted names today, in the same order;
    `missing` are dotted names that belong to the repository and that no file serves.
    """

    paths: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    modules: tuple[str, ...] = ()


class Resolver:
    """Resolves imports over one set of paths.

    Parameters
    ----------
    paths: all Python files of the tree.
    layout: what they are called.
    facts: what is known of the files; needed of packages above names that are not found, for
        they may be dynamic. A file without facts is taken as dynamic and named in `unscanned`.
    opaque: paths whose content cannot be known from the tree, such as submodules, symbolic
        links to folders and sources of compiled modules: nothing at or below them is missing.
    """

    def __init__(
        self,
        paths: Iterable[str],
        layout: Layout,
        facts: Mapping[str, Facts | None],
        opaque: Iterable[str] = (),
    ) -> None:
        self.layout = layout
        self.unscanned: set[str] = set()
        self._facts = facts
        self._files: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        self._folders: set[str] = set()
        self._targets: dict[str, str] = {}
        self._found: dict[str, str | None] = {}
        self._absent: dict[str, bool] = {}
        stems = (path.rpartition("/")[0::2] for path in opaque)
        names = (
            layout.module_of(f"{folder}/{name.partition('.')[0]}.py".lstrip("/"))
            for folder, name in stems
        )
        self._opaque = frozenset(name for name in names if name)
        ordered = sorted(paths)
        for path in ordered:
            self._add(path)
        self._files = {name: path for name, path in self._files.items() if self._is_open(name)}
        self._folders = {name for name in self._folders if self._is_open(name)}
        for path in ordered:
            if layout.is_lane(path) and not self._has_moved(path):
                self._add_target(path)

    def resolve(self, importer: str, imp: Import) -> Resolution:
        """What an import statement in `importer` means."""
        if imp.level:
            base = self._relative(importer, imp)
            if base is None:
                return Resolution()
            if not base:
                return Resolution(missing=("." * imp.level + imp.module,))
        else:
            base = imp.module
        found: dict[str, str] = {}
        missing: dict[str, None] = {}
        for attribute in imp.names or ("*",):
            self._take(base, attribute, found, missing)
        return Resolution(tuple(found), tuple(missing), tuple(found.values()))

    def _add(self, path: str) -> None:
        name = self.layout.module_of(path)
        if name is None:
            return
        self._modules[path] = name
        # Of `x.py` and `x/__init__.py`, the package is what Python takes.
        if name not in self._files or self.layout.is_package(path):
            self._files[name] = path
        while (name := name.rpartition(".")[0]) and name not in self._folders:
            self._folders.add(name)

    def _is_open(self, name: str) -> bool:
        """Whether no plain module stands above: `x.py` hides all that lies in a folder `x`."""
        above = itertools.islice(_upwards(name), 1, None)
        return all(self.layout.is_package(self._files.get(one, INIT)) for one in above)

    def _has_moved(self, path: str) -> bool:
        facts = self._facts.get(path)
        return facts is not None and facts.moved_to is not None

    def _add_target(self, path: str) -> None:
        name = self.layout.module_of(self.layout.target_of(path))
        if name is not None and not _is_standard(name):
            self._targets.setdefault(name, path)

    def _relative(self, importer: str, imp: Import) -> str | None:
        """Absolute name of a relative import's module; empty beyond the top, None if unknown."""
        own = self._modules.get(importer)
        if own is None:
            return None
        parts = own.split(".")
        drop = imp.level - self.layout.is_package(importer)
        if drop >= len(parts):
            return ""
        kept = ".".join(parts[: len(parts) - drop])
        return f"{kept}.{imp.module}" if imp.module else kept

    def _take(
        self, base: str, attribute: str, found: dict[str, str], missing: dict[str, None]
    ) -> None:
        """Resolve the submodule `attribute` of `base`, or else `base` itself."""
        name = base if attribute == "*" else f"{base}.{attribute}"
        path = self._locate(name)
        if path is None and name != base:
            path = self._locate(base)
            if path == _NAMESPACE:
                # A folder has no attributes, but it may be about to get a file from the lane.
                path = self._targets.get(base)
            else:
                name = base
        if path:
            found.setdefault(path, self._modules[path])
        elif path is None and self._is_missing(name):
            missing[name] = None

    def _locate(self, name: str) -> str | None:
        """The file that serves a dotted name, `_NAMESPACE` for a folder, None for neither."""
        if name not in self._found:
            self._found[name] = self._search(name)
        return self._found[name]

    def _search(self, name: str) -> str | None:
        if name.endswith(_MARKER):
            # `import pkg.__init__` works, whatever its author had in mind.
            path = self._locate(name.removesuffix(_MARKER))
            return path if path and self.layout.is_package(path) else None
        others = self._aliased(name)
        for known in (self._files, self._targets):
            for spelled in (name, *others):
                if spelled in known and not _is_builtin(spelled):
                    return known[spelled]
        folder = any(spelled in self._folders for spelled in (name, *others))
        return _NAMESPACE if folder and not _is_standard(name) else None

    def _aliased(self, name: str) -> list[str]:
        """Names that may serve `name` at run time, in the configured order."""
        served = self._alias(name)
        if served is None:
            return []
        rest = name[len(served) + 1 :]
        prefixes = self.layout.lane.aliases[served]
        return [".".join(filter(None, (prefix, rest))) for prefix in prefixes if prefix or rest]

    def _alias(self, name: str) -> str | None:
        aliases = self.layout.lane.aliases
        return next((above for above in _upwards(name) if above in aliases), None)

    def _is_missing(self, name: str) -> bool:
        """Whether a name that was not found surely belongs to the repository."""
        if name not in self._absent:
            self._absent[name] = self._is_ours(name) and not self._is_dynamic(name)
        return self._absent[name]

    def _is_ours(self, name: str) -> bool:
        if _is_standard(name):
            return False
        above = list(_upwards(name))[1:]
        if self._alias(name) is not None or self.layout.lane_module in above:
            return True
        # A regular package or module hides what is installed under its name. A folder without
        # `__init__.py` does not: `docker/` beside an installed `docker` is not what is imported,
        # so one level more must be ours.
        return any(one in self._files or (one in self._folders and "." in one) for one in above)

    def _is_dynamic(self, name: str) -> bool:
        """Whether something at run time may serve the name all the same."""
        # Of an alias, the configuration says what serves it; its own layer is not asked again.
        layer = frozenset(_upwards(self._alias(name) or ""))
        # All are asked, not only the first that may: so what is unscanned is named at once.
        answers = [
            self._may_serve(above)
            for spelled in (name, *self._aliased(name))
            for above in _upwards(spelled)
            if above not in layer
        ]
        return any(answers)

    def _may_serve(self, package: str) -> bool:
        if package in self._opaque:
            return True
        path = self._files.get(package)
        if path is None:
            return False
        facts = self._facts.get(path)
        if facts is None:
            self.unscanned.add(path)
            return True
        if facts.moved_to is not None and not self.layout.is_lane(
            self._files.get(facts.moved_to, path)
        ):
            # The shim's module is the one at the new place.
            return self._may_serve(facts.moved_to)
        return facts.dynamic

    def rescan(self) -> None:
        """Forget what was concluded without facts; call it after facts were added."""
        self.unscanned.clear()
        self._absent.clear()


def _upwards(name: str) -> Iterator[str]:
    """The dotted name itself and all above it: a.b.c, a.b, a."""
    while name:
        yield name
        name = name.rpartition(".")[0]


def _is_standard(name: str) -> bool:
    return name.partition(".")[0] in sys.stdlib_module_names


def _is_builtin(name: str) -> bool:
    return name.partition(".")[0] in sys.builtin_module_names


@dataclass(frozen=True, slots=True)
class Missing:
    """A name that an import statement spells and nothing serves.

    `optional` when the statement is guarded or for typing only.
    """

    name: str
    line: int
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """Files, what they import, and what they import in vain.

    `needs` maps a path to the repository's files it imports, sorted, itself excluded; `missing`
    to what it cannot have. An optional import is listed only where it spells a name of the lane,
    which no file outside the lane may.
    """

    needs: Mapping[str, tuple[str, ...]]
    missing: Mapping[str, tuple[Missing, ...]]

    def importers(self) -> Counter[str]:
        """How many distinct files import each path."""
        return Counter(needed for needs in self.needs.values() for needed in needs)


def edges(importers: Iterable[str], facts: Mapping[str, Facts | None], resolver: Resolver) -> Graph:
    """The graph of the importers' import statements."""
    needs: dict[str, tuple[str, ...]] = {}
    missing: dict[str, tuple[Missing, ...]] = {}
    lane = f"{resolver.layout.lane_module}."
    for path in importers:
        known = facts.get(path)
        if known is None:
            continue
        needed: set[str] = set()
        lost: dict[str, Missing] = {}
        for imp in known.imports:
            resolution = resolver.resolve(path, imp)
            needed.update(resolution.paths)
            optional = imp.guarded or imp.typing_only
            for name in resolution.missing:
                if not optional or (not imp.level and name.startswith(lane)):
                    lost.setdefault(name, Missing(name, imp.line, optional))
        needs[path] = tuple(sorted(needed - {path}))
        if lost:
            missing[path] = tuple(lost.values())
    return Graph(needs, missing)


def components(needs: Mapping[str, Iterable[str]]) -> list[tuple[str, ...]]:
    """Files grouped with those they import in a circle; a group comes after what it needs."""
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    # The order of insertion decides the order of what comes out: the same on every machine.
    for path in sorted(needs):
        graph.add_node(path)
        graph.add_edges_from((path, needed) for needed in sorted(needs[path]) if needed in needs)
    return [tuple(sorted(group)) for group in nx.strongly_connected_components(graph)]
