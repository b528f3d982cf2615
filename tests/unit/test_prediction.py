"""How far the next value may lie: exact within what was seen, bounded beyond it."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation.prediction import exceedance, limit

PAST = st.lists(st.integers(-1000, 1000).map(float), min_size=1, max_size=30)


def test_among_those_seen_ranks_tell():
    past = [1.0, 2.0, 3.0, 4.0]
    assert exceedance(past, 0.0, least_spread=0.1) == 1
    assert exceedance(past, 3.0, least_spread=0.1) == 3 / 5
    assert exceedance(past, 4.0, least_spread=0.1) == 2 / 5


def test_beyond_them_the_square_of_the_distance_tells():
    past = [1.0, 2.0, 3.0, 4.0, 5.0]
    assert exceedance(past, 7.0, least_spread=0.1) == pytest.approx(1 / 6 / 4)
    assert limit(past, 1 / 24, least_spread=0.1) == pytest.approx(7.0)


def test_equal_values_leave_some_room():
    assert exceedance([2.0] * 9, 2.0005, least_spread=0.001) == pytest.approx(1 / 10)
    assert limit([2.0] * 9, 0.05, least_spread=0.001) == pytest.approx(2.00141, abs=1e-5)


@given(PAST, st.floats(0.0001, 1), st.floats(1.0001, 100))
def test_what_lies_beyond_the_limit_is_rarer_than_the_level(past, level, times):
    edge = limit(past, level, least_spread=1.0)
    assert edge >= max(past)
    beyond = edge + (times - 1) * (abs(edge) + 1)
    assert exceedance(past, beyond, least_spread=1.0) <= level * (1 + 1e-9) or level < 1 / (
        len(past) + 1
    )


@pytest.mark.parametrize(
    "noise",
    [
        lambda chance: chance.gauss(0, 1),
        lambda chance: chance.expovariate(1),
        lambda chance: chance.paretovariate(2) * chance.choice((-1, 1)),
    ],
    ids=["normal", "one-sided", "pareto"],
)
def test_the_next_of_twenty_is_suspect_no_more_often_than_said(noise):
    chance, rounds = random.Random(2), 4000
    beyond = 0
    for _ in range(rounds):
        past = [noise(chance) for _ in range(20)]
        beyond += noise(chance) > limit(past, 0.05, least_spread=0.001)
    # The median that distances are measured from is itself estimated: a fifth more at worst.
    assert beyond <= 0.06 * rounds
