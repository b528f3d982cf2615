"""The phases that judge: archived artifacts, what was measured, and a policy calibrated again."""

from __future__ import annotations

import copy
import json
import math
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Context, Report, Severity, Verdict
from pytest_cockpit.records import campaigns
from pytest_cockpit_gates.gemm.closing import debts
from pytest_cockpit_gates.gemm.phases import conduct
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, policies
from tests.gemm_artifacts import earlier, replay, retimed, split, weekly_policy

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
DATA = Path(__file__).parents[1] / "data" / "gemm"
CANARY = "week11_block4_weekly_replay_canary_20260209_010447.json"
SPLIT = "week12_block2_platform_split_20260209_012324.json"
WEEKLY = "policy_week11_block3_weekly_slo_v1.json"


class Tree:
    """A repository's root with files, and a campaign's scratch."""

    def __init__(self, folder: Path) -> None:
        self.root, self.scratch = folder / "root", folder / "scratch"
        self.root.mkdir()
        self.scratch.mkdir()
        self.context = Context(root=self.root, scratch=self.scratch)

    def put(self, **documents: Any) -> None:
        for name, document in documents.items():
            text = document if isinstance(document, str) else json.dumps(document)
            (self.root / f"{name}.json").write_text(text)

    def archived(self, *names: str) -> None:
        for name in names:
            folder = "policies" if name.startswith("policy") else "artifacts"
            (self.root / name).write_bytes((DATA / folder / name).read_bytes())

    def evaluate(self, *artifacts: str, **options: Any) -> Report:
        given = {"mode": "evaluate", "artifacts": list(artifacts), "attempt": 1, **options}
        return conduct("evaluate", self.context, given)

    def recalibrate(self, *artifacts: str, **options: Any) -> Report:
        given = {"mode": "recalibrate", "artifacts": list(artifacts), **options}
        return conduct("recalibrate", self.context, given)

    def written(self, name: str) -> Any:
        return json.loads((self.scratch / "artifacts" / name).read_text())


@pytest.fixture
def tree(tmp_path: Path) -> Tree:
    return Tree(tmp_path)


def rules(report: Report, severity: Severity = Severity.ERROR) -> set[str]:
    return {finding.rule for finding in report.findings if finding.severity is severity}


def test_archived_artifacts_have_the_decisions_of_old_in_compat(tree):
    tree.archived(CANARY, SPLIT, WEEKLY)
    report = tree.evaluate(CANARY, SPLIT, evaluate_mode="compat", policy=WEEKLY)
    assert report.verdict is PASS
    assert report.checked == 18
    assert report.summary == f"{CANARY}: weekly_replay: promote; {SPLIT}: platform_split: promote"
    assert "nothing of what is sound" in report.findings[0].message
    made = tree.written(f"evaluate_01_{Path(CANARY).stem}.json")
    assert made["artifact"] == CANARY
    assert made["weekly_replay"]["observed"]["executed_snapshots"] == 6
    again = tree.evaluate(
        SPLIT, evaluate_mode="compat", policy=WEEKLY, required_sizes=[1400, 3072], min_ratio=1.5
    )
    assert again.verdict is FAIL
    failed = [case.name.rpartition("::")[2] for case in again.cases if case.verdict is FAIL]
    assert failed == ["rusticl_ratio_vs_clover", "required_sizes_present_on_split"]


def test_with_a_baseline_compat_decides_of_the_campaign_too(tree):
    before = "week10_block2_4_wallclock_hardening_rerun_20260208_201448.json"
    tree.archived(CANARY, before)
    report = tree.evaluate(CANARY, evaluate_mode="compat", baseline=before)
    assert report.summary == f"{CANARY}: controlled_rollout_campaign: promote"
    report = tree.evaluate(CANARY, evaluate_mode="compat")
    assert report.verdict is FAIL
    assert "--cockpit-gemm-policy, --cockpit-gemm-baseline" in report.findings[0].message


def test_strictly_they_are_unknown(tree):
    tree.archived(CANARY)
    tree.put(weekly=weekly_policy("clover"))
    report = tree.evaluate(CANARY, policy="weekly.json")
    assert report.verdict is UNKNOWN
    assert rules(report) == set()
    assert rules(report, Severity.UNKNOWN) >= {"gemm.evidence-missing", "gemm.throughput"}
    assert all(finding.path == CANARY for finding in report.findings)
    assert tree.written("evaluate_evaluation.json")["decision"] == "iterate"


