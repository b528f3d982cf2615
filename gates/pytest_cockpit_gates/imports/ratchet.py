"""The baseline: what it lists, how two of them are joined, and whether one was loosened.

An entry permits one file's failure of one class, so many imports that break each rule, the
imports by which it lies on circles, and kinds of effects. What an entry does not have is not
permitted; so the join of two baselines is what both permit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import JSON, Finding
from pytest_cockpit.records.artifacts import canonical_line, printable
from pytest_cockpit_gates.imports import rules

Entry = Mapping[str, Any]


def join(mine: JSON, theirs: JSON) -> dict[str, Any]:
    """The least baseline that is at least as tight as both."""
    left, right = mine["entries"], theirs["entries"]
    met = {path: _met(left[path], right[path]) for path in sorted(left.keys() & right.keys())}
    return {
        "entries": {path: entry for path, entry in met.items() if entry},
        "meta": _meta(mine["meta"], theirs["meta"]),
    }


def entries(
    failures: Mapping[str, Entry],
    counts: Mapping[str, Mapping[str, int]],
    circular: Mapping[str, list[str]],
    effects: Mapping[str, list[str]],
) -> dict[str, dict[str, Any]]:
    """Entries by printable path, out of what was measured."""
    found: dict[str, dict[str, Any]] = {path: dict(entry) for path, entry in failures.items()}
    for key, parts in (("edges", counts), ("circle", circular), ("effects", effects)):
        for path, part in parts.items():
            found.setdefault(path, {})[key] = part
    return found


def returned(base: JSON, now: JSON, layout: Layout) -> dict[str, Any]:
    """The base's entries, those of files that went back to the lane under their paths there.

    An entry goes along only where the present baseline has it no longer at its former path, so
    that it never permits two files what it permitted one.
    """
    back = {
        target: path
        for path in now.keys() - base.keys()
        if layout.is_lane(path) and (target := layout.target_of(path)) in base.keys() - now.keys()
    }
    return {back.get(path, path): entry for path, entry in base.items()}


def loosened(base: JSON, now: JSON, where: str) -> Iterator[Finding]:
    """What the baseline permits now and did not permit at the base commit."""
    tight = join(base, now)["entries"]
    for path, entry in sorted(now["entries"].items()):
        kept = tight.get(path, {})
        parts = [key for key in entry if key != "message" and entry[key] != kept.get(key)]
        if parts:
            yield Finding(
                rules.LOOSENED,
                f"it permits {path} more than it did at the base commit: {', '.join(parts)}",
                path=where,
                pointer=f"/entries/{path.replace('~', '~0').replace('/', '~1')}",
                remedy="repair the file and restore the entry, or write a waiver",
                evidence={"file": printable(path), "now": dict(entry), "kept": dict(kept)},
            )


def _met(left: Entry, right: Entry) -> dict[str, Any]:
    met: dict[str, Any] = {}
    if "class" in left and left["class"] == right.get("class"):
        met["class"] = left["class"]
        met["message"] = min(left.get("message", ""), right.get("message", ""))
    for key in ("circle", "effects"):
        both = sorted(set(left.get(key, ())) & set(right.get(key, ())))
        if both:
            met[key] = both
    mine, theirs = left.get("edges", {}), right.get("edges", {})
    edges = {rule: min(mine[rule], theirs[rule]) for rule in sorted(mine.keys() & theirs.keys())}
    if any(edges.values()):
        met["edges"] = {rule: count for rule, count in edges.items() if count}
    return met


def _meta(left: JSON, right: JSON) -> dict[str, Any]:
    """Of each key the lesser value, in the order of canonical JSON: any fixed order will do."""
    keys = sorted({*left, *right})
    return {
        key: min(
            (meta[key] for meta in (left, right) if key in meta),
            key=lambda value: canonical_line({"value": value}),
        )
        for key in keys
    }
