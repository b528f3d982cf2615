"""Weather, tugs, position reports, tonnage."""

from dataclasses import replace
from unittest import mock

import pytest

from candidate import ais, tonnage, towage, weather


@pytest.mark.parametrize(("knots", "force"), [(0, 0), (1, 1), (33, 7), (34, 8), (90, 12)])
def test_beaufort(knots, force):
    assert weather.beaufort(knots) == force


def test_wind_from_abeam_counts_in_full():
    assert weather.across(20, wind_from=90, heading=0) == pytest.approx(20)
    assert weather.across(20, wind_from=30, heading=0) == pytest.approx(10)


def test_the_stronger_the_wind_the_more_tugs(feeder, giant):
    assert [tug.name for tug in towage.tugs(feeder, 15)] == ["Newfoundland"]
    assert len(towage.tugs(giant, 25)) == 2
    with pytest.raises(ValueError, match="the fleet has less"):
        towage.tugs(giant, 33)


def test_nobody_moves_in_a_gale(feeder):
    with mock.patch("candidate.weather.gale_warning", return_value=True) as asked:
        with pytest.raises(ValueError, match="stays where it is"):
            towage.tugs(feeder, 5)
    asked.assert_called_once_with(5)


def test_a_position_report_is_read():
    report = ais.decode("177KQJ5000G?tO`K>RA1wUbN0TKH")
    assert report.mmsi == 477553000
    assert report.knots == 0
    assert report.longitude == pytest.approx(-122.345833, abs=1e-5)
    assert report.latitude == pytest.approx(47.582833, abs=1e-5)
    with pytest.raises(ValueError, match="type 5"):
        ais.decode("5" + "0" * 27)
    with pytest.raises(ValueError, match="armour"):
        ais.bits("~")


def test_tonnage_follows_from_the_hull(feeder):
    assert tonnage.gross_tonnage(1000) == 260
    assert tonnage.plausible(feeder, fullness=1.4)
    assert not tonnage.plausible(replace(feeder, gross_tonnage=998))
    with pytest.raises(ValueError, match="encloses"):
        tonnage.gross_tonnage(0)
