"""Verdicts on simulated sessions: how often nothing is called slower, and something is not."""

from __future__ import annotations

import math
from statistics import median

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking import judging, measuring
from tests.bench_noise import Machine

BASE = "a" * 40


def paired(machine, factors, threshold):
    level = judging.FALSE_ALARMS / len(factors)
    bases, heads = machine.pairs(measuring.needed(level) + measuring.SPARE, factors)
    return [
        judging.by_pairs(base, head, level=level, threshold=threshold, against=BASE).verdict
        for base, head in zip(bases, heads, strict=True)
    ]


# At a threshold of 0 the level is all that keeps alarms away.
@pytest.mark.parametrize("threshold", [0.0, 0.05])
def test_sessions_in_pairs_raise_no_more_false_alarms_than_they_say(threshold):
    machine, rounds = Machine(21), 1500
    alarms = sum(Verdict.FAIL in paired(machine, [1.0] * 4, threshold) for _ in range(rounds))
    # Three standard deviations above 1 %.
    assert alarms <= 0.01 * rounds + 3 * math.sqrt(0.0099 * rounds)


@pytest.mark.parametrize("slower, least", [(1.1, 0.4), (1.2, 0.85), (1.3, 0.97)])
def test_sessions_in_pairs_see_what_is_slower(slower, least):
    machine, rounds = Machine(22), 200
    seen = sum(paired(machine, [slower, 1, 1, 1], 0.05)[0] is Verdict.FAIL for _ in range(rounds))
    assert seen >= least * rounds


def session(machine, factor):
    return median(machine.process(factor)[0] for _ in range(6))


def recorded(seed, factor, count):
    """A run after so many recorded ones; the machine goes on its way for long between them."""
    machine = Machine(seed)
    past = []
    for _ in range(count):
        for _ in range(40):
            machine.process(1.0)
        past.append(session(machine, 1.0))
    return judging.by_record(session(machine, factor), past, threshold=0.05)


def test_runs_are_seldom_suspect_without_cause():
    rounds = 300
    suspect = sum(recorded(seed, 1.0, 12).verdict is Verdict.WARN for seed in range(rounds))
    assert suspect <= 0.1 * rounds


def test_a_slow_run_is_suspect():
    seen = sum(recorded(seed, 1.5, 12).verdict is Verdict.WARN for seed in range(60))
    assert seen >= 45


def test_usual_is_what_could_be_expected_at_its_time():
    steady = [0.0, 0.01, -0.01, 0.005, -0.005] * 3
    assert judging.usual([*steady, 0.4, 0.0, 0.5], 0.05) == [*steady, 0.0]
    assert judging.usual([*steady, *([0.4] * 9)], 0.05) == steady
    assert judging.usual([*steady, *([0.4] * 10)], 0.05) == [0.4] * 10
    assert judging.usual([*([0.4] * 10), *steady], 0.05) == steady
    # Of the first ten, up to two that stand out are left out too.
    assert judging.usual([0.0, 0.3, 0.01, 0.5, *steady], 0.05) == [0.0, 0.01, *steady]


@pytest.mark.parametrize("size", [0, 1, 9])
def test_too_few_recorded_runs_say_how_many_are_missing(size):
    found = judging.by_record(9.0, [1.0] * size, threshold=0.05)
    assert (found.verdict, found.early) == (Verdict.UNKNOWN, True)
    more = judging.ENOUGH - size
    assert found.said == f"{more} more run{'s' * (more > 1)} on a machine like this needed"


@pytest.mark.parametrize("size", [2, 6])
def test_too_few_pairs_say_how_many_are_missing(size):
    found = judging.by_pairs([1.0] * size, [9.0] * size, level=0.01, threshold=0.05, against=BASE)
    assert found.verdict is Verdict.UNKNOWN
    assert (
        found.said
        == f"{size} pairs with aaaaaaaaaaaa: {7 - size} more pair{'s' * (size < 6)} needed"
    )


@pytest.mark.parametrize(
    "head, verdict, said",
    [
        ([1.2] * 7, Verdict.FAIL, "slower by more than 5%"),
        ([1.2] * 6 + [1.01], Verdict.WARN, "slower, perhaps by more than 5%"),
        ([1.03] * 7, Verdict.PASS, "slower, by no more than 3%"),
        ([1.2] * 6 + [0.9], Verdict.PASS, "no slower, as far as can be seen"),
        ([0.9] * 7, Verdict.PASS, "faster"),
    ],
)
def test_what_the_interval_says_is_said(head, verdict, said):
    found = judging.by_pairs([1.0] * 7, head, level=0.01, threshold=0.05, against=BASE)
    assert (found.verdict, found.said.rpartition(": ")[2]) == (verdict, said)
    assert found.ratio.low <= found.ratio.estimate <= found.ratio.high


def test_what_takes_no_time_cannot_be_judged():
    level = {"level": 0.01, "threshold": 0.05}
    pairs = judging.by_pairs([1.0] * 7, [1.0] * 6 + [0.0], **level, against=BASE)
    assert (pairs.verdict, judging.by_record(0.0, [1.0] * 10, threshold=0.05).verdict) == (
        Verdict.UNKNOWN,
        Verdict.UNKNOWN,
    )


def test_a_run_above_all_recorded_ones_is_a_suspicion_and_no_verdict():
    past = [1.0, 1.01, 1.02, 0.99, 1.0, 1.01, 0.98, 1.0, 1.02, 1.0]
    found = judging.by_record(1.5, past, threshold=0.05)
    assert found.verdict is Verdict.WARN
    assert found.limit == pytest.approx(1.085, abs=0.01)
    assert "10 recorded runs" in found.said
    assert judging.by_record(1.05, past, threshold=0.05).verdict is Verdict.PASS


@pytest.mark.parametrize("benchmarks", [1, 2, 10, 100, 1000])
def test_as_many_pairs_are_needed_as_could_show_something(benchmarks):
    level = judging.FALSE_ALARMS / benchmarks
    enough = measuring.needed(level)
    slow = {"level": level, "threshold": 0.05, "against": BASE}
    assert judging.by_pairs([1.0] * enough, [2.0] * enough, **slow).verdict is Verdict.FAIL
    fewer = [1.0] * (enough - 1), [2.0] * (enough - 1)
    assert judging.by_pairs(*fewer, **slow).verdict is Verdict.UNKNOWN
