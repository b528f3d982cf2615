"""How far the next value may lie: exact within what was seen, bounded beyond it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation.prediction import limit

PAST = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=30)


def test_among_those_seen_ranks_tell():
    assert limit([1.0, 2.0, 3.0, 5.0], 1 / 5, least_spread=0.1) == 5.0
    assert limit([1.0, 2.0, 3.0, 5.0], 1 / 2, least_spread=0.1) == 5.0


def test_beyond_them_the_square_of_the_distance_tells():
    assert limit([1.0, 2.0, 3.0, 4.0, 5.0], 1 / 24, least_spread=0.1) == pytest.approx(7.0)


def test_equal_values_leave_some_room():
    assert limit([2.0] * 9, 0.05, least_spread=0.001) == pytest.approx(2.00141, abs=1e-5)


@given(PAST, st.floats(1e-6, 1), st.floats(1e-6, 1), st.integers(-1000, 1000))
def test_a_limit_moves_with_its_values_and_grows_with_what_is_asked(past, one, other, by):
    low, high = (
        limit(past, level, least_spread=1.0) for level in sorted((one, other), reverse=True)
    )
    assert max(past) <= low <= high
    moved = limit([value + by for value in past], one, least_spread=1.0)
    assert moved == pytest.approx(limit(past, one, least_spread=1.0) + by)


@pytest.mark.parametrize(
    "noise",
    [
        lambda chance: chance.gauss(0, 1),
        lambda chance: chance.expovariate(1),
        lambda chance: chance.paretovariate(2) * chance.choice((-1, 1)),
    ],
    ids=["normal", "one-sided", "pareto"],
)
def test_the_next_of_twenty_is_beyond_no_more_often_than_said(noise):
    chance, rounds = random.Random(2), 4000
    beyond = 0
    for _ in range(rounds):
        past = [noise(chance) for _ in range(20)]
        beyond += noise(chance) > limit(past, 0.05, least_spread=0.001)
    # The median that distances are measured from is itself estimated: a fifth more at worst.
    assert beyond <= 0.06 * rounds