def test_a_policy_whose_parent_is_missing_is_an_error_that_names_it(tree):
    tree.archived(CANARY, WEEKLY)
    with pytest.raises(CockpitError, match=r"inherits_from: .* is missing"):
        tree.evaluate(CANARY, policy=WEEKLY)


def test_an_artifact_of_ours_is_promoted_strictly(tree):
    tree.put(weekly=weekly_policy(), run=replay(), before=earlier(replay(seed=3)))
    report = tree.evaluate("run.json", policy="weekly.json")
    assert report.verdict is PASS, report.summary
    assert report.summary.startswith("run.json: promote: all ")
    assert len({case.name for case in report.cases}) == len(report.cases)
    held = tree.evaluate("run.json", policy="weekly.json", baseline="before.json")
    assert held.verdict is PASS
    assert len({case.name for case in held.cases}) == len(held.cases)
    same = tree.evaluate("run.json", policy="weekly.json", baseline="run.json")
    assert [it.message for it in same.findings] == [
        "baseline_usable: the baseline is this run itself"
    ]


def test_settings_name_what_the_command_line_does_not(tree):
    tree.put(weekly=weekly_policy(), run=replay())
    settings = {"policy": "weekly.json", "candidate": "pocl"}
    context = Context(root=tree.root, scratch=tree.scratch, settings=settings)
    report = conduct("evaluate", context, {"mode": "evaluate", "artifacts": ["run.json"]})
    assert report.verdict is PASS


@pytest.mark.parametrize(
    "content, told",
    [
        ('{"runs": [', "not JSON"),
        ("", "not JSON"),
        ("[]", "artifact_readable"),
        ('{"schema": "pytest-cockpit/gemm-run/2"}', "artifact_readable"),
        ("\ud800", "not JSON"),
    ],
)
def test_one_that_cannot_be_read_fails_and_the_next_is_judged(tree, content, told):
    (tree.root / "bad.json").write_bytes(content.encode("utf-8", "surrogatepass"))
    tree.put(run=split())
    report = tree.evaluate("bad.json", "run.json", "nope.json", "../scratch")
    assert report.verdict is FAIL
    red = [finding for finding in report.findings if finding.severity is Severity.ERROR]
    found = {finding.path: finding for finding in reversed(red)}
    assert told in found["bad.json"].message
    assert found["bad.json"].rule == "gemm.artifact"
    assert "no such file" in found["nope.json"].message
    assert "outside the repository" in found[None].message
    assert any(case.name.startswith("run.json::rusticl_ratio") for case in report.cases)
    assert all("\n" not in finding.message for finding in report.findings)


def test_an_error_that_was_written_as_nan_stops(tree):
    document = replay()
    document["runs"][0]["sessions"][0]["max_error"] = math.nan
    document["runs"][0]["metrics"]["max_error_max"] = math.nan
    tree.put(run=document)
    assert "NaN" in (tree.root / "run.json").read_text()
    report = tree.evaluate("run.json")
    assert report.verdict is FAIL
    assert report.summary.startswith("run.json: stop:")
    assert "gemm.correctness" in rules(report)


def measured(tree: Tree, document: Any, **plan: Any) -> Report:
    """The phase `evaluation` of a campaign that has measured this."""
    options = {"mode": document["kind"], "attempt": 1, "session_id": "s", "plan_sha256": "0" * 64}
    state = State.of(tree.context, options)
    given = {"sizes": (1400, 2048), "policy": "weekly.json", **plan}
    state.keep_plan(Plan.of(document["kind"], given, Settings()))
    state.keep_run(document)
    return conduct("evaluation", tree.context, options)


def test_what_was_measured_is_judged_and_the_artifact_says_so(tree):
    tree.put(weekly=weekly_policy())
    report = measured(tree, replay())
    assert report.verdict is PASS, report.summary
    run = tree.written("replay_run.json")
    assert run["evaluation"]["decision"] == "promote"
    assert tree.written("replay_evaluation.json") == run["evaluation"]
    kept = json.loads((tree.scratch / "state" / "evaluation.json").read_text())
    found = documents.from_json(kept)
    assert documents.to_json(found) | {"evaluated_at": kept["evaluated_at"]} == kept
    assert len(found.checks) == report.checked


