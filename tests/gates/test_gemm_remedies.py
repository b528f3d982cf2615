"""What is said beside a verdict: remedies that can be followed, with the number they take."""

from __future__ import annotations

import copy
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Context, Finding, Report, Severity, Verdict
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.compat import telling
from pytest_cockpit_gates.gemm.compat.rows import Check
from pytest_cockpit_gates.gemm.phases import conduct, stopped
from pytest_cockpit_gates.gemm.strict import artifacts, calibration, needed, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.verdicts import Evaluation
from tests.gemm_artifacts import earlier, replay, retimed, split, weekly_policy

DATA = Path(__file__).parents[1] / "data" / "gemm"
CANARY = DATA / "artifacts" / "week11_block4_weekly_replay_canary_20260209_010447.json"
WEEKLY = DATA / "policies" / "policy_week11_block3_weekly_slo_v1.json"
SIZES = (1400,)


@pytest.fixture
def read(tmp_path):
    def of(document: Any = None) -> policies.Policies:
        (tmp_path / "weekly.json").write_text(json.dumps(document or weekly_policy(sizes=SIZES)))
        return policies.read(tmp_path, weekly="weekly.json")

    return of


def remedies(evaluation: Evaluation, name: str) -> set[str]:
    return {check.remedy for check in evaluation.checks if check.name == name}


def number(evaluation: Evaluation, name: str, option: str) -> int:
    [remedy] = remedies(evaluation, name)
    found = re.search(rf"--cockpit-gemm-{option} (\d+)", remedy)
    assert found, remedy
    return int(found[1])


def test_what_is_green_has_no_remedy(read):
    found = evaluate(replay(sizes=SIZES, noise=0.001), read(), baseline=None)
    assert not [check for check in found.checks if check.verdict is Verdict.PASS and check.remedy]


@pytest.mark.parametrize("sessions", [1, 2, 3])
@pytest.mark.parametrize("attempt", [1, 3])
def test_as_many_snapshots_as_a_remedy_asks_for_show_a_drift(read, sessions, attempt):
    few = replay(sizes=SIZES, snapshots=2, sessions=sessions)
    demands = Demands(attempt=attempt)
    wanted = number(evaluate(few, read(), demands=demands), "p95_drift_bound", "snapshots")
    for snapshots, seen in ((wanted - 1, False), (wanted, True)):
        made = replay(sizes=SIZES, snapshots=snapshots, sessions=sessions)
        found = evaluate(made, read(), demands=demands)
        drifts = [check for check in found.checks if check.name == "p95_drift_bound"]
        assert {check.observed["drift_percent"] is not None for check in drifts} == {seen}


@pytest.mark.parametrize("attempt", [1, 2])
def test_as_many_iterations_as_a_remedy_asks_for_are_enough_for_a_percentile(read, attempt):
    demands = Demands(attempt=attempt)

    def run(iterations: int) -> Any:
        return replay(sizes=SIZES, snapshots=1, iterations=iterations)

    few = evaluate(run(4), read(), demands=demands)
    wanted = number(few, "per_kernel_size_p95", "iterations")
    for iterations, seen in ((wanted - 1, False), (wanted, True)):
        found = evaluate(run(iterations), read(), demands=demands)
        late = [check for check in found.checks if check.name == "per_kernel_size_p95"]
        ends = {(check.observed.get("p95_ms") or {}).get("high") is not None for check in late}
        assert ends == {seen}


def test_a_session_too_few_for_a_throughput_is_asked_for(read):
    few = evaluate(replay(sizes=SIZES, snapshots=1, sessions=1, iterations=4), read())
    assert number(few, "per_kernel_size_slo", "snapshots") == 8
    few = evaluate(split(seeds=(1, 2), sessions=1, iterations=2), read())
    assert number(few, "per_kernel_size_slo", "sessions") == 4


def test_a_baseline_of_too_few_sessions_is_to_be_measured_again(read):
    run = replay(sizes=SIZES)
    few = evaluate(run, read(), baseline=earlier(replay(sizes=SIZES, snapshots=1, sessions=1)))
    [remedy] = remedies(few, "no_regression_vs_baseline")
    assert "measure a baseline here" in remedy
    assert "1 sessions of a row are too few to compare any number with" in remedy
    short = replay(sizes=SIZES, snapshots=1, sessions=1)
    found = evaluate(short, read(), baseline=earlier(run))
    assert number(found, "no_regression_vs_baseline", "snapshots") > 1


