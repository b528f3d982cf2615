"""All that a plan looks at, taken from the objects of one commit; the work tree is not read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_cockpit.analysis.graph import Graph, Resolver, edges
from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.analysis.scan import SCHEMA, Facts, FactsCache, collect
from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.git import Entry, Repository

REGULAR = frozenset({"100644", "100755"})
_LINK = "120000"
# What is compiled or generated into a module of the same stem, which git does not hold.
_COMPILED = (".so", ".pyd", ".pyx", ".pyi", ".c", ".cc", ".cpp", ".rs")


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One commit as a plan sees it.

    Parameters
    ----------
    base: the commit.
    layout: paths and dotted names.
    entries: everything in the tree, by path.
    waiting: the lane's entries that wait to be moved, in order of paths: Python files without
        the shims of earlier batches and without the lane's own marker, and submodules.
    shims: how many of the lane's files are shims.
    facts: of the waiting files and of whatever else was scanned; None where the blob is missing.
    graph: imports of all scanned files.
    """

    base: str
    layout: Layout
    entries: Mapping[str, Entry]
    waiting: tuple[str, ...]
    shims: int
    facts: Mapping[str, Facts | None]
    graph: Graph


def take(repo: Repository, lane: Lane, base: str) -> Snapshot:
    """Look at a commit.

    Raises
    ------
    CockpitError: it has no such lane, or the lane's files have no module names.
    """
    layout = Layout(lane)
    entries = {entry.path: entry for entry in repo.entries(base)}
    inside = [path for path in entries if layout.is_lane(path)]
    _demand_lane(layout, inside, base)
    library = _Library(repo, entries)
    library.scan(path for path in inside if path.endswith(".py"))
    library.scan(_importers(repo, layout, base, entries))
    resolver = Resolver(
        (path for path, entry in entries.items() if entry.mode in REGULAR),
        layout,
        library.facts,
        (path for path, entry in entries.items() if _is_opaque(entry)),
    )
    graph = edges(library.facts, library.facts, resolver)
    while library.scan(resolver.unscanned):
        resolver.rescan()
        graph = edges(graph.needs, library.facts, resolver)
    waiting = [path for path in inside if _waits(entries[path], layout, library.facts)]
    return Snapshot(
        base=base,
        layout=layout,
        entries=entries,
        waiting=tuple(sorted(waiting)),
        shims=sum(_is_shim(library.facts.get(path)) for path in inside),
        facts=library.facts,
        graph=graph,
    )


class _Library:
    """Facts by path, scanned on demand and kept between runs by blob."""

    def __init__(self, repo: Repository, entries: Mapping[str, Entry]) -> None:
        self.facts: dict[str, Facts | None] = {}
        self._read = repo.blobs
        self._entries = entries
        self._cache = FactsCache(repo.common_dir / "cockpit" / f"facts-{SCHEMA}.sqlite")

    def scan(self, paths: Iterable[str]) -> bool:
        """Add the facts of regular files; whether there was any to add."""
        new = {
            path: self._entries[path].oid
            for path in paths
            if path not in self.facts and self._entries[path].mode in REGULAR
        }
        found = collect(self._read, new.values(), self._cache)
        self.facts.update({path: found.get(oid) for path, oid in new.items()})
        return bool(new)


def _demand_lane(layout: Layout, inside: Iterable[str], base: str) -> None:
    lane = layout.lane
    if not any(True for _ in inside):
        raise CockpitError(
            f"{lane.path}: no such folder at {base[:12]}; set tool.cockpit.lane.path to the folder "
            "that files wait in"
        )
    for key, example in (
        ("path", f"{lane.path}/x.py"),
        ("root", layout.target_of(f"{lane.path}/x.py")),
    ):
        if layout.module_of(example) is None:
            raise CockpitError(
                f"tool.cockpit.lane.{key}: files below {getattr(lane, key)!r} have no module "
                f"names counted from source_roots {list(lane.source_roots)}; add the folder that "
                "is on sys.path to tool.cockpit.lane.source_roots"
            )


def _importers(
    repo: Repository, layout: Layout, base: str, entries: Mapping[str, Entry]
) -> list[str]:
    """Files outside the lane that may import from it: they mention its name, or an alias."""
    names = [layout.lane.path.rpartition("/")[2]]
    for alias in layout.lane.aliases:
        names += [f"import {alias}", f"from {alias}"]
    found = repo.grep(base, names, ["*.py"])
    return [path for path in found if path in entries and not layout.is_lane(path)]


def _is_opaque(entry: Entry) -> bool:
    if entry.path.endswith(".py"):
        return entry.mode == _LINK
    return entry.mode not in REGULAR or entry.path.endswith(_COMPILED)


def _is_shim(facts: Facts | None) -> bool:
    return facts is not None and facts.moved_to is not None


def _waits(entry: Entry, layout: Layout, facts: Mapping[str, Facts | None]) -> bool:
    if entry.kind == "commit":
        return True
    return (
        entry.path.endswith(".py")
        and entry.path != f"{layout.lane.path}/{INIT}"
        and not _is_shim(facts.get(entry.path))
    )
