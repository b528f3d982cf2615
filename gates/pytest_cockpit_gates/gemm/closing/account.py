"""What one campaign came to, as its report and the week's minutes tell it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing.decision import UNKNOWN, Track
from pytest_cockpit_gates.gemm.closing.tables import table, tables
from pytest_cockpit_gates.gemm.strict import names
from pytest_cockpit_gates.gemm.verdicts import ITERATE, PROMOTE, Evaluation

_MOST = 50
"""Incidents that the ledger keeps of one campaign; the artifact has all of them."""


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase as it went; begin and end are empty where it was not done."""

    name: str
    verdict: str
    begun: str = ""
    ended: str = ""

    @property
    def seconds(self) -> str:
        """How long it took, to the second; empty where nobody knows."""
        try:
            took = datetime.fromisoformat(self.ended) - datetime.fromisoformat(self.begun)
        except (TypeError, ValueError):
            return ""
        return f"{took.total_seconds():.0f}"


@dataclass(frozen=True, slots=True)
class Account:
    """One campaign.

    Parameters
    ----------
    track: `replay` or `split`.
    decision: promote, iterate, stop, drop, or unknown where it came to no evaluation.
    rationale: why, in words.
    verdict: of the session; empty while it runs.
    phases: verdicts by name.
    timeline: the same in their order, with begin and end, where the engine has told.
    attempt: the how manieth of its plan; 0 where nobody counts.
    checks: of the evaluation, JSON-able.
    severity: as `Assessment.to_json` has it; None where nothing was evaluated.
    escalation: as `Told.to_json` has it.
    evidence: paths with the digests of what is there; None where nothing is.
    artifact: the run's document, for its tables.
    doubt: why its evidence is not what was recorded; empty where it is.
    short: whether it was held to less than the settings ask for, and is no promotion for that.
    """

    track: str
    decision: str
    rationale: str
    session_id: str = ""
    begun: str = ""
    ended: str = ""
    verdict: str = ""
    attempt: int = 0
    phases: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[Phase, ...] = ()
    checks: tuple[Mapping[str, Any], ...] = ()
    severity: Mapping[str, Any] | None = None
    escalation: tuple[Mapping[str, Any], ...] = ()
    evidence: tuple[tuple[str, str | None], ...] = ()
    artifact: Mapping[str, Any] | None = None
    doubt: str = ""
    short: bool = False

    @property
    def done(self) -> tuple[Phase, ...]:
        """Its phases in their order."""
        return self.timeline or tuple(Phase(name, it) for name, it in self.phases.items())

    @property
    def metadata(self) -> Mapping[str, Any]:
        """Of the artifact; {} where it has none."""
        return table((self.artifact or {}).get("metadata"))

    @property
    def parameters(self) -> Mapping[str, Sequence[Any]]:
        """The lists among the parameters of the run."""
        given = table(self.metadata.get("parameters"))
        return {key: it for key, it in given.items() if isinstance(it, list)}

    @property
    def as_track(self) -> Track:
        """The line of a decision."""
        barred = ""
        if self.severity is not None and self.severity.get("promotion") is False:
            barred = f"severity {self.severity.get('severity')} bars promotion"
        return Track(self.track, self.decision, self.rationale, self.evidence, barred)


def timeline(told: Any) -> tuple[Phase, ...]:
    """The phases of a session as the engine has told them, read with care."""
    keys = ("phase", "verdict", "begun", "ended")
    return tuple(
        Phase(*(one_line(str(row.get(key) or "")) for key in keys)) for row in tables(told)
    )


def checks_of(evaluation: Evaluation) -> tuple[dict[str, Any], ...]:
    """Its checks as JSON-able tables."""
    return tuple(
        {
            "name": check.name,
            "rule": check.rule,
            "verdict": check.verdict.value,
            "message": check.message,
            "key": check.key,
            "observed": dict(check.observed),
            "remedy": check.remedy,
        }
        for check in evaluation.checks
    )


def decision(evaluation: Evaluation | None, phases: Mapping[str, str]) -> str:
    """What a campaign decides.

    Unknown where it came to no evaluation; no promotion where a check or a phase is not green.
    """
    if evaluation is None or not evaluation.checks:
        return UNKNOWN
    red = bool(evaluation.red) or bool(_red(phases))
    return ITERATE if evaluation.decision == PROMOTE and red else evaluation.decision


def rationale(evaluation: Evaluation | None, phases: Mapping[str, str], why: str = "") -> str:
    """Why a campaign decides what it does; `why` where it came to no evaluation."""
    red = [f"{name} is {verdict}" for name, verdict in _red(phases).items()]
    if evaluation is None:
        return "; ".join([why or "it came to no evaluation", *red])
    told = f"all {len(evaluation.checks)} checks are green"
    if evaluation.red or not evaluation.checks:
        shown = (names.shown(check.name, check.key) for check in evaluation.red)
        listed = ", ".join(dict.fromkeys(shown))
        told = f"{len(evaluation.red)} of {len(evaluation.checks)} checks are not green: {listed}"
    return "; ".join([told, *red])


def record(made: Account, evaluation: Evaluation | None) -> dict[str, Any]:
    """What the ledger of campaigns keeps of one: the data of its evidence named `record`."""
    severity = None if made.severity is None else dict(made.severity)
    if severity is not None:
        severity["incidents"] = severity["incidents"][:_MOST]
    red = evaluation.red if evaluation else ()
    return {
        "decision": made.decision,
        "rationale": made.rationale,
        "severity": None if severity is None else severity["severity"],
        "assessment": severity,
        "red": [
            {
                "check": check.name,
                "key": check.key,
                "rule": check.rule,
                "verdict": check.verdict.value,
                "message": check.message,
            }
            for check in red[:_MOST]
        ],
        "evidence": [{"path": path, "sha256": digest} for path, digest in made.evidence],
        "escalation": [dict(it) for it in made.escalation],
    }


def _red(phases: Mapping[str, str]) -> dict[str, str]:
    """The phases that do not open; what was skipped before a red one is told by that one."""
    return {name: it for name, it in phases.items() if not Verdict(it).opens}
