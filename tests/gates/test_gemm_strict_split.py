"""Two platforms are compared by interleaved pairs, and by nothing else."""

from __future__ import annotations

import copy
import dataclasses
import json
import math
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import Verdict
from pytest_cockpit_gates.gemm.compat import ours
from pytest_cockpit_gates.gemm.live import measuring
from pytest_cockpit_gates.gemm.strict import artifacts, levels, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.strict.ratios import Comparison, Pair, compare
from tests.gemm_artifacts import split, weekly_policy

PASS, FAIL, UNKNOWN = Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN
BOUND = 0.85


def pairs(
    ratio: float,
    count: int,
    *,
    noise: float = 0.01,
    per_session: int = 1,
    seed: int = 1,
    **more: Any,
) -> list[Pair]:
    rng = random.Random(seed)
    made = []
    for number in range(count):
        fast, slow = (each * math.exp(rng.gauss(0, noise)) for each in (1.0, ratio))
        given = {
            "order": ("ab", "ba")[number % 2],
            "session": number // per_session,
            "candidate_wall_s": fast,
            "candidate_cpu_s": 1.9 * fast,
            "fallback_wall_s": slow,
            "fallback_cpu_s": 1.9 * slow,
        }
        made.append(Pair(**(given | more)))
    return made


@pytest.mark.parametrize(
    "ratio, expected", [(1.0, PASS), (0.95, PASS), (0.85, UNKNOWN), (0.75, FAIL)]
)
def test_the_ratio_is_held_against_its_bound(ratio, expected):
    found = compare(pairs(ratio, 16), BOUND)
    assert found.verdict is expected
    assert found.ratio is not None
    assert found.ratio.low <= ratio <= found.ratio.high
    assert (found.clock, found.pairs, found.processes) == ("cpu", 16, 16)
    assert found.more == (8 if expected is UNKNOWN else 0)


@pytest.mark.parametrize("count", range(8))
def test_fewer_than_eight_pairs_decide_nothing(count):
    found = compare(pairs(2.0, count), BOUND)
    assert found.verdict is UNKNOWN
    assert found.ratio is None
    assert found.more == 8


def test_eight_pairs_that_all_say_the_same_decide():
    assert compare(pairs(2.0, 8), BOUND).verdict is PASS
    assert compare(pairs(0.5, 8), BOUND).verdict is FAIL


def test_no_more_than_48_pairs_count():
    good, bad = pairs(0.85, 48, noise=0.05), pairs(5.0, 100)
    found = compare([*good, *bad], BOUND)
    assert found == compare(good, BOUND)
    assert (found.verdict, found.pairs, found.more) == (UNKNOWN, 48, 0)


def test_few_processes_make_the_interval_wider():
    apart, together = (compare(pairs(0.80, 16, per_session=each), BOUND) for each in (1, 16))
    assert apart.ratio is not None
    assert together.ratio is not None
    assert together.ratio.low < apart.ratio.low < apart.ratio.high < together.ratio.high
    assert (apart.verdict, together.verdict) == (FAIL, UNKNOWN)
    # What one process has for itself may be as large as what is to be seen.
    assert compare(pairs(1.2, 16, per_session=16), BOUND).verdict is PASS


def test_the_order_within_pairs_has_to_alternate():
    assert compare(pairs(2.0, 16, order="ab"), BOUND).verdict is UNKNOWN
    found = compare([*pairs(2.0, 12, order="ab"), *pairs(2.0, 4, order="ba")], BOUND)
    assert found.verdict is PASS


def test_clocks_that_contradict_each_other_decide_nothing():
    """A candidate on one of two cores has the same CPU time, and half the throughput."""
    slow = [
        Pair(
            it.order,
            it.session,
            2 * it.candidate_wall_s,
            it.candidate_cpu_s,
            1.0,
            it.fallback_cpu_s,
        )
        for it in pairs(1.0, 16)
    ]
    found = compare(slow, BOUND)
    assert found.verdict is UNKNOWN
    assert found.reason == "CPU time and wall time contradict each other"


