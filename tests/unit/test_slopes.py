"""Slopes and quantile ends hold what they say: by counting out where few values let one."""

from __future__ import annotations

import itertools
import math
import random
from collections import Counter
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation import intervals, slopes
from pytest_cockpit.estimation.intervals import Interval

SERIES = st.lists(st.integers(-(10**6), 10**6).map(float), min_size=6, max_size=12)


@pytest.mark.parametrize(
    "counts", [(1, 1), (1, 1, 1, 1, 1), (1,) * 7, (2, 1), (2, 2, 2), (1, 3, 2), (3, 1, 1, 2)]
)
def test_the_distribution_of_falls_is_that_of_all_orders(counts):
    places = [at for at, count in enumerate(counts) for _ in range(count)]
    between = [
        (a, b) for a, b in itertools.combinations(range(len(places)), 2) if places[a] < places[b]
    ]
    found = Counter(
        sum(order[a] > order[b] for a, b in between)
        for order in itertools.permutations(range(len(places)))
    )
    ways = math.factorial(len(places))
    expected = [found[count] / ways for count in range(len(between) + 1)]
    assert list(slopes._trend(counts)) == pytest.approx(expected)


def test_a_slope_is_between_the_pairwise_slopes_that_the_test_leaves():
    places, values = [1, 2, 3, 4, 5, 6], [0.0, 5.0, 1.0, 2.0, 4.0, 9.0]
    every = sorted(
        (b[1] - a[1]) / (b[0] - a[0])
        for a, b in itertools.combinations(zip(places, values, strict=True), 2)
    )
    # One order of 720 has no inversion, five have one.
    assert slopes.slope(places, values, 2.5 / 720) == Interval(every[0], median(every), every[-1])
    assert slopes.slope(places, values, 13 / 720) == Interval(every[1], median(every), every[-2])


def test_few_values_have_no_slope():
    for size in range(6):
        assert slopes.slope(range(size), [float(value) for value in range(size)]) is None
    assert slopes.slope(range(6), [0.0] * 6) == Interval(0.0, 0.0, 0.0)
    for size in (1, 8, 80):
        assert slopes.slope([3] * size, [float(value) for value in range(size)]) is None


def test_values_at_one_place_are_not_compared_with_each_other():
    places = [1, 1, 1, 1, 2, 2, 2, 2]
    found = slopes.slope(places, [0.0, 9.0, 1.0, 2.0, 10.0, 19.0, 11.0, 12.0], 0.05)
    assert found == intervals.shift([0.0, 9.0, 1.0, 2.0], [10.0, 19.0, 11.0, 12.0], 0.05)


@given(SERIES, st.integers(-5, 5), st.randoms())
def test_a_slope_follows_what_is_added_and_no_order_of_points(values, tilt, order):
    places = list(range(len(values)))
    found = slopes.slope(places, values)
    tilted = slopes.slope(places, [value + tilt * at for at, value in enumerate(values)])
    shuffled = order.sample(places, len(places))
    again = slopes.slope(shuffled, [values[at] for at in shuffled])
    assert again == found
    assert found is not None
    assert tilted is not None
    assert tilted.estimate == pytest.approx(found.estimate + tilt)
    assert (tilted.low, tilted.high) == pytest.approx((found.low + tilt, found.high + tilt))


@pytest.mark.parametrize("level", [0.1, 0.01, 1e-4])
def test_the_normal_distribution_beyond_leaves_out_few_slopes_less_than_the_exact_one(level):
    for counts in ((1,) * slopes._EXACT, (2,) * 20, (8,) * 5):
        exact = intervals.skipped(slopes._trend(counts), level / 2)
        normal = slopes._normal(counts, level / 2)
        assert exact is not None
        assert normal is not None
        assert 0 <= exact - normal <= 6


def test_so_many_values_at_one_place_that_nothing_can_be_left_out_have_no_slope():
    for counts in ((40, 1), (1, 60)):
        places = [at for at, count in enumerate(counts) for _ in range(count)]
        assert intervals.skipped(slopes._trend(counts), 0.005) is None
        assert slopes.slope(places, [float(value) for value in range(len(places))]) is None


def test_one_value_that_stands_out_tilts_nothing():
    values = [100 + 0.1 * (at % 2) for at in range(12)]
    values[-1] = 1000.0
    found = slopes.slope(range(12), values)
    assert found is not None
    assert found.low <= 0 <= found.high
    assert found.high < 0.5


def test_the_interval_of_a_slope_misses_as_seldom_as_said():
    rng = random.Random(3)
    missed = 0
    for _ in range(2000):
        found = slopes.slope(range(8), [rng.expovariate(1) for _ in range(8)], 0.05)
        assert found is not None
        missed += not found.low <= 0 <= found.high
    assert missed / 2000 < 0.06


def test_fifty_nine_values_are_the_fewest_whose_largest_is_beyond_the_95th_percentile():
    assert intervals.quantile_ends([1.0] * 58, 0.95, 0.05, 0.05).high == math.inf
    assert intervals.quantile_ends([1.0] * 59, 0.95, 0.05, 0.05).high == 1.0


def test_ends_are_infinite_where_there_are_too_few_values():
    none = intervals.quantile_ends([], 0.95, 0.05, 0.05)
    assert (none.low, none.high) == (-math.inf, math.inf)
    assert math.isnan(none.estimate)
    one = intervals.quantile_ends([3.0], 0.95, 0.01, 0.05)
    assert one == Interval(-math.inf, 3.0, math.inf)
    # A value lies below the 95th percentile but once in twenty times: with 5 % it is a lower end.
    assert intervals.quantile_ends([3.0], 0.95, 0.0501, 0.05).low == 3.0


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=80), st.floats(0.05, 0.95))
def test_both_ends_with_half_the_level_are_those_of_the_quantile(values, share):
    ends = intervals.quantile_ends(values, share, 0.005, 0.005)
    assert ends.low <= ends.high
    whole = intervals.quantile(values, share, 0.01)
    assert whole == (ends if math.isfinite(ends.low) and math.isfinite(ends.high) else None)
