"""The gate `gemm`: its proofs, its plans, what stops a replay, and what it says without a device."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import testing
from pytest_cockpit.api import CockpitError, Context, Verdict
from pytest_cockpit.records import campaigns
from pytest_cockpit_gates.gemm import judging
from pytest_cockpit_gates.gemm import proving_trees as trees
from pytest_cockpit_gates.gemm.closing.selection import PATH, Choice, Selection
from pytest_cockpit_gates.gemm.gate import gate
from pytest_cockpit_gates.gemm.live import measuring
from pytest_cockpit_gates.gemm.phases import (
    baselines,
    canary,
    conduct,
    deciding,
    snapshots,
)
from pytest_cockpit_gates.gemm.phases.plan import GATE, REPLAY, SPLIT, Plan
from pytest_cockpit_gates.gemm.phases.rows import Row, Task
from pytest_cockpit_gates.gemm.phases.snapshots import Limits, Watch
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import guard_costs, policies
from pytest_cockpit_gates.gemm.strict.artifacts import problems
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.workers.client import WorkerError
from tests import gemm_devices
from tests.gemm_artifacts import weekly_policy

GREEN = {"runs/a.json": trees.text(trees.split())}


@pytest.mark.parametrize("proof", list(gate.proofs()), ids=lambda proof: proof.name)
def test_each_proof_holds(proof, tmp_path):
    report = testing.prove(gate, proof, tmp_path)
    assert testing.shortcomings(gate, proof, report) == []


def test_every_rule_has_a_proof():
    assert testing.check_proofs(gate) == []


@pytest.mark.parametrize("made", [trees.replay(), trees.split()], ids=["replay", "split"])
def test_artifacts_of_proofs_answer_to_the_schema(made):
    assert problems(made) == []


def judged(tmp_path, files, **settings):
    return testing.run_gate(gate, files, tmp_path=tmp_path, settings=settings)


def test_nothing_to_judge_is_unknown(tmp_path):
    report = judged(tmp_path, {}, live=False)
    assert report.verdict is Verdict.UNKNOWN
    assert "nothing to judge" in report.summary


def test_a_missing_platform_is_unknown_and_says_what_installs_it(tmp_path, monkeypatch):
    monkeypatch.setenv("OCL_ICD_VENDORS", str(tmp_path))
    report = judged(tmp_path, {})
    assert report.verdict is Verdict.UNKNOWN
    assert {finding.rule for finding in report.findings} == {"gemm.platform-missing"}
    assert len(report.findings) == 2
    assert all("apt-get install" in finding.message for finding in report.findings)


def test_every_artifact_is_judged_and_an_old_one_is_no_evidence(tmp_path):
    old = trees.split()
    old["metadata"] |= {"started": "2020-01-01T00:00:00Z", "finished": "2020-01-01T00:00:00Z"}
    files = {"runs/a.json": trees.text(trees.split()), "runs/b.json": trees.text(old)}
    report = judged(tmp_path, files, live=False, artifacts=["runs/*.json", "none/*.json"])
    assert report.verdict is Verdict.UNKNOWN
    assert {(it.path, it.rule) for it in report.findings} == {
        ("runs/b.json", "gemm.evidence-missing"),
        (None, "gemm.evidence-missing"),
    }


@pytest.mark.parametrize(
    ("pattern", "told"),
    [
        ("none/*.json", "none/*.json: no artifact of this name"),
        ("runs", "runs: no artifact of this name"),
        (".", ".: no artifact of this name"),
        ("", ": no artifact of this name"),
        ("runs/a**/x.json", "runs/a**/x.json: no "),
        ("out/*.json", "out/*.json: no artifact of this name"),
    ],
)
def test_a_pattern_that_names_no_artifact_of_the_tree_is_told(tmp_path, pattern, told):
    tree = tmp_path / "tree"
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "b.json").write_text("{}")
    tree.mkdir()
    report = testing.run_gate(
        gate,
        GREEN,
        tmp_path=tree,
        links={"out": str(tmp_path / "elsewhere")},
        settings={"live": False, "artifacts": [pattern]},
    )
    assert report.verdict is Verdict.UNKNOWN
    assert report.summary.startswith(told)
    assert [it.message for it in report.findings] == [report.summary]


def test_an_artifact_that_two_patterns_name_is_judged_once(tmp_path, monkeypatch):
    patterns = ["runs/*.json", "runs/a.json"]
    report = judged(tmp_path, GREEN, live=False, artifacts=patterns)
    assert report.summary.count("runs/a.json") == 1
    assert report.verdict is Verdict.PASS
    monkeypatch.setattr(judging, "_MOST", 0)
    report = judged(tmp_path, GREEN, live=False, artifacts=patterns)
    assert report.verdict is Verdict.UNKNOWN
    assert report.summary.endswith("1 files, of which 0 are judged")


def test_what_is_not_green_is_told_first_whatever_is_promoted_besides(tmp_path):
    files = {**GREEN, "runs/b.json": "{", "runs/c.json": "{}"}
    report = judged(tmp_path, files, live=False, artifacts=["runs/*.json"])
    assert report.verdict is Verdict.FAIL
    told = [report.summary.index(f"runs/{name}.json: ") for name in "bca"]
    assert told == sorted(told)
    assert told[0] == 0
    assert "runs/c.json: iterate: 1 failed" in report.summary


BACK = Selection(
    "rollback", Choice("clover"), Choice("rusticl"), "too slow", "2026-11-21T12:00:00Z", "s1", None
)
LIVE_OFF: dict[str, Any] = {"live": False, "artifacts": ["runs/*.json"]}


def test_a_rollback_that_is_in_force_is_told_and_the_rerun_that_is_owed(tmp_path):
    files = {**GREEN, PATH: json.dumps(BACK.to_json())}
    report = judged(tmp_path, files, **LIVE_OFF)
    assert report.verdict is Verdict.WARN
    in_force, _ = report.summary.split("; ")
    assert in_force == "a rollback from rusticl to clover is in force since 2026-11-21T12:00:00Z"
    [told] = report.findings
    assert (told.rule, told.path) == ("gemm.evidence-missing", PATH)
    assert "a rerun is owed since the rollback of 2026-11-21T12:00:00Z" in told.message
    nothing = judged(tmp_path, files, live=False)
    assert nothing.verdict is Verdict.UNKNOWN
    assert "nothing to judge" in nothing.summary


def test_after_the_rerun_a_rollback_is_in_force_and_nothing_is_owed(tmp_path):
    row: dict[str, Any] = {
        "kind": campaigns.ENDED,
        "mode": "replay",
        "gate": "gemm",
        "verdict": "pass",
    }
    row |= {"at": "2026-11-22T12:00:00Z", "session_id": "s2", "record": {"decision": "promote"}}
    book = tmp_path / campaigns.NAME
    campaigns.append(book, tmp_path / "lock", row)
    undone = dataclasses.replace(BACK, kind="undo")
    for made, words in ((BACK, ["a rollback from rusticl to clover is in force"]), (undone, [])):
        files = {PATH: json.dumps(made.to_json()), f".cockpit/{campaigns.NAME}": book.read_text()}
        report = judged(tmp_path, {**GREEN, **files}, **LIVE_OFF)
        assert (report.verdict, report.findings) == (Verdict.PASS, ())
        said = report.summary.split("; ")[:-1]
        assert [line.partition(" since ")[0] for line in said] == words


READ = {
    "policy": "gemm.policy",
    "t3_policy": "gemm.policy",
    "sla": "gemm.severity",
    "escalation": "gemm.severity",
    "baseline": "gemm.artifact",
    PATH: "gemm.evidence-missing",
}


@pytest.mark.parametrize(
    ("name", "content"),
    [(name, it) for name in READ for it in ("{", "[" * 2000, None) if (name, it) != (PATH, None)],
)
def test_a_file_that_cannot_be_read_is_told_and_nothing_is_judged(
    tmp_path, monkeypatch, name, content
):
    monkeypatch.setattr(measuring, "measure", None)
    path = name if name == PATH else f"{name}.json"
    files = {"runs/a.json": "{", **({path: content} if content else {})}
    settings = {"artifacts": ["runs/*.json"], **({} if name == PATH else {name: path})}
    report = judged(tmp_path, files, **settings)
    assert report.verdict is Verdict.FAIL
    assert [(it.rule, it.path) for it in report.findings] == [(READ[name], path)]
    assert report.summary == f"{path}: {report.findings[0].message}"


def test_all_files_that_cannot_be_read_are_told_at_once(tmp_path):
    report = judged(tmp_path, {"sla.json": "{"}, sla="sla.json", policy="policy.json")
    assert [it.path for it in report.findings] == ["policy.json", "sla.json"]


# Plans


def plan(kind=REPLAY, settings=None, **options):
    return Plan.of(kind, options, settings or Settings())


def test_the_defaults_are_those_of_the_runbook():
    made = plan()
    assert made.parameters == {
        "platforms": ["rusticl", "clover"],
        "kernels": ["auto_t3_controlled", "auto_t5_guarded"],
        "sizes": [1400, 2048, 3072],
        "snapshots": 8,
        "sessions": 2,
        "iterations": 8,
        "pressure_size": 896,
        "pressure_iterations": 3,
        "pressure_pulses": 3,
        "seed": 13011,
    }
    assert plan(SPLIT).parameters["seeds"] == [412, 512]
    assert plan(SPLIT).sessions == 1


def test_options_go_before_settings():
    settings = Settings(platforms=("pocl",), sizes=(7,), policy="a.json", min_ratio=0.5)
    assert plan(settings=settings).sizes == (7,)
    made = plan(settings=settings, sizes=[8, 8, 9], policy="b.json", min_ratio=0.9)
    assert (made.sizes, made.policy, made.min_ratio) == ((8, 9), "b.json", 0.9)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("sizes", [0]),
        ("sizes", [40000]),
        ("seeds", [-1]),
        ("kernels", ["fast"]),
        ("platforms", ["../x"]),
        ("platforms", [""]),
        ("snapshots", 0),
        ("iterations", 10**9),
        ("pressure_pulses", -1),
        ("min_ratio", float("nan")),
        ("min_ratio", 0.0),
    ],
)
def test_an_option_that_is_of_no_use_is_named(option, value):
    with pytest.raises(CockpitError, match=f"--cockpit-gemm-{option.replace('_', '-')}: .* of no"):
        plan(SPLIT if option == "seeds" else REPLAY, **{option: value})


def test_a_split_needs_both_of_its_platforms():
    with pytest.raises(CockpitError, match="a split needs rusticl and clover"):
        plan(SPLIT, platforms=["pocl", "clover"])
    assert plan(platforms=["pocl"]).platforms == ("pocl",)


@given(st.dictionaries(st.sampled_from(["snapshots", "seed", "sessions"]), st.integers()))
def test_any_number_makes_a_plan_or_one_line(options):
    said = ""
    try:
        assert plan(**options).snapshots >= 1
    except CockpitError as error:
        said = str(error)
    assert "\n" not in said


@given(
    st.recursive(
        st.none() | st.booleans() | st.floats() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_any_json_is_a_baseline_or_one_line(tmp_path_factory, data):
    root = tmp_path_factory.mktemp("tree")
    (root / "b.json").write_text(json.dumps({"runs": data}))
    said = ""
    try:
        assert baselines.levels(baselines.read(root, "b.json").data, "proof") == {}
    except CockpitError as error:
        said = str(error)
    assert "\n" not in said


def test_what_a_plan_cannot_decide_is_said_with_option_and_number(tmp_path):
    (tmp_path / "weekly.json").write_text(json.dumps(weekly_policy()))
    asked = policies.read(tmp_path, weekly="weekly.json")
    assert list(deciding.undecided(plan(), asked)) == []
    assert list(deciding.undecided(plan(SPLIT), asked)) == []
    said = list(deciding.undecided(plan(snapshots=2, sessions=1, iterations=2), asked))
    assert any("--cockpit-gemm-iterations 30" in line for line in said)
    assert any("4 pairs with and without the guard" in line for line in said)
    assert all("--cockpit-gemm-" in line for line in said)


# Rows and snapshots


def answer(wall=0.01, *, error: float | None = 1e-6, t3=None, t5=None):
    variant = {"id": "v", "source_sha256": "0" * 64}
    return {
        "wall_s": [wall] * 4, "cpu_s": [wall] * 4, "max_error": error, "error_bound": 1e-4,
        "variant": variant, "t3": t3, "t5": t5,
    }  # fmt: skip


def row(*answers, kernel="static", failure=None, snapshot=1):
    made = Row(Task("rusticl", kernel, 64, 75, snapshot, 75))
    made.info = {"platform_name": "rusticl", "device": "llvmpipe", "driver": "22.3.6"}
    for number, each in enumerate(answers, 1):
        made.add(number, 75 + 1000 * number, each)
    made.failure = failure
    return made.to_json()


def test_a_row_is_the_mean_of_its_sessions():
    made = row(answer(0.01), answer(0.02))
    work = 2 * 64**3 / 1e9
    assert made["metrics"]["avg_mean_gflops"] == pytest.approx((work / 0.01 + work / 0.02) / 2)
    assert made["metrics"]["driver"] == "22.3.6"
    assert [it["seed"] for it in made["sessions"]] == [1075, 2075]


def test_a_failed_session_is_a_failed_row_that_keeps_the_others():
    died = WorkerError("crash", "rusticl: worker died of SIGABRT at session", -6, "LLVM ERROR")
    made = row(answer(), failure=died)
    assert (made["status"], made["returncode"], made["stderr"]) == ("failed", -6, "LLVM ERROR")
    assert len(made["sessions"]) == 1
    bare = row(failure=died)
    assert bare["metrics"] is None
    assert bare["variant"] is None


def test_what_selector_and_guard_say_is_summed_up():
    t3 = {"fallback_rate": None, "vacuous": True, "policy_disabled": False, "arms": {"a": 1}}
    metrics = row(answer(t3=t3), answer(t3=t3))["metrics"]
    assert metrics["t3_fallback_rate"] is None
    assert metrics["t3_vacuous"] is True
    t5: dict[str, Any] = {
        "checked": 4, "false_positive_rate": 0.0, "detections": 1, "corrections": 1,
        "disable_events": 1, "disable_reason": "overhead",
        "pairs": [{"guarded_s": 1.1, "plain_s": 1.0, "order": "ab"}] * 2,
    }  # fmt: skip
    metrics = row(answer(t5=t5), answer(t5=t5))["metrics"]
    assert metrics["t5_overhead_percent"] == pytest.approx(10)
    assert (metrics["t5_checked"], metrics["t5_disable_events"]) == (8, 2)
    assert guard_costs.added_percent([]) is None


def fallen_back(times, of):
    return {"fallback_rate": times / of, "decisions": of, "fallbacks": times}


def watch(**baseline):
    return Watch(Limits.of(Policies()), baseline)


def test_a_good_snapshot_goes_on():
    assert watch().judge([row(answer())], []) == (snapshots.CONTINUE, {})


@pytest.mark.parametrize(
    ("name", "made", "pulses"),
    [
        ("all_runs_success", row(failure=WorkerError("crash", "died")), []),
        ("correctness_bound_all_runs", row(answer(error=None)), []),
        ("correctness_bound_all_runs", row(answer(error=1e-3)), []),
        ("t3_guardrails_all_runs", row(answer(t3=fallen_back(20, 100))), []),
        ("t3_guardrails_all_runs", row(answer(t3={"policy_disabled": True})), []),
        ("t5_guardrails_hard", row(answer(t5={"disable_events": 1})), []),
        ("t5_guardrails_hard", row(answer(t5={"false_positive_rate": 0.1})), []),
        (
            "pressure_failures_zero",
            row(answer()),
            [{"status": "failed", "platform": "rusticl", "pulse": 1, "error": "died"}],
        ),
    ],
)
def test_a_hard_check_stops_at_once(name, made, pulses):
    decision, against = watch().judge([made], pulses)
    assert decision == snapshots.ROLLBACK
    assert list(against) == [name]


def costing(percent, period=1):
    pairs = [{"guarded_s": 1 + percent / 100, "plain_s": 1.0}]
    told = {"pairs": pairs, "sampling_period": period}
    return row(answer(t5=told), kernel="auto_t5_guarded")


def test_what_the_guard_costs_warns_and_then_stops():
    seen = watch()
    decisions = [seen.judge([costing(4)], [])[0] for _ in range(6)]
    assert decisions == [*[snapshots.CONTINUE] * 4, snapshots.WARN, snapshots.ROLLBACK]
    for good in (costing(2), costing(29, period=10)):
        seen = watch()
        decisions = [seen.judge([good], [])[0] for _ in range(8)]
        assert decisions == [snapshots.CONTINUE] * 8


def test_what_the_guard_surely_costs_too_much_stops_by_its_own_rule():
    seen = watch()
    for _ in range(7):
        decision, against = seen.judge([costing(9)], [])
    decision, against = seen.judge([costing(9)], [])
    assert decision == snapshots.ROLLBACK
    [line] = against[snapshots.HARD]
    assert line.endswith("costs 9 %, surely more than 9 %, by 8 pairs; 5 % allowed")


def test_one_fallback_of_few_products_stops_nothing():
    seen = watch()
    assert seen.judge([row(answer(t3=fallen_back(1, 12)))], []) == (snapshots.CONTINUE, {})
    # The snapshots so far count together.
    decisions = [seen.judge([row(answer(t3=fallen_back(4, 12)))], [])[0] for _ in range(2)]
    assert decisions[-1] == snapshots.ROLLBACK


def test_a_selector_that_is_off_says_why_and_how_it_begins_anew():
    off = {"policy_disabled": True, "disable_reason": "fallback: 9 of 20 products"}
    _, against = watch().judge([row(answer(t3=off))], [])
    [line] = against["t3_guardrails_all_runs"]
    assert "switched off: fallback: 9 of 20 products; --cockpit-gemm-tune" in line


def test_throughput_is_held_against_a_baseline_of_the_same_machine_alone():
    before = trees.replay()
    assert baselines.levels(before, "another") == {}
    assert baselines.levels(None, "proof") == {}
    known = baselines.levels(before, "proof")
    assert set(known) == {"auto_t3_controlled:512@rusticl", "auto_t5_guarded:512@rusticl"}
    slow, seen = trees.replay(slower=1.3)["runs"], Watch(Limits(), known)
    decisions = []
    for number in range(1, 4):
        decision, against = seen.judge([it for it in slow if it["snapshot"] == number], [])
        decisions.append(decision)
    # One session beside a baseline is no evidence, however slow it was.
    assert decisions[0] == snapshots.CONTINUE
    assert decisions[-1] == snapshots.ROLLBACK
    [line, *_] = against["no_regression_vs_baseline"]
    assert "GFLOPS in " in line
    assert "; the baseline has " in line
    seen = Watch(Limits(), known)
    for number in range(1, 4):
        same = [it for it in before["runs"] if it["snapshot"] == number]
        assert seen.judge(same, [])[0] == snapshots.CONTINUE


def test_every_check_of_a_snapshot_has_a_rule():
    assert set(snapshots.RULES.values()) <= {rule.id for rule in gate.rules}


def test_a_phase_without_its_plan_says_so(tmp_path):
    context = Context(root=tmp_path, scratch=tmp_path)
    options = {"mode": "replay", "attempt": 1}
    with pytest.raises(CockpitError, match="there is no plan"):
        canary.run("canary", context, options)
    with pytest.raises(CockpitError, match="no phase 'dance'"):
        conduct("dance", context, options)


def test_the_profiles_measure_what_they_say():
    from pytest_cockpit_gates.gemm.live.measuring import plan_of

    assert plan_of(Settings()).sizes == (1024,)
    assert plan_of(Settings(profile="nightly")).sizes == (1400, 2048, 3072)
    assert plan_of(Settings(profile="nightly", sizes=(5,))).sizes == (5,)
    assert plan_of(Settings()).kind == GATE


def test_what_the_gate_measures_is_judged_by_the_weekly_policy(tmp_path, monkeypatch):
    gemm_devices.twice("pocl", "other", tmp_path, monkeypatch)
    # One portion of pairs each: what they decide is not looked at here.
    monkeypatch.setattr(measuring, "_CI_SECONDS", (0.0, 0.0))
    rows = {"auto_t3_controlled:64": 1e-9, "auto_t5_guarded:64": 1e9}
    policy = weekly_policy("pocl", (64,))
    for row, least in rows.items():
        policy["weekly_slo"]["per_kernel_size"][row]["min_avg_gflops"] = least
    (tmp_path / "tree").mkdir()
    report = judged(
        tmp_path / "tree",
        {"weekly.json": json.dumps(policy)},
        policy="weekly.json",
        platforms=["other", "pocl"],
        candidate="other",
        fallback="pocl",
        sizes=[64],
    )
    evaluation = next(it.data for it in report.evidence if it.name == "evaluation")
    told = [it for it in evaluation["checks"] if it["name"] == "per_kernel_size_slo"]
    assert {it["key"]: it["verdict"] for it in told} == {
        "auto_t3_controlled:64@pocl": "pass",
        "auto_t5_guarded:64@pocl": "fail",
    }
    [slow] = [it for it in report.findings if it.rule == "gemm.throughput"]
    assert "auto_t5_guarded:64@pocl" in slow.message
    assert report.verdict is Verdict.FAIL
    assert "; 2 of 2 rows of weekly.json judged" in report.summary
