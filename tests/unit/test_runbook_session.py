"""What a runbook's session plans and says, without running any phase."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import Report, Verdict
from pytest_cockpit.sessions.runbook import RunbookConductor
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import AFTER, NAMES, PRODUCTION

GATES = ("gate:ledger", "gate:matriz")


def conductor(count, *, branch="refs/heads/main", dry_run=False) -> Any:
    """A session after so many phases, with nothing of pytest behind it."""
    made: Any = object.__new__(RunbookConductor)
    made.done = [
        Done(name, Verdict.PASS, "", "", None, None, commit=f"after {name}")
        for name in NAMES[:count]
    ]
    made.gates = (("ledger", None), ("matriz", "no contracts here"))
    made.identity = Identity("b" * 40, "5" * 64, "v1-baseline", "v1")
    made.repository = SimpleNamespace(branch=lambda: branch, dirty=list)
    made.settings = SimpleNamespace(artifacts="artifacts")
    made.dry_run, made.reports, made.sealed = dry_run, {}, None
    return made


@pytest.mark.parametrize("count", range(len(NAMES) + 1))
def test_no_seal_is_planned_without_the_gates(count):
    names = [step.name for step in conductor(count)._steps()]
    assert names[-1] == "seal"
    assert [name for name in names if name in GATES] == list(GATES)
    after = "seal" if count > NAMES.index(PRODUCTION) else PRODUCTION
    assert names[names.index(GATES[-1]) + 1] == after


@pytest.mark.parametrize("count", [8, 9, 10])
def test_gates_judge_what_the_production_freeze_froze(count):
    assert conductor(count).judged == f"after {AFTER}"
    assert conductor(0).judged == "b" * 40


@pytest.mark.parametrize("dry_run", [False, True])
@pytest.mark.parametrize("reports", [{}, {"ledger": Report(Verdict.FAIL, "")}])
def test_what_an_earlier_session_says_of_gates_seals_nothing(dry_run, reports):
    made = conductor(len(NAMES), dry_run=dry_run)
    made.reports = reports
    outcome = made._seal()
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary == "a gate is not green in this session: nothing was sealed"
    assert "all is green" not in made._state()[0]


def test_what_is_left_to_do_depends_on_whether_a_commit_is_needed():
    said = conductor(8)._state()
    assert said[0] == (
        "8 phases kept; if nothing has to be committed go on with --cockpit-runbook "
        "--cockpit-resume; after a commit begin anew without it"
    )
    made = conductor(len(NAMES))
    made.reports = {"ledger": Report(Verdict.PASS, "")}
    assert made._state() == ["all is green; seal it with --cockpit-runbook --cockpit-resume"]


def test_a_detached_head_is_told_of_at_the_start():
    line = "cockpit: HEAD is detached: the branch and the tags are made, the checkout stays"
    assert line in conductor(0, branch=None)._header()
    assert line not in conductor(0)._header()
