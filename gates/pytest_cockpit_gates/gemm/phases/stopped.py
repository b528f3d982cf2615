"""What ended a replay before its time, as checks: a stopped campaign is told by what stopped it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.phases import snapshots
from pytest_cockpit_gates.gemm.phases.plan import REPLAY
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation, decided

_SHOWN = 3


def told(evaluation: Evaluation, run: Mapping[str, Any]) -> Evaluation:
    """The evaluation, with the checks of the snapshot that ended the campaign; no promotion then.

    A check of the same name that is red already tells of all snapshots.

    Parameters
    ----------
    run: the artifact that was evaluated.
    """
    event = run.get("rollback_event")
    if event is None:
        return evaluation
    known = {check.name for check in evaluation.red}
    found = tuple(check for check in _checks(event) if check.name not in known)
    checks = (*evaluation.checks, *found)
    decision = decided(checks, REPLAY, rolled_back=True)
    return dataclasses.replace(evaluation, checks=checks, decision=decision)


def _checks(event: Any) -> Iterator[Check]:
    if not isinstance(event, Mapping):
        return
    number, by_check = event.get("snapshot"), event.get("checks") or {}
    for name in event.get("failed") or ():
        lines = [str(it) for it in by_check.get(name) or event.get("reasons") or ()]
        more = f"; and {len(lines) - _SHOWN} more" if len(lines) > _SHOWN else ""
        yield Check(
            name,
            snapshots.RULES.get(name, "gemm.run-failed"),
            Verdict.FAIL,
            one_line(f"snapshot {number} ended the campaign: {'; '.join(lines[:_SHOWN])}{more}"),
            observed={"snapshot": number},
            remedy="mend it and replay; --cockpit-gemm-rollback=plan shows the way back",
        )