def test_on_a_busy_machine_cpu_time_counts_all_the_same():
    rng = random.Random(5)
    waited = [
        dataclasses.replace(
            it,
            candidate_wall_s=it.candidate_wall_s * (4 + 8 * rng.random() if at else 1),
            fallback_wall_s=it.fallback_wall_s * (4 + 8 * rng.random() if at else 1),
        )
        for at, it in enumerate(pairs(1.0, 16))
    ]
    found = compare(waited, BOUND)
    assert (found.clock, found.verdict) == ("cpu", PASS)


def test_where_the_processor_idles_wall_time_counts():
    """On a GPU the process waits: its CPU time says nothing."""
    for cpu in (0.01, 0.0):
        on_gpu = pairs(0.75, 16, candidate_cpu_s=cpu, fallback_cpu_s=1.0)
        found = compare(on_gpu, BOUND)
        assert (found.clock, found.verdict) == ("wall", FAIL)


def test_the_later_attempt_asks_for_more_pairs():
    assert compare(pairs(2.0, 8), BOUND, attempt=2).verdict is UNKNOWN
    assert compare(pairs(2.0, 16), BOUND, attempt=2).verdict is PASS


def test_all_looks_together_have_the_level_and_all_attempts_half_of_it_at_one_end():
    looks = [levels.of_pairs(count) for count in range(8, 49, 8)]
    assert sum(looks) == pytest.approx(0.01)
    assert sum(levels.of_attempt(attempt) for attempt in range(1, 10_000)) / 2 < 0.01


SIMULATED = 300


def judged(rng: random.Random, ratio: float, per_session: int) -> Comparison:
    """Pairs are added while the interval straddles the bound; every process has 2 % for itself."""
    measured: list[Pair] = []
    own: dict[int, tuple[float, float]] = {}
    while True:
        for _ in range(8):
            session = len(measured) // per_session
            a, b = own.setdefault(session, (rng.gauss(0, 0.02), rng.gauss(0, 0.02)))
            fast = math.exp(a + rng.gauss(0, 0.03))
            slow = ratio * math.exp(b + rng.gauss(0, 0.03))
            order = ("ab", "ba")[len(measured) % 2]
            measured.append(Pair(order, session, fast, 1.9 * fast, slow, 1.9 * slow))
        found = compare(measured, BOUND)
        if not found.more:
            return found


@pytest.mark.parametrize("per_session", [1, 2, 4])
def test_equal_platforms_do_not_fail_and_a_slow_one_is_found(per_session):
    """More of them, and with other noise, are in the benchmarks."""
    rng = random.Random(per_session)
    equal = [judged(rng, 1.0, per_session).verdict for _ in range(SIMULATED)]
    assert equal.count(FAIL) == 0
    assert equal.count(PASS) >= 0.99 * SIMULATED
    slow = [judged(rng, 0.80, per_session).verdict for _ in range(SIMULATED)]
    assert slow.count(FAIL) >= 0.95 * SIMULATED
    border = [judged(rng, BOUND, per_session).verdict for _ in range(SIMULATED)]
    assert border.count(FAIL) <= 0.02 * SIMULATED
    assert border.count(PASS) <= 0.02 * SIMULATED


GOOD = split()


@pytest.fixture(scope="module")
def read(tmp_path_factory) -> Policies:
    root = tmp_path_factory.mktemp("policies")
    (root / "weekly.json").write_text(json.dumps(weekly_policy("clover", (1400,))))
    return policies.read(root, weekly="weekly.json")


def verdicts(document: Any, read: Policies, **demands: Any) -> dict[str, Any]:
    found = evaluate(document, read, demands=Demands(**demands))
    names = {check.name for check in found.checks}
    return {
        name: Verdict.worst(check.verdict for check in found.checks if check.name == name)
        for name in names
    } | {"decision": found.decision}