def test_what_was_measured_too_slow_is_red(tree):
    tree.put(weekly=weekly_policy())
    report = measured(tree, retimed(replay(), lambda *_: 1.5))
    assert report.verdict is FAIL
    assert rules(report) == {"gemm.throughput", "gemm.latency"}
    assert "iterate" in report.summary


def reported(tree: Tree, mode: str = "replay", **settings: Any) -> Report:
    """The phase `report` after `measured`."""
    options = {
        "mode": mode,
        "attempt": 1,
        "session_id": "s-1",
        "verdicts": {"plan": "pass", "evaluation": "pass"},
    }
    context = Context(root=tree.root, scratch=tree.scratch, settings=settings)
    return conduct("report", context, options)


def evidence(report: Report, name: str) -> Any:
    (told,) = [it.data for it in report.evidence if it.name == name]
    return told


def test_deadlines_count_from_the_evaluation(tree):
    tree.put(weekly=weekly_policy())
    measured(tree, retimed(replay(), lambda *_: 1.5))
    kept = tree.scratch / "state" / "evaluation.json"
    moved = json.loads(kept.read_text()) | {"evaluated_at": "2026-03-02T03:44:05.600000Z"}
    kept.write_text(json.dumps(moved))
    told = evidence(reported(tree), "assessment")
    assert told["evaluated_at"] == "2026-03-02T03:44:05Z"
    assert told["respond_by"].startswith("2026-03-02T0")


def test_a_split_that_was_held_to_less_than_the_settings_ask_for_pays_no_rerun(tree):
    measured(tree, split(ratio=0.7), policy="", min_ratio=0.5, sizes=(1400,))
    assert evidence(reported(tree, "split", min_ratio=0.5), "record")["short"] == []
    report = reported(tree, "split")
    record = evidence(report, "record")
    told = "its ratio was held to 0.5, and gate.gemm.min_ratio is 0.85"
    assert (record["decision"], record["short"]) == ("promote", [told])
    assert any(it.message.startswith(told) for it in report.findings)
    tree.put(before=replay())
    state = State.of(tree.context, {"mode": "split"})
    run = state.run() or {}
    run["metadata"]["parameters"]["kernels"] = ["auto_t3_controlled"]
    state.keep_run(run)
    report = reported(tree, "split", min_ratio=0.5, baseline="before.json")
    assert evidence(report, "record")["short"] == [
        "it did not measure auto_t5_guarded",
        "it was not judged by gate.gemm.baseline as that is now",
    ]
    with pytest.raises(CockpitError, match=r"gone\.json"):
        reported(tree, "split", baseline="gone.json")
    row = {"kind": campaigns.ENDED, "mode": "split", "verdict": "pass"}
    assert not debts.pays({**row, "record": record})
    assert debts.pays({**row, "record": {**record, "short": []}})


def test_a_split_is_judged_by_its_bound(tree):
    tree.put(weekly=weekly_policy("clover", (1400,)))
    document = split(ratio=1.2)
    assert measured(tree, document, sizes=(1400,)).verdict is PASS
    report = measured(tree, document, sizes=(1400,), min_ratio=1.5)
    assert rules(report) == {"gemm.ratio"}


def test_a_campaign_that_went_back_is_not_green(tree):
    tree.put(weekly=weekly_policy())
    document = replay() | {"rollback_event": {"rollback_result": {"success": True}}}
    report = measured(tree, document)
    assert report.verdict is UNKNOWN
    assert "is to be done again" in report.findings[0].message


def test_a_replay_that_a_wrong_result_has_ended_stops(tree):
    """Though what the artifact holds of it may be right."""
    tree.put(weekly=weekly_policy())
    lines = ["auto_t3_controlled:1400@rusticl: a result is not finite"]
    event = {
        "snapshot": 8,
        "failed": ["correctness_bound_all_runs"],
        "checks": {"correctness_bound_all_runs": lines},
    }
    report = measured(tree, replay() | {"rollback_event": event})
    assert report.summary.startswith("stop: 1 failed and 0 unknown")
    assert tree.written("replay_run.json")["evaluation"]["decision"] == "stop"


