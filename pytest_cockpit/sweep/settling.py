"""What measured figures change: manifests, rows of the ledger, and what is said of each module."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.phases import Changes, Place, Result, is_fixed
from pytest_cockpit.records import ledger_kinds
from pytest_cockpit.records.text import count, printable
from pytest_cockpit.registry import bound, substance
from pytest_cockpit.registry import measured as recorded
from pytest_cockpit.registry.modules import Module, discover
from pytest_cockpit.sweep import manifest
from pytest_cockpit.sweep.model import Measured, Outcome, State

ARTIFACT = "sweep.measured.json"
_FIGURE = "coverage_observed"
_SHOWN = 40
_HEAD = ("module", "state", "coverage %", "change")
_VERDICTS = {
    State.PASSED: Verdict.PASS,
    State.FAILED: Verdict.FAIL,
    State.ERROR: Verdict.ERROR,
    State.NO_TESTS: Verdict.SKIP,
    State.CRASHED: Verdict.UNKNOWN,
}
# What is to be mended comes first.
_ORDER = (State.FAILED, State.ERROR, State.CRASHED, State.PASSED, State.NO_TESTS)
_TOLERATED = (State.FAILED, State.ERROR)


def verdict(outcome: Outcome, failures: str) -> Verdict:
    """What a module's outcome is to the session; `failures` is the setting of that name."""
    if failures == "warn" and outcome.state in _TOLERATED:
        return Verdict.WARN
    return _VERDICTS[outcome.state]


def said(outcome: Outcome) -> str:
    """One line about a module."""
    tests = outcome.tests
    counts = ", ".join(f"{number} {name}" for name, number in tests.to_json().items() if number)
    parts = [outcome.state.value if outcome.state is not State.PASSED else "", _figure(outcome)]
    if outcome.state is State.NO_TESTS:
        parts = [outcome.reason]
    elif counts:
        parts.append(counts)
    if outcome.unreadable:
        parts.append(f"{count(len(outcome.unreadable), 'file')} cannot be parsed")
    return "; ".join(part for part in parts if part)


def text(outcome: Outcome) -> str:
    """All there is to say about a module that is not green."""
    lines = [said(outcome)]
    if outcome.reason and outcome.state is not State.NO_TESTS:
        lines.append(outcome.reason)
    if outcome.apart:
        lines.append(f"run again in a process of its own, which counts: {outcome.apart}")
    lines += [f"{path}: {error}" for path, error in sorted(outcome.unreadable.items())]
    return "\n  ".join(map(printable, lines))


def settle(place: Place, measured: Measured) -> Result:
    """What the figures change; starts nothing and writes nothing.

    Raises
    ------
    CockpitError: they were measured of another commit.
    """
    if measured.commit != place.commit:
        raise CockpitError(
            f"measured at {measured.commit[:12]}, not at {place.commit[:12]}; measure again"
        )
    failures = place.settings.sweep.failures
    modules = {module.path: module for module in discover(place)}
    outcomes = [each for each in measured.outcomes if each.module in modules]
    verdicts = [verdict(each, failures) for each in outcomes]
    changed = _changed(place, modules, outcomes)
    files, faults = _manifests(place, modules, outcomes, {each.module for each in changed})
    told = {each.module for each in changed} | {
        path for path, module in modules.items() if module.manifest in files
    }
    rows = [_row(place, modules[each.module], each) for each in changed]
    listed = [
        f"{printable(each.module)}: {text(each)}"
        for each in sorted(outcomes, key=lambda each: _ORDER.index(each.state))
        if verdict(each, failures) not in (Verdict.PASS, Verdict.SKIP)
    ]
    return Result(
        _worst(verdicts),
        _summary(outcomes, len(told)),
        "\n".join([*_some(listed), *faults]),
        Changes(files, (*rows, *bound.rows(place, files))),
        facts(measured),
        {ARTIFACT: ((measured.lasting() if is_fixed() else measured).to_json(), "sweep-measured")},
    )


def table(place: Place, measured: Measured) -> list[str]:
    """Every module with its state, its figure, and by how much that is another than the last."""
    known = recorded.newest(recorded.coverage(place.rows))
    rows = [
        (
            printable(each.module),
            each.state.value,
            "" if each.percent is None else f"{each.percent:.2f}",
            _difference(each.percent, known.get(printable(each.module))),
        )
        for each in measured.outcomes
    ]
    names, states = ("module", *(row[0] for row in rows)), ("state", *(row[1] for row in rows))
    first, second = max(map(len, names)), max(map(len, states))
    return [
        f"{name:<{first}}  {state:<{second}}  {figure:>10}  {change:>8}".rstrip()
        for name, state, figure, change in (_HEAD, *rows)
    ]


