"""The decision: a document that follows from tracks, and that promotes only what all of them do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit_gates.gemm.closing import documents
from pytest_cockpit_gates.gemm.closing.required import Required
from pytest_cockpit_gates.gemm.verdicts import DROP, ITERATE, PROMOTE, STOP

SCHEMA = "gemm-decision"
UNKNOWN = "unknown"

_NAME = "pytest-cockpit/gemm-decision/1"


@dataclass(frozen=True, slots=True)
class Track:
    """One line of work that is decided about.

    Parameters
    ----------
    name: `replay` or `split`.
    decision: promote, iterate, stop, drop, or unknown where evidence is missing.
    rationale: why, in words.
    evidence: paths with the digests of what is there; None where nothing is.
    barred: why it bars the block all the same; empty where it does not.
    """

    name: str
    decision: str
    rationale: str
    evidence: tuple[tuple[str, str | None], ...] = ()
    barred: str = ""

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return {
            "track": self.name,
            "decision": self.decision,
            "evidence": [{"path": path, "sha256": digest} for path, digest in self.evidence],
            "rationale": self.rationale,
        }


@dataclass(frozen=True, slots=True)
class Block:
    """What all tracks come to, and why."""

    decision: str
    rationale: str
    complete: bool


@dataclass(frozen=True, slots=True)
class Review:
    """What a decision is about.

    Parameters
    ----------
    id: unique; says the mode and the session or the week.
    branch: of the repository; None where it is on none.
    scope: what was looked at, JSON-able.
    acta: path of the minutes.
    depends_on: what the decision was made from: sessions and policies.
    severity, escalation: as an assessment and its telling have them, JSON-able.
    """

    id: str
    branch: str | None
    scope: Mapping[str, Any]
    acta: str
    depends_on: tuple[str, ...] = ()
    severity: Mapping[str, Any] | None = None
    escalation: tuple[Mapping[str, Any], ...] = field(default_factory=tuple)


def block(tracks: Sequence[Track], gates: Sequence[Required], owed: str = "") -> Block:
    """What tracks come to: stop where one stops, drop where one drops, promote where all do.

    None is promoted while a gate is not green or a rerun is owed.

    Parameters
    ----------
    gates: those that are required.
    owed: the rerun that is owed, in words; empty where none is.
    """
    shut = [gate for gate in gates if not gate.verdict.opens]
    judged = all(gate.verdict in (Verdict.FAIL, Verdict.ERROR) for gate in shut)
    whole = bool(tracks) and judged and all(track.decision != UNKNOWN for track in tracks)
    ended = {
        end: names
        for end in (STOP, DROP)
        if (names := [track.name for track in tracks if track.decision == end])
    }
    if ended:
        why = "; ".join(f"{' and '.join(names)}: {end}" for end, names in ended.items())
        return Block(next(iter(ended)), why, whole)
    reasons = [f"{track.name} is {track.decision}" for track in tracks if track.decision != PROMOTE]
    reasons += [
        f"{track.name}: {track.barred}"
        for track in tracks
        if track.barred and track.decision == PROMOTE
    ]
    reasons += [gate.words for gate in shut]
    reasons += [owed] if owed else []
    reasons += [] if tracks else ["there is no track"]
    if reasons:
        return Block(ITERATE, "; ".join(reasons), whole)
    green = " and ".join(track.name for track in tracks)
    said = "".join(f", {gate.gate} is {gate.verdict}" for gate in gates)
    return Block(PROMOTE, f"{green}: all {PROMOTE}{said}, and no rerun is owed", whole)


def document(
    review: Review, tracks: Sequence[Track], gates: Sequence[Required], owed: str = ""
) -> dict[str, Any]:
    """The decision as a document that answers to its schema; parameters as of `block`.

    Raises
    ------
    CockpitError: it does not, as where there is no track.
    """
    made = block(tracks, gates, owed)
    counts = {
        name: sum(track.decision == name for track in tracks)
        for name in (PROMOTE, ITERATE, STOP, DROP, UNKNOWN)
    }
    counted = ", ".join(f"{count} {name}" for name, count in counts.items() if count)
    data = {
        "schema": _NAME,
        "review_id": review.id,
        "branch": review.branch,
        "status": "complete" if made.complete else "incomplete",
        "scope": dict(review.scope),
        "tracks": [track.to_json() for track in tracks],
        "summary": f"{made.decision}: {counted or 'no track'}",
        "block_decision": made.decision,
        "block_rationale": made.rationale,
        "acta_path": review.acta,
        "required_gates": [gate.to_json() for gate in gates],
        "depends_on": list(review.depends_on),
        "severity": None if review.severity is None else dict(review.severity),
        "escalation": [dict(it) for it in review.escalation],
        "rerun_owed": owed or None,
    }
    documents.demand(data, SCHEMA, f"the decision {review.id}")
    return data
