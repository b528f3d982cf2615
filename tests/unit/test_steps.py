"""Steps are where they are, noise has none, and the fit is the best there is."""

from __future__ import annotations

import itertools
import math
import random
from statistics import median

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation import steps

SERIES = st.lists(st.integers(0, 20).map(float), min_size=1, max_size=9)


def cost(values):
    return sum(abs(value - median(values)) for value in values)


def pieces(values, cuts):
    edges = [0, *cuts, len(values)]
    return [values[low:high] for low, high in itertools.pairwise(edges)]


def everything(size, shortest):
    for count in range(size):
        for cuts in itertools.combinations(range(1, size), count):
            if all(len(piece) >= shortest for piece in pieces(range(size), cuts)):
                yield list(cuts)


@given(SERIES)
def test_the_cost_of_a_growing_piece_is_that_of_its_median(values):
    found = steps._growing(values)
    assert found == pytest.approx([cost(values[: end + 1]) for end in range(len(values))])


@given(st.lists(st.integers(0, 20).map(float), min_size=6, max_size=13))
def test_the_fit_with_so_many_pieces_is_the_least_of_all(values):
    most = len(values) // steps.SHORTEST
    least = [math.inf] * most
    for cuts in everything(len(values), steps.SHORTEST):
        least[len(cuts)] = min(least[len(cuts)], sum(map(cost, pieces(values, cuts))))
    found = steps._best(steps._costs(values), len(values), most)
    assert [price for price, _ in found] == pytest.approx(least)
    for count, (price, cuts) in enumerate(found):
        assert len(cuts) == count
        assert sum(map(cost, pieces(values, cuts))) == pytest.approx(price)


@given(st.lists(st.floats(-1e6, 1e6), max_size=40))
def test_every_piece_is_long_enough_and_in_order(values):
    cuts = steps.fit(values, 0.01)
    assert all(len(piece) >= steps.SHORTEST for piece in pieces(values, cuts)) or not cuts
    assert cuts == sorted(set(cuts))


def noisy(chance, levels):
    return [level + chance.gauss(0, 0.01) for level in levels]


def test_a_step_is_found_where_it_is_with_its_size():
    values = noisy(random.Random(6), [1.0] * 12 + [1.1] * 10)
    [step] = steps.find(values)
    assert step.at == 12
    assert step.size == pytest.approx(0.1, abs=0.01)
    assert step.interval.low <= 0.1 <= step.interval.high
    assert step.interval.low > 0.05


def test_several_steps_up_and_down_are_found():
    values = noisy(random.Random(4), [1.0] * 15 + [1.2] * 10 + [1.1] * 15)
    assert [step.at for step in steps.find(values)] == [15, 25]
    assert [step.size > 0 for step in steps.find(values)] == [True, False]


def test_one_or_two_values_that_stand_out_are_no_step():
    values = noisy(random.Random(5), [1.0] * 10 + [3.0] * 2 + [1.0] * 10)
    assert steps.find(values) == []


def test_equal_values_have_no_step_and_exact_levels_have():
    assert steps.find([2.0] * 30) == []
    assert [step.at for step in steps.find([2.0] * 8 + [3.0] * 8)] == [8]


@pytest.mark.parametrize("size", range(6))
def test_too_few_values_have_no_step(size):
    assert steps.find([0.0, 0.0, 0.0, 9.0, 9.0, 9.0][:size]) == []


def correlated(chance, size):
    value, series = chance.gauss(0, 1), []
    for _ in range(size):
        value = 0.5 * value + math.sqrt(0.75) * chance.gauss(0, 1)
        series.append(value)
    return series


NOISE = {
    "normal": lambda chance, size: [chance.gauss(0, 1) for _ in range(size)],
    "student": lambda chance, size: [
        chance.gauss(0, 1) / math.sqrt(chance.gammavariate(1.5, 2) / 3) for _ in range(size)
    ],
    "one-sided": lambda chance, size: [chance.expovariate(1) for _ in range(size)],
    "correlated": correlated,
}


@pytest.mark.parametrize("kind", NOISE)
def test_constant_noise_is_cut_in_one_of_a_hundred_at_most(kind):
    chance, rounds = random.Random(11), 600
    cut = sum(
        bool(steps.fit(NOISE[kind](chance, chance.choice((10, 15, 25, 40))))) for _ in range(rounds)
    )
    assert cut <= 0.01 * rounds
