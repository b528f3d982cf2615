"""The example shows what it is there to show."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from pytest_cockpit import config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit_gates.gemm.closing import escalation, sla
from pytest_cockpit_gates.gemm.settings import KERNELS, Settings
from pytest_cockpit_gates.gemm.strict import policies

EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture(scope="module")
def demo():
    """The names of the demo, and those of what it shares with others."""
    shared = runpy.run_path(str(EXAMPLES / "terminal.py"), run_name="terminal")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "path", [str(EXAMPLES), *sys.path])
        own = runpy.run_path(str(EXAMPLES / "demo.py"), run_name="demo")
    return SimpleNamespace(**own, copied=shared["copied"])


@pytest.fixture(scope="module")
def harbour(demo, tmp_path_factory):
    port = demo.copied("harbour", tmp_path_factory.mktemp("demo"))
    for day, subject, paths in demo.HISTORY:
        port.commit(subject, day, paths)
    return port.folder


@pytest.fixture(scope="module")
def plan(harbour):
    return make_plan(Repository.discover(harbour), config.load(harbour))


def test_it_is_as_large_as_it_says():
    modules = list((EXAMPLES / "harbour").glob("[ch]*/**/*.py"))
    assert len(modules) == 44
    assert (
        sum(path.relative_to(EXAMPLES / "harbour").parts[0] == "candidate" for path in modules)
        == 29
    )


def test_its_own_tests_pass(harbour):
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=harbour,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_three_files_cannot_move_and_each_says_why(plan):
    assert {refusal.source: refusal.rule for refusal in plan.refusals} == {
        "candidate/dredging.py": "syntax-error",
        "candidate/salvage.py": "unresolved-import",
        "candidate/tides/table.py": "target-exists",
    }


def test_the_first_batch_holds_a_cycle_and_what_production_already_uses(plan):
    because = {row.move.source: row.because for row in plan.moves}
    assert len(because) == 12
    assert sum(reason.startswith("cycle with") for reason in because.values()) == 2
    assert because["candidate/customs/duty.py"] == "rank"
    assert because["candidate/customs/codes.py"] == "needed by candidate/customs/duty.py"
    assert {"candidate/weather.py", "candidate/pilots/roster.py"} <= because.keys()


def test_the_demo_stops_at_the_first_command_that_fails(demo, tmp_path):
    with pytest.raises(SystemExit, match="ended with 1"):
        demo.Terminal(tmp_path).run(sys.executable, "-c", "raise SystemExit(1)")


def test_the_objectives_of_the_week_can_be_read_and_every_check_has_a_severity():
    root = EXAMPLES / "gemm"
    settings = Settings.of(config.load(root).gate["gemm"])
    read = policies.read(root, weekly=settings.policy)
    assert {row.split(":")[0] for row in read.weekly.rows} == set(KERNELS)
    agreed = sla.load(root, settings.sla)
    assert escalation.load(root, settings.escalation, agreed).contacts
