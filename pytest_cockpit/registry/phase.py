"""The registry as a phase: what is generated from all modules, where it is not so already."""

from __future__ import annotations

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.records.text import count
from pytest_cockpit.registry import documents


def run(place: Place) -> Result:
    """Bring every generated document up to date."""
    made = documents.generate(place)
    changed = {path: content for path, content in made.items() if place.read(path) != content}
    said = f"{count(len(made), 'document')}, {len(changed):,} of them changed"
    facts = {"documents": len(made), "changed": sorted(changed)}
    return Result(Verdict.PASS, said, changes=Changes(files=changed), facts=facts)
