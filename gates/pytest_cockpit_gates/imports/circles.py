"""Circles of imports as findings, and as a baseline permits them.

A file is named by the path it has or will have outside the lane, so that a permission survives
the promotion of either end.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import Finding
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports import cycles, rules
from pytest_cockpit_gates.imports.cycles import Cycle, Edges
from pytest_cockpit_gates.imports.judge import slack

_REMEDY = "move what both need into a third module, or import inside the function that needs it"


def permitted(circular: Edges, layout: Layout) -> dict[str, list[str]]:
    """The edges that lie on circles, as entries of a baseline list them."""
    return {
        printable(path): sorted(_lasting(needed, layout) for needed in needs)
        for path, needs in circular.items()
    }


def findings(
    circular: Edges,
    entries: Mapping[str, Any],
    layout: Layout,
    changed: Collection[str],
    judged: frozenset[str],
) -> Iterator[Finding]:
    """Circles that the baseline does not have; of a batch only those through its own files."""
    listed = {_known(path, layout): entry.get("circle", ()) for path, entry in entries.items()}
    agreed = {
        (path, needed)
        for path, needs in circular.items()
        for needed in needs
        if _lasting(needed, layout) in listed.get(_lasting(path, layout), ())
    }
    for cycle in cycles.unagreed(circular, agreed, changed):
        if not judged.isdisjoint(cycle.files):
            yield _finding(cycle)
    for path in sorted(judged):
        now = {_lasting(needed, layout) for needed in circular.get(path, ())}
        gone = sorted(set(listed.get(_lasting(path, layout), ())) - now)
        if gone:
            why = f"no longer lies on a circle by importing {', '.join(gone)}"
            yield slack(path, why, {"gone": gone})


def _finding(cycle: Cycle) -> Finding:
    way = " -> ".join(cycle.files)
    return Finding(
        rules.CYCLE,
        f"it closes a circle of imports: {way}",
        path=cycle.path,
        line=cycle.line,
        remedy=_REMEDY,
        evidence={"files": list(cycle.files)},
    )


def _lasting(path: str, layout: Layout) -> str:
    return printable(layout.target_of(path) if layout.is_lane(path) else path)


def _known(path: str, layout: Layout) -> str:
    return layout.target_of(path) if layout.is_lane(path) else path
