"""The baseline: which tests may be in quarantine. Pure: documents in, documents and tests out.

Its entries are, by test file, the issue of each test by the rest of its node id. What an entry
does not have is not permitted, so the join of two baselines is what both permit.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit.records.artifacts import printable

Entries = Mapping[str, Any]


@dataclass(frozen=True, order=True, slots=True)
class Place:
    """A test as the baseline has it: its file, the rest of its node id, and the issue."""

    path: str
    name: str
    issue: str

    @classmethod
    def of(cls, node_id: str, issue: object) -> Place:
        """The place of a test."""
        path, _, name = printable(node_id).partition("::")
        return cls(path, name, printable(str(issue)))

    @property
    def id(self) -> str:
        """The node id."""
        return f"{self.path}::{self.name}"


def entries(places: Iterable[Place]) -> dict[str, dict[str, dict[str, str]]]:
    """The entries that permit just these tests."""
    found: dict[str, dict[str, dict[str, str]]] = {}
    for place in sorted(places):
        found.setdefault(place.path, {"tests": {}})["tests"][place.name] = place.issue
    return found


def places(document: Entries, where: str) -> list[Place]:
    """The tests that these entries permit.

    Raises
    ------
    CockpitError: an entry is malformed; `where` names the file.
    """
    return [
        Place(path, name, issue)
        for path, entry in sorted(document.items())
        for name, issue in sorted(_tests(entry, f"{where}: /entries/{path}").items())
    ]


def join(mine: JSON, theirs: JSON) -> dict[str, Any]:
    """The least baseline that is at least as tight as both.

    Raises
    ------
    CockpitError: an entry is malformed.
    """
    left, right = (
        {(it.path, it.name): it for it in places(each["entries"], "quarantine")}
        for each in (mine, theirs)
    )
    met = [min(left[key], right[key]) for key in left.keys() & right.keys()]
    return {"entries": entries(met), "meta": {}}


def beyond(
    wanted: Iterable[Place], permitted: Iterable[Place], files: Collection[str]
) -> set[Place]:
    """Those of the wanted tests that are not permitted.

    A test is permitted under its node id; or, once for each, under that of one with the same name
    and issue whose file is not among `files`: it went to another file.
    """
    wanted, permitted = list(wanted), list(permitted)
    known = {(it.path, it.name) for it in permitted}
    free = Counter((it.name, it.issue) for it in permitted if it.path not in files)
    left = set()
    for place in sorted(wanted):
        if (place.path, place.name) in known:
            continue
        if free[place.name, place.issue]:
            free[place.name, place.issue] -= 1
        else:
            left.add(place)
    return left


def _tests(entry: object, where: str) -> Mapping[str, str]:
    tests = entry.get("tests") if isinstance(entry, Mapping) else None
    if not isinstance(tests, Mapping) or not all(isinstance(it, str) for it in tests.values()):
        raise CockpitError(f"{where}: expected tests, an issue by each name; restore it from git")
    return tests
