"""Pilots, the fairway, and the command line that asks for the roster."""

from candidate.pilots import boarding, rest
from candidate.pilots.roster import DUTY_LIST, assign
from candidate.traffic.fairway import Passage, next_free
from candidate.traffic.separation import clear, may_meet
from harbour import cli
from harbour.clock import Window


def test_the_least_licence_that_suffices(feeder, giant, trawler):
    pilots = assign([feeder, giant, trawler])
    assert {ship: pilot.name for ship, pilot in pilots.items()} == {
        "Albatross": "Okafor",
        "Tern": "Lindqvist",
        "Petrel": "Marques",
    }
    assert assign([giant], DUTY_LIST[1:]) == {}


def test_rest_is_ten_hours_six_in_one_piece():
    assert rest.rests([Window(60, 120)]) == [Window(0, 60), Window(120, 1440)]
    assert rest.rested([Window(0, 14 * 60)])
    assert not rest.rested([Window(0, 15 * 60)])
    assert not rest.rested([Window(300, 600), Window(800, 1100), Window(1300, 1440)])


def test_reasons_against_boarding():
    marques = DUTY_LIST[-1]
    assert boarding.leave_at(600) == 582
    assert boarding.may_board(marques, 7.0, 12, []) == []
    reasons = boarding.may_board(marques, 9.0, 40, [Window(0, 1200)])
    assert reasons == [
        "Marques is licensed to 8.0 m",
        "wind of force 8",
        "Marques has not rested",
    ]


def test_wide_ships_do_not_meet(giant, feeder, trawler):
    wide, narrow = Passage(giant, 0), Passage(trawler, 10, inbound=False)
    assert not may_meet(wide, narrow)
    assert not clear(wide, narrow)
    assert clear(Passage(feeder, 0), narrow)


def test_a_late_wish_waits_for_the_fairway(giant, trawler):
    first = Passage(giant, 0)
    assert next_free([first], Passage(trawler, 10)) == 20
    assert next_free([first], Passage(trawler, 10, inbound=False)) == 55


def test_reports(capsys):
    assert cli.main(["pilots"]) == 0
    assert capsys.readouterr().out.splitlines()[0].split() == ["Okafor", "17.0", "m"]
    assert cli.main(["tides"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 4
    assert cli.main(["menu"]) == 2
    assert "tides" in capsys.readouterr().err
