"""The registry as a phase: what is generated from all modules, where it is not so already."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import count, one_line
from pytest_cockpit.registry import module_registry, unreadable
from pytest_cockpit.registry.documents import Documents

_LISTED = 20


def run(place: Place) -> Result:
    """Bring every generated document up to date."""
    documents = Documents(place)
    found = look(documents)
    if not found.verdict.opens:
        return found
    made = documents.all()
    changed = {path: content for path, content in made.items() if place.read(path) != content}
    said = f"{count(len(made), 'document')}, {len(changed):,} of them changed; {found.summary}"
    facts = {**found.facts, "documents": len(made), "changed": sorted(changed)}
    return Result(found.verdict, said, found.text, Changes(files=changed), facts)


def look(documents: Documents) -> Result:
    """What a registry has, and what is odd about it; red where a manifest cannot be read."""
    registry = documents.registry
    rows = registry["modules"]
    names, more = module_registry.names(rows)
    facts = {
        "modules": len(rows),
        "docs": sum(len(row["docs"]) for row in rows),
        "tests": sum(len(row["tests"]) for row in rows),
        "names": names,
        "faults": sum(len(row["faults"]) for row in rows),
    }
    if not rows:
        return _none(documents.place)
    said = ", ".join(
        count(facts[key], noun)
        for key, noun in (
            ("modules", "module"),
            ("docs", "document"),
            ("tests", "test file"),
        )
    )
    said = f"{said}, {'at least ' if more else ''}{count(names, 'public name')}"
    loose = registry["without_manifest"]
    if loose:
        said = f"{said}; {count(len(loose), 'folder')} of Python files without a manifest"
    broken = unreadable.told(documents.survey.modules)
    if broken:
        return dataclasses.replace(broken, facts=facts)
    odd = [*_faults(row["faults"] for row in rows), *_artefacts(registry)]
    if not odd:
        return Result(Verdict.PASS, said, facts=facts)
    return Result(Verdict.WARN, said, "\n".join([said, *odd, *_loose(loose)]), facts=facts)


def _none(place: Place) -> Result:
    """Without a module nothing is known; perhaps one was never added."""
    settings = place.settings.registry
    matcher = globs.Matcher(settings.manifests)
    beside = [path for path in place.repository.untracked() if matcher.matches(path)]
    said = f"no tracked file matches {', '.join(settings.manifests)}"
    remedy = "name them in registry.manifests"
    if beside:
        them, match = ("it", "matches") if len(beside) == 1 else ("them", "match")
        remedy = f"{count(len(beside), 'untracked file')} {match}: git add {them}"
    return Result(Verdict.UNKNOWN, f"{said}; {remedy}" if beside else said, f"{said}\n  {remedy}")


def _faults(found: Iterable[Iterable[Mapping[str, Any]]]) -> list[str]:
    """What is odd, the rarest first: what is odd everywhere is a custom."""
    faults = [fault for row in found for fault in row]
    kinds = Counter((fault["pointer"], fault["what"]) for fault in faults)
    first: dict[tuple[str, str], str] = {}
    for fault in faults:
        first.setdefault((fault["pointer"], fault["what"]), fault["file"])
    lines = []
    for (pointer, what), often in sorted(kinds.items(), key=lambda item: (item[1], item[0])):
        where = f"{first[pointer, what]}{f' {pointer}' if pointer else ''}"
        more = f" (and {often - 1:,} more like it)" if often > 1 else ""
        lines.append(f"  {one_line(where)}: {one_line(what)}{more}")
    left = len(lines) - _LISTED
    return [*lines[:_LISTED], *([f"  … and {left:,} more, in MODULE_REGISTRY.json"] * (left > 0))]


def _artefacts(registry: Mapping[str, Any]) -> list[str]:
    return [
        f"  {one_line(row['path'])}: {count(row['files'], 'tracked file')} that a build left behind"
        for row in registry["artefacts"][:_LISTED]
    ]


def _loose(folders: Sequence[Mapping[str, Any]]) -> list[str]:
    return [
        f"  {one_line(row['path'])}: {count(row['python'], 'Python file')} in no module"
        for row in folders[:_LISTED]
    ]
