"""From reports to a patch plan: which actions, in which order, how many of them."""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from pytest_cockpit.api import Report, Severity
from pytest_cockpit.promotion.remedies import contracts, coverage, guards, imports, ledger
from pytest_cockpit.promotion.remedies.model import THOUGHT, Action, Facts, Remedy, Seen
from pytest_cockpit.records.limits import short
from pytest_cockpit.records.text import one_line, printable

MOST = 30
"""Actions in a plan; how many more there would be is said."""

_DETAIL = 400
_DIFF = 8_000
_LINES = "the patch is too long to be shown"
_BESIDE = "the patch is not shown, because it stands beside what looks like a secret"
_BLOCKING = (Severity.ERROR, Severity.UNKNOWN)
_REMEDIES: Mapping[str, Remedy] = {
    **contracts.REMEDIES,
    **coverage.REMEDIES,
    **guards.REMEDIES,
    **imports.REMEDIES,
    **ledger.REMEDIES,
}


@dataclass(frozen=True, slots=True)
class PatchPlan:
    """What to do, the least effort for the most findings first.

    Parameters
    ----------
    findings: how many findings stand in the way.
    left_out: actions beyond those that are given.
    """

    actions: tuple[Action, ...]
    findings: int
    left_out: int = 0

    @property
    def covered(self) -> int:
        """How many of the findings the given actions answer."""
        return len({each for action in self.actions for each in action.because})


def plan(reports: Mapping[str, Report], facts: Facts) -> PatchPlan:
    """The patch plan for the reports of gates that are not open."""
    seen = list(blocking(reports))
    facts = dataclasses.replace(facts, failing=coverage.failing(seen, facts))
    merged = _merged(action_for(each, facts) for each in seen)
    ordered = sorted(merged, key=_order)
    return PatchPlan(tuple(map(_bounded, ordered[:MOST])), len(seen), max(0, len(ordered) - MOST))


def without_secrets(made: PatchPlan, redact: Callable[[str], str]) -> PatchPlan:
    """The plan without patches that show a secret beside what they change."""
    actions = [
        action
        if action.diff is None or redact(action.diff) == action.diff
        else dataclasses.replace(action, diff=None, detail=f"{action.detail}; {_BESIDE}")
        for action in made.actions
    ]
    return dataclasses.replace(made, actions=tuple(actions))


def blocking(reports: Mapping[str, Report]) -> Iterable[Seen]:
    """The findings that keep gates shut, each with its id."""
    for gate, report in sorted(reports.items()):
        for index, finding in enumerate(report.findings):
            if finding.severity in _BLOCKING:
                yield Seen(f"{gate}#{index}", gate, finding)


def action_for(seen: Seen, facts: Facts) -> Action:
    """What the rule's own function makes of a finding, or else its remedy."""
    known = _REMEDIES.get(seen.finding.rule)
    action = known(seen, facts) if known else None
    if action is None:
        finding = seen.finding
        detail = finding.remedy or f"mend what {finding.rule} says: {finding.message}"
        action = Action(
            "remedy", detail, THOUGHT, facts.here(finding.path), finding.line, computed=False
        )
    return dataclasses.replace(action, because=(seen.id,))


def _merged(actions: Iterable[Action]) -> list[Action]:
    """One action where several findings ask for the same."""
    groups: dict[tuple[str, str | None, str], list[Action]] = defaultdict(list)
    for action in actions:
        groups[action.key].append(action)
    return [
        dataclasses.replace(
            group[0],
            because=tuple(dict.fromkeys(each for one in group for each in one.because)),
            detail="; ".join(dict.fromkeys(one.detail for one in group)),
        )
        for group in groups.values()
    ]


def _order(action: Action) -> tuple[float, float, int, str, int, str]:
    covers = len(action.because)
    place = (action.file or "", action.line or 0, action.detail)
    return action.effort / covers, action.effort, -covers, *place


def _bounded(action: Action) -> Action:
    """The action in a size that can be shown."""
    detail = short(one_line(printable(action.detail)), _DETAIL)
    diff = action.diff
    if diff is not None and len(diff) > _DIFF:
        diff, detail = None, f"{detail}; {_LINES}"
    file = None if action.file is None else printable(action.file)
    command = None if action.command is None else one_line(printable(action.command))
    return dataclasses.replace(action, detail=detail, diff=diff, file=file, command=command)