def test_a_split_with_wrong_results_drops_and_its_decision_says_so(tree):
    document = split()
    document["runs"][0]["sessions"][0]["max_error"] = None
    document["runs"][0]["metrics"]["max_error_max"] = None
    report = measured(tree, document, policy="", sizes=(1400,))
    assert report.summary.startswith("drop: 1 failed and 0 unknown")
    assert evidence(reported(tree, "split"), "record")["decision"] == "drop"
    made = tree.written("split_decision.json")
    assert (made["tracks"][0]["decision"], made["block_decision"]) == ("drop", "drop")
    assert made["summary"] == "drop: 1 drop"


def test_where_nothing_was_measured_it_is_unknown(tree):
    report = conduct("evaluation", tree.context, {"mode": "replay", "attempt": 1})
    assert (report.verdict, report.checked) == (UNKNOWN, 0)


def rows(policy: Any) -> Any:
    return policy["weekly_slo"]["per_kernel_size"]


def runs(tree: Tree, count: int = 3, **more: Any) -> list[str]:
    names = {f"run{number}": replay(seed=number, **more) for number in range(count)}
    tree.put(**names)
    return [f"{name}.json" for name in names]


def test_bounds_are_tightened_by_a_quarter_of_what_sessions_leave(tree):
    old = weekly_policy()
    tree.put(weekly=old)
    report = tree.recalibrate(*runs(tree, noise=0.001), policy="weekly.json")
    assert report.verdict is PASS, report.findings
    made = tree.written("recalibrate_policy.json")
    assert policies.problems(made) == []
    assert made["status"] == "proposed"
    assert made["recalibration"]["loosened"] == []
    assert [each["path"] for each in made["recalibration"]["artifacts"]] == [
        "run0.json",
        "run1.json",
        "run2.json",
    ]
    for name, row in rows(made).items():
        before = rows(old)[name]
        room = 26.0 - before["min_avg_gflops"]
        gained = row["min_avg_gflops"] - before["min_avg_gflops"]
        assert 0.2 * room < gained < 0.25 * room
        assert row["max_p95_time_ms"] < before["max_p95_time_ms"]
    drift = "max_abs_throughput_drift_percent"
    assert made["weekly_slo"]["global_guardrails"][drift] < 3.0
    # What is proposed holds for what it was made from, and was not put anywhere.
    tree.put(proposed=made)
    assert tree.evaluate("run0.json", policy="proposed.json").verdict is PASS
    assert (tree.root / "weekly.json").read_text() == json.dumps(old)


def test_without_a_policy_bounds_are_what_sessions_carry(tree):
    report = tree.recalibrate(*runs(tree))
    assert report.verdict is PASS
    made = tree.written("recalibrate_policy.json")
    assert made["scope"]["platform"] == "rusticl"
    assert all(25.0 < row["min_avg_gflops"] < 26.0 for row in rows(made).values())


def test_drift_bounds_are_such_that_the_next_campaign_can_keep_them(tree):
    """Where processes differ by 2 %, nobody can show that 3 % was kept."""
    tree.put(weekly=weekly_policy())
    noisy = runs(tree, noise=0.02)
    tree.put(next=replay(seed=9, noise=0.02))
    drift = "max_abs_throughput_drift_percent"
    old = tree.evaluate("next.json", policy="weekly.json")
    assert any("throughput_drift_abs_bound" in it.message for it in old.findings)
    assert tree.recalibrate(*noisy).verdict is PASS
    made = tree.written("recalibrate_policy.json")
    assert 6 < made["weekly_slo"]["global_guardrails"][drift] < 25
    tree.put(proposed=made)
    assert tree.evaluate("next.json", policy="proposed.json").verdict is PASS
    # A policy that promises what cannot be shown is loosened, and that is said.
    report = tree.recalibrate(*noisy, policy="weekly.json")
    assert report.verdict is Verdict.WARN
    assert any(it.message.startswith(f"loosened: {drift}: from 3 to") for it in report.findings)


def test_where_no_drift_can_be_seen_its_bounds_stay(tree):
    report = tree.recalibrate(*runs(tree, 8, snapshots=1))
    made = tree.written("recalibrate_policy.json")
    assert made["weekly_slo"]["global_guardrails"]["max_p95_drift_percent"] == 8.0
    assert any("max_p95_drift_percent stays" in it.message for it in report.findings)


