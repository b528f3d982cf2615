"""Every way in which a replay can be unsound has its verdict; most were once decided `promote`."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit_gates.gemm.compat import ours
from pytest_cockpit_gates.gemm.strict import artifacts, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.names import CHECKS
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.verdicts import Check, Evaluation
from tests.gemm_artifacts import DEVICE, earlier, refigured, replay, retimed, split, weekly_policy

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
ARCHIVED = Path(__file__).parents[1] / "data" / "gemm" / "artifacts"
GOOD = replay(platforms=("clover",), sizes=(1400, 2048), iterations=16)
POLICY = weekly_policy("clover")
# Bounds wide enough for what drifts to be seen as a drift alone.
for _row in POLICY["weekly_slo"]["per_kernel_size"].values():
    _row["min_avg_gflops"] *= 0.9
    _row["max_p95_time_ms"] *= 2
Change = Callable[[Any], object]


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> Callable[..., Policies]:
    def of(weekly: Any = POLICY, **others: Any) -> Policies:
        root = tmp_path_factory.mktemp("policies")
        for name, document in {"weekly": weekly, **others}.items():
            (root / f"{name}.json").write_text(json.dumps(document))
        paths = {name: f"{name}.json" for name in others}
        return policies.read(root, **({"weekly": "weekly.json"} if weekly else {}), **paths)

    return of


def of_name(evaluation: Evaluation, name: str) -> list[Check]:
    found = [check for check in evaluation.checks if check.name == name]
    assert found, [check.name for check in evaluation.checks]
    return found


def verdict(evaluation: Evaluation, name: str) -> Verdict:
    return Verdict.worst(check.verdict for check in of_name(evaluation, name))


def once(document: Any, baseline: Any = None) -> str:
    """What would once have been decided: the worst of both evaluators, or an error."""
    try:
        made = ours.decisions(document, POLICY, baseline or GOOD)
    except CockpitError:
        return "error"
    return "promote" if {each.decision for each in made.values()} == {"promote"} else "iterate"


def changed(change: Change, document: Any = None) -> Any:
    copied = copy.deepcopy(document or GOOD)
    made = change(copied)
    return made if isinstance(made, dict) and "schema" in made else copied


def row(
    document: Any, kernel: str = "auto_t3_controlled", size: int = 1400, snapshot: int = 3
) -> Any:
    return next(
        run
        for run in document["runs"]
        if (run["kernel"], run["size"], run["snapshot"]) == (kernel, size, snapshot)
    )


def t5(document: Any) -> Any:
    return row(document, "auto_t5_guarded")


def test_a_campaign_in_which_all_is_well_is_promoted(read):
    assert artifacts.problems(GOOD) == []
    found = evaluate(GOOD, read(), baseline=replay_of_last_week())
    assert found.red == ()
    assert found.decision == "promote"
    assert once(GOOD) == "promote"
    assert {check.name for check in found.checks} <= CHECKS.keys()
    assert all(check.rule == CHECKS[check.name] for check in found.checks)
    assert all(check.message.isprintable() and check.message for check in found.checks)


def replay_of_last_week() -> Any:
    made = replay(platforms=("clover",), sizes=(1400, 2048), iterations=16, seed=77)
    return earlier(made)


def error(value: float) -> Change:
    def change(document: Any) -> None:
        row(document)["sessions"][1]["max_error"] = value
        row(document)["metrics"]["max_error_max"] = value

    return change


def crash(document: Any) -> None:
    row(document).update(
        status="failed",
        returncode=-6,
        error="SIGABRT",
        stderr="LLVM ERROR: Cannot select",
        sessions=[],
        metrics=None,
        variant=None,
    )


def short_session(document: Any) -> None:
    del row(document)["sessions"][0]["wall_s"][-1]
    del row(document)["sessions"][0]["cpu_s"][-1]
    refigured(row(document))


def lost_session(document: Any) -> None:
    del row(document)["sessions"][0]
    refigured(row(document))


def same_ids(document: Any) -> None:
    """The second snapshot is entered under the first one's number."""
    document["snapshots"][1]["snapshot"] = 1
    for run in document["runs"]:
        run["snapshot"] = 1 if run["snapshot"] == 2 else run["snapshot"]


def copied_times(document: Any) -> None:
    row(document)["sessions"] = copy.deepcopy(row(document, snapshot=4)["sessions"])
    refigured(row(document))


def forget(kernel: str, *keys: str) -> Change:
    def change(document: Any) -> None:
        for run in document["runs"]:
            if run["kernel"] == kernel:
                for key in keys:
                    run["metrics"].pop(key)

    return change