def test_a_split_in_which_all_is_well_is_promoted(read):
    assert artifacts.problems(GOOD) == []
    found = evaluate(GOOD, read)
    assert found.red == ()
    assert found.decision == "promote"
    [one, two] = [check for check in found.checks if check.rule == "gemm.ratio"]
    assert one.key == "auto_t3_controlled:1400@rusticl/clover"
    assert two.observed["pairs"] == 16
    assert two.observed["ratio"]["low"] < 1.6 < two.observed["ratio"]["high"]


def test_a_slow_candidate_fails_however_good_its_rows_look(read):
    found = verdicts(split(ratio=0.75), read)
    assert found["rusticl_ratio_vs_clover"] is FAIL
    assert found["per_kernel_size_slo"] is PASS
    assert found["decision"] == "iterate"


def test_another_bound_is_another_verdict(read):
    assert verdicts(GOOD, read, min_ratio=2.0)["rusticl_ratio_vs_clover"] is FAIL
    turned = verdicts(GOOD, read, candidate="clover", fallback="rusticl")
    assert turned["rusticl_ratio_vs_clover"] is FAIL


def test_without_pairs_there_is_no_ratio(read):
    document = copy.deepcopy(GOOD)
    document["pairs"] = []
    assert verdicts(document, read)["rusticl_ratio_vs_clover"] is UNKNOWN


def test_pairs_of_one_row_alone_say_nothing_of_the_other(read):
    document = copy.deepcopy(GOOD)
    document["pairs"] = [pair for pair in document["pairs"] if pair["kernel"] == "auto_t5_guarded"]
    found = evaluate(document, read)
    red = [check.key for check in found.red if check.rule == "gemm.ratio"]
    assert red == ["auto_t3_controlled:1400@rusticl/clover"]


def test_pairs_without_a_session_share_the_processes_of_their_seed(read):
    document = copy.deepcopy(GOOD)
    for pair in document["pairs"]:
        del pair["session"]
    assert artifacts.problems(document) == []
    found = [check for check in evaluate(document, read).checks if check.rule == "gemm.ratio"]
    assert {check.observed["sessions"] for check in found} == {2}


def test_half_a_pair_fails(read):
    document = copy.deepcopy(GOOD)
    del document["pairs"][3]["clover"]
    assert verdicts(document, read)["all_samples_present"] is FAIL


def test_pairs_that_were_left_out_fail(read):
    document = copy.deepcopy(GOOD)
    document["pairs"] = [pair for pair in document["pairs"] if pair["pair"] != 3]
    [found] = evaluate(document, read).red
    assert found.name == "all_samples_present"
    assert "auto_t3_controlled:1400: 1 of 8 pairs are missing" in found.message


def test_rows_of_exchanged_platforms_fail(read):
    document = copy.deepcopy(GOOD)
    other = {"rusticl": "clover", "clover": "rusticl"}
    for run in document["runs"]:
        run["platform_selector"] = other[run["platform_selector"]]
    assert verdicts(document, read)["platform_and_device"] is FAIL


def test_a_kernel_by_another_name_is_missing(read):
    """Its checks would be left out otherwise, and all else be green."""
    document = copy.deepcopy(GOOD)
    for row in [*document["runs"], *document["pairs"]]:
        row["kernel"] = row["kernel"].replace("auto_t5_guarded", "static")
    document["metadata"]["parameters"]["kernels"] = ["auto_t3_controlled", "static"]
    found = verdicts(document, read)
    assert "t5_overhead_bound" not in found
    assert found["required_sizes_present_on_split"] is FAIL


def test_a_pair_twice_fails(read):
    document = copy.deepcopy(GOOD)
    document["pairs"].append(document["pairs"][0])
    assert verdicts(document, read)["runs_unique"] is FAIL


def test_a_platform_that_was_not_measured_fails(read):
    document = copy.deepcopy(GOOD)
    document["runs"] = [run for run in document["runs"] if run["platform_selector"] == "clover"]
    found = verdicts(document, read)
    assert found["platform_split_present"] is FAIL
    assert found["required_sizes_present_on_split"] is FAIL
    assert found["all_samples_present"] is FAIL


