"""How bad an evaluation is: a level, a deadline and an action for all that is not green."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from pytest_cockpit.api import Finding, Verdict
from pytest_cockpit.api import Severity as Weight
from pytest_cockpit_gates.gemm.closing.contradictions import (
    RULE,
    contradictions,
    other_pairs,
    unmeasured,
    without,
)
from pytest_cockpit_gates.gemm.closing.sla import Level, Sla
from pytest_cockpit_gates.gemm.verdicts import PROMOTE, Check, Evaluation


@dataclass(frozen=True, slots=True)
class Incident:
    """One thing that is not green.

    Parameters
    ----------
    check, key, verdict, message: of the check, or of the trigger that fired.
    level: how urgent it is.
    cause: the trigger or the mapping that says so.
    respond_by: until when somebody has to respond.
    """

    check: str
    key: str
    verdict: Verdict
    message: str
    level: Level
    cause: str
    respond_by: datetime

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {
            "check": self.check,
            "key": self.key,
            "verdict": self.verdict.value,
            "message": self.message,
            "severity": self.level.name,
            "cause": self.cause,
            "respond_by": stamp(self.respond_by),
            "action": self.level.action.name,
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """The severity of an evaluation.

    Parameters
    ----------
    at: the time of the evaluation, which deadlines are counted from.
    level: the most urgent of all incidents; that of all green where there is none.
    findings: checks without a severity, and contradictions.
    """

    at: datetime
    sla: Sla
    level: Level
    incidents: tuple[Incident, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def respond_by(self) -> datetime:
        """The earliest deadline."""
        return self.at + timedelta(minutes=self.level.minutes)

    @property
    def rollback(self) -> bool:
        """Whether an incident demands to go back to the fallback platform."""
        return any(incident.level.action.rollback for incident in self.incidents)

    @property
    def promotion(self) -> bool:
        """Whether every action lets a promotion follow, and everything has a severity."""
        levels = [self.level, *(incident.level for incident in self.incidents)]
        unmapped = any(finding.severity is Weight.ERROR for finding in self.findings)
        return not unmapped and all(level.action.promotion for level in levels)

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {
            "sla": {
                "id": self.sla.id,
                "path": self.sla.path,
                "sha256": self.sla.sha256,
                "rollback": dict(self.sla.rollback),
            },
            "evaluated_at": stamp(self.at),
            "severity": self.level.name,
            "respond_by": stamp(self.respond_by),
            "action": self.level.action.name,
            "action_text": self.level.action.text,
            "rollback": self.rollback,
            "promotion": self.promotion,
            "incidents": [incident.to_json() for incident in self.incidents],
            "problems": [finding.message for finding in self.findings],
        }


def stamp(at: datetime) -> str:
    """A time in UTC as ISO 8601, to the second."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def assess(
    evaluation: Evaluation,
    sla: Sla,
    *,
    at: datetime,
    bounds: Mapping[str, Any] | None = None,
    pair: tuple[str, str] | None = None,
    measured: Mapping[str, Any] | None = None,
) -> Assessment:
    """Give everything that is not green its level, deadline and action.

    Parameters
    ----------
    at: the time of the evaluation, in UTC.
    bounds: the policy's `global_guardrails`, and `min_CANDIDATE_ratio`; what contradicts the SLA
        is told.
    pair: candidate and fallback, where triggers about another pair are to be told.
    measured: the run's parameters, where what the SLA's scope has beyond them is to be told.
    """
    found: list[Finding] = [*contradictions(sla, bounds or {}), *other_pairs(sla, pair)]
    found += unmeasured(sla, measured or {})
    incidents = []
    for check in evaluation.red:
        level, cause = _level_of(check, sla)
        if level is None:
            # What nobody has judged is as urgent as can be.
            level, cause = sla.levels[0], "no severity: taken for the most urgent"
            found.append(without(check.name, sla))
        incidents.append(_incident(check, level, cause, at))
    incidents += _fired(evaluation, sla, at)
    if not incidents and evaluation.decision != PROMOTE:
        told = f"the decision is {evaluation.decision} though no check is red"
        incident, finding = _of_state("not_promoted", Verdict.FAIL, told, sla, at)
        incidents.append(incident)
        found += finding
    incidents.sort(key=lambda incident: incident.level.rank)
    level = incidents[0].level if incidents else sla.green
    return Assessment(at, sla, level, tuple(incidents), tuple(found))


def of_state(
    state: str, message: str, sla: Sla, *, at: datetime, verdict: Verdict = Verdict.UNKNOWN
) -> Assessment:
    """The severity of what came to no evaluation.

    Parameters
    ----------
    state: `run_failed`, `unknown` or `not_promoted`.
    """
    incident, found = _of_state(state, verdict, message, sla, at)
    return Assessment(at, sla, incident.level, (incident,), tuple(found))


def _of_state(
    state: str, verdict: Verdict, message: str, sla: Sla, at: datetime
) -> tuple[Incident, list[Finding]]:
    level = sla.states.get(state)
    found = [] if level else [without(state, sla, "states")]
    check = Check(state, RULE, verdict, message)
    return _incident(check, level or sla.levels[0], f"states/{state}", at), found


def _level_of(check: Check, sla: Sla) -> tuple[Level | None, str]:
    """The level of a red check, and what says so; None where nothing does."""
    level, cause = _by_name(check, sla)
    if level is None:
        return None, cause
    unknown = sla.states.get("unknown")
    if check.verdict is Verdict.UNKNOWN and unknown is not None and unknown.rank > level.rank:
        # What is unknown is no worse than if it had failed.
        return unknown, "states/unknown"
    return level, cause


def _by_name(check: Check, sla: Sla) -> tuple[Level | None, str]:
    about = [(level, trigger) for level, trigger in sla.triggers if check.name in trigger.checks]
    for level, trigger in about:
        if trigger.fired(check.observed) is not False:
            return level, trigger.text
    if about:
        # It failed by the policy's bound, which is tighter than the SLA's.
        level, trigger = about[-1]
        return level, trigger.text
    return sla.checks.get(check.name), f"checks/{check.name}"


def _fired(evaluation: Evaluation, sla: Sla, at: datetime) -> Iterator[Incident]:
    """Green checks whose numbers are beyond what the SLA says, if not what the policy says."""
    for check in evaluation.checks:
        if not check.verdict.opens:
            continue
        for level, trigger in sla.triggers:
            if check.name in trigger.checks and trigger.fired(check.observed):
                yield _incident(check, level, trigger.text, at)
                break


def _incident(check: Check, level: Level, cause: str, at: datetime) -> Incident:
    return Incident(
        check=check.name,
        key=check.key,
        verdict=check.verdict,
        message=check.message,
        level=level,
        cause=cause,
        respond_by=at + timedelta(minutes=level.minutes),
    )
