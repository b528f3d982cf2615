"""What it costs to hold modules against the template, and to render it for each."""

from __future__ import annotations

import importlib.resources
import itertools
import shutil
from datetime import UTC, datetime

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import modules, surfaces
from pytest_cockpit.scaffolding import facts, phase, template
from pytest_cockpit.scaffolding.rendering import Renderer
from synthetic import committed, with_manifests

SIZE = 1_500
PEER = 10
TITLE = f"scaffolds of {SIZE:,} modules of ten files each"
RENDERED = f"{TITLE}: rendering alone"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A repository of modules that lack most of the template."""
    root = committed(tmp_path_factory.mktemp("modules") / "m", with_manifests(SIZE))
    repository = Repository.discover(root)
    head = repository.resolve("main")
    return Place(repository, Config(), head, head, datetime(2026, 1, 2, tzinfo=UTC))


@pytest.fixture(scope="module")
def told(place):
    found = facts.of_all(place, modules.discover(place))
    return [each.facts for each in found.values()]


def _forget(place):
    surfaces.forget()
    shutil.rmtree(place.repository.common_dir / "cockpit", ignore_errors=True)


@pytest.mark.benchmark(group=TITLE)
def test_the_whole_phase(meter, place):
    result = meter(
        "what lacks, rendered, with rows for the ledger",
        lambda: phase.run(place, apply=True),
        setup=lambda: _forget(place),
        ours=True,
    )
    assert result.facts["modules"] == SIZE
    # Each has a README, a changelog and a folder of tests with a conftest.
    assert result.facts["lacking"] == 6 * SIZE


@pytest.mark.benchmark(group=RENDERED)
def test_rendering(meter, place, told):
    loaded = template.load(place)

    def render():
        renderer = Renderer(loaded)
        return [renderer.render(each) for each in told]

    found = meter("Jinja, the template parsed once", render, ours=True)
    assert len(found) == SIZE


@pytest.mark.benchmark(group=RENDERED)
def test_copier(meter, told, tmp_path):
    copier = pytest.importorskip("copier")
    targets = (tmp_path / str(number) for number in itertools.count())
    with importlib.resources.as_file(
        importlib.resources.files("pytest_cockpit") / "scaffolding" / "template"
    ) as folder:

        def render():
            for each in told[:PEER]:
                copier.run_copy(str(folder), next(targets), data=each, defaults=True, quiet=True)

        meter("copier, for each module", render, scaled=SIZE / PEER, note=f"{PEER} modules, scaled")
