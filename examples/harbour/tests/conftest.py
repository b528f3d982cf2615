"""Ships of the tests."""

import pytest

from harbour.vessel import Vessel


@pytest.fixture
def feeder() -> Vessel:
    return Vessel("Tern", 9074729, length=134.0, beam=22.5, draught=8.7, gross_tonnage=9_981)


@pytest.fixture
def giant() -> Vessel:
    return Vessel(
        "Albatross", 9321483, length=397.7, beam=56.4, draught=15.5, gross_tonnage=170_794
    )


@pytest.fixture
def trawler() -> Vessel:
    return Vessel("Petrel", 8814275, length=38.0, beam=9.0, draught=4.6, gross_tonnage=420)