def back_at_the_end(most: float, late: bool = False) -> Change:
    """What drifts up to the last snapshot but one, and is as it was in the last."""

    def factor(run: Any, session: int, at: int) -> float:
        number = run["snapshot"] - 1
        slow = 1 + most * number / 14 if number < 15 else 1.0
        return slow if at % 8 == 7 or not late else 1.0

    long = replay(platforms=("clover",), snapshots=16, iterations=16)
    return lambda _: retimed(long, factor)


def costly_guard(document: Any) -> None:
    for run in document["runs"]:
        for pair in run["metrics"].get("t5_pairs", ()):
            pair["guarded_s"] = 1.06 * pair["plain_s"]


def metric(key: str, value: Any, kernel: str = "auto_t3_controlled") -> Change:
    return lambda document: row(document, kernel)["metrics"].update({key: value})


def slower(document: Any) -> Any:
    return retimed(document, lambda run, *_: 1.4 if run["size"] == 2048 else 1.0)


def at_the_bound(document: Any) -> Any:
    """The mean is a hair above the bound, and what was measured does not tell it from below."""
    bound = POLICY["weekly_slo"]["per_kernel_size"]["auto_t3_controlled:1400"]["min_avg_gflops"]
    mean = (
        sum(
            run["metrics"]["avg_mean_gflops"]
            for run in document["runs"]
            if (run["kernel"], run["size"]) == ("auto_t3_controlled", 1400)
        )
        / 8
    )
    factor = mean / bound * 0.9999
    tight = ("auto_t3_controlled", 1400)
    return retimed(
        document, lambda run, *_: factor if (run["kernel"], run["size"]) == tight else 1.0
    )


def stopped(decision: str, event: Any) -> Change:
    def change(document: Any) -> None:
        document["snapshots"][2]["decision"] = decision
        del document["snapshots"][3:]
        document["metadata"]["executed_snapshots"] = 3
        document["runs"] = [run for run in document["runs"] if run["snapshot"] <= 3]
        document["pressure"] = document["pressure"][:3]
        document["rollback_event"] = event

    return change


DONE = {"rollback_result": {"success": True}}

