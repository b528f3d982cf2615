"""Circles of imports: which there are, and which of them nobody has agreed to."""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

Edges = Mapping[str, Mapping[str, int]]
"""Importing file to the files it imports as it is loaded, each with the line."""


@dataclass(frozen=True, slots=True)
class Cycle:
    """The shortest circle that one import closes: the files from it back to itself."""

    path: str
    line: int
    files: tuple[str, ...]


def inner(edges: Edges) -> dict[str, dict[str, int]]:
    """The edges that lie on some circle."""
    core = _core(edges)
    if not core:
        return {}
    # Only now: most trees have no circle, and networkx takes longer to load than they to read.
    import networkx as nx

    graph: nx.DiGraph[str] = nx.DiGraph()
    for path in sorted(core):
        graph.add_edges_from((path, needed) for needed in sorted(core[path]))
    group = {
        path: number
        for number, members in enumerate(nx.strongly_connected_components(graph))
        for path in members
    }
    found = {
        path: {needed: line for needed, line in needs.items() if group[path] == group[needed]}
        for path, needs in core.items()
    }
    return {path: needs for path, needs in found.items() if needs}


def unagreed(
    circular: Edges, agreed: Collection[tuple[str, str]], first: Collection[str]
) -> Iterator[Cycle]:
    """Circles that together hold every edge nobody agreed to.

    `circular` are edges that lie on circles. An edge of a file in `first` is the more likely to
    be what closed the circle, so it is named rather than another edge of the same circle.
    """
    fresh = [
        (path, needed)
        for path, needs in circular.items()
        for needed in needs
        if (path, needed) not in agreed
    ]
    covered: set[tuple[str, str]] = set()
    for edge in sorted(fresh, key=lambda edge: (edge[0] not in first, edge)):
        if edge in covered:
            continue
        path, needed = edge
        files = (path, *_way(circular, needed, path))
        covered.update(itertools.pairwise(files))
        yield Cycle(path, circular[path][needed], files)


def _core(edges: Edges) -> dict[str, dict[str, int]]:
    """The edges without those that end in files from which no way leads on."""
    left = {
        path: {needed: line for needed, line in needs.items() if needed in edges}
        for path, needs in edges.items()
    }
    importers: dict[str, list[str]] = {}
    for path, needs in left.items():
        for needed in needs:
            importers.setdefault(needed, []).append(path)
    ends = [path for path, needs in left.items() if not needs]
    while ends:
        end = ends.pop()
        del left[end]
        for path in importers.get(end, ()):
            del left[path][end]
            if not left[path]:
                ends.append(path)
    return left


def _way(edges: Edges, start: str, end: str) -> list[str]:
    """The shortest way between two files of one circle, both included."""
    before: dict[str, str] = {start: start}
    level = [start]
    while end not in before:
        following = []
        for path in level:
            for needed in sorted(edges.get(path, ())):
                if needed not in before:
                    before[needed] = path
                    following.append(needed)
        level = following
    way = [end]
    while way[-1] != start:
        way.append(before[way[-1]])
    return way[::-1]
