"""Actions for what the guard of the lane finds, and for tests in quarantine."""

from __future__ import annotations

import dataclasses
import re
import shlex
from collections.abc import Mapping

from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.promotion.remedies import diffs, markers, names
from pytest_cockpit.promotion.remedies.model import (
    CODE,
    COMMAND,
    READY,
    Action,
    Facts,
    Remedy,
    Seen,
)
from pytest_cockpit.promotion.remedies.typed import folder_first

_FROM = re.compile(r" from (.+?)(?:, \d+ % alike)?\Z")


def _new(seen: Seen, facts: Facts) -> Action | None:
    """A new file of the lane: where it would be promoted to."""
    path = seen.finding.path
    if path is None or not facts.layout.is_lane(path) or path not in facts.paths:
        return None
    target = facts.layout.target_of(path)
    return None if target in facts.paths else _moved(path, target, facts)


def _back(seen: Seen, facts: Facts) -> Action | None:
    """A file that was moved into the lane, or about in it."""
    path, found = seen.finding.path, _FROM.search(seen.finding.message)
    if path is None or found is None or path not in facts.paths or found[1] in facts.paths:
        return None
    return _moved(path, found[1], facts)


def _out(seen: Seen, facts: Facts) -> Action | None:
    """A copy, a link or a submodule."""
    path = seen.finding.path
    if path is None or path not in facts.paths:
        return None
    command = f"git rm --force -- {shlex.quote(path)}"
    return Action("remove", "remove it", COMMAND, path, command=command)


def _resurrected(seen: Seen, facts: Facts) -> Action | None:
    """A promoted file's old path with content of its own."""
    old = seen.finding.path
    if old is None or not facts.layout.is_lane(old):
        return None
    new = facts.layout.target_of(old)
    action = names.add_shim(old, new, facts) if new in facts.paths and facts.lane.shims else None
    if action is None:
        return None
    standing = facts.read(old)
    if standing is not None and is_shim(standing):
        return action
    detail = f"carry over to {new} what is new in it; then {action.detail}"
    return dataclasses.replace(action, detail=detail, diff=None, effort=CODE)


def _moved(old: str, new: str, facts: Facts) -> Action:
    command = f"{folder_first(new, facts)}git mv -- {shlex.quote(old)} {shlex.quote(new)}"
    diff = diffs.renamed(old, new)
    effort = READY if diff else COMMAND
    return Action("move", f"move it to {new}", effort, old, command=command, diff=diff)


REMEDIES: Mapping[str, Remedy] = {
    "guard.new-file": _new,
    "guard.renamed-in": _back,
    "guard.moved-within": _back,
    "guard.copied-in": _out,
    "guard.link-in-lane": _out,
    "guard.submodule": _out,
    "guard.resurrected": _resurrected,
    "quarantine.passes": markers.unneeded,
}
