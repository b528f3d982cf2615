from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.promotion import velocity
from pytest_cockpit.promotion.velocity import MOST_WEEKS, WEEK, Forecast, Weeks, forecast, weeks

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)


def ago(count: float) -> datetime:
    return NOW - WEEK * count


def lately(*drained: int, promoted: tuple[int, ...] = ()) -> Weeks:
    return Weeks(promoted or drained, drained)


def spread(found: Forecast) -> float:
    """Weeks from the low to the high end of an interval that has both."""
    assert found.low is not None
    assert found.high is not None
    return found.high - found.low


def test_weeks_without_a_batch_count():
    landings = [(ago(3.5), 10), (ago(3.2), 5), (ago(0.5), 4)]
    lane = [(ago(9), 100), (ago(3.5), 90), (ago(3.2), 85), (ago(0.5), 81)]
    found = weeks(landings, lane, NOW)
    # The first batch came half a week before the first whole one.
    assert found.promoted == (0, 0, 4)
    assert found.drained == (0, 0, 4)
    assert weeks([(ago(4), 1), *landings], lane, NOW).promoted == (15, 0, 0, 4)


def test_what_was_added_is_taken_off():
    lane = [(ago(9), 100), (ago(2.5), 90), (ago(2.4), 97), (ago(0.5), 80), (ago(0.4), 78)]
    found = weeks([(ago(3.1), 0), (ago(2.5), 10), (ago(0.5), 17)], lane, NOW)
    assert found.promoted == (10, 0, 17)
    assert found.drained == (3, 0, 19)
    assert found.grown == (7, 0, -2)


def test_a_clock_that_ran_ahead_hides_no_later_commit():
    lane = [(ago(9), 100), (ago(1.8), 90), (NOW + WEEK, 80), (ago(1.5), 70), (ago(0.5), 65)]
    assert weeks([(ago(2.1), 10)], lane, NOW).drained == (30, 5)


def test_a_rollback_is_taken_off():
    found = weeks([(ago(2.1), 10), (ago(1.5), 10), (ago(0.5), -10)], [], NOW)
    assert found.promoted == (10, -10)


def test_without_a_batch_there_are_no_weeks():
    assert weeks([], [(ago(5), 100)], NOW) == Weeks((), ())
    assert weeks([(NOW + WEEK, 10)], [], NOW) == Weeks((), ())


def test_old_weeks_are_left_out():
    found = weeks([(ago(3 * MOST_WEEKS), 10), (ago(0.5), 1)], [], NOW)
    assert len(found.promoted) == MOST_WEEKS
    assert sum(found.promoted) == 1


@pytest.mark.parametrize("count", range(velocity.LEAST_WEEKS))
def test_too_little_history_is_no_forecast(count):
    found = forecast(100, lately(*[50] * count))
    assert (found.low, found.median, found.high) == (None, None, None)
    assert f"{count} whole week" in found.reason
    assert "3 are needed" in found.reason


def test_nothing_left_needs_no_history():
    found = forecast(-5, Weeks((), ()))
    assert (found.remaining, found.low, found.median, found.high) == (0, 0.0, 0.0, 0.0)
    assert not found.reason
    assert found.rate is None


def test_the_median_is_what_the_mean_says_and_lies_within():
    found = forecast(1000, lately(90, 110, 100, 95, 105))
    assert found.median == pytest.approx(10, abs=0.5)
    assert found.low is not None
    assert found.median is not None
    assert found.low < found.median < found.low + spread(found)
    assert found.rate == 100


def test_the_same_history_gives_the_same_forecast():
    history = lately(0, 200, 150, 0, 300, 50)
    assert forecast(700, history) == forecast(700, history)


def test_more_scatter_is_a_wider_interval():
    calm, wild = forecast(1000, lately(100, 90, 110, 100)), forecast(1000, lately(0, 250, 0, 150))
    assert wild.high is None or spread(wild) > spread(calm)


def test_equal_weeks_are_no_certainty():
    assert spread(forecast(1000, lately(50, 50, 50))) > 0


@pytest.mark.parametrize("drained", [(0, 0, 0), (-10, -12, -9, -11), (0, 0, 0, 0, 1)])
def test_a_lane_that_does_not_drain_has_no_end(drained):
    found = forecast(10_000, lately(*drained))
    assert found.high is None
    assert not found.reason
    assert velocity.dated(found.high, NOW) is None


def test_days_follow_from_weeks():
    assert velocity.dated(2.0, NOW) == (NOW + timedelta(days=14)).date()


@settings(max_examples=20)
@given(
    st.integers(-(10**6), 10**6),
    st.lists(st.integers(-5000, 5000), max_size=30).map(tuple),
)
def test_every_history_has_an_answer_in_order(remaining, drained):
    found = forecast(min(remaining, 3000), lately(*drained))
    known = [value for value in (found.low, found.median, found.high) if value is not None]
    assert known == sorted(known)
    assert bool(found.reason) == (remaining > 0 and len(drained) < velocity.LEAST_WEEKS)
    if found.low is None:
        assert found.median is None
    if found.median is None:
        assert found.high is None


@given(st.lists(st.tuples(st.integers(-400, 400), st.integers(-50, 50)), max_size=40))
def test_weeks_lose_no_file(events):
    landings = [(NOW - timedelta(days=days), files) for days, files in events]
    found = weeks(landings, [], NOW)
    assert len(found.promoted) == len(found.drained) <= MOST_WEEKS
    edge = NOW - WEEK * len(found.promoted)
    assert sum(found.promoted) == sum(files for at, files in landings if edge < at <= NOW)
