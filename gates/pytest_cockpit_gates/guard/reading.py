"""What differs between two trees, and which of it concerns the lane."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit_gates.guard.change import LINK, MODULES, SUBMODULE, Change, Entry
from pytest_cockpit_gates.guard.places import Place, Places
from pytest_cockpit_gates.guard.trees import Trees


def read(trees: Trees, lane: str, ledger_path: str) -> Change:
    """The change between the two trees. Raises `Unreadable`."""
    before: dict[str, Entry] = {}
    after: dict[str, Entry] = {}
    for row in trees.differing():
        if row.before is not None:
            before[row.path] = row.before
        if row.after is not None:
            after[row.path] = row.after
    concerned = _concerned(after, lane)
    modules = not {MODULES}.isdisjoint((*before, *after))
    if not (concerned or modules):
        return Change(lane, before, after)
    for path in concerned:
        after[path] = trees.known(path, after[path])
        if after[path] == before.get(path):
            # A file with a new date alone, which git has not read.
            del before[path], after[path]
    # Only now: most changes do not concern the lane, and a hook should cost them little.
    from pytest_cockpit_gates.guard.looking import Looking

    return Looking(trees, ledger_path, before, after).change(lane, concerned & after.keys())


def _concerned(after: Mapping[str, Entry], lane: str) -> set[str]:
    """Paths to look at: the lane's and what may stand for it, links and submodules everywhere."""
    places = Places(lane)
    return {
        path
        for path, entry in after.items()
        if entry.mode in (LINK, SUBMODULE) or places.of(path) is not Place.ELSEWHERE
    }
