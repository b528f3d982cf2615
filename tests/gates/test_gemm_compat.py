"""The mode compat gives every recorded decision again, number for number."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.compat import campaign, ours, policy, split, stress, weekly
from pytest_cockpit_gates.gemm.strict.artifacts import problems
from tests.gemm_artifacts import replay
from tests.gemm_artifacts import split as split_run
from tests.json_places import places, put

DATA = Path(__file__).parents[1] / "data" / "gemm"
WEEKLY = "policies/policy_week11_block3_weekly_slo_v1.json"
CANARY = "artifacts/week11_block4_weekly_replay_canary_20260209_010447.json"
BASELINE = "artifacts/week10_block2_4_wallclock_hardening_rerun_20260208_201448.json"


def load(name: str) -> Any:
    return json.loads((DATA / name).read_text())


CASES = load("cases.json")["cases"]


def decided(case: Any) -> Any:
    artifact = load(case["artifact"])
    baseline = case["baseline"] and load(case["baseline"])
    if case["evaluator"] == "weekly_replay":
        return weekly.evaluate(artifact, policy.weekly(load(case["policy"])))
    if case["evaluator"] == "platform_split":
        return split.evaluate(artifact, policy.weekly(load(case["policy"])), **case["params"])
    if case["evaluator"] == "controlled_rollout_campaign":
        return campaign.evaluate(artifact, baseline)
    return stress.evaluate(artifact, baseline)


def test_there_are_sixteen_recorded_decisions_of_four_kinds():
    assert len(CASES) == 16
    assert {case["evaluator"] for case in CASES} == {
        "weekly_replay",
        "platform_split",
        "controlled_rollout_campaign",
        "stress_split_campaign",
    }


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_recorded_decision_comes_out_again(case):
    found = decided(case)
    assert found.decision == case["expected_decision"]
    assert found.failed == case["expected_failed_checks"]
    checks = {check.name: check.passed for check in found.checks}
    assert {name: checks[name] for name in case["expected_checks"]} == case["expected_checks"]
    observed = {name: found.observed[name] for name in case["expected_observed"]}
    assert observed == case["expected_observed"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_the_evaluator_of_an_artifact_is_found(case):
    made = ours.decisions(
        load(case["artifact"]),
        case["policy"] and load(case["policy"]),
        case["baseline"] and load(case["baseline"]),
        min_ratio=case["params"].get("min_rusticl_ratio", 0.85),
        required_sizes=case["params"].get("required_sizes"),
    )
    assert {name: found.decision for name, found in made.items()} == {
        case["evaluator"]: case["expected_decision"]
    }


def test_what_was_decided_after_each_snapshot_comes_out_again():
    told = 0
    for case in CASES:
        if "expected_snapshots" not in case:
            continue
        found = campaign.snapshots(load(case["artifact"]), load(case["baseline"]))
        told += len(found)
        assert case["expected_snapshots"] == [
            {
                "snapshot": each.number,
                "decision": each.evaluation.decision,
                "failed_checks": each.evaluation.failed,
            }
            for each in found
        ]
    assert told == 14


def test_what_archived_artifacts_say_of_themselves_comes_out_again():
    """Every canary whose baseline is there, with the changes against it in each snapshot."""
    compared = 0
    for path in sorted((DATA / "artifacts").iterdir()):
        artifact = json.loads(path.read_text())
        metadata = artifact["metadata"]
        name = metadata.get("baseline_block6_path", "").rpartition("/")[2]
        if "planned_snapshots" not in metadata or not (DATA / "artifacts" / name).is_file():
            continue
        baseline = load(f"artifacts/{name}")
        found = campaign.evaluate(artifact, baseline)
        told = artifact["evaluation"]
        assert (found.decision, found.failed) == (told["decision"], told["failed_checks"]), path
        limit = metadata["rollback_after_consecutive_soft_overhead_violations"]
        each = campaign.snapshots(artifact, baseline, stops_at=limit)
        recorded = [snapshot["evaluation"] for snapshot in artifact["snapshots"]]
        for now, then in zip(each, recorded, strict=True):
            assert now.evaluation.observed["regression_rows"] == then["regression_rows"]
            assert now.evaluation.decision == then["decision"]
            assert now.hard == then["hard_failed_checks"]
            assert now.streak == then["soft_overhead_streak"]
            compared += 1
    assert compared >= 20


def test_the_weaknesses_are_kept_for_they_were_there():
    """A crashed run, a missing one, a swapped device: the decision stays what it was."""
    bounds, artifact = policy.weekly(load(WEEKLY)), load(CANARY)
    artifact["runs"][3]["status"] = "failed"
    artifact["runs"][3]["metrics"] = {}
    del artifact["runs"][5]
    artifact["runs"][7]["metrics"]["device"] = "llvmpipe"
    assert weekly.evaluate(artifact, bounds).decision == "promote"
    before = load(BASELINE)
    before["runs"] = []
    assert campaign.evaluate(load(CANARY), before).decision == "promote"


def test_our_own_artifacts_have_decisions_too():
    document = replay(platforms=("clover",), sizes=(1400, 2048))
    assert problems(document) == []
    slow = load(WEEKLY)
    made = ours.decisions(document, slow, document)
    assert made["weekly_replay"].failed == ["per_kernel_size_slo"]
    assert made["controlled_rollout_campaign"].decision == "promote"
    for row in slow["weekly_slo"]["per_kernel_size"].values():
        row |= {"min_avg_gflops": 10.0, "max_p95_time_ms": 5000.0}
    assert ours.decisions(document, slow, None)["weekly_replay"].decision == "promote"
    document["pressure"][0]["status"] = "failed"
    made = ours.decisions(document, None, document)
    assert made["controlled_rollout_campaign"].failed == [
        "minimum_snapshots_completed",
        "all_snapshot_hard_checks_passed",
        "rollback_policy_enforced",
    ]


def test_our_own_split_is_one():
    document, bounds = split_run(ratio=0.7), load(WEEKLY)
    rows = bounds["weekly_slo"]["per_kernel_size"]
    bounds["weekly_slo"]["per_kernel_size"] = {
        name: {"min_avg_gflops": 10.0, "max_p95_time_ms": 5000.0}
        for name in rows
        if name.endswith(":1400")
    }
    # The rows of both platforms are as fast as ever: only pairs know of the ratio.
    assert ours.decisions(document, bounds, document)["platform_split"].decision == "promote"
    sizes = ours.decisions(document, bounds, None, required_sizes=[1400, 2048])
    assert sizes["platform_split"].failed == ["required_sizes_present_on_split"]


def test_neither_policy_nor_baseline_is_an_error():
    with pytest.raises(CockpitError, match="--cockpit-gemm-policy, --cockpit-gemm-baseline"):
        ours.decisions(load(CANARY), None, None)


@pytest.mark.parametrize(
    "change, told",
    [
        (lambda table: table.pop("global_guardrails"), "weekly_slo.global_guardrails"),
        (lambda table: table.pop("per_kernel_size"), "weekly_slo.per_kernel_size"),
        (
            lambda table: table["global_guardrails"].update(minimum_snapshots="six"),
            "weekly_slo.global_guardrails.minimum_snapshots: expected a number",
        ),
        (
            lambda table: table["per_kernel_size"]["auto_t3_controlled:1400"].pop("min_avg_gflops"),
            "auto_t3_controlled:1400.min_avg_gflops: missing",
        ),
    ],
)
def test_an_unreadable_policy_is_one_line_that_names_the_key(change, told):
    document = load(WEEKLY)
    change(document["weekly_slo"])
    with pytest.raises(CockpitError, match=told) as caught:
        policy.weekly(document)
    assert "\n" not in str(caught.value)


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


PLACES = [
    place for place in places(load(CANARY), 2) if place[0] in ("metadata", "runs", "pressure")
]


@settings(max_examples=120, deadline=None)
@given(st.sampled_from(PLACES), VALUES)
def test_whatever_stands_in_an_artifact_it_is_a_decision_or_an_error_of_one_line(place, value):
    assert outcome(put(load(CANARY), place, value)) <= {"promote", "iterate", "stop", "one line"}


def outcome(document: Any) -> set[str]:
    try:
        made = ours.decisions(document, load(WEEKLY), load(BASELINE))
    except CockpitError as error:
        return {"one line" if "\n" not in str(error) else str(error)}
    return {found.decision for found in made.values()}
