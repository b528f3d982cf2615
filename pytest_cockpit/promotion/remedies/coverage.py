"""Actions for what the coverage gate finds."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable, Mapping

from pytest_cockpit.promotion.remedies import data, names, walks
from pytest_cockpit.promotion.remedies.model import (
    CODE,
    COMMAND,
    LINE,
    TESTS,
    Action,
    Facts,
    Remedy,
    Seen,
)

_NAMED = 3
_INIT = "pytest --cockpit-init"
_FAILURE = "coverage.new-test-failure"


def _uncovered(seen: Seen, facts: Facts) -> Action | None:
    """Statements that nothing executes: which, and the test file that is nearest to them."""
    finding = seen.finding
    lines = seen.told("newly_uncovered") or seen.told("uncovered")
    if finding.path is None or not lines:
        return None
    return _cover(seen, facts, f"let a test execute lines {lines} of {finding.path}")


def _branches(seen: Seen, facts: Facts) -> Action | None:
    """Branches that nothing takes: a line, and how many ways out of it."""
    finding, untaken = seen.finding, seen.finding.evidence.get("untaken")
    if finding.path is None or not isinstance(untaken, list):
        return None
    lines = [str(pair[0]) for pair in untaken if isinstance(pair, list) and pair]
    more = f" and {len(lines) - _NAMED} more" if len(lines) > _NAMED else ""
    told = f"let tests take every way out of line {', '.join(lines[:_NAMED])}{more}"
    return _cover(seen, facts, f"{told} of {finding.path}") if lines else None


def _cover(seen: Seen, facts: Facts, detail: str) -> Action | None:
    """What nothing executes because a test fails is mended with the test."""
    path = seen.finding.path or ""
    failed = facts.stopped.get(facts.here(path) or path) if facts.failing else None
    if failed is not None:
        return _failure(failed, facts)
    test = nearest_test(path, facts)
    into = f"; the nearest test file is {test}" if test else "; no test file imports it"
    return Action("cover", detail + into, TESTS, facts.here(path), seen.finding.line)


def _failure(seen: Seen, facts: Facts) -> Action | None:
    """A test that fails since this change: what it misses, or the changed files it imports."""
    finding, test = seen.finding, seen.told("test")
    lost = names.lost_in(finding.message)
    action = names.served(lost, facts) if lost else None
    action = action or data.left_behind(finding.message, facts)
    if action is not None and action.file is not None:
        return action
    path = facts.here(finding.path)
    if path is None or not test:
        return None
    suspects = _in_traceback(seen, facts) or walks.nearest({path}, facts.graph, facts.changed)
    if not suspects:
        detail = f"{test} fails, and imports nothing that changed: look at the test itself"
        return Action("mend", detail, CODE, path, finding.line)
    shown = ", ".join(suspects[:_NAMED])
    more = f" and {len(suspects) - _NAMED} more" if len(suspects) > _NAMED else ""
    detail = f"make the tests of {path} pass; of what changed they lead to {shown}{more}"
    return Action("mend", detail, CODE, suspects[0])


def _in_traceback(seen: Seen, facts: Facts) -> list[str]:
    """Changed files in which the failure was, the innermost first."""
    frames = seen.finding.evidence.get("frames")
    told = frames if isinstance(frames, list) else []
    paths = [facts.here(frame) or frame for frame in reversed(told) if isinstance(frame, str)]
    return [path for path in dict.fromkeys(paths) if path in facts.changed]


def failing(seen: Iterable[Seen], facts: Facts) -> dict[str, Seen]:
    """The first failure of each test file."""
    found: dict[str, Seen] = {}
    for each in seen:
        path = facts.here(each.finding.path)
        if each.finding.rule == _FAILURE and path is not None:
            found.setdefault(path, each)
    return found


def _loosened(seen: Seen, facts: Facts) -> Action | None:
    """A bound that was made wider."""
    document, pointer = seen.told("document"), seen.told("pointer")
    if not document:
        return None
    detail = f"take {pointer} back from the base commit"
    return Action("restore", detail, LINE, document)


def _measure(seen: Seen, facts: Facts) -> Action | None:
    """No baseline."""
    detail = "measure the baseline on a commit you trust, and commit it"
    return Action("measure", detail, COMMAND, seen.finding.path, command=_INIT)


def _run_by_hand(seen: Seen, facts: Facts) -> Action | None:
    """Tests that did not run to their end."""
    command = seen.told("command")
    if not command:
        return None
    last = seen.finding.evidence.get("last_lines")
    said = [line for line in last if isinstance(line, str)] if isinstance(last, list) else []
    lost = names.lost_in("\n".join(said))
    action = names.served(lost, facts) if lost else None
    return action or Action(
        "run", "run the tests by hand and mend what stops them", CODE, command=command
    )


def nearest_test(path: str, facts: Facts) -> str | None:
    """The test file with the shortest way of imports to a file; the first by name of several."""
    start = facts.here(path) or path
    found = walks.nearest({start}, facts.importers, facts.tests)
    if found:
        return found[0]
    wanted = f"test_{posixpath.basename(start)}"
    return next((test for test, name in facts.tests.items() if name == wanted), None)


REMEDIES: Mapping[str, Remedy] = {
    "coverage.more-missing-lines": _uncovered,
    "coverage.more-missing-branches": _branches,
    "coverage.new-file": _uncovered,
    "coverage.patch": _uncovered,
    "coverage.below-target": _uncovered,
    _FAILURE: _failure,
    "coverage.loosened-baseline": _loosened,
    "coverage.no-baseline": _measure,
    "coverage.tests-did-not-run": _run_by_hand,
}
