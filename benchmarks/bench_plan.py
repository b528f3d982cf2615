"""Plan and rewrite of 50 moves in a project of 10,000 modules."""

from __future__ import annotations

import shutil

import pytest
from synthetic import repository

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.batch import Batch
from pytest_cockpit.promotion.selector import make_plan

MODULES = 10_000
LANE = 5_000


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return repository(tmp_path_factory.mktemp("plan") / "repo", MODULES, LANE)


@pytest.mark.benchmark(group="plan: 50 moves, 10k modules")
def test_plan_cold(benchmark, project):
    """Nothing cached: every lane file is read and parsed."""
    found = Repository.discover(project)

    def setup():
        shutil.rmtree(found.common_dir / "cockpit", ignore_errors=True)

    plan = benchmark.pedantic(lambda: make_plan(found, Config()), setup=setup, rounds=3)
    assert len(plan.moves) == 50


@pytest.mark.benchmark(group="plan: 50 moves, 10k modules")
def test_plan_warm(benchmark, project):
    found = Repository.discover(project)
    make_plan(found, Config())
    plan = benchmark.pedantic(lambda: make_plan(found, Config()), rounds=3)
    assert len(plan.moves) == 50


@pytest.mark.benchmark(group="plan: 50 moves, 10k modules")
def test_rewrite_and_stage(benchmark, project):
    """Everything between the plan and a commit: rewriting, shims, records, transaction."""
    found = Repository.discover(project)
    plan = make_plan(found, Config())
    staged = benchmark.pedantic(lambda: Batch(found, Config(), plan).stage(), rounds=3)
    assert len(staged.shims) == 50
    benchmark.extra_info["rewritten"] = len(staged.edited)
