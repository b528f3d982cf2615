"""The coverage sweep, held against one process of coverage.py for each module."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pytest_cockpit.config import Config, Sweep
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.sweep import phase
from pytest_cockpit.sweep.model import Measured, Outcome, State
from tests import sweep_repository
from tests.conftest import ObjectRepository

Figures = dict[str, tuple[list[int], list[int]]]
"""Of each file the lines that ran and those that did not."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> ObjectRepository:
    """The repository, committed and checked out."""
    root = tmp_path_factory.mktemp("sweep") / "repository"
    root.mkdir()
    repository = ObjectRepository(root)
    repository.git("init", "-q", "-b", "main")
    repository.commit(sweep_repository.files())
    repository.git("reset", "-q", "--hard")
    return repository


def _place(root: Path, **settings: object) -> Place:
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    config = Config(sweep=Sweep(**settings))  # type: ignore[arg-type] # any of its settings
    return Place(repository, config, head, head, datetime(2026, 1, 31, tzinfo=UTC))


def _sweep(place: Place) -> dict[str, Outcome]:
    measured = phase.measure(place, phase.candidates(place), known={})
    assert Measured.from_json(measured.to_json(), where="it") == measured
    return {outcome.module: outcome for outcome in measured.outcomes}


@pytest.fixture(scope="module")
def joint(made: ObjectRepository) -> dict[str, Outcome]:
    """All modules in one process: each finds what the ones before it left behind."""
    return _sweep(_place(made.root, workers=1))


@pytest.fixture(scope="module")
def alone(made: ObjectRepository, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Figures]:
    """Modules measured as anybody would, by `coverage run -m pytest` in a process for each."""
    work = tmp_path_factory.mktemp("alone")
    clean = {key: value for key, value in os.environ.items() if not key.startswith(("COV", "PYT"))}
    found = {}
    for module in sweep_repository.SOUND:
        data, report = work / f"{module}.data", work / f"{module}.json"
        coverage = [sys.executable, "-m", "coverage"]
        run = [*coverage, "run", "--source=.", f"--data-file={data}", "-m", "pytest", "-q"]
        run += ["-p", "no:cacheprovider", f"--rootdir={made.root}", f"{module}/tests"]
        env = {**clean, "PYTHONDONTWRITEBYTECODE": "1"}
        subprocess.run(run, cwd=made.root, env=env, capture_output=True, check=False)
        told = [*coverage, "json", "-q", f"--data-file={data}", "-o", str(report)]
        subprocess.run(told, cwd=made.root, env=env, check=True, capture_output=True)
        found[module] = dict(_own(json.loads(report.read_bytes())["files"], module))
    return found


def _own(
    files: dict[str, dict[str, list[int]]], module: str
) -> Iterator[tuple[str, tuple[list[int], list[int]]]]:
    for path, row in files.items():
        if path.startswith(f"{module}/") and "/tests/" not in path:
            yield path, (row["executed_lines"], row["missing_lines"])


def _figures(outcome: Outcome) -> Figures:
    return {
        path: (list(lines.executed), list(lines.missing)) for path, lines in outcome.files.items()
    }


@pytest.mark.parametrize("module", sweep_repository.SOUND)
def test_lines_are_those_of_a_process_of_the_modules_own(joint, alone, module):
    assert _figures(joint[module]) == alone[module]


def test_every_module_has_its_own_state(joint):
    states = {module: outcome.state for module, outcome in joint.items()}
    assert states == {
        **dict.fromkeys(sweep_repository.SOUND, State.PASSED),
        "failing": State.FAILED,
        "broken": State.ERROR,
        "ender": State.ERROR,
        "unready": State.ERROR,
        "killer": State.CRASHED,
        "untested": State.NO_TESTS,
    }
    assert joint["broken"].percent is joint["killer"].percent is joint["untested"].percent is None
    assert "no_such_thing" in joint["broken"].reason
    assert "no_such_package" in joint["unready"].reason
    assert "stopped before all tests had run" in joint["ender"].reason
    assert "signal 9 in killer/tests/test_k.py::test_k" in joint["killer"].reason


def test_only_what_clashes_is_run_again(joint):
    apart = {module: outcome.apart for module, outcome in joint.items() if outcome.apart}
    assert set(apart) == {"broken", "clash_b", "ender", "failing", "killer", "unready"}
    assert "ValueError: thing" in apart["clash_b"]
    assert "ended in its tests" in apart["killer"]
    assert "ended in its tests" in apart["ender"]


