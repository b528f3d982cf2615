"""Strict evaluation: from an artifact and its policies to checks with verdicts."""

from __future__ import annotations

import dataclasses
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit_gates.gemm.strict import (
    artifacts,
    checks_baseline,
    checks_drift,
    checks_guards,
    checks_integrity,
    checks_policy,
    checks_samples,
    checks_split,
)
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.model import Artifact
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.strict.subject import Subject, check, gathered
from pytest_cockpit_gates.gemm.verdicts import ITERATE, Check, Evaluation, decided

_PARTS = (
    checks_integrity,
    checks_samples,
    checks_policy,
    checks_drift,
    checks_baseline,
    checks_guards,
    checks_split,
)

_ARCHIVED = (
    "nothing can be added to an archived artifact: measure anew with --cockpit-replay or"
    " --cockpit-split, or see what was once decided with --cockpit-evaluate-mode compat"
)
_SOUND = (
    "all_runs_success",
    "runs_unique",
    "platform_and_device",
    "rows_follow_from_samples",
    "correctness_error_bound",
)


def evaluate(
    artifact: Any,
    policies: Policies,
    *,
    baseline: Any = None,
    demands: Demands | None = None,
) -> Evaluation:
    """Judge an artifact; nothing that lacks its evidence passes.

    Parameters
    ----------
    artifact: the parsed document, of a run of ours or an archived one; one that is neither fails.
    policies: the weekly policy and those of T3 and T5, each None where there is none.
    baseline: the document to compare with; None compares with nothing.
    """
    read, problems = artifacts.read(artifact)
    if read is None:
        unreadable = gathered(
            "artifact_readable",
            "",
            failed=problems,
            remedy="measure again, or bring the file back as it was written",
        )
        return Evaluation((unreadable,), ITERATE)
    before, lacking = (None, []) if baseline is None else artifacts.read(baseline)
    subject = Subject(
        read,
        policies,
        demands or Demands(),
        before,
        tuple(f"the baseline cannot be read: {problem}" for problem in lacking[:1]),
        {} if before is None else unsound(before),
    )
    checks = [check("artifact_readable", Verdict.PASS, f"{len(read.runs)} runs can be read")]
    for part in _PARTS:
        checks += part.checks(subject)
    if read.archived:
        checks = [_of_old(each) for each in checks]
    return Evaluation(
        tuple(checks),
        decided(checks, read.kind, rolled_back=read.rollback_event is not None),
        {
            "kind": read.kind,
            "archived": read.archived,
            "executed_snapshots": read.executed,
            "attempt": subject.attempt,
            "level": subject.level,
        },
    )


def _of_old(found: Check) -> Check:
    """What an archived artifact lacks cannot be measured any more, whatever else a remedy says."""
    lacks = found.verdict is Verdict.UNKNOWN and found.rule != "gemm.policy"
    return dataclasses.replace(found, remedy=_ARCHIVED) if lacks else found


def unsound(artifact: Artifact) -> dict[str, str]:
    """What an artifact fails whatever it is held to, by check: it is no evidence for anything."""
    alone = Subject(artifact, Policies(), Demands())
    return {
        check.name: check.message
        for part in (checks_integrity, checks_samples, checks_policy)
        for check in part.checks(alone)
        if check.verdict is Verdict.FAIL and check.name in _SOUND
    }