def test_how_many_values_decide_follows_from_the_width():
    there = Interval(-2.0, 1.0, 4.0)
    assert needed.enough(there, 3.0, 10) == 23
    assert needed.enough(there, -1.0, 10) == 23
    assert needed.enough(there, 1.0, 10) is None
    assert needed.enough(there, 1.1, 10) is None
    assert needed.enough(Interval(0.0, 1.0, float("inf")), 2.0, 10) is None
    told = needed.more_snapshots(None, "max_p95_drift_percent")
    assert told.endswith("or set another bound: max_p95_drift_percent")


def test_nothing_is_asked_for_that_an_archived_artifact_cannot_have(read):
    archived = json.loads(CANARY.read_text())
    found = evaluate(archived, read(weekly_policy("clover")))
    unknown = [check for check in found.checks if check.verdict is Verdict.UNKNOWN]
    assert {"p95_drift_bound", "per_kernel_size_p95"} <= {check.name for check in unknown}
    for check in unknown:
        assert "measure anew with --cockpit-replay" in check.remedy, check
        assert "interval" not in check.remedy


def conducted(root: Path, scratch: Path, *named: str, **options: Any) -> Report:
    given = {"mode": "evaluate", "artifacts": list(named), "attempt": 1, **options}
    return conduct("evaluate", Context(root=root, scratch=scratch), given)


@pytest.fixture
def judged(tmp_path):
    root, scratch = tmp_path / "root", tmp_path / "scratch"
    root.mkdir()
    scratch.mkdir()
    (root / "weekly.json").write_bytes(WEEKLY.read_bytes())

    def of(*named: str, documents: dict[str, Any] | None = None) -> Report:
        for name, document in (documents or {}).items():
            (root / name).write_text(json.dumps(document))
        return conducted(root, scratch, *named, evaluate_mode="compat", policy="weekly.json")

    return of


def broken() -> Any:
    document = json.loads(CANARY.read_text())
    document["metadata"]["executed_snapshots"] = 4
    document["runs"][0]["metrics"]["max_error_max"] = 0.5
    return document


def errors(report: Report) -> list[Finding]:
    return [found for found in report.findings if found.severity is Severity.ERROR]


def test_old_decisions_say_what_was_seen_and_what_was_allowed(judged):
    report = judged("run.json", documents={"run.json": broken()})
    few, wrong = errors(report)
    assert few.rule == "gemm.evidence-missing"
    told = "weekly_replay: minimum_snapshots did not hold: observed 4, at least 6"
    assert few.message == told
    assert few.remedy
    assert "--cockpit-replay" in few.remedy
    assert wrong.rule == "gemm.correctness"
    assert wrong.message.endswith("did not hold: observed 0.5, at most 0.001")


def test_many_decisions_are_counted(judged):
    good = json.loads(CANARY.read_text())
    documents = {f"run{at}.json": broken() if at == 2 else good for at in range(4)}
    report = judged(*documents, "nope.json", documents=documents)
    assert report.summary == "5 decisions: 3 promote, 1 iterate, 1 unreadable"
    assert len([it for it in report.findings if it.severity is Severity.INFO]) == 1


def test_an_artifact_named_twice_is_judged_once_and_that_is_said(judged):
    documents = {"run.json": json.loads(CANARY.read_text())}
    report = judged("run.json", "./run.json", documents=documents)
    assert report.summary == "run.json: weekly_replay: promote"
    assert "named 2 times, and judged once" in {found.message for found in report.findings}


@pytest.mark.parametrize(
    "path, told",
    [
        ("/etc/hostname", "/etc/hostname: outside the repository; copy it into"),
        ("../x.json", "../x.json: outside the repository; copy it into"),
        ("run*.json", "no such file; name the artifact of a run; a pattern with quotes"),
        (".", "a folder; name the artifacts in it"),
        ("a\0b", "no path of a file"),
    ],
)
def test_what_is_no_file_of_the_tree_is_one_finding(judged, path, told):
    report = judged(path, "run.json", documents={"run.json": json.loads(CANARY.read_text())})
    [found] = errors(report)
    assert told in found.message
    assert found.message.isprintable()
    assert found.path is None or not found.path.startswith(("/", ".."))
    assert "run.json: weekly_replay: promote" in report.summary


