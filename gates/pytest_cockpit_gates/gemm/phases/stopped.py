"""What ended a replay before its time, as checks: a stopped campaign is told by what stopped it."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.phases import snapshots
from pytest_cockpit_gates.gemm.phases.plan import REPLAY
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation, decided

_SHOWN = 3
_MORE = re.compile(r"--cockpit-gemm-(snapshots|iterations) ([0-9]+)$")
"""The end of a remedy that asks for more of the same."""


def told(evaluation: Evaluation, run: Mapping[str, Any]) -> Evaluation:
    """The evaluation, with the checks of the snapshot that ended the campaign first; no promotion.

    A check of the same name that is red already tells of all snapshots. One that lacks no more than
    the snapshots that were planned is told to be so by the end of the campaign.

    Parameters
    ----------
    run: the artifact that was evaluated.
    """
    event = run.get("rollback_event")
    if event is None:
        return evaluation
    known = {check.name for check in evaluation.red}
    found = tuple(check for check in _checks(event) if check.name not in known)
    checks = (*found, *(_for_the_end(check, event, run) for check in evaluation.checks))
    decision = decided(checks, REPLAY, rolled_back=True)
    return dataclasses.replace(evaluation, checks=checks, decision=decision)


def _for_the_end(check: Check, event: Any, run: Mapping[str, Any]) -> Check:
    """The check; without a remedy that the campaign was asked for already where it was ended."""
    found = _MORE.search(check.remedy)
    if check.verdict is not Verdict.UNKNOWN or not found or not isinstance(event, Mapping):
        return check
    planned = run["metadata"]["parameters"]
    done, snapshots = len(run["snapshots"]), planned["snapshots"]
    wanted = int(found[2]) * (done if found[1] == "iterations" else 1)
    if wanted > snapshots * (planned["iterations"] if found[1] == "iterations" else 1):
        return check
    causes = one_line(", ".join(map(str, event.get("failed") or ("what is on record",))))
    ended = f"the campaign was ended at snapshot {done} of {snapshots} by {causes}"
    return dataclasses.replace(check, remedy=f"{ended}: mend that, and replay")


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
