"""The phases of a runbook, in order, and what each is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial

from pytest_cockpit.api import Context, Report, Verdict
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.sessions.runbook.chain import Done, Identity


@dataclass(frozen=True, slots=True)
class Course:
    """What a runbook has come to, for the phase whose turn it is.

    Parameters
    ----------
    gates: what the gates of the session came to so far, by name.
    judge: runs a gate, and takes waivers into account.
    """

    identity: Identity
    judge: Callable[[str, Context], Report]
    done: Sequence[Done] = ()
    gates: Mapping[str, Verdict] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Phase:
    """One phase.

    Parameters
    ----------
    halts: whether a red one ends the runbook; it is a warning otherwise.
    gated: whether the gates judge the tree before it.
    """

    name: str
    run: Callable[[Place, Course], Result]
    halts: bool = True
    gated: bool = False

    def verdict(self, result: Result) -> Verdict:
        """What the result means for what follows."""
        found = result.verdict
        if self.halts or found.opens or found is Verdict.SKIP:
            return found
        return Verdict.WARN


def _checkpoint(place: Place, course: Course) -> Result:
    from pytest_cockpit.registry import checkpoint, ledger_check

    judge = partial(ledger_check.report, run=course.judge)
    found = [(name, look()) for name, look in checkpoint.checks(place, judge=judge)]
    told = checkpoint.totals(result.verdict for _, result in found)
    lines = [f"  {name}: {result.verdict}: {result.summary}" for name, result in found]
    return Result(
        Verdict.worst(result.verdict for _, result in found),
        told,
        "\n".join([told, *lines]),
        facts={"said": {name: result.verdict.value for name, result in found}},
    )


def _baseline(place: Place, course: Course) -> Result:
    from pytest_cockpit.freeze import phase

    tag = course.identity.baseline_tag
    return phase.run(place, kind="baseline", tag=tag, checks=_checked(course, BEFORE))


def _registry(place: Place, course: Course) -> Result:
    from pytest_cockpit.registry import phase

    return phase.run(place)


def _scaffolding(place: Place, course: Course) -> Result:
    from pytest_cockpit.scaffolding import phase

    return phase.run(place, apply=True)


def _sweep(place: Place, course: Course) -> Result:
    from pytest_cockpit.sweep import phase

    return phase.run(place)


def _benchmarks(place: Place, course: Course) -> Result:
    from pytest_cockpit.benchmarking import phase

    return phase.run(place, collecting=True)


def _production(place: Place, course: Course) -> Result:
    from pytest_cockpit.freeze import phase

    return phase.run(
        place,
        kind="production",
        tag=course.identity.tag,
        checks=_checked(course, AFTER),
        gates=sorted((name, verdict.value) for name, verdict in course.gates.items()),
    )


def _checked(course: Course, phase: str) -> list[tuple[str, str]] | None:
    """What each check of a checkpoint said; None where it did not run."""
    found = next((one for one in course.done if one.phase == phase), None)
    return sorted((name, verdict.value) for name, verdict in said(found).items()) if found else None


def said(done: Done) -> dict[str, Verdict]:
    """What each check of a checkpoint came to."""
    return {name: Verdict(found) for name, found in done.facts["said"].items()}


def _report(place: Place, course: Course) -> Result:
    from pytest_cockpit.sessions.runbook import report

    return report.run(place, course)


BEFORE, AFTER = "checkpoint:before", "checkpoint:after"
BASELINE, PRODUCTION = "freeze:baseline", "freeze:production"
REPORT = "report"
PHASES = (
    Phase(BEFORE, _checkpoint, halts=False),
    Phase(BASELINE, _baseline),
    Phase("registry", _registry),
    Phase("scaffolding", _scaffolding),
    Phase("sweep", _sweep),
    Phase("benchmarks", _benchmarks),
    Phase("dashboards", _registry),
    Phase(AFTER, _checkpoint),
    Phase(PRODUCTION, _production, gated=True),
    Phase(REPORT, _report),
)
NAMES = tuple(phase.name for phase in PHASES)