@pytest.mark.parametrize(
    "check, rule",
    [
        (Check("t5_guardrails_hard", False, {"observed_overhead_max": 9}), "gemm.guard-overhead"),
        (Check("t5_guardrails_hard", False, {"observed_disable_total": 1}), "gemm.guard-disabled"),
        (
            Check("all_snapshot_hard_checks_passed", False, {"failed": ["all_runs_success"]}),
            "gemm.run-failed",
        ),
        (Check("nobody_knows", False), "gemm.artifact"),
    ],
)
def test_the_rule_is_that_of_what_failed(check, rule):
    assert telling.rule_of(check) == rule


def test_every_check_of_old_has_a_rule():
    from pytest_cockpit_gates.gemm.compat import ours

    document = replay(platforms=("clover",), sizes=(1400, 2048))
    both = split()
    bounds = json.loads(WEEKLY.read_text())
    made = [
        *ours.decisions(document, bounds, copy.deepcopy(document)).values(),
        *ours.decisions(both, bounds, copy.deepcopy(both)).values(),
    ]
    assert len(made) == 4
    for found in made:
        for check in found.checks:
            named = check.name in ("all_snapshot_hard_checks_passed", "rollback_policy_enforced")
            assert named or telling.rule_of(check) != "gemm.artifact", check.name
            assert telling.seen(check).isprintable()


def recalibrated(folder: Path, document: Any, **options: Any) -> tuple[Report, Any]:
    scratch = folder / "proposed"
    scratch.mkdir(exist_ok=True)
    (folder / "run.json").write_text(json.dumps(document))
    given = {"mode": "recalibrate", "artifacts": ["run.json"], **options}
    report = conduct("recalibrate", Context(root=folder, scratch=scratch), given)
    return report, json.loads((scratch / "artifacts" / "recalibrate_policy.json").read_text())


def test_a_row_whose_sessions_differ_too_much_gets_no_bound(tmp_path):
    def slower(row: Any, session: int, at: int) -> float:
        hit = row["kernel"].startswith("auto_t3") and row["snapshot"] == 2 and session == 1
        return 5.0 if hit else 1.0

    report, made = recalibrated(tmp_path, retimed(replay(sizes=SIZES), slower))
    assert report.verdict is Verdict.UNKNOWN
    assert list(made["weekly_slo"]["per_kernel_size"]) == ["auto_t5_guarded:1400"]
    [told] = [it.message for it in report.findings if it.message.startswith("auto_t3")]
    assert "no bound above 0 follows from 16 sessions of 5." in told
    [wanted] = map(int, re.findall(r"it takes (\d+) sessions", told))
    assert 60 < wanted < 70
    # As many sessions, differing as much, have one.
    more = retimed(replay(sizes=SIZES, snapshots=wanted, sessions=1), slower)
    _, made = recalibrated(tmp_path, more)
    assert made["weekly_slo"]["per_kernel_size"]["auto_t3_controlled:1400"]["min_avg_gflops"] > 0


def test_where_no_row_has_a_bound_the_artifact_is_named_with_what_it_takes(tmp_path):
    document = retimed(replay(sizes=SIZES), lambda row, *_: 9.0 if row["snapshot"] == 3 else 1.0)
    told = r"^run.json: nothing can be proposed: auto_t3_controlled:1400: no bound above 0 follows"
    with pytest.raises(CockpitError, match=told) as caught:
        recalibrated(tmp_path, document)
    assert "it takes" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_drift_that_may_be_anything_is_no_bound(tmp_path):
    document = replay(sizes=SIZES, snapshots=8, sessions=2)
    document = retimed(document, lambda row, *_: 1.25 ** (row["snapshot"] % 3))
    report, made = recalibrated(tmp_path, document)
    guardrails = made["weekly_slo"]["global_guardrails"]
    assert guardrails["max_abs_throughput_drift_percent"] == 3.0
    assert any("which is no bound: measure more snapshots" in it.message for it in report.findings)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.floats(0.01, 100), min_size=16, max_size=16))
def test_whatever_sessions_are_like_no_bound_is_below_nothing_or_out_of_reach(factors):
    document = retimed(
        replay(sizes=SIZES, iterations=4),
        lambda row, session, _: factors[2 * row["snapshot"] + session - 3],
    )
    artifact, _ = artifacts.read(document)
    assert artifact is not None
    made = calibration.propose([artifact], "rusticl", None)
    assert policies.problems({"weekly_slo": made.slo}) == []
    for name, row in made.slo["per_kernel_size"].items():
        seen = [run.metrics["avg_mean_gflops"] for run in artifact.good if run.row == name]
        assert 0 < row["min_avg_gflops"] <= max(seen)


