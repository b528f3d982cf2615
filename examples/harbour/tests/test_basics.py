"""Units, ships, time and money."""

import pytest

from harbour import clock, money, units
from harbour.clock import Window
from harbour.vessel import Vessel, valid_imo


def test_units_convert():
    assert units.feet(0.3048) == 1
    assert units.metres_per_second(3600 / 1852) == pytest.approx(1)
    assert units.hours_for(9, 18) == 0.5
    with pytest.raises(ValueError, match="positive"):
        units.hours_for(1, 0)


def test_imo_numbers_carry_a_check_digit(feeder):
    assert valid_imo(9074729)
    assert not valid_imo(9074728)
    assert not valid_imo(907472)
    assert feeder.block_volume == pytest.approx(134 * 22.5 * 8.7)
    with pytest.raises(ValueError, match="no IMO number"):
        Vessel("Ghost", 1234568, 1, 1, 1, 1)


def test_windows_overlap_and_merge():
    morning, noon = Window(0, 60), Window(60, 120)
    assert not morning.overlaps(noon)
    assert morning.overlaps(noon.shifted(-1))
    assert clock.merged([noon, morning, Window(200, 210)]) == [Window(0, 120), Window(200, 210)]
    assert clock.hhmm(545) == "09:05"
    assert clock.hhmm(24 * 60 + 30) == "+1 00:30"
    with pytest.raises(ValueError, match="empty"):
        Window(5, 5)


def test_money_loses_no_cent():
    assert money.cents("12.345") == 1234
    assert money.percent(10_000, "8.8") == 880
    assert money.shares(100, [1, 1, 1]) == [34, 33, 33]
    assert sum(money.shares(99_999, [7, 11, 13])) == 99_999
    assert money.formatted(-123450) == "-1,234.50"
    with pytest.raises(ValueError, match="weights"):
        money.shares(1, [0])
