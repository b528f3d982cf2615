"""Intervals hold what they say: exactly where few values can be counted out, by chance elsewhere."""

from __future__ import annotations

import itertools
import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval

FEW = st.lists(st.integers(-(10**6), 10**6).map(float), min_size=8, max_size=14)


@pytest.mark.parametrize("size", range(1, 11))
def test_the_distribution_of_signed_ranks_is_that_of_all_signs(size):
    sums = [0] * (size * (size + 1) // 2 + 1)
    for signs in itertools.product((0, 1), repeat=size):
        sums[sum(rank for rank, sign in enumerate(signs, 1) if sign)] += 1
    assert list(intervals._signed_ranks(size)) == [count / 2**size for count in sums]


@pytest.mark.parametrize("first, second", [(1, 1), (2, 5), (3, 3), (5, 2), (4, 6)])
def test_the_distribution_of_exceedances_is_that_of_all_orders(first, second):
    counts = [0] * (first * second + 1)
    for places in itertools.combinations(range(first + second), first):
        others = set(range(first + second)) - set(places)
        counts[sum(other > place for other in others for place in places)] += 1
    ways = math.comb(first + second, first)
    assert list(intervals.exceedances(first, second)) == [count / ways for count in counts]


def test_a_location_is_between_the_walsh_averages_that_the_test_leaves():
    values = [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0]
    averages = sorted((a + b) / 2 for a, b in itertools.combinations_with_replacement(values, 2))
    assert intervals.location(values, 0.01) == Interval(1.0, median(averages), 128.0)
    # 1/256 + 1/256 + 1/256 of each side are left outside at 2.5 %.
    assert intervals.location(values, 0.025) == Interval(
        averages[2], median(averages), averages[-3]
    )


@pytest.mark.parametrize("level", [0.5, 0.1, 0.05, 0.01, 0.001, 1e-5])
def test_fewer_values_than_needed_give_no_interval(level):
    needed = intervals.values_needed(level)
    assert intervals.location([1.0] * needed, level) is not None
    assert intervals.location([1.0] * (needed - 1), level) is None


def test_nothing_is_said_of_nothing():
    assert intervals.location([], 0.01) is None
    assert intervals.shift([], [], 0.01) is None
    assert intervals.shift([1.0], [2.0], 0.01) is None
    assert intervals.quantile([], 0.5, 0.01) is None
    assert intervals.quantile([1.0] * 5, 0.5, 0.05) is None


def test_the_interval_of_a_median_has_the_chance_of_coin_tosses():
    # Six tosses come out alike in 1 of 32: 3.1 %.
    assert intervals.quantile([6, 5, 4, 3, 2, 1], 0.5, 0.05) == Interval(1, 3.5, 6)
    assert intervals.quantile([6, 5, 4, 3, 2, 1], 0.5, 0.03) is None
    # Of nine, one at each end may be left out at 5 %: 2 of 10/512.
    assert intervals.quantile(range(9), 0.5, 0.05) == Interval(1, 4, 7)


@pytest.mark.parametrize(
    "share, low, high", [(0.5, 2430, 2569), (0.95, 4718, 4780), (0.999, 4989, 4999)]
)
def test_thousands_of_values_are_no_matter(share, low, high):
    # The ends are those of scipy.stats.binom(5000, share).
    found = intervals.quantile(range(5000), share, 0.05)
    assert (found.low, found.high) == (low, high)


def test_a_high_quantile_needs_more_values_than_a_median():
    assert intervals.quantile(range(100), 0.95, 0.05) is not None
    assert intervals.quantile(range(50), 0.95, 0.05) is None


@pytest.mark.parametrize(
    "bound, at_least, at_most", [(1, True, False), (2, None, None), (4, False, True)]
)
def test_an_interval_knows_what_it_cannot_tell(bound, at_least, at_most):
    found = Interval(1.5, 2, 3)
    assert (found.at_least(bound), found.at_most(bound)) == (at_least, at_most)


@pytest.mark.parametrize("level", [0.5, 0.2, 0.1, 0.05])
@pytest.mark.parametrize("sizes", [[0] * 6, [1] * 6, [0, 0, 1, 1, 2, 3], [1, 1, 1, 2, 2, 2]])
def test_equal_values_and_zeros_make_no_interval_miss_more_often(sizes, level):
    signs = list(itertools.product((-1.0, 1.0), repeat=len(sizes)))
    found = [
        intervals.location([s * x for s, x in zip(each, sizes, strict=True)], level)
        for each in signs
    ]
    for missed in (sum(each.low > 0 for each in found), sum(each.high < 0 for each in found)):
        assert missed / len(signs) <= level / 2


@given(FEW, st.integers(-1000, 1000))
def test_a_location_moves_with_its_values(values, by):
    found = intervals.location(values)
    moved = intervals.location([value + by for value in values])
    assert moved == Interval(found.low + by, found.estimate + by, found.high + by)
    turned = intervals.location([-value for value in values])
    assert turned == Interval(-found.high, -found.estimate, -found.low)
    assert min(values) <= found.low <= found.estimate <= found.high <= max(values)


@given(FEW, FEW)
def test_a_shift_turns_round_with_its_samples(before, after):
    found, back = intervals.shift(before, after), intervals.shift(after, before)
    assert back == Interval(-found.high, -found.estimate, -found.low)


@pytest.mark.parametrize(
    "noise",
    [
        lambda chance: chance.gauss(0, 1),
        lambda chance: chance.expovariate(1) * chance.choice((-1, 1)),
        lambda chance: chance.gauss(0, 1) / max(abs(chance.gauss(0, 1)), 1e-9),
    ],
    ids=["normal", "laplace", "cauchy"],
)
def test_intervals_miss_no_more_often_than_they_say(noise):
    chance, missed, rounds = random.Random(1), dict.fromkeys("lqs", 0), 1500
    for _ in range(rounds):
        values = [noise(chance) for _ in range(10)]
        other = [3 + noise(chance) for _ in range(8)]
        found = {
            "l": (intervals.location(values, 0.1), 0),
            "q": (intervals.quantile(values, 0.5, 0.1), 0),
            "s": (intervals.shift(values, other, 0.1), 3),
        }
        for name, (interval, truth) in found.items():
            missed[name] += not interval.low <= truth <= interval.high
    # Three standard deviations above 10 %.
    assert max(missed.values()) <= 0.1 * rounds + 3 * math.sqrt(0.09 * rounds), missed
    # And they are no wider than they need to be.
    assert min(missed.values()) >= 0.01 * rounds, missed
