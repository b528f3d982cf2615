"""What a sweep of coverage costs, against a process for each module.

A fifth of the modules is measured unless `COCKPIT_SWEEP_MODULES=149` asks for all of them.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from pytest_cockpit.config import Config, Sweep
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.sweep import phase
from pytest_cockpit.sweep.model import State
from synthetic import git

WHOLE = 149
MODULES = int(os.environ.get("COCKPIT_SWEEP_MODULES", "30"))
SUITE_S = 30.0
"""CPU seconds that the tests of all modules take."""
_TESTS = 5
_GROUP = pytest.mark.benchmark(
    group=f"sweep: {MODULES} modules, {SUITE_S:g} s of tests for {WHOLE}"
)


@pytest.fixture(scope="module")
def modules(tmp_path_factory):
    """Modules that import the one before and work for their share of the time."""
    root = tmp_path_factory.mktemp("sweep") / "repository"
    git(root.parent, "init", "-q", str(root))
    rounds = _rounds(SUITE_S / WHOLE / _TESTS)
    for number in range(MODULES):
        folder = root / f"m{number:03}"
        (folder / "tests").mkdir(parents=True)
        before = f"import m{number - 1:03}.code\n\n" if number % 10 else ""
        body = "".join(
            f"def f{n}(x):\n    if x > {n}:\n        return x + {n}\n    return {n}\n\n\n"
            for n in range(20)
        )
        (folder / "__init__.py").touch()
        (folder / "code.py").write_text(before + body)
        (folder / "tests" / f"test_m{number:03}.py").write_text(
            f"import hashlib\n\nfrom m{number:03} import code\n\n"
            + "".join(
                f"\ndef test_{n}():\n    hashlib.pbkdf2_hmac('sha256', b'', b'', {rounds})\n"
                f"    assert code.f{n}({n}) == {n}\n"
                for n in range(_TESTS)
            )
        )
        (folder / "module.manifest.json").write_text(json.dumps({"module": folder.name}))
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "modules")
    return root


def _rounds(seconds):
    """Iterations of a hash that take so long on this machine."""
    import hashlib

    tried = 200_000
    began = time.process_time()
    hashlib.pbkdf2_hmac("sha256", b"", b"", tried)
    return max(1, int(tried * seconds / (time.process_time() - began)))


@_GROUP
def test_a_process_for_each_module(meter, modules, tmp_path):
    """What a loop over the modules does."""

    def loop():
        for folder in sorted(modules.glob("m*")):
            data = f"--data-file={tmp_path / folder.name}"
            run = [sys.executable, "-m", "coverage", "run", "--source=.", data, "-m", "pytest"]
            run += ["-q", "-p", "no:cacheprovider", f"{folder.name}/tests"]
            subprocess.run(run, cwd=modules, check=True, capture_output=True)

    meter("`coverage run -m pytest` for each module, one after the other", loop, rounds=1)


@_GROUP
@pytest.mark.parametrize("mode", ["joint", "isolated"])
def test_ours(meter, modules, mode):
    """All of it: the private tree, the tests, the statements of every file."""
    repository = Repository.discover(modules)
    head = repository.resolve("HEAD")
    settings = Config(sweep=Sweep(mode=mode, workers=2))
    place = Place(repository, settings, head, head, datetime(2026, 1, 31, tzinfo=UTC))
    what = "together, 2 processes" if mode == "joint" else "alone, 2 at a time"
    measured = meter(
        what,
        lambda: phase.measure(place, phase.candidates(place), known={}),
        rounds=1,
        ours=mode == "joint",
        goal="wall ≤ 60 s for 149 modules, a fifth of the loop" if mode == "joint" else "",
    )
    assert {outcome.state for outcome in measured.outcomes} == {State.PASSED}