@pytest.mark.parametrize("attempt", [1, 2, 4])
def test_as_many_pairs_as_a_remedy_asks_for_have_a_ratio(read, attempt):
    made = split(pairs=48, seeds=(412,))

    def of(pairs: int) -> Any:
        few = copy.deepcopy(made)
        few["pairs"] = [pair for pair in made["pairs"] if pair["pair"] < pairs]
        few["metadata"]["parameters"]["pairs"] = pairs
        found = evaluate(few, read(), demands=Demands(attempt=attempt))
        return [check for check in found.checks if check.rule == "gemm.ratio"]

    [remedy] = {check.remedy for check in of(3)}
    found = re.search(r"pairs = (\d+) in \[tool.cockpit.gate.gemm\]", remedy)
    assert found, remedy
    for pairs, seen in ((int(found[1]) - 1, False), (int(found[1]), True)):
        assert {check.observed["ratio"] is not None for check in of(pairs)} == {seen}


def test_pairs_that_were_planned_and_not_measured_are_not_planned_again(read):
    made = split(pairs=8)
    made["pairs"] = []
    [remedy] = remedies(evaluate(made, read()), "rusticl_ratio_vs_clover")
    assert remedy.startswith("fewer pairs were measured than planned: find out what ended it")


@pytest.mark.parametrize("attempt", [1, 2])
def test_as_many_snapshots_as_a_remedy_asks_for_tell_what_the_guard_costs(read, attempt):
    """Two pairs of a session, so that half as many sessions are enough."""

    def of(snapshots: int) -> Evaluation:
        made = replay(sizes=SIZES, snapshots=snapshots, sessions=1, iterations=2)
        return evaluate(made, read(), demands=Demands(attempt=attempt))

    wanted = number(of(2), "t5_overhead_bound", "snapshots")
    for snapshots, seen in ((wanted - 1, False), (wanted, True)):
        [cost] = [check for check in of(snapshots).checks if check.name == "t5_overhead_bound"]
        assert (cost.observed["overhead_percent"] is not None) is seen


def costing(document: Any, percents: list[float]) -> Any:
    """The cost of the guard in its pairs, one after the other."""
    for row in document["runs"]:
        pairs = row["metrics"].get("t5_pairs", ())
        for pair, percent in zip(pairs, percents, strict=False):
            pair["guarded_s"] = pair["plain_s"] * (1 + percent / 100)
    return document


@pytest.mark.parametrize(
    "kind, pairs, remedy",
    [
        ("split", 4, "up to 48: run it again with these"),
        ("gate", 4, "or with profile nightly"),
        ("split", 24, "48 pairs are the most that are measured"),
        ("gate", 24, "48 pairs are the most that are measured"),
    ],
)
def test_of_a_split_no_sessions_are_asked_for_to_tell_what_the_guard_costs(
    read, kind, pairs, remedy
):
    """It measures pairs until they decide, of each seed here as many."""
    made = costing(split(sessions=1, iterations=pairs), [2.9, 3.1] * 12)
    made["kind"] = kind
    found = remedies(evaluate(made, read()), "t5_overhead_bound")
    assert all(each.endswith(remedy) or each.startswith(remedy) for each in found), found


@pytest.mark.parametrize(
    "weekly, guard, key",
    [
        (2.0, 3.0, "weekly_slo.global_guardrails.max_t5_overhead_percent"),
        (3.0, 2.0, "runtime_guardrails.disable_if_effective_overhead_percent_gt"),
        (
            3.0,
            3.0,
            (
                "weekly_slo.global_guardrails.max_t5_overhead_percent and"
                " runtime_guardrails.disable_if_effective_overhead_percent_gt"
            ),
        ),
        (
            None,
            None,
            (
                "runtime_guardrails.disable_if_effective_overhead_percent_gt of a policy of the guard,"
                " named as t5_policy"
            ),
        ),
    ],
)
def test_the_bound_that_is_to_be_changed_is_the_one_that_holds(tmp_path, weekly, guard, key):
    files: dict[str, Any] = {}
    if weekly:
        files["weekly"] = weekly_policy(sizes=SIZES)
        files["weekly"]["weekly_slo"]["global_guardrails"]["max_t5_overhead_percent"] = weekly
        limits = {"disable_if_effective_overhead_percent_gt": guard}
        files["t5"] = {"runtime_guardrails": limits}
    for name, data in files.items():
        (tmp_path / name).write_text(json.dumps(data))
    held = policies.read(tmp_path, **{name: name for name in files})
    bound = min(weekly or 3.0, guard or 3.0)
    made = costing(split(sessions=1, iterations=24), [bound - 0.1, bound + 0.1] * 12)
    found = remedies(evaluate(made, held), "t5_overhead_bound")
    assert all(each.endswith(f"allow more: {key}") for each in found), found