def test_a_test_that_hangs_costs_its_own_module_alone(make_repository):
    """First the joint run's time is up, then its own; the modules beside it lose nothing."""
    files = {
        **{f"{name}/module.manifest.json": "{}" for name in ("after", "fast", "slow")},
        **{f"{name}/x.py": "X = 1\n" for name in ("after", "fast")},
        **{f"{n}/test_x.py": f"def test_x():\n    import {n}.x\n" for n in ("after", "fast")},
        "slow/test_x.py": "import time\n\ndef test_x():\n    time.sleep(600)\n",
    }
    found = _sweep(_place(make_repository(files).root, workers=1, timeout_s=10.0))
    assert found["slow"].state is State.CRASHED
    assert found["slow"].reason == "its tests took more than 10 s"
    assert (found["fast"].percent, found["after"].percent) == (100, 100)
    assert not found["after"].apart


def test_tests_that_make_errors_of_warnings_run_in_another_folder(make_repository, tmp_path):
    """As on another host, to which pytest-xdist copies the tree with a warning."""
    files = {
        "pytest.ini": "[pytest]\nfilterwarnings = error\n",
        **{f"{name}/module.manifest.json": "{}" for name in "ab"},
        **{f"{name}/x.py": "X = 1\n" for name in "ab"},
        **{f"{name}/test_x.py": f"def test_x():\n    import {name}.x\n" for name in "ab"},
    }
    place = _place(make_repository(files).root)
    hosts = ["--dist=load", f"--tx=popen//chdir={tmp_path}"]
    measured = phase.measure(place, phase.candidates(place), hosts, {})
    assert [(each.percent, each.apart) for each in measured.outcomes] == [(100, "")] * 2
    assert (tmp_path / "tree" / "a" / "x.py").exists()


def _runs(process: Path) -> bool:
    """Whether there is such a process, and not only nobody yet who asked how it ended."""
    try:
        return process.read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_an_interrupt_leaves_nothing(make_repository, tmp_path):
    begun = tmp_path / "begun"
    code = (
        f"import os, time\n\ndef test_x():\n    open({str(begun)!r}, 'w').write(str(os.getpid()))"
    )
    files = {"a/module.manifest.json": "{}\n", "a/test_x.py": f"{code}\n    time.sleep(600)\n"}
    made = make_repository(files)
    made.git("reset", "-q", "--hard")
    run = [sys.executable, "-m", "pytest", "--cockpit-sweep", "-p", "no:randomly"]
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    with subprocess.Popen(run, cwd=made.root, env=env, stdout=subprocess.PIPE) as session:
        for _ in range(600):
            if begun.exists() and begun.read_text():
                break
            time.sleep(0.1)
        session.send_signal(signal.SIGINT)
        session.communicate(timeout=60)
    assert session.returncode == pytest.ExitCode.INTERRUPTED
    test = Path(f"/proc/{begun.read_text()}/stat")
    for _ in range(300):
        if not _runs(test):
            break
        time.sleep(0.1)
    assert not _runs(test)
    repository = Repository.discover(made.root)
    assert not list((repository.common_dir / "cockpit" / "scratch").iterdir())
    assert made.git("status", "--porcelain", "--", "a", ".cockpit") == ""


def test_a_session_shows_every_module_and_records_what_it_measured(made, joint):
    """In two processes, over the checkout."""
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    run = [sys.executable, "-m", "pytest", "--cockpit-sweep", "-v", "-n2", "-p", "no:randomly"]
    done = subprocess.run(
        run, cwd=made.root, env=clean, capture_output=True, text=True, check=False, timeout=300
    )
    said = done.stdout
    assert done.returncode == 1, said + done.stderr
    for line in (
        "::measure PASSED",
        "::module:core PASS ",
        "::module:failing FAIL",
        "::module:broken ERROR",
        "::module:killer UNKNOWN",
        "::module:untested SKIP (it has no test files)",
        "the modules' tests run with -n2 --dist=load",
    ):
        assert line in said, said
    assert "4 failed" in said
    assert "1 unknown" in said
    assert "failing   failed" in said
    assert "wrote core/module.manifest.json" in said
    assert "look at these files and commit them" in said
    again = subprocess.run(
        run[:4], cwd=made.root, env=clean, capture_output=True, text=True, check=False, timeout=60
    )
    assert again.returncode == pytest.ExitCode.USAGE_ERROR, again.stdout + again.stderr
    assert "would be written in the end; commit them (git add" in again.stderr
    assert "measured" not in again.stdout
    manifest = json.loads((made.root / "core/module.manifest.json").read_text())
    assert manifest["testing"]["coverage_observed"] == joint["core"].percent
    assert manifest["testing"]["observed_commit"] == _place(made.root).commit
    rows = (made.root / Config().ledger).read_text().splitlines()
    assert {json.loads(row)["module"] for row in rows} == set(sweep_repository.MODULES)


def test_a_session_without_a_module_is_not_green(make_repository):
    made = make_repository({"x.py": ""})
    clean = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST")}
    run = [sys.executable, "-m", "pytest", "--cockpit-sweep"]
    done = subprocess.run(
        run, cwd=made.root, env=clean, capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, "1 unknown" in done.stdout) == (1, True), done.stdout + done.stderr
    assert "record: no module to measure: no tracked file matches" in done.stdout
