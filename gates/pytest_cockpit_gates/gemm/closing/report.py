"""The report of a replay or a split: one page, its plots beside it, and the decision."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.records import artifacts
from pytest_cockpit.records.markdown import plain
from pytest_cockpit.records.text import sha256
from pytest_cockpit_gates.gemm.closing import (
    account,
    decision,
    drawing,
    measured,
    required,
    sections,
)
from pytest_cockpit_gates.gemm.closing.account import Account, Phase
from pytest_cockpit_gates.gemm.closing.decision import UNKNOWN, Review
from pytest_cockpit_gates.gemm.closing.escalation import Matrix, who
from pytest_cockpit_gates.gemm.closing.plots import Ceiling
from pytest_cockpit_gates.gemm.closing.selection import Selection
from pytest_cockpit_gates.gemm.closing.severity import Assessment, stamp
from pytest_cockpit_gates.gemm.verdicts import PROMOTE, Evaluation


@dataclass(frozen=True, slots=True)
class Session:
    """The session that is reported.

    Parameters
    ----------
    track: `replay` or `split`.
    prefix: what the names of its files begin with.
    output: repository-relative folder that they come to.
    candidate, fallback, min_ratio: what a split compares, and its bound.
    phases: verdicts of its phases so far.
    timeline: the same in their order, with begin and end.
    evidence: repository-relative paths with digests, the run's artifact first.
    ceilings: what each platform was measured to be capable of; without, there is no roofline.
    selected, owed: the platform that is selected, and the rerun that is owed in words.
    short: whether it was held to less than the settings ask for, so that it is no rerun.
    why: why there is no evaluation, where there is none.
    """

    track: str
    prefix: str
    session_id: str
    output: str
    candidate: str = "rusticl"
    fallback: str = "clover"
    min_ratio: float = 0.85
    attempt: int = 1
    phases: Mapping[str, str] = field(default_factory=dict)
    timeline: tuple[Phase, ...] = ()
    evidence: Sequence[tuple[str, str | None]] = ()
    ceilings: Mapping[str, Ceiling] = field(default_factory=dict)
    matrix: Matrix | None = None
    selected: Selection | None = None
    owed: str = ""
    short: bool = False
    branch: str | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: names of files, the decision, and what the ledger keeps."""

    names: tuple[str, ...]
    decision: Mapping[str, Any]
    record: Mapping[str, Any]


def write(
    folder: Path,
    artifact: Mapping[str, Any],
    evaluation: Evaluation | None,
    assessment: Assessment | None,
    session: Session,
    *,
    now: datetime,
) -> Written:
    """Write `PREFIX_report.md`, the plots it shows and `PREFIX_decision.json` into a folder.

    Parameters
    ----------
    folder: the folder `artifacts` of a campaign's scratch.
    artifact: the run, as far as it came; {} where it did not begin.
    evaluation, assessment: None where it was not evaluated.

    Raises
    ------
    CockpitError: a file cannot be written.
    """
    told = who(session.matrix, assessment) if assessment else ()
    made = Account(
        track=session.track,
        decision=account.decision(evaluation, session.phases),
        rationale=account.rationale(evaluation, session.phases, session.why),
        session_id=session.session_id,
        ended=stamp(now),
        attempt=session.attempt,
        phases=session.phases,
        timeline=session.timeline,
        checks=account.checks_of(evaluation) if evaluation else (),
        severity=assessment.to_json() if assessment else None,
        escalation=tuple(it.to_json() for it in told),
        evidence=tuple(session.evidence),
        artifact=artifact,
    )
    made = dataclasses.replace(made, begun=_second(str(made.metadata.get("started") or "")))
    if made.decision == PROMOTE and not made.evidence:
        why = "there is no artifact that could be held against the decision"
        made = dataclasses.replace(made, decision=UNKNOWN, rationale=why)
    page = f"{session.prefix}_report.md"
    gates = required.of_phases(session.track, session.phases)
    # A rerun that is promote is the one that was owed.
    pays = not session.short and decision.block([made.as_track], gates).decision == PROMOTE
    owed = "" if pays else session.owed
    decided = decision.document(_review(session, made, page), [made.as_track], gates, owed)
    pair = session.candidate, session.fallback
    drawn, said = drawing.draw(
        folder, session.prefix, made, pair, session.min_ratio, session.ceilings
    )
    text = _page(made, decided, dataclasses.replace(session, owed=owed), drawn, said)
    name = f"{session.prefix}_decision.json"
    artifacts.write_bytes(folder / page, text.encode())
    own = ((page, sha256(text.encode())), (name, sha256(artifacts.write(folder / name, decided))))
    # The minutes of the week name these, too.
    left = tuple((str(PurePosixPath(session.output) / it), digest) for it, digest in own)
    kept = dataclasses.replace(made, evidence=(*made.evidence, *left))
    record = account.record(kept, evaluation)
    return Written((page, name, *drawn.values()), decided, record)


def _second(told: str) -> str:
    """A time of an artifact, without the parts of its second."""
    return f"{told.partition('.')[0].removesuffix('Z')}Z" if told else ""


def _review(session: Session, made: Account, page: str) -> Review:
    used = [
        f"{key}:{table['id']}"
        for key in ("policy", "t3_policy", "t5_policy")
        if isinstance(table := made.metadata.get(key), Mapping) and table.get("id")
    ]
    return Review(
        id=f"gemm-{session.track}-{session.session_id}",
        branch=session.branch,
        scope={key: made.parameters.get(key) for key in ("sizes", "kernels", "platforms")},
        acta=str(PurePosixPath(session.output) / page),
        depends_on=(f"{session.track}:{session.session_id}", *used),
        severity=made.severity,
        escalation=made.escalation,
    )


def _page(
    made: Account,
    decided: Mapping[str, Any],
    session: Session,
    drawn: Mapping[str, str],
    said: Sequence[str],
) -> str:
    parts = [
        ("Scope", sections.scope(made)),
        ("Checklist", sections.checklist([made])),
        ("Results", measured.results(made)),
        ("Plots", _plots(drawn, said)),
        ("Snapshots", measured.snapshots(made)),
        ("Checks", sections.checks(made)),
        ("Severity", sections.severity(made)),
        ("Rollback", sections.rollback(session.selected, session.owed)),
        ("Decision", sections.decisions(decided)),
        ("Evidence", sections.evidence([made])),
        ("Escalation", sections.escalation(made.escalation, matrix=session.matrix is not None)),
    ]
    title = f"# GEMM: {plain(made.track)}, {plain(made.ended)}"
    body = [line for name, lines in parts if lines for line in (f"## {name}", "", *lines)]
    return "\n".join([title, "", f"Session {plain(made.session_id)}.", "", *body]).rstrip() + "\n"


def _plots(drawn: Mapping[str, str], said: Sequence[str]) -> list[str]:
    out = [f"![{plain(title)}](<{name}>)" for title, name in drawn.items()]
    why = [f"- {plain(it)}" for it in said]
    return [line for it in out for line in (it, "")] + ([*why, ""] if why else [])