def test_a_required_size_that_was_not_measured_fails(read):
    found = verdicts(GOOD, read, required_sizes=(1400, 2048))
    assert found["required_sizes_present_on_split"] is FAIL
    assert found["policy_rows_for_required_sizes"] is FAIL


def test_a_fallback_below_the_policy_fails(read, tmp_path):
    strict = weekly_policy("clover", (1400,))
    strict["weekly_slo"]["per_kernel_size"]["auto_t3_controlled:1400"]["min_avg_gflops"] = 40
    (tmp_path / "weekly.json").write_text(json.dumps(strict))
    found = verdicts(GOOD, policies.read(tmp_path, weekly="weekly.json"))
    assert found["per_kernel_size_slo"] is FAIL


@pytest.mark.parametrize(("kind", "decision"), [("split", "drop"), ("gate", "stop")])
def test_by_wrong_results_a_split_drops_its_candidate_as_it_once_did(read, kind, decision):
    document = copy.deepcopy(GOOD)
    document["kind"] = kind
    document["runs"][0]["sessions"][0]["max_error"] = 0.5
    document["runs"][0]["metrics"]["max_error_max"] = 0.5
    found = verdicts(document, read)
    assert (found["correctness_error_bound"], found["decision"]) == (FAIL, decision)
    if kind == "split":
        assert ours.decisions(document, None, GOOD)["stress_split_campaign"].decision == decision


@pytest.mark.parametrize(
    ("told", "expected", "decision"),
    [
        ({"max_error": None}, FAIL, "drop"),
        ({"max_error": 9.5e-4}, FAIL, "drop"),
        ({"max_error": 2e-3, "error_bound": 1.0}, FAIL, "drop"),
        ({"error_bound": None}, UNKNOWN, "iterate"),
    ],
)
def test_results_of_pairs_are_held_to_what_all_results_are(read, told, expected, decision):
    document = copy.deepcopy(GOOD)
    document["pairs"][5]["clover"] |= told
    found = evaluate(document, read)
    [red] = found.red
    assert (red.name, red.verdict, found.decision) == (
        "correctness_error_bound",
        expected,
        decision,
    )
    assert red.message.startswith("auto_t3_controlled:1400@clover in pair 5: ")


def test_a_gate_of_one_platform_has_no_ratio(read):
    document = copy.deepcopy(GOOD)
    document["kind"] = "gate"
    document["metadata"]["parameters"] |= {"platforms": ["clover"]}
    document["metadata"]["parameters"].pop("seeds")
    document["runs"] = [
        run
        for run in document["runs"]
        if run["platform_selector"] == "clover" and run["seed"] == 412
    ]
    document["pairs"] = []
    found = verdicts(document, read)
    assert found["all_samples_present"] is PASS
    assert "rusticl_ratio_vs_clover" not in found
    document["metadata"]["parameters"]["platforms"] = ["clover", "rusticl"]
    assert verdicts(document, read)["platform_split_present"] is FAIL


def of_a_gate(iterations: int = 8) -> Any:
    """What the gate measures: few times of each row, in one session."""
    made = split(sizes=(1400,), seeds=(13011,), sessions=1, iterations=iterations, pairs=8)
    made["kind"] = "gate"
    made["metadata"]["parameters"].pop("seeds")
    return made


def held_to(tmp_path, change, *, sizes=(1400, 2048), platform=None) -> Any:
    """Checks of a gate's run by a weekly policy of some sizes."""
    weekly = weekly_policy("clover", sizes)
    del weekly["scope"]
    if platform:
        weekly["scope"] = {"platform": platform}
    change(weekly["weekly_slo"]["per_kernel_size"])
    (tmp_path / "weekly.json").write_text(json.dumps(weekly))
    return evaluate(of_a_gate(), policies.read(tmp_path, weekly="weekly.json"))


