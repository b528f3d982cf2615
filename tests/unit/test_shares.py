"""A share's interval holds what it says."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.estimation.shares import share


def below(found: int, of: int, truth: float) -> float:
    """The chance of so many or fewer, term by term."""
    return sum(
        math.comb(of, count) * truth**count * (1 - truth) ** (of - count)
        for count in range(found + 1)
    )


@given(st.integers(1, 60), st.data())
def test_the_ends_are_where_what_was_found_becomes_improbable(of, data):
    found = data.draw(st.integers(0, of))
    interval = share(found, of, 0.05)
    assert 0 <= interval.low <= interval.estimate == found / of <= interval.high <= 1
    if found < of:
        assert below(found, of, interval.high) == pytest.approx(0.025, rel=1e-6)
    if found:
        assert 1 - below(found - 1, of, interval.low) == pytest.approx(0.025, rel=1e-6)


def test_nothing_missed_is_never_certain():
    assert share(1000, 1000).high == 1.0
    assert share(1000, 1000).low == pytest.approx(0.005 ** (1 / 1000))
    assert share(0, 1000).low == 0.0


def test_many_trials_are_counted_quickly_and_well():
    found = share(99_000, 100_000, 0.05)
    assert found.low == pytest.approx(0.98936, abs=2e-5)
    assert found.high == pytest.approx(0.99061, abs=2e-5)
    half = share(50_000, 100_000, 0.05)
    assert (half.low, half.high) == pytest.approx((0.4969, 0.5031), abs=1e-4)
