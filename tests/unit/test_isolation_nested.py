from __future__ import annotations

import itertools
import math
import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.promotion.isolation.nested import Nested, bounded, nested

risks = st.floats(0.001, 0.95)


def r1(count, good):
    """Sobel and Groll's recursion as they wrote it: H1(n), and G1(m, n) by m and n."""
    whole = [0.0] * (count + 1)
    some = [[0.0] * (count + 1) for _ in range(count + 1)]
    for n in range(1, count + 1):
        some[1][n] = whole[n - 1]
        for m in range(2, n + 1):
            some[m][n] = 1 + min(
                ((good**x - good**m) * some[m - x][n - x] + (1 - good**x) * some[x][n])
                / (1 - good**m)
                for x in range(1, m)
            )
        whole[n] = 1 + min(
            good**x * whole[n - x] + (1 - good**x) * some[x][n] for x in range(1, n + 1)
        )
    return whole, some


def best(chances, at, contaminated, found=None):
    """The least expectation by trying every nested plan, straight from the definition."""
    found = {} if found is None else found
    key = at, contaminated
    if key not in found:
        left = len(chances) - at
        if not left:
            found[key] = 0.0
        elif contaminated == 1:
            found[key] = best(chances, at + 1, 0, found)
        else:
            found[key] = 1 + min(
                share * best(chances, at + x, max(contaminated - x, 0), found)
                + (1 - share) * best(chances, at, x, found)
                for x in range(1, contaminated or left + 1)
                for share in [green(chances, at, x, contaminated)]
            )
    return found[key]


def green(chances, at, size, contaminated):
    """How likely a group is good, given what is contaminated."""
    clean = math.prod(1 - chance for chance in chances[at : at + size])
    if not contaminated:
        return clean
    none = math.prod(1 - chance for chance in chances[at : at + contaminated])
    return (clean - none) / (1 - none)


@pytest.mark.parametrize("risk", [0.01, 0.02, 0.05, 0.2, 0.4])
def test_equal_risks_give_r1(risk):
    whole, some = r1(50, 1 - risk)
    plan = Nested([risk] * 50)
    for count in range(1, 51):
        assert plan.expected(50 - count) == pytest.approx(whole[count], rel=1e-9)
        for contaminated in range(1, count + 1):
            assert plan.expected(50 - count, contaminated) == pytest.approx(
                some[contaminated][count], rel=1e-9
            )


@given(st.lists(risks, min_size=1, max_size=9))
def test_unequal_risks_give_the_best_nested_plan(chances):
    plan = Nested(chances)
    found: dict[tuple[int, int], float] = {}
    for at in range(len(chances)):
        for contaminated in range(len(chances) - at + 1):
            assert plan.expected(at, contaminated) == pytest.approx(
                best(chances, at, contaminated, found), rel=1e-9
            )


@settings(max_examples=50)
@given(st.lists(risks, min_size=1, max_size=9))
def test_the_choices_cost_what_the_plan_expects(chances):
    """Walk all defect patterns by the plan's own groups and splits."""
    plan = Nested(chances)
    total = greens = 0.0
    for pattern in itertools.product([False, True], repeat=len(chances)):
        weight = math.prod(
            chance if bad else 1 - chance for chance, bad in zip(chances, pattern, strict=True)
        )
        asked, good = walk(plan, pattern)
        total += weight * asked
        greens += weight * good
    assert plan.expected() == pytest.approx(total, rel=1e-9)
    assert plan.expected_greens == pytest.approx(greens, rel=1e-9)


def walk(plan, pattern):
    at = contaminated = asked = good = 0
    while at < len(pattern):
        if contaminated == 1:
            at, contaminated = at + 1, 0
            continue
        size = plan.split(at, contaminated) if contaminated else plan.group(at)
        assert 1 <= size <= (contaminated - 1 if contaminated else len(pattern) - at)
        asked += 1
        if any(pattern[at : at + size]):
            contaminated = size
        else:
            good += 1
            at, contaminated = at + size, max(contaminated - size, 0)
    return asked, good


def test_the_search_for_one_of_equals_halves():
    plan = Nested([1e-6] * 64)
    assert [plan.split(0, width) for width in (2, 4, 8, 64)] == [1, 2, 4, 32]
    assert plan.expected(0, 64) == pytest.approx(7, abs=0.02)


def test_the_smallest_of_equally_good_groups_is_taken():
    assert Nested([0.999] * 3).group(0) == 1
    # At this risk one and two together cost the same.
    even = (3 - 5**0.5) / 2
    assert Nested([even] * 2).group(0) == 1


def test_a_suspect_in_last_place_needs_no_session_of_its_own():
    plan = Nested([0.004] * 49 + [0.95])
    assert plan.split(0, 50) == 49


def test_suffixes_are_plans_of_their_own():
    chances = [random.Random(1).random() / 10 for _ in range(30)]
    plan, tail = Nested(chances), Nested(chances[10:])
    assert [plan.group(10 + at) for at in range(20)] == [tail.group(at) for at in range(20)]
    assert plan.split(10, 15) == tail.split(0, 15)
    assert plan.expected(10, 7) == pytest.approx(tail.expected(0, 7))


@pytest.mark.parametrize(("risk", "kept"), [(-1, 1e-6), (0, 1e-6), (0.5, 0.5), (1, 0.999)])
def test_nothing_is_certain(risk, kept):
    assert bounded(risk) == kept
    assert Nested([risk]).risks == (kept,)


def test_extreme_risks_neither_underflow_nor_overflow():
    plan = Nested([1.0] * 200 + [0.0] * 200)
    assert plan.expected() == pytest.approx(201, abs=0.5)
    assert 1 <= plan.split(0, 400) < 400


def test_nothing_to_plan():
    assert Nested([]).expected() == 0
    assert Nested([]).expected_greens == 0


def test_400_units_are_planned_in_well_under_a_second():
    chances = [random.Random(2).random() / 20 for _ in range(400)]
    start = time.process_time()
    Nested(chances)
    assert time.process_time() - start < 0.7


def test_plans_are_kept():
    assert nested((0.1, 0.2)) is nested((0.1, 0.2))
