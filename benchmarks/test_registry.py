"""How the registry's cost grows with the number of modules."""

from __future__ import annotations

import shutil
from datetime import UTC, datetime
from math import log

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import documents, modules, public_api, surfaces
from synthetic import committed, with_manifests

SIZES = (150, 1_500, 10_000)
GOAL = 1.1
TITLE = "registry: modules of ten files each, CPU seconds"

_COSTS: dict[str, dict[int, float]] = {}


@pytest.fixture(scope="session", params=SIZES)
def grown(request, tmp_path_factory):
    """A repository of so many modules."""
    root = tmp_path_factory.mktemp("modules") / f"m{request.param}"
    return request.param, Repository.discover(committed(root, with_manifests(request.param)))


@pytest.fixture
def growth(tell):
    """Take in a cost; the table is drawn anew with every one."""

    def enter(what, size, cost):
        _COSTS.setdefault(what, {})[size] = cost.cpu_s
        tell(TITLE, _table())

    return enter


def place(repository):
    head = repository.resolve("main")
    return Place(repository, Config(), head, head, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.mark.benchmark(group=TITLE)
def test_discovery(meter, growth, grown):
    size, repository = grown
    found, cost = meter.cost(lambda: modules.survey(place(repository)), rounds=_rounds(size))
    assert (len(found.modules), found.loose) == (size, ())
    growth("discovery", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_public_api(meter, growth, grown):
    size, repository = grown
    here = place(repository)
    found = modules.discover(here)
    apis, cost = meter.cost(
        lambda: public_api.of_all(here, found),
        setup=lambda: _forget(repository),
        rounds=_rounds(size),
    )
    assert sum(len(api.faults) for api in apis.values()) == 0
    growth("public names", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_all_documents(meter, growth, grown):
    size, repository = grown
    made, cost = meter.cost(
        lambda: documents.generate(place(repository)),
        setup=lambda: _forget(repository),
        rounds=_rounds(size),
    )
    assert len(made) == 5
    growth("every document", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_all_documents_in_the_next_process(meter, growth, grown):
    size, repository = grown
    documents.generate(place(repository))
    _, cost = meter.cost(
        lambda: documents.generate(place(repository)), setup=surfaces.forget, rounds=_rounds(size)
    )
    growth("every document, next process", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_all_documents_again_in_one_process(meter, growth, grown):
    size, repository = grown
    documents.generate(place(repository))
    _, cost = meter.cost(lambda: documents.generate(place(repository)), rounds=_rounds(size))
    growth("every document, again", size, cost)


def _forget(repository):
    surfaces.forget()
    shutil.rmtree(repository.common_dir / "cockpit", ignore_errors=True)


def _rounds(size):
    return 1 if size > 1_500 else 3


def _table():
    lines = [
        f"| | {' | '.join(f'{size:,} modules' for size in SIZES)} | exponent | goal |",
        f"|---|{'---:|' * len(SIZES)}---:|---|",
    ]
    for what, costs in _COSTS.items():
        sizes = sorted(costs)
        exponent = ""
        if len(sizes) > 1:
            first, last = sizes[-2:]
            exponent = f"{log(costs[last] / costs[first]) / log(last / first):.2f}"
        cells = " | ".join(f"{costs[size]:.3g} s" if size in costs else "" for size in SIZES)
        lines.append(f"| {what} | {cells} | {exponent} | ≤ {GOAL} |")
    return "\n".join(lines)
