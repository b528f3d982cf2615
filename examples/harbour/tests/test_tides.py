"""Height of the water, and who can pass."""

import pytest

from candidate.tides.clearance import fresh_water_draught, squat, under_keel
from candidate.tides.windows import longest, tidal_windows
from harbour.clock import Window
from harbour.tides.harmonic import HAVEN, Constituent, Station
from harbour.tides.table import turns

LEVEL = Station("Lake", 2.0, ())
STEADY = Station("Steady", 3.0, (Constituent("M2", 2.0, 30.0, 0.0),))


def test_a_tide_is_the_sum_of_its_parts():
    assert STEADY.height(0) == pytest.approx(5.0)
    assert STEADY.height(6 * 60) == pytest.approx(1.0)


def test_two_high_and_two_low_waters_a_day():
    day = turns(HAVEN)
    assert [turn.high for turn in day] == [True, False, True, False]
    assert all(turn.height > 4 for turn in day if turn.high)


def test_under_keel_clearance():
    assert squat(10) == pytest.approx(0.7)
    assert under_keel(LEVEL, 0, depth=10, draught=9) == pytest.approx(3)
    assert under_keel(LEVEL, 0, depth=10, draught=9, knots=10) == pytest.approx(2.3)
    assert fresh_water_draught(8.0) == pytest.approx(8.2)


def test_deep_ships_wait_for_the_tide():
    windows = tidal_windows(STEADY, depth=8, draught=11, knots=0, margin=0.5)
    assert len(windows) == 3
    assert longest(windows) == windows[1]
    assert windows[1].start < 12 * 60 < windows[1].end
    assert tidal_windows(LEVEL, depth=8, draught=5) == [Window(0, 24 * 60)]
    assert longest(tidal_windows(LEVEL, depth=8, draught=12)) is None