def bound(**bounds: float) -> Any:
    def change(rows: Any) -> None:
        if bounds:
            rows["auto_t3_controlled:1400"].update(bounds)

    return change


@pytest.mark.parametrize(
    ("change", "name", "expected"),
    [
        (bound(), "per_kernel_size_slo", PASS),
        (bound(min_avg_gflops=10_000), "per_kernel_size_slo", FAIL),
        (bound(max_p95_time_ms=1e-3), "per_kernel_size_p95", FAIL),
        (lambda rows: rows.clear(), "policy_rows_for_required_sizes", FAIL),
        (lambda rows: rows.pop("auto_t5_guarded:1400"), "policy_rows_for_required_sizes", UNKNOWN),
        (lambda rows: rows.update({"auto_t3:1400": rows.pop("auto_t3_controlled:1400")}),
         "all_policy_rows_present", FAIL),
    ],
)  # fmt: skip
def test_a_gate_judges_the_rows_of_what_it_measures(tmp_path, change, name, expected):
    found = held_to(tmp_path, change)
    assert Verdict.worst(it.verdict for it in found.checks if it.name == name) is expected
    assert (found.decision == "promote") is (expected is PASS)


@pytest.mark.parametrize(
    ("more", "judged"),
    [
        ({}, {"auto_t3_controlled:1400", "auto_t5_guarded:1400"}),
        # What so few times do not show is not owed, and neither are rows of other sizes.
        ({"change": bound(min_avg_gflops=16.0)}, {"auto_t5_guarded:1400"}),
        ({"sizes": (2048,), "change": bound()}, set()),
        ({"platform": "pocl"}, set()),
    ],
)
def test_a_gate_says_how_many_rows_it_has_judged(tmp_path, more, judged):
    found = held_to(tmp_path, **{"change": bound(), **more})
    assert found.decision == "promote", found.red
    named = [it for it in found.checks if it.name == "per_kernel_size_slo"]
    clover = {it.key.partition("@")[0] for it in named if it.key.endswith("@clover")}
    assert clover == judged
    bounds = dict.fromkeys(("a:1", "b:1"), policies.Row(1, 1))
    weekly = policies.Weekly("weekly.json", "", 1, 1, 1, 1, 1, 1, 1, bounds)
    told = measuring.rows_judged(weekly, found)
    rows = len({it.key.partition("@")[0] for it in named})
    assert told == f"{rows} of 2 rows of weekly.json judged"


def test_what_the_scope_of_a_policy_leaves_out_is_told(tmp_path):
    found = held_to(tmp_path, bound(), platform="clover")
    [told] = [it for it in found.checks if it.name == "policy_rows_for_required_sizes"]
    assert told.message.endswith("on clover, 4 in all; its scope leaves out rusticl")


TIMES = st.floats(1e-9, 1e6)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(TIMES, TIMES, TIMES, TIMES, st.booleans()), max_size=24), TIMES)
def test_whatever_was_timed_it_is_a_verdict(times, bound):
    measured = [
        Pair("ab" if first else "ba", at // 2, *four) for at, (*four, first) in enumerate(times)
    ]
    found = compare(measured, bound)
    assert found.verdict in (PASS, FAIL, UNKNOWN)
    if found.ratio is not None:
        assert found.ratio.low <= found.ratio.estimate <= found.ratio.high


@pytest.mark.parametrize(("most", "expected"), [(1e6, []), (1e-3, [FAIL])])
def test_a_split_of_few_times_owes_no_95th_percentile_and_fails_by_what_is_beyond_doubt(
    read, most, expected
):
    assert read.weekly is not None
    rows = {
        name: dataclasses.replace(row, max_p95_time_ms=most)
        for name, row in read.weekly.rows.items()
    }
    held = dataclasses.replace(read, weekly=dataclasses.replace(read.weekly, rows=rows))
    checks = evaluate(split(sessions=1, iterations=8), held).checks
    found = {it.verdict for it in checks if it.name == "per_kernel_size_p95"}
    assert sorted(found) == expected
