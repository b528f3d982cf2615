"""A test's marker taken away, and nothing else of the file changed."""

from __future__ import annotations

from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.promotion.remedies.model import LINE, READY, Action, Facts, Seen
from pytest_cockpit.quarantine.marks import MARKER
from pytest_cockpit.quarantine.source import spot


def unneeded(seen: Seen, facts: Facts) -> Action | None:
    """A quarantined test that passes: its marker has served."""
    path = facts.here(seen.finding.path)
    test = seen.told("test") or (path or "")
    before = facts.read(path) if path else None
    if path is None or before is None:
        return None
    after = without_marker(before, test, seen.told("issue"))
    diff = diffs.between(path, before, after) if after is not None else None
    detail = f"remove the marker {MARKER} of {test}"
    return Action(
        "remove-marker", detail, READY if diff else LINE, path, seen.finding.line, diff=diff
    )


def without_marker(source: bytes, node_id: str, issue: str) -> bytes | None:
    """The file without the marker of one test; None where other tests may be marked by it."""
    try:
        found = spot(source.decode(), node_id, issue)
    except UnicodeDecodeError:
        return None
    if found is None or found.without is None:
        return None
    alone = found.scope == "case" or (found.scope == "function" and "[" not in node_id)
    return found.without.encode() if alone else None
