"""Berths, and ships that want the same one."""

from candidate.berths import QUAYS, Allocation, allocate
from candidate.berths.conflicts import conflicts, occupancy
from harbour.clock import Window


def test_the_shallowest_berth_that_takes_the_ship(feeder, giant, trawler):
    window = Window(0, 600)
    plan = allocate([(feeder, window), (giant, window), (trawler, window)])
    berths = {call.vessel.name: call.berth and call.berth.name for call in plan}
    assert berths == {"Tern": "North 2", "Albatross": None, "Petrel": "Fish quay"}


def test_a_tide_helps_a_ship_that_is_too_deep(giant):
    deep = QUAYS[-1]
    assert not deep.takes(giant)
    assert deep.takes(giant, tide=0.6)


def test_who_comes_second_waits(trawler):
    plan = allocate([(trawler, Window(0, 100)), (trawler, Window(50, 80))], QUAYS[:1])
    assert [call.window for call in plan] == [Window(0, 100), Window(100, 130)]
    assert conflicts(plan) == []
    assert occupancy(plan, 260) == {"Fish quay": 0.5}


def test_conflicts_name_both_calls(trawler, feeder):
    first = Allocation(trawler, Window(0, 100), QUAYS[0])
    second = Allocation(feeder, Window(99, 120), QUAYS[0])
    assert conflicts([first, second]) == [(first, second)]
    assert conflicts([first, Allocation(feeder, Window(0, 100), None)]) == []
