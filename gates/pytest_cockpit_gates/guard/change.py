"""What a change does to the lane, judged by plain facts; reads nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from pytest_cockpit.api import Finding
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit_gates.guard import rules
from pytest_cockpit_gates.guard.places import Place, Places

LINK, SUBMODULE = "120000", "160000"
MODULES = ".gitmodules"


@dataclass(frozen=True, slots=True)
class Entry:
    """What lies at a path: a git mode and an object id, empty where nobody has worked it out."""

    mode: str
    oid: str = ""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the content of a new file was before: `gone` if it is there no longer."""

    path: str
    gone: bool
    percent: int = 100


@dataclass(frozen=True, slots=True)
class Change:
    """The difference between a base and a tree.

    Parameters
    ----------
    before, after: what lies at the paths that differ, in the base and in the tree.
    merged: what sides of a merge under way have at such paths.
    origins: where git finds the content of new files of the lane.
    links: every symbolic link of the tree with its target.
    submodules: paths that `.gitmodules` names and did not name.
    lost_shims: paths of the lane that held a shim and hold something else.
    restored: paths of the lane that a rollback has put back, as its row says.
    promoted: where files of the lane went by the ledger, in whose spelling both paths are.
    """

    lane: str
    before: Mapping[str, Entry] = field(default_factory=dict)
    after: Mapping[str, Entry] = field(default_factory=dict)
    merged: Mapping[str, frozenset[Entry]] = field(default_factory=dict)
    origins: Mapping[str, Origin] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=dict)
    submodules: frozenset[str] = frozenset()
    lost_shims: frozenset[str] = frozenset()
    restored: frozenset[str] = frozenset()
    promoted: Mapping[str, str] = field(default_factory=dict)


def judge(change: Change) -> Iterator[Finding]:
    """A finding for every path by which the change brings something into the lane."""
    places = Places(change.lane)
    for path, entry in sorted(change.after.items()):
        found = _judged(change, places, path, entry)
        if found is not None:
            yield _finding(change, path, *found)
    for path in sorted(change.submodules):
        if places.of(path) is not Place.ELSEWHERE:
            message = f"names a submodule at {_shown(path)}"
            yield _finding(change, MODULES, rules.SUBMODULE, message)


def _judged(change: Change, places: Places, path: str, entry: Entry) -> tuple[str, str] | None:
    """The rule that this path breaks, and how; None where it breaks none."""
    place = places.of(path)
    if entry.mode in (LINK, SUBMODULE):
        brought = entry in change.merged.get(path, ())
        return None if brought else _special(change, places, place, path, entry)
    if place not in (Place.LANE, Place.VARIANT) or path in change.restored:
        return None
    if path in change.lost_shims:
        return rules.RESURRECTED, "was promoted, and is a file of its own again"
    if path in change.before or path in change.merged:
        return None
    return _added(change, places, place, path)


def _special(
    change: Change, places: Places, place: Place, path: str, entry: Entry
) -> tuple[str, str] | None:
    if place is not Place.ELSEWHERE:
        where = "is" if place is not Place.ABOVE else "stands above the lane and is"
        if entry.mode == SUBMODULE:
            return rules.SUBMODULE, f"{where} a submodule"
        target = _shown(change.links.get(path, "an unknown place"))
        return rules.LINK_IN_LANE, f"{where} a symbolic link to {target}"
    if entry.mode == LINK and places.leads_in(path, change.links):
        return rules.LINK_INTO_LANE, f"leads into the lane: {_shown(change.links[path])}"
    return None


def _added(change: Change, places: Places, place: Place, path: str) -> tuple[str, str]:
    if place is Place.VARIANT:
        return rules.CASE_VARIANT, f"is in {change.lane} where letters or their form do not count"
    went = change.promoted.get(printable(path))
    if went is not None:
        return rules.RESURRECTED, f"was promoted to {_shown(went)}, and is there again"
    origin = change.origins.get(path)
    if origin is None:
        return rules.NEW_FILE, "is new in the lane"
    like = "" if origin.percent == 100 else f", {origin.percent} % alike"  # noqa: PLR2004 - percent
    source = f"{_shown(origin.path)}{like}"
    if not origin.gone:
        return rules.COPIED_IN, f"is a copy of {source}"
    if places.of(origin.path) is Place.LANE:
        return rules.MOVED_WITHIN, f"was moved from {source}"
    return rules.RENAMED_IN, f"was moved into the lane from {source}"


def _finding(change: Change, path: str, rule: str, message: str) -> Finding:
    before, after = change.before.get(path), change.after.get(path)
    entries = {"before": before, "after": after}
    return Finding(
        rule,
        message,
        path=printable(path),
        remedy=rules.REMEDY[rule].format(lane=change.lane),
        evidence={
            name: {"mode": entry.mode, "blob": entry.oid}
            for name, entry in entries.items()
            if entry is not None
        },
    )


def _shown(path: str) -> str:
    return one_line(path)