def test_nothing_is_loosened_without_saying_so(tree):
    old = weekly_policy()
    rows(old)["auto_t3_controlled:1400"]["min_avg_gflops"] = 30.0
    tree.put(weekly=old)
    report = tree.recalibrate(*runs(tree, noise=0.001), policy="weekly.json")
    assert report.verdict is Verdict.WARN
    [told] = [it for it in report.findings if it.severity is Severity.WARNING]
    assert told.message.startswith(
        "loosened: auto_t3_controlled:1400: min_avg_gflops: from 30 to 2"
    )
    made = tree.written("recalibrate_policy.json")
    [word] = made["recalibration"]["loosened"]
    assert word == told.message.removeprefix("loosened: ")
    assert 25 < rows(made)["auto_t3_controlled:1400"]["min_avg_gflops"] < 26


def test_a_policy_of_every_platform_is_not_narrowed_without_saying_so(tree):
    old = weekly_policy()
    del old["scope"]
    tree.put(weekly=old)
    report = tree.recalibrate(*runs(tree, noise=0.001), policy="weekly.json")
    assert report.verdict is Verdict.WARN
    [told] = report.findings
    assert told.path == "weekly.json"
    assert told.message == (
        "narrowed: the rows of the policy judge every platform, those proposed rusticl alone; runs"
        " on another one would be judged by no row"
    )
    assert tree.written("recalibrate_policy.json")["scope"]["platform"] == "rusticl"


def test_a_row_with_too_few_sessions_stays_and_that_is_unknown(tree):
    old = weekly_policy(sizes=(1400, 2048, 3072))
    tree.put(weekly=old)
    report = tree.recalibrate(*runs(tree, noise=0.001), policy="weekly.json")
    assert report.verdict is UNKNOWN
    made = tree.written("recalibrate_policy.json")
    name = "auto_t3_controlled:3072"
    assert rows(made)[name] == rows(old)[name]
    assert any(f"{name}: 0 sessions in 0 rows are too few" in it.message for it in report.findings)


def test_archived_artifacts_can_be_calibrated_from(tree):
    block2 = "week11_block2_continuous_canary_20260209_005442.json"
    tree.archived(CANARY, block2)
    assert tree.recalibrate(CANARY, block2).verdict is PASS
    made = tree.written("recalibrate_policy.json")
    assert made["scope"] == {
        "kernels": ["auto_t3_controlled", "auto_t5_guarded"],
        "platform": "clover",
        "sizes": [1400, 2048],
    }
    assert 840 < rows(made)["auto_t3_controlled:1400"]["min_avg_gflops"] < 883


def broken(document: Any) -> Any:
    document["runs"][0]["sessions"][0]["max_error"] = 0.5
    document["runs"][0]["metrics"]["max_error_max"] = 0.5
    return document


def elsewhere(document: Any) -> Any:
    document["metadata"]["machine"]["fingerprint"] = "e" * 64
    return document


def empty(document: Any) -> Any:
    document["runs"] = []
    return document


@pytest.mark.parametrize(
    "change, told",
    [
        (broken, "odd.json: no evidence for a bound: auto_t3_controlled:1400@rusticl: error 0.5"),
        (elsewhere, "odd.json: of another machine than run0.json"),
        (lambda _: {"runs": 3}, "odd.json: no evidence for a bound"),
        (lambda _: "{", "odd.json: not JSON"),
    ],
)
def test_what_is_no_evidence_is_refused(tree, change, told):
    good = runs(tree, 1)
    tree.put(odd=change(copy.deepcopy(replay(seed=9))))
    with pytest.raises(CockpitError, match=told):
        tree.recalibrate(*good, "odd.json")
    assert not (tree.scratch / "artifacts").exists()


def test_nothing_measured_is_nothing_proposed(tree):
    tree.put(odd=empty(replay()))
    with pytest.raises(CockpitError, match="nothing can be proposed"):
        tree.recalibrate("odd.json")


def test_an_unknown_phase_is_named(tree):
    with pytest.raises(CockpitError, match="no phase 'nonsense'"):
        conduct("nonsense", tree.context, {"mode": "evaluate"})
