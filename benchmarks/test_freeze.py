"""How the cost of a freeze grows with the number of files."""

from __future__ import annotations

from datetime import UTC, datetime
from math import log

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.freeze import phase
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from synthetic import committed

SIZES = (1_000, 10_000, 100_000)
GOAL = 1.2
TITLE = "freeze: every file hashed and folded, CPU seconds"

_COSTS: dict[int, float] = {}


@pytest.fixture(scope="session", params=SIZES)
def grown(request, tmp_path_factory):
    """A repository of so many files of two kilobytes, each its own."""
    files = {
        f"p{number % 100}/q{number // 100 % 20}/f{number}.py": f"value = {number}\n" * 150
        for number in range(request.param)
    }
    root = tmp_path_factory.mktemp("freeze") / f"f{request.param}"
    return request.param, Repository.discover(committed(root, files.items()))


@pytest.mark.benchmark(group=TITLE)
def test_manifest(meter, tell, grown):
    size, repository = grown
    head = repository.resolve("main")
    rounds = 1 if size == SIZES[-1] else 3

    def freeze():
        place = Place(repository, Config(), head, head, datetime(2026, 1, 2, tzinfo=UTC))
        return phase.run(place, kind="baseline", tag="v1")

    found, cost = meter.cost(freeze, rounds=rounds)
    assert found.facts["files"] == size
    _COSTS[size] = cost.cpu_s
    tell(TITLE, "\n".join(_table()))
    if SIZES[-1] in _COSTS and SIZES[1] in _COSTS:
        assert _exponent() <= GOAL


def _table():
    yield "| | " + " | ".join(f"{size:,} files" for size in sorted(_COSTS)) + " | exponent | goal |"
    yield "|---|" + "---:|" * (len(_COSTS) + 2)
    costs = " | ".join(f"{_COSTS[size]:.2f}" for size in sorted(_COSTS))
    exponent = f"{_exponent():.2f}" if {*SIZES[1:]} <= _COSTS.keys() else ""
    yield f"| manifest | {costs} | {exponent} | ≤ {GOAL} |"


def _exponent():
    """By which power of the number of files the cost grows, where start-up counts no more."""
    return log(_COSTS[SIZES[2]] / _COSTS[SIZES[1]]) / log(SIZES[2] / SIZES[1])