def _difference(now: float | None, before: recorded.Coverage | None) -> str:
    """Between two figures, where there are two."""
    if now is None:
        return ""
    if before is None or before.percent is None:
        return "new"
    return f"{now - before.percent:+.2f}" if now != before.percent else "none"


def facts(measured: Measured) -> dict[str, Any]:
    """The figures of a sweep."""
    states = Counter(each.state.value for each in measured.outcomes)
    with_figure = [each.percent for each in measured.outcomes if each.percent is not None]
    statements = sum(each.statements or 0 for each in measured.outcomes)
    missing = sum(each.missing or 0 for each in measured.outcomes)
    return {
        "modules": len(measured.outcomes),
        "states": {state.value: states[state.value] for state in State},
        "with_coverage": len(with_figure),
        "apart": sum(bool(each.apart) for each in measured.outcomes),
        "statements": statements,
        "missing": missing,
    }


def _figure(outcome: Outcome) -> str:
    if outcome.percent is None:
        return "no statement to cover" if outcome.state.measured else ""
    covered = (outcome.statements or 0) - (outcome.missing or 0)
    return f"{outcome.percent:.2f} % ({covered} of {count(outcome.statements or 0, 'line')})"


def _worst(verdicts: Sequence[Verdict]) -> Verdict:
    """A module without tests does not make the others' figures less than they are.

    Where there is no module at all, nothing has been looked at.
    """
    told = [each for each in verdicts if each is not Verdict.SKIP]
    if told:
        return Verdict.worst(told)
    return Verdict.SKIP if verdicts else Verdict.UNKNOWN


def _summary(outcomes: Sequence[Outcome], changed: int) -> str:
    states = Counter(each.state for each in outcomes)
    told = ", ".join(f"{states[state]} {state.value}" for state in State if states[state])
    new = f"{changed} changed" if changed else "no figure changed"
    return f"{count(len(outcomes), 'module')}: {told or 'none'}; {new}"


def _some(lines: Sequence[str]) -> list[str]:
    more = len(lines) - _SHOWN
    return [*lines[:_SHOWN], *([f"… and {more} more"] if more > 0 else [])]


def _changed(
    place: Place, modules: Mapping[str, Module], outcomes: Sequence[Outcome]
) -> list[Outcome]:
    """Outcomes that say something else than the newest row of their module."""
    newest = recorded.newest(recorded.coverage(place.rows))
    found = []
    for each in outcomes:
        before = newest.get(printable(each.module))
        told = before and (
            before.state,
            before.statements,
            before.missing,
            before.digest,
            before.content,
        )
        content = substance.digest(place, modules[each.module])
        now = (each.state.value, each.statements, each.missing, each.data_sha256, content)
        if told != now:
            found.append(each)
    return found


def _row(place: Place, module: Module, outcome: Outcome) -> dict[str, Any]:
    return {
        "kind": ledger_kinds.COVERAGE,
        "at": place.at(),
        "module": printable(outcome.module),
        "commit": place.commit,
        "state": outcome.state.value,
        "statements": outcome.statements,
        "missing": outcome.missing,
        "tests": outcome.tests.to_json(),
        "data_sha256": outcome.data_sha256,
        "content_sha256": substance.digest(place, module),
    }


def _manifests(
    place: Place,
    modules: Mapping[str, Module],
    outcomes: Sequence[Outcome],
    changed: AbstractSet[str],
) -> tuple[dict[str, bytes], list[str]]:
    """Manifests with the new figures, and what is odd about those that can hold none.

    The ledger may know a figure that its manifest does not show: somebody wrote another one there.
    """
    wanted = {modules[each.module].manifest: each for each in outcomes if each.percent is not None}
    files, faults = {}, []
    for path, content in place.read_all(sorted(wanted)):
        found = wanted[path]
        if found.module not in changed and manifest.says(content, _FIGURE, found.percent):
            continue
        values = {
            _FIGURE: found.percent,
            "observed_at": place.at(),
            "observed_commit": place.commit,
        }
        try:
            files[path] = manifest.entered(content, values)
        except manifest.Unfit as error:
            faults.append(f"{printable(path)}: {error}; its figures are in the ledger alone")
    return files, faults
