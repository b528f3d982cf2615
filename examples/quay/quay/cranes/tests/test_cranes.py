import pytest

from quay.cranes import assign, hours

SHIP = {1: 40, 3: 40, 5: 80, 7: 40, 9: 40}


def test_no_two_cranes_cross():
    plan = assign(SHIP, 3)
    assert [bay for run in plan for bay in run] == sorted(SHIP)


def test_the_busiest_crane_decides():
    assert hours(SHIP, assign(SHIP, 1)) == 240 / 28
    assert hours(SHIP, assign(SHIP, 3)) < 240 / 28


def test_a_ship_is_not_worked_without_a_crane():
    with pytest.raises(ValueError, match="without a crane"):
        assign(SHIP, 0)
