"""Campaigns on a driver that breaks: each phase as the engine calls it, on real workers."""

from __future__ import annotations

import dataclasses
import signal

import pytest

from pytest_cockpit.api import Context, Verdict
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases import beside, canary, evaluation, splitting
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, SPLIT, Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.strict.artifacts import problems
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError
from tests import gemm_devices

FAULT = "COCKPIT_GEMM_FAULT"
TINY = Plan(
    REPLAY, platforms=("pocl",), kernels=("static",), sizes=(8,), seeds=(3,), snapshots=2,
    sessions=1, iterations=2, pressure_pulses=0, pressure_size=8, pressure_iterations=1,
)  # fmt: skip


@pytest.fixture
def campaign(tmp_path, monkeypatch):
    """Conduct what measures and what judges: reports of both, and the artifact between them."""
    gemm_devices.require("pocl")
    begin = Worker.__enter__

    def hasty(worker):
        # To start takes as long as the machine needs; only what is asked then is waited for less.
        begin(worker)._timeout_s = 0.5
        return worker

    def conduct(phase, plan, fault):
        monkeypatch.setenv(FAULT, fault)
        if fault.startswith("hang"):
            monkeypatch.setattr(Worker, "__enter__", hasty)
        context = Context(tmp_path, tmp_path / "scratch")
        options = {
            "mode": plan.kind, "attempt": 1, "session_id": "s", "plan_sha256": "0" * 64,
        }  # fmt: skip
        State.of(context, options).keep_plan(plan)
        measured = phase.run("measure", context, options)
        run = State.of(context, options).run()
        assert problems(run) == []
        return measured, evaluation.run("evaluation", context, options), run

    return conduct


@pytest.mark.parametrize(
    ("fault", "returncode", "said"),
    [
        ("hang", -signal.SIGKILL, "no answer to session in 0.5 s"),
        ("garbage", -signal.SIGKILL, "the answer to session is no JSON"),
        ("stranger", None, "session ran on 'another device', not on"),
    ],
)
def test_a_run_that_broke_is_a_failed_row_and_ends_the_replay(campaign, fault, returncode, said):
    measured, judged, run = campaign(canary, TINY, f"{fault}@session")
    [row] = run["runs"]
    assert (row["status"], row["returncode"], row["metrics"]) == ("failed", returncode, None)
    assert row["error"].startswith(f"pocl: {said}")
    assert row["stderr"] == ""
    assert [it["decision"] for it in run["snapshots"]] == ["rollback"]
    assert (measured.verdict, judged.verdict) == (Verdict.FAIL, Verdict.FAIL)
    assert any(row["error"] in it.message for it in measured.findings)
    assert "gemm.run-failed" in {it.rule for it in judged.findings}


def test_a_hang_is_told_with_the_setting_that_gives_it_more_time():
    found = findings.of_worker(WorkerError("hang", "pocl: no answer to tune in 120 s"), "pocl")
    assert found.remedy.startswith("raise gate.gemm.timeout_s where it is only slow; ")


def test_a_result_that_is_not_finite_stops_the_replay(campaign):
    measured, judged, run = campaign(canary, TINY, "nan@session")
    [row] = run["runs"]
    assert (row["status"], row["metrics"]["max_error_max"]) == ("ok", None)
    assert {it.rule for it in measured.findings} == {"gemm.correctness"}
    assert (measured.verdict, judged.verdict) == (Verdict.FAIL, Verdict.FAIL)


def test_pressure_that_broke_ends_the_replay_though_its_rows_are_right(campaign):
    plan = dataclasses.replace(TINY, pressure_pulses=1)
    measured, judged, run = campaign(canary, plan, "abort@pressure")
    assert [it["status"] for it in (*run["runs"], *run["pressure"])] == ["ok", "failed"]
    assert {it.rule for it in measured.findings} == {"gemm.pressure"}
    assert (measured.verdict, judged.verdict) == (Verdict.FAIL, Verdict.FAIL)


def test_a_pair_that_is_not_finite_makes_a_split_red(campaign, tmp_path, monkeypatch):
    gemm_devices.twice("pocl", "other", tmp_path, monkeypatch)
    # Recall and ceilings are not what is looked at here.
    monkeypatch.setattr(beside, "measure", lambda *_, **__: [])
    both = ("other", "pocl")
    plan = dataclasses.replace(
        TINY, kind=SPLIT, platforms=both, candidate=both[0], fallback=both[1]
    )
    measured, judged, run = campaign(splitting, plan, "nan@sample")
    assert [it["status"] for it in run["runs"]] == ["ok", "ok"]
    [pair] = run["pairs"]
    assert (pair["order"], pair["other"]["max_error"], "pocl" in pair) == ("ab", None, False)
    assert judged.summary.startswith("drop: ")
    [finding] = measured.findings
    assert finding.rule == "gemm.correctness"
    assert finding.message.startswith("other: a result is wrong: ")
    assert (measured.verdict, judged.verdict.opens) == (Verdict.FAIL, False)


@pytest.mark.parametrize(
    ("phase", "kind", "fault", "red"),
    [
        (canary, REPLAY, "nan@recall", "t5_recall_bound[auto_t5_guarded:8@pocl]"),
        (splitting, SPLIT, "nan@overhead", "all_runs_success"),
    ],
)
def test_a_wrong_product_beside_the_rows_is_red(campaign, phase, kind, fault, red):
    plan = dataclasses.replace(TINY, kind=kind, kernels=("auto_t5_guarded",), snapshots=1)
    measured, judged, _ = campaign(phase, plan, fault)
    assert measured.verdict is Verdict.FAIL
    [told] = {it.message for it in measured.findings if it.rule == "gemm.correctness"}
    assert told.startswith("pocl: a result is wrong: error ")
    # The artifact by itself is not promoted either.
    assert red in {it.name for it in judged.cases if not it.verdict.opens}