UNSOUND: list[tuple[str, Change, str, Verdict, str, str]] = [
    ("an error that is NaN", error(math.nan), "correctness_error_bound", FAIL, "stop", "error"),
    ("an infinite error", error(math.inf), "correctness_error_bound", FAIL, "stop", "error"),
    (
        "an error above its rounding bound",
        error(9.5e-4),
        "correctness_error_bound",
        FAIL,
        "stop",
        "promote",
    ),
    ("an error above the limit", error(2e-3), "correctness_error_bound", FAIL, "stop", "iterate"),
    (
        "an error without its bound",
        lambda document: row(document)["sessions"][0].update(error_bound=None),
        "correctness_error_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    ("a crashed run", crash, "all_runs_success", FAIL, "iterate", "iterate"),
    (
        "a run that left out what it could not do",
        lambda document: document["runs"].remove(row(document)),
        "all_samples_present",
        FAIL,
        "iterate",
        "promote",
    ),
    ("a missing sample", short_session, "all_samples_present", FAIL, "iterate", "promote"),
    ("a missing session", lost_session, "all_samples_present", FAIL, "iterate", "promote"),
    (
        "another device in one run",
        metric("device", "AMD Radeon RX 590"),
        "platform_and_device",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "the other platform in one run",
        metric("platform", "rusticl"),
        "platform_and_device",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "no device on record",
        metric("device", ""),
        "platform_and_device",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "nothing on record of the platform",
        lambda document: document["metadata"]["platforms"].clear(),
        "platform_and_device",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    ("one number for two snapshots", same_ids, "runs_unique", FAIL, "iterate", "promote"),
    ("times copied from another run", copied_times, "runs_unique", FAIL, "iterate", "promote"),
    (
        "a run twice",
        lambda document: document["runs"].append(copy.deepcopy(row(document))),
        "runs_unique",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "no word from the selector",
        forget("auto_t3_controlled", "t3_fallback_rate", "t3_vacuous", "t3_policy_disabled"),
        "t3_fallback_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a selector that was off",
        metric("t3_policy_disabled", True),
        "t3_fallback_bound",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "a selector that falls back",
        metric("t3_fallback_rate", 0.09),
        "t3_fallback_bound",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "no word from the guard",
        forget("auto_t5_guarded", "t5_disable_events"),
        "t5_disable_events_total_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a guard that checked nothing",
        metric("t5_checked", 0, "auto_t5_guarded"),
        "t5_disable_events_total_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a guard that was off",
        metric("t5_disable_events", 1, "auto_t5_guarded"),
        "t5_disable_events_total_bound",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "no rate of false alarms",
        forget("auto_t5_guarded", "t5_false_positive_rate"),
        "t5_false_positive_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "false alarms",
        metric("t5_false_positive_rate", 0.06, "auto_t5_guarded"),
        "t5_false_positive_bound",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "no pairs to see the guard's price in",
        forget("auto_t5_guarded", "t5_pairs"),
        "t5_overhead_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a guard that costs more than it says",
        costly_guard,
        "t5_overhead_bound",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "pairs of which nobody knows how many products they speak for",
        forget("auto_t5_guarded", "t5_sampling_period"),
        "t5_overhead_bound",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "throughput that drifts and comes back at the end",
        back_at_the_end(0.07),
        "throughput_drift_abs_bound",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "a 95th percentile that drifts and comes back",
        back_at_the_end(0.14, late=True),
        "p95_drift_bound",
        FAIL,
        "iterate",
        "promote",
    ),
    ("a row of the policy too slow", slower, "per_kernel_size_slo", FAIL, "iterate", "iterate"),
    (
        "a mean that cannot be told from its bound",
        at_the_bound,
        "per_kernel_size_slo",
        UNKNOWN,
        "iterate",
        "iterate",
    ),
    (
        "figures that do not follow from the samples",
        metric("avg_mean_gflops", 18.0),
        "rows_follow_from_samples",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "no digest of a kernel's source",
        lambda document: row(document).update(variant=None),
        "evidence_recorded",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "no driver",
        metric("driver", ""),
        "evidence_recorded",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "no versions",
        lambda document: document["metadata"]["software"].clear(),
        "evidence_recorded",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "no policy on record",
        lambda document: document["metadata"].update(policy=None),
        "evidence_recorded",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a pulse of pressure that failed",
        lambda document: document["pressure"][2].update(status="failed", error="hung"),
        "pressure_failures_zero",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "a pulse of pressure that was left out",
        lambda document: document["pressure"].pop(),
        "pressure_failures_zero",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "no pressure",
        lambda document: document["pressure"].clear(),
        "pressure_failures_zero",
        UNKNOWN,
        "iterate",
        "promote",
    ),
    (
        "a campaign that was to stop and went on",
        lambda document: document["snapshots"][2].update(decision="rollback"),
        "rollback_policy_enforced",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "a campaign that was to go back and did not",
        stopped("rollback", None),
        "rollback_policy_enforced",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "a campaign that ended early",
        stopped("continue", None),
        "all_samples_present",
        FAIL,
        "iterate",
        "iterate",
    ),
    (
        "a campaign that has gone back",
        stopped("rollback", DONE),
        "minimum_snapshots",
        UNKNOWN,
        "iterate",
        "iterate",
    ),
    (
        "one that has gone back for wrong results",
        lambda document: (error(0.5)(document), stopped("rollback", DONE)(document)),
        "correctness_error_bound",
        FAIL,
        "stop",
        "iterate",
    ),
    (
        "no run at all",
        lambda document: document["runs"].clear(),
        "correctness_error_bound",
        UNKNOWN,
        "iterate",
        "iterate",
    ),
    (
        "a key that nobody knows",
        lambda document: row(document).update(statsu="ok"),
        "artifact_readable",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "a negative time",
        lambda document: row(document)["sessions"][0]["wall_s"].__setitem__(0, -1.0),
        "artifact_readable",
        FAIL,
        "iterate",
        "promote",
    ),
    (
        "a time that is NaN",
        lambda document: row(document)["sessions"][0]["wall_s"].__setitem__(0, math.nan),
        "artifact_readable",
        FAIL,
        "iterate",
        "promote",
    ),
]


@pytest.mark.parametrize(
    "change, name, expected, decision, before",
    [each[1:] for each in UNSOUND],
    ids=[it[0] for it in UNSOUND],
)
def test_what_is_unsound_has_its_verdict(read, change, name, expected, decision, before):
    document = changed(change)
    found = evaluate(document, read())
    assert verdict(found, name) is expected
    assert found.decision == decision
    assert not found.verdict.opens
    red = [check for check in of_name(found, name) if not check.verdict.opens]
    assert all(check.message.isprintable() and len(check.message) < 2000 for check in red)
    assert once(document) == before


def test_most_of_it_was_once_promoted():
    missed = [each[0] for each in UNSOUND if each[-1] == "promote"]
    assert len(missed) >= 25, missed


def test_a_campaign_that_went_back_is_done_again_however_green(read):
    document = changed(lambda it: it.update(rollback_event=DONE))
    found = evaluate(document, read())
    assert found.red == ()
    assert found.decision == "iterate"


BASELINES: list[tuple[str, Change, Verdict]] = [
    ("empty", lambda it: it["runs"].clear(), UNKNOWN),
    (
        "of another machine",
        lambda it: it["metadata"]["machine"].update(fingerprint="e" * 64),
        UNKNOWN,
    ),
    (
        "of another device",
        lambda it: it["metadata"]["platforms"]["clover"].update(device="AMD Radeon RX 590"),
        UNKNOWN,
    ),
    (
        "without one row of the policy",
        lambda it: it.update(runs=[run for run in it["runs"] if run["size"] != 2048]),
        UNKNOWN,
    ),
    ("that cannot be read", lambda it: it["metadata"].clear(), UNKNOWN),
    (
        "with failed runs alone",
        lambda it: [run.update(status="failed") for run in it["runs"]],
        UNKNOWN,
    ),
    ("that is the run itself", lambda it: it["metadata"].update(run_id="run-1"), UNKNOWN),
    (
        "measured after the run",
        lambda it: it["metadata"].update(finished="2026-03-02T03:04:06Z"),
        UNKNOWN,
    ),
    (
        "whose figures were edited",
        lambda it: row(it)["metrics"].update(avg_mean_gflops=1.0),
        UNKNOWN,
    ),
    ("with a run twice", lambda it: it["runs"].append(copy.deepcopy(row(it))), UNKNOWN),
    ("of wrong results", lambda it: row(it)["sessions"][0].update(max_error=0.5), UNKNOWN),
]


@pytest.mark.parametrize(
    "change, expected", [it[1:] for it in BASELINES], ids=[it[0] for it in BASELINES]
)
def test_a_baseline_that_is_none_never_passes(read, change, expected):
    baseline = changed(change, replay_of_last_week())
    found = evaluate(GOOD, read(), baseline=baseline)
    assert verdict(found, "baseline_usable") is expected
    assert found.decision == "iterate"


def test_an_empty_baseline_was_once_none_to_regress_against():
    empty = changed(lambda it: it["runs"].clear())
    assert once(changed(slower_than_ever), empty) != "error"
    decided = ours.decisions(changed(slower_than_ever), None, empty)
    assert decided["controlled_rollout_campaign"].decision == "promote"


def slower_than_ever(document: Any) -> Any:
    return retimed(document, lambda *_: 3.0)


def test_an_archived_baseline_is_none(read):
    archived = json.loads(next(ARCHIVED.glob("week11_block2*")).read_text())
    found = evaluate(GOOD, read(), baseline=archived)
    [check] = of_name(found, "baseline_usable")
    assert check.verdict is UNKNOWN
    assert "without raw times" in check.message


def test_a_loss_against_the_baseline_is_red(read):
    lost = retimed(GOOD, lambda run, *_: 1.15 if run["size"] == 1400 else 1.0)
    found = evaluate(lost, read(), baseline=replay_of_last_week())
    red = {(check.key, check.observed["of"]) for check in found.red if check.name.startswith("no_")}
    both = {f"{kernel}:1400@clover" for kernel in ("auto_t3_controlled", "auto_t5_guarded")}
    assert {key for key, of in red if of == "throughput"} == both
    assert {key for key, _ in red} == both
    late = retimed(GOOD, lambda _, __, at: 1.4 if at % 8 == 7 else 1.0)
    found = evaluate(late, read(), baseline=replay_of_last_week())
    what = {check.observed["of"] for check in found.red if check.name.startswith("no_")}
    assert what == {"95th percentile"}


def test_a_run_of_mode_ci_asks_for_a_baseline_of_the_same_drivers(read):
    demands = Demands(place="ci")
    assert verdict(evaluate(GOOD, read(), demands=demands), "baseline_usable") is UNKNOWN
    before = replay_of_last_week()
    assert (
        verdict(evaluate(GOOD, read(), baseline=before, demands=demands), "baseline_usable") is PASS
    )
    before["metadata"]["platforms"]["clover"]["driver"] = "25.0.1"
    assert (
        verdict(evaluate(GOOD, read(), baseline=before, demands=demands), "baseline_usable")
        is UNKNOWN
    )
    assert verdict(evaluate(GOOD, read(), baseline=before), "baseline_usable") is PASS


def test_fewer_than_59_times_have_no_95th_percentile(read):
    for snapshots, expected in ((14, UNKNOWN), (15, PASS)):
        few = replay(platforms=("clover",), snapshots=snapshots, sessions=1, iterations=4)
        found = evaluate(few, read())
        assert verdict(found, "per_kernel_size_p95") is expected
        assert once(few) == "promote"


def test_few_sessions_cannot_be_held_to_a_bound(read):
    few = replay(platforms=("clover",), snapshots=6, sessions=1, iterations=1)
    found = evaluate(few, read())
    assert verdict(found, "per_kernel_size_slo") is UNKNOWN
    assert once(few) == "promote"


@pytest.mark.parametrize("snapshots, expected", [(5, UNKNOWN), (6, PASS)])
def test_snapshots_are_counted_by_their_runs(read, snapshots, expected):
    found = evaluate(replay(platforms=("clover",), snapshots=snapshots), read())
    assert verdict(found, "minimum_snapshots") is expected


def test_few_snapshots_show_no_drift(read):
    for snapshots, expected in ((5, UNKNOWN), (6, PASS)):
        few = replay(platforms=("clover",), snapshots=snapshots, sessions=1, noise=0.0005)
        assert verdict(evaluate(few, read()), "throughput_drift_abs_bound") is expected


def test_snapshots_far_apart_and_many_of_them_are_judged_too(read):
    document = replay(platforms=("clover",), sizes=(1400,), snapshots=70, iterations=2)
    for number, each in enumerate(
        [*document["snapshots"], *document["runs"], *document["pressure"]]
    ):
        each["snapshot"] = 10**6 - 3 * each["snapshot"] if number else 0
    document = retimed(document, lambda run, *_: 1e-6 if run["snapshot"] < 999_900 else 1.0)
    found = evaluate(document, read())
    assert verdict(found, "throughput_drift_abs_bound") is FAIL


def test_a_replay_without_a_policy_is_unknown(read):
    found = evaluate(GOOD, read(weekly=None))
    assert verdict(found, "policy_given") is UNKNOWN
    assert found.decision == "iterate"


def test_a_required_size_without_a_row_of_the_policy_fails(read):
    found = evaluate(GOOD, read(), demands=Demands(required_sizes=(1400, 3072)))
    [check] = of_name(found, "policy_rows_for_required_sizes")
    assert check.verdict is FAIL
    assert (
        "weekly.json: /weekly_slo/per_kernel_size/auto_t3_controlled:3072: missing" in check.message
    )


def test_what_is_measured_and_not_judged_is_unknown(read):
    more = replay(platforms=("clover",), sizes=(1400, 2048, 3072))
    found = evaluate(more, read())
    assert verdict(found, "policy_rows_for_required_sizes") is UNKNOWN
    assert once(more) == "promote"


def test_a_row_of_the_policy_on_another_platform_is_missing(read):
    found = evaluate(GOOD, read(weekly=weekly_policy("rusticl")))
    [check] = of_name(found, "all_policy_rows_present")
    assert check.verdict is FAIL
    assert "no run on rusticl" in check.message


def test_the_later_attempt_is_judged_more_strictly(read):
    document = replay(platforms=("clover",), snapshots=7, sessions=1, iterations=16, noise=0.0005)
    assert verdict(evaluate(document, read()), "throughput_drift_abs_bound") is PASS
    again = copy.deepcopy(document)
    again["metadata"]["attempt"] = 6
    found = evaluate(again, read())
    assert verdict(found, "throughput_drift_abs_bound") is UNKNOWN
    assert found.observed["attempt"] == 6
    told = evaluate(document, read(), demands=Demands(attempt=6))
    assert verdict(told, "throughput_drift_abs_bound") is UNKNOWN


@pytest.mark.parametrize(
    "rows, bound, expected",
    [
        ([], 0.97, UNKNOWN),
        ([{"injections": 1000, "detected": 999}], 0.97, PASS),
        ([{"injections": 1000, "detected": 900}], 0.97, FAIL),
        ([{"injections": 100, "detected": 98}], 0.97, UNKNOWN),
        ([{"injections": 1000, "detected": 999}], 1.0, FAIL),
        ([{"injections": 1000, "detected": 1000}], 1.0, PASS),
        ([{"injections": 10, "detected": 11}], 0.97, UNKNOWN),
        (
            [
                {
                    "injections": 1000,
                    "detected": 1000,
                    "critical_injections": 100,
                    "critical_detected": 50,
                }
            ],
            0.97,
            FAIL,
        ),
    ],
)
def test_faults_have_to_be_found_as_often_as_the_policy_says(read, rows, bound, expected):
    limits = {"disable_if_uniform_recall_lt": bound, "disable_if_critical_recall_lt": bound}
    guard = {"policy_id": "t5", "runtime_guardrails": limits}
    found = evaluate(changed(injected(*rows)), read(t5=guard))
    assert verdict(found, "t5_recall_bound") is expected


def injected(*rows: Any, sizes: tuple[int, ...] = (1400, 2048)) -> Change:
    made = [{"platform": "clover", "size": size, **row} for size in sizes for row in rows]
    return lambda document: document.update(recall=made)


def test_faults_are_to_be_found_at_every_size_that_is_guarded(read):
    full = {"injections": 1000, "detected": 1000}
    found = evaluate(changed(injected(full, sizes=(1400,))), read(t5={"runtime_guardrails": {}}))
    red = {check.key: check.message for check in found.red}
    assert list(red) == ["auto_t5_guarded:2048@clover"]
    assert "none were injected" in red["auto_t5_guarded:2048@clover"]


def costing_more(document: Any) -> None:
    for run in document["runs"]:
        for pair in run["metrics"].get("t5_pairs", ()):
            pair["guarded_s"] = 1.08 * pair["plain_s"]


def fallen_back(times, of):
    told = {"t3_fallback_rate": times / of, "t3_decisions": of, "t3_fallbacks": times}

    def change(document: Any) -> None:
        for run in document["runs"]:
            if run["kernel"] == "auto_t3_controlled":
                run["metrics"] |= told

    return change


@pytest.mark.parametrize(
    ("change", "name"),
    [
        (injected({"injections": 2000, "detected": 1999}), "t5_recall_bound"),
        (lambda document: t5(document)["metrics"].update(t5_false_positive_rate=0.01),
         "t5_false_positive_bound"),
        (costing_more, "t5_overhead_bound"),
        (fallen_back(16, 80), "t3_fallback_bound"),
    ],
)  # fmt: skip
def test_without_policies_of_their_own_guard_and_selector_are_held_to_the_strict_ones(
    read, change, name
):
    lenient = copy.deepcopy(POLICY)
    lenient["weekly_slo"]["global_guardrails"] |= {
        "max_t5_overhead_percent": 900.0,
        "max_t3_fallback_rate": 0.9,
    }
    assert verdict(evaluate(GOOD, read(lenient)), name) is PASS
    bare = evaluate(changed(change), read(lenient))
    guarded = evaluate(changed(change), read(lenient, t5={"runtime_guardrails": {}}))
    assert verdict(bare, name) is verdict(guarded, name) is FAIL


def test_what_share_of_products_was_checked_is_told_with_the_faults_found(read):
    def sampled(document: Any) -> None:
        for run in document["runs"]:
            if run["kernel"] == "auto_t5_guarded":
                run["metrics"] |= {"t5_sampling_period": 1000, "t5_checked": 1}

    every = evaluate(GOOD, read())
    assert not [check for check in of_name(every, "t5_recall_bound") if "checked" in check.message]
    told = of_name(evaluate(changed(sampled), read()), "t5_recall_bound")[0]
    # 8 snapshots of 2 sessions of 16 products, and of each snapshot one was checked.
    assert "of 256 products 8 were checked, every 1000th: faults in the others" in told.message


@pytest.mark.parametrize(("times", "of", "expected"), [(0, 8, PASS), (1, 8, UNKNOWN), (8, 8, FAIL)])
def test_falling_back_is_counted_over_all_products_of_a_row(read, times, of, expected):
    found = evaluate(changed(fallen_back(times, of)), read())
    assert verdict(found, "t3_fallback_bound") is expected


def checked_alone(document: Any, cost: float) -> None:
    """Pairs of checked products, one in ten of all; wall time is of a machine that is busy."""
    for run in document["runs"]:
        if run["metrics"].get("t5_pairs"):
            run["metrics"]["t5_sampling_period"] = 10
        for at, pair in enumerate(run["metrics"].get("t5_pairs", ())):
            plain = pair["plain_s"]
            pair |= {"plain_cpu_s": plain, "guarded_cpu_s": plain * (1 + cost)}
            pair["guarded_s"] = plain * (1 + cost) * (0.7, 1.3)[at % 2]


@pytest.mark.parametrize(("cost", "expected"), [(0.2, PASS), (0.6, FAIL)])
def test_a_guard_that_samples_is_judged_by_the_cpu_time_of_its_checks(read, cost, expected):
    found = evaluate(changed(lambda it: checked_alone(it, cost)), read())
    assert verdict(found, "t5_overhead_bound") is expected


def test_stricter_policies_of_selector_and_guard_hold_too(read):
    t3 = {"selector_policy": {}, "guardrails": {"disable_if_fallback_rate_gt": 0.01}}
    limits = {
        "disable_if_effective_overhead_percent_gt": 0.3,
        "disable_if_correctness_error_gt": 1e-5,
    }
    guard = {"runtime_guardrails": limits}
    document = changed(metric("t3_fallback_rate", 0.02))
    assert verdict(evaluate(document, read()), "t3_fallback_bound") is PASS
    found = evaluate(document, read(t3=t3, t5=guard))
    assert verdict(found, "t3_fallback_bound") is FAIL
    assert verdict(found, "t5_overhead_bound") is FAIL
    assert verdict(found, "correctness_error_bound") is FAIL


@pytest.mark.parametrize(
    "days, expected", [(0.5, PASS), (6.9, PASS), (7.5, UNKNOWN), (-0.5, UNKNOWN)]
)
def test_an_artifact_may_be_so_old(read, days, expected):
    measured = datetime(2026, 3, 2, 3, 44, 5, tzinfo=UTC)
    demands = Demands(now=measured + timedelta(days=days), max_age_days=7)
    assert verdict(evaluate(GOOD, read(), demands=demands), "artifact_recent") is expected


def test_a_failed_run_with_wrong_results_stops_all_the_same(read):
    def change(document: Any) -> None:
        error(0.7)(document)
        row(document).update(status="failed", error="wrong result")

    found = evaluate(changed(change), read())
    assert verdict(found, "all_runs_success") is FAIL
    assert found.decision == "stop"


@pytest.mark.parametrize("path", sorted(ARCHIVED.iterdir()), ids=lambda path: path.stem)
def test_an_archived_artifact_is_unknown_at_best_and_says_what_it_lacks(read, path):
    found = evaluate(json.loads(path.read_text()), read())
    assert found.decision == "iterate"
    lacking = {check.name: check.message for check in found.checks if check.verdict is UNKNOWN}
    assert "no raw times" in lacking["all_samples_present"]
    assert "no raw times" in lacking["rows_follow_from_samples"]
    assert "no driver, versions, machine" in lacking["evidence_recorded"]
    assert "no rounding bound" in lacking["correctness_error_bound"]
    assert "pairs with and without the guard" in lacking["t5_overhead_bound"]
    assert verdict(found, "platform_and_device") is PASS


def test_an_archived_artifact_fails_by_what_it_does_say(read):
    document = json.loads(next(ARCHIVED.glob("week11_block4*")).read_text())
    assert verdict(evaluate(document, read()), "t5_disable_events_total_bound") is PASS
    document["runs"][3]["metrics"]["t5_disable_events"] = 2
    document["runs"][0]["metrics"]["max_error_max"] = math.nan
    document["runs"][4]["metrics"]["device"] = DEVICE
    document["runs"][5]["returncode"] = 1
    found = evaluate(document, read())
    assert found.decision == "stop"
    failed = {check.name for check in found.checks if check.verdict is FAIL}
    assert failed >= {
        "t5_disable_events_total_bound",
        "correctness_error_bound",
        "platform_and_device",
        "all_runs_success",
    }


SMALL = replay(platforms=("clover",), sizes=(1400,), snapshots=6, sessions=1, iterations=4)
ARCHIVE = json.loads(next(ARCHIVED.glob("week11_block4*")).read_text())
FIVE = replay(platforms=("clover",), sizes=(1400,), snapshots=5, sessions=1)
BOTH = split(pairs=8, iterations=4)
GUARDED: Any = {"runtime_guardrails": {}}


def small(change: Change = lambda _: None, **demands: Any) -> tuple[Any, dict[str, Any]]:
    return changed(change, SMALL), demands


def failed_all(document: Any) -> None:
    for run in document["runs"]:
        run["status"] = "failed"


def without(platform: str) -> Any:
    runs = [run for run in BOTH["runs"] if run["platform_selector"] != platform]
    return BOTH | {"runs": runs, "pairs": []}


OTHERS: list[tuple[str, Verdict, str, Any, dict[str, Any]]] = [
    ("all_runs_success", UNKNOWN, "run the campaign again", *small(lambda it: it["runs"].clear())),
    ("all_samples_present", UNKNOWN, "see what was once decided", ARCHIVE, {}),
    ("rows_follow_from_samples", UNKNOWN, "find out what ended it", *small(failed_all)),
    ("platform_and_device", UNKNOWN, "find out what ended it", *small(failed_all)),
    (
        "evidence_recorded",
        UNKNOWN,
        "with --cockpit-gemm-policy",
        *small(lambda it: it["metadata"].update(policy=None)),
    ),
    (
        "artifact_recent",
        UNKNOWN,
        "or allow more: max_age_days",
        *small(now=datetime(2026, 4, 1, tzinfo=UTC)),
    ),
    ("artifact_recent", UNKNOWN, "set the clock", *small(now=datetime(2026, 2, 1, tzinfo=UTC))),
    ("policy_given", UNKNOWN, "--cockpit-gemm-policy", *small(weekly=None)),
    (
        "policy_rows_for_required_sizes",
        FAIL,
        "--cockpit-recalibrate proposes them",
        *small(required_sizes=(7,)),
    ),
    (
        "policy_rows_for_required_sizes",
        UNKNOWN,
        "add the rows",
        *small(weekly=weekly_policy("clover", (2048,))),
    ),
    (
        "all_policy_rows_present",
        FAIL,
        "--cockpit-gemm-sizes 1400 --cockpit-gemm-platforms clover rusticl",
        *small(weekly=weekly_policy("rusticl", (1400,))),
    ),
    (
        "all_policy_rows_present",
        FAIL,
        "auto_t5_guarded --cockpit-gemm-sizes 1400 2048$",
        BOTH,
        {"weekly": weekly_policy("clover", (1400, 2048))},
    ),
    (
        "per_kernel_size_p95",
        FAIL,
        "find what became slower",
        retimed(GOOD, lambda _, __, at: 3.0 if at % 8 == 7 else 1.0),
        {},
    ),
    ("per_kernel_size_p95", UNKNOWN, "--cockpit-gemm-iterations 10", *small()),
    (
        "throughput_drift_abs_bound",
        UNKNOWN,
        "--cockpit-gemm-snapshots 6",
        FIVE,
        {},
    ),
    (
        "p95_drift_bound",
        UNKNOWN,
        "--cockpit-gemm-snapshots 6",
        FIVE,
        {},
    ),
    ("baseline_usable", UNKNOWN, "--cockpit-gemm-baseline", *small(baseline=SMALL)),
    (
        "no_regression_vs_baseline",
        FAIL,
        "find what became slower",
        retimed(SMALL, lambda *_: 1.5),
        {"baseline": earlier(SMALL)},
    ),
    (
        "no_regression_vs_baseline",
        UNKNOWN,
        "measure a longer baseline",
        retimed(SMALL, lambda *_: 1 / 0.924),
        {"baseline": earlier(SMALL)},
    ),
    (
        "t5_recall_bound",
        FAIL,
        "abft_mode.projection_count",
        *small(injected({"injections": 9, "detected": 1}, sizes=(1400,)), t5=GUARDED),
    ),
    (
        "t5_recall_bound",
        UNKNOWN,
        "--cockpit-replay and --cockpit-split",
        *small(injected(), t5=GUARDED),
    ),
    ("platform_split_present", FAIL, "why its runs failed", without("clover"), {}),
    ("required_sizes_present_on_split", FAIL, "measure all on both", without("clover"), {}),
    ("rusticl_ratio_vs_clover", FAIL, "--cockpit-gemm-rollback=plan", BOTH, {"min_ratio": 2.0}),
    ("rusticl_ratio_vs_clover", UNKNOWN, "find out what ended it", without("clover"), {}),
]
NEVER = {
    FAIL: "artifact_recent baseline_usable evidence_recorded minimum_snapshots policy_given",
    UNKNOWN: "all_policy_rows_present artifact_readable platform_split_present"
    " required_sizes_present_on_split rollback_policy_enforced runs_unique",
}
"""Missing evidence does not fail, and what is there is not unknown."""


@pytest.mark.parametrize(
    "name, expected, remedy, document, more", OTHERS, ids=[f"{it[0]}-{it[1]}" for it in OTHERS]
)
def test_what_else_is_not_green_has_its_remedy(read, name, expected, remedy, document, more):
    weekly = more.get("weekly", weekly_policy("clover", (1400,)))
    demands = {key: it for key, it in more.items() if key in ("required_sizes", "min_ratio")}
    if "now" in more:
        demands |= {"now": more["now"], "max_age_days": 7}
    found = evaluate(
        document,
        read(weekly=weekly, **{"t5": more["t5"]} if "t5" in more else {}),
        baseline=more.get("baseline"),
        demands=Demands(**demands),
    )
    red = [check for check in of_name(found, name) if check.verdict is expected]
    assert red, of_name(found, name)
    assert any(re.search(remedy, check.remedy) for check in red), [it.remedy for it in red]


def test_every_check_is_seen_to_fail_and_to_be_unknown():
    seen = {(it[2], it[3]) for it in UNSOUND} | {it[:2] for it in OTHERS}
    both = {(name, each) for name in CHECKS for each in (FAIL, UNKNOWN)}
    assert both - seen == {(name, each) for each, names in NEVER.items() for name in names.split()}
