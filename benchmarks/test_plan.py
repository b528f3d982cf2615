"""Plan and rewrite of 50 moves in a project of 10,000 modules."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.batch import Batch
from pytest_cockpit.promotion.selector import make_plan

PROJECT = (10_000, 5_000)
ROPE = """
import sys
from rope.base.project import Project
from rope.refactor.move import create_move
project = Project(sys.argv[1], ropefolder=None)
module = project.get_resource("candidate/p0001/m000060.py")
project.do(create_move(project, module).get_changes(project.get_folder("prod")))
"""

_GROUP = pytest.mark.benchmark(group="batch: 50 moves, 10,000 modules")


@pytest.fixture
def found(project):
    return Repository.discover(project(*PROJECT))


def _forget(found):
    """Drop all that was kept from earlier runs."""
    shutil.rmtree(found.common_dir / "cockpit", ignore_errors=True)


@_GROUP
def test_plan_and_stage_cold(meter, found):
    """Nothing kept: files are read and parsed, 50 moved, importers and shims written, committed."""

    def run():
        return Batch(found, Config(), make_plan(found, Config())).stage()

    staged = meter(
        "plan, rewrite, commit; cold",
        run,
        setup=lambda: _forget(found),
        ours=True,
        goal="≤ 10 s CPU",
    )
    assert len(staged.shims) == 50
    assert len(staged.edited) > 500


@_GROUP
def test_plan_and_stage_for_all(meter, project):
    """The worst that a lane can be: every file of it imports one of the first that move."""
    found = Repository.discover(project(*PROJECT, hubs=1))

    def run():
        return Batch(found, Config(), make_plan(found, Config())).stage()

    staged = meter(
        "the same where all of the lane imports what moves",
        run,
        setup=lambda: _forget(found),
        rounds=1,
        note="5,000 importers rewritten",
    )
    assert len(staged.edited) > 5_000


@_GROUP
def test_plan_cold(meter, found):
    plan = meter(
        "plan, cold", lambda: make_plan(found, Config()), setup=lambda: _forget(found), rounds=3
    )
    assert len(plan.moves) == 50


@_GROUP
def test_plan_warm(meter, found):
    make_plan(found, Config())
    plan = meter("plan, warm", lambda: make_plan(found, Config()), note="facts kept by blob")
    assert len(plan.moves) == 50


@_GROUP
def test_rewrite_and_stage(meter, found):
    """Everything between the plan and a commit: rewriting, shims, records, transaction."""
    plan = make_plan(found, Config())
    staged = meter("rewrite and commit", lambda: Batch(found, Config(), plan).stage())
    assert len(staged.shims) == 50


@_GROUP
def test_grimp(meter, checked_out, monkeypatch):
    """The graph alone, of the whole project: no ranking, no checks, no rewriting."""
    grimp = pytest.importorskip("grimp")
    monkeypatch.syspath_prepend(checked_out(*PROJECT))
    graph = meter(
        "grimp `build_graph`, no cache",
        lambda: grimp.build_graph("candidate", "prod", cache_dir=None),
        note="the graph alone, of all 10,000",
    )
    assert len(graph.modules) > PROJECT[0]


@_GROUP
def test_rope(meter, checked_out):
    """One module moved, its importers rewritten; in a child, for it grows to a gigabyte."""
    pytest.importorskip("rope")
    root = checked_out(*PROJECT, purpose="rope")
    meter(
        "rope, one module moved",
        lambda: subprocess.run([sys.executable, "-c", ROPE, root], check=True),
        rounds=1,
        note="1 move, not 50; not scaled",
    )
    assert (root / "prod/m000060.py").is_file()
