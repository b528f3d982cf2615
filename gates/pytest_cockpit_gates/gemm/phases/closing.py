"""The phase `close`: the week's decision and minutes, from what its campaigns came to."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import (
    JSON,
    Context,
    Evidence,
    Finding,
    Report,
    Severity,
    Verdict,
)
from pytest_cockpit.records import artifacts, campaigns
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing import (
    acta,
    branch,
    debts,
    decision,
    demanded,
    escalation,
    history,
    inputs,
    required,
    selection,
    severity,
    sla,
    week,
)
from pytest_cockpit_gates.gemm.closing.account import Account
from pytest_cockpit_gates.gemm.closing.decision import UNKNOWN, Review, Track
from pytest_cockpit_gates.gemm.closing.documents import output_folder, prefix
from pytest_cockpit_gates.gemm.closing.escalation import Matrix
from pytest_cockpit_gates.gemm.closing.required import Required
from pytest_cockpit_gates.gemm.closing.sla import Sla
from pytest_cockpit_gates.gemm.closing.week import Week
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.verdicts import PROMOTE

_RULE = "gemm.evidence-missing"


def run(phase: str, context: Context, options: JSON) -> Report:
    """Close the week.

    Raises
    ------
    CockpitError: the ledger, the selection, the SLA, the escalation matrix or a policy cannot be
        read; the week has not begun.
    """
    return close(context, options, datetime.now(UTC))


def close(context: Context, options: JSON, now: datetime) -> Report:
    """Close the week that is asked for, or that of this moment; raises as `run`."""
    settings = Settings.of(context.settings)
    agreed = sla.load(context.root, options.get("sla") or settings.sla)
    matrix = escalation.load(context.root, settings.escalation, agreed)
    rows = debts.rows(context.root, context.records)
    selected = selection.read(context.root)
    debt = debts.owed(rows, selected)
    owed = debt.words if debt else ""
    this = week.chosen(options, now)
    found = [
        _judged(demanded.held(it, settings, context.root), agreed, matrix, now)
        for it in week.accounts(context.root, rows, this, over=this < week.of(now))
    ]
    # Another week's minutes are other minutes, and other files.
    decided_in, page = names(prefix(options), this)
    folder = output_folder(options)
    tracks = [account.as_track for account in found]
    gate = required.last(
        context.root,
        str(options.get("artifacts_folder") or "artifacts"),
        [account.ended for account in found],
        required.digest(context.root, context.settings),
    )
    review = Review(
        id=f"gemm-week-{this}-{options['session_id']}",
        branch=branch.of(context.root),
        scope={"week": str(this), **_scope(found)},
        acta=f"{folder}/{page}",
        depends_on=(
            *(f"{it.track}:{it.session_id}" for it in found if it.session_id),
            *week.rollbacks(rows, this),
        ),
        severity=_worst(found),
        escalation=tuple(it for account in found for it in account.escalation),
    )
    decided = decision.document(review, tracks, [gate], owed)
    text = acta.page(
        f"GEMM: the week {this}",
        found,
        decided,
        at=now,
        selected=selected,
        owed=owed,
        matrix=matrix is not None,
        campaigns=history.of(rows, this),
    )
    place = context.scratch / "artifacts"
    artifacts.write(place / decided_in, decided)
    artifacts.write_bytes(place / page, text.encode())
    return Report.judge(
        f"{this}: {decided['block_decision']}: {decided['block_rationale']}",
        checked=len(found),
        findings=[
            *_findings(found, tracks, owed, context.records, _over(this, now)),
            *_shut(gate),
            *_changed(inputs.uncommitted(context, inputs.of(context.root, settings, options))),
        ],
        evidence=[
            Evidence("decision", decided),
            Evidence("record", {"week": str(this), "decision": decided["block_decision"]}),
        ],
    )


def names(begin: str, which: Week) -> tuple[str, str]:
    """Decision and minutes of a week as files."""
    return f"{begin}_{which}_decision.json", f"{begin}_{which}_acta.md"


def _judged(account: Account, agreed: Sla, matrix: Matrix | None, now: datetime) -> Account:
    """A track with its severity; one that came to none has that of what is unknown."""
    if account.severity is not None:
        if account.escalation:
            return account
        # There was no matrix then.
        told = tuple(it.to_json() for it in escalation.later(matrix, account.severity))
        return dataclasses.replace(account, escalation=told)
    made = severity.of_state("unknown", f"{account.track}: {account.rationale}", agreed, at=now)
    told = tuple(it.to_json() for it in escalation.who(matrix, made))
    return dataclasses.replace(account, severity=made.to_json(), escalation=told)


def _worst(found: Sequence[Account]) -> Mapping[str, Any] | None:
    """The most urgent severity of all tracks."""
    told = [account.severity for account in found if account.severity is not None]
    return min(told, key=lambda it: sla.rank(str(it.get("severity"))), default=None)


def _findings(
    found: Sequence[Account], tracks: Sequence[Track], owed: str, records: str, over: str
) -> Iterator[Finding]:
    """Why the week is not promoted; `over` is the remedy where no campaign can be of it."""
    ledger = f"{records}/{campaigns.NAME}"
    for account, track in zip(found, tracks, strict=True):
        if account.doubt and track.decision != UNKNOWN:
            yield Finding(
                _RULE,
                f"{track.name}: {account.doubt}",
                Severity.UNKNOWN,
                path=ledger,
                remedy="bring the recorded file back"
                + (f"; {over}" if over else ", or run the campaign again"),
            )
        if track.decision == UNKNOWN:
            yield Finding(
                _RULE,
                f"{track.name} is unknown: {track.rationale}",
                Severity.UNKNOWN,
                path=ledger,
                remedy=over or f"run --cockpit-{track.name}, then close again",
            )
        elif track.decision != PROMOTE or track.barred:
            why = track.rationale, track.barred if track.decision == PROMOTE else ""
            yield Finding(
                _rule(account),
                f"{track.name} is {track.decision}: " + "; ".join(filter(None, why)),
                Severity.UNKNOWN if account.verdict == Verdict.UNKNOWN else Severity.ERROR,
                path=ledger,
                remedy=over if account.short and over else _remedy(account),
                evidence={"session_id": account.session_id, "attempt": account.attempt},
            )
    if owed:
        yield Finding(
            _RULE,
            owed,
            path=selection.PATH,
            remedy="run --cockpit-replay or --cockpit-split until one is green and promote",
        )


def _shut(gate: Required) -> Iterator[Finding]:
    """That the required gate is not green."""
    if not gate.verdict.opens:
        red = gate.verdict in (Verdict.FAIL, Verdict.ERROR)
        yield Finding(
            _RULE,
            gate.words,
            Severity.ERROR if red else Severity.UNKNOWN,
            path=gate.evidence[0] if gate.evidence else None,
            remedy=f"run {gate.gate} once all is measured, then close again",
        )


def _over(asked: Week, now: datetime) -> str:
    """What can be done of a week that is over; empty where it is not."""
    current = week.of(now)
    if asked == current:
        return ""
    return f"{asked} is over, and no campaign can be of it any more: measure, and close {current}"


def _changed(paths: Sequence[str]) -> Iterator[Finding]:
    """That what the week was judged by is on this machine alone."""
    if paths:
        yield Finding(
            "gemm.policy",
            f"the week is judged by what is not as committed: {', '.join(paths)}",
            Severity.WARNING,
            path=paths[0],
            remedy="commit it, so that others can judge by it too",
        )


def _rule(account: Account) -> str:
    """The rule of the first check that failed, or of the first that is not green: it is why."""
    if account.short:
        return "gemm.policy"
    red = [it for it in account.checks if it.get("verdict") not in ("pass", "warn")]
    failed = [it for it in red if it.get("verdict") != "unknown"]
    rule = (failed or red)[0].get("rule") if red else None
    return rule if isinstance(rule, str) and rule.startswith("gemm.") else "gemm.severity"


def _remedy(account: Account) -> str:
    if account.short:
        return f"run --cockpit-{account.track} again by the settings as they are now"
    told = (account.severity or {}).get("action_text")
    return one_line(str(told)) if told else f"mend it, and run --cockpit-{account.track} again"


def _scope(found: Sequence[Account]) -> dict[str, Any]:
    """What all tracks measured."""
    out: dict[str, list[Any]] = {"sizes": [], "kernels": [], "platforms": []}
    for account in found:
        for key, values in out.items():
            values += [it for it in account.parameters.get(key) or () if it not in values]
    return out