def test_without_a_policy_of_the_guard_one_is_to_be_named_that_checks_less(read):
    made = costing(split(sessions=1, iterations=24), [9.0, 9.1] * 12)
    found = remedies(evaluate(made, read()), "t5_overhead_bound")
    assert found == {
        (
            "check every so many products alone: abft_mode.sampling_period of a policy of the guard,"
            " named as t5_policy"
        ),
    }


def test_no_option_is_named_that_would_refuse_a_kernel(read):
    misspelled = weekly_policy(sizes=SIZES)
    rows = misspelled["weekly_slo"]["per_kernel_size"]
    rows["auto_t3_controled:1400"] = rows.pop("auto_t3_controlled:1400")
    found = evaluate(replay(sizes=SIZES), read(misspelled))
    assert remedies(found, "all_policy_rows_present") == {
        (
            "correct weekly.json: /weekly_slo/per_kernel_size: no kernel is called"
            " auto_t3_controled; there are auto_t3_controlled, auto_t5_guarded, static, naive"
        ),
    }


def test_a_second_sample_that_stays_as_it_is_takes_its_part_of_the_width():
    there = Interval(-2.0, 1.0, 4.0)
    assert needed.enough(there, 3.0, 10, beside=10) is None
    # Of the width squared 1/10 + 1/100 there is 4/9 left, of which 1/100 is the other's.
    assert needed.enough(there, 3.0, 10, beside=100) == 26
    assert needed.enough(there, 3.0, 10, beside=10**9) == needed.enough(there, 3.0, 10)
    assert needed.enough(Interval(1.0, 1.0, 1.0), 3.0, 10) == 11


def test_where_no_number_of_pairs_decides_none_is_asked_for(read):
    [check] = [
        check
        for check in evaluate(
            split(pairs=48, ratio=0.85), read(), demands=Demands(kernels=("auto_t5_guarded",))
        ).checks
        if check.rule == "gemm.ratio" and check.key.startswith("auto_t5")
    ]
    assert check.verdict is Verdict.UNKNOWN
    assert "no number of pairs up to 48" in check.remedy


def test_a_platform_that_was_not_planned_is_to_be_named(read):
    found = evaluate(split(), read(), demands=Demands(candidate="pocl"))
    [remedy] = remedies(found, "platform_split_present")
    assert remedy.startswith("measure both: --cockpit-gemm-platforms pocl clover")


def test_a_campaign_that_was_ended_is_not_asked_for_what_was_planned(read):
    run = replay(sizes=SIZES, snapshots=2)
    run["metadata"]["parameters"]["snapshots"] = 8
    lines = ["auto_t5_guarded:1400@rusticl: fault detection costs 9 %"]
    run["snapshots"][-1] |= {"decision": "rollback", "failed": ["t5_overhead_hard_limit"]}
    run["rollback_event"] = {
        "snapshot": 2,
        "failed": ["t5_overhead_hard_limit"],
        "reasons": lines,
        "checks": {"t5_overhead_hard_limit": lines},
    }
    policy = read()
    asked = [check for check in evaluate(run, policy).red if "--cockpit-gemm-" in check.remedy]
    made = stopped.told(evaluate(run, policy), run)
    assert made.checks[0].name == "t5_overhead_hard_limit"
    ended = (
        "the campaign was ended at snapshot 2 of 8 by t5_overhead_hard_limit: mend that, and replay"
    )
    by_name = {check.name for check in made.red if check.remedy == ended}
    assert {"minimum_snapshots", "throughput_drift_abs_bound", "per_kernel_size_p95"} <= by_name
    assert len(asked) > len(by_name)
    # What takes more than was planned is asked for all the same, and so is what nobody ended.
    run["metadata"]["parameters"]["snapshots"] = 5
    [remedy] = remedies(stopped.told(evaluate(run, policy), run), "minimum_snapshots")
    assert remedy == "measure again with --cockpit-gemm-snapshots 6"
    run["rollback_event"] = None
    run["metadata"]["parameters"]["snapshots"] = 8
    assert number(stopped.told(evaluate(run, policy), run), "minimum_snapshots", "snapshots") == 6
