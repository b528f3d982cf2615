"""`kill -9` anywhere in a batch: the user's tree is as before or as after, never between.

`COCKPIT_KILLS` sets the number of points (default 2; the nightly run takes 200).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time

import pytest

KILLS = int(os.environ.get("COCKPIT_KILLS", "2"))
# The coverage gate runs a child pytest and takes most of a batch's time without being where a
# kill can hurt; without it, more of the points fall on the transaction and the seal.
SETTINGS = """
[tool.cockpit]
gates = ["imports", "ledger"]
"""


def state(sandbox):
    """What the user sees: HEAD, the checked-out branch, the index and the files."""
    snapshot = sandbox.snapshot()
    branch = sandbox.git("rev-parse", "HEAD")
    return branch, snapshot["index"], snapshot["files"]


def run_and_kill(sandbox, seconds):
    process = subprocess.Popen(
        sandbox.argv("--cockpit-batch", "-q", "-p", "no:cacheprovider"),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        code = process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        code = process.wait()
    return code


@pytest.fixture
def template(make_sandbox):
    sandbox = make_sandbox()
    pyproject = (sandbox.root / "pyproject.toml").read_text()
    gates = pyproject.index("[tool.cockpit.gate")
    sandbox.commit({"pyproject.toml": pyproject[:gates] + SETTINGS})
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    sandbox.commit({}, "baselines")
    return sandbox


def test_kill_at_random_points(template, tmp_path):
    def fresh(name):
        target = tmp_path / name
        subprocess.run(["cp", "-a", template.root, target], check=True)
        return type(template)(target)

    whole = fresh("whole")
    before = state(whole)
    start = time.monotonic()
    done = whole.pytest("--cockpit-batch", "-q", "-p", "no:cacheprovider", fresh=True)
    duration = time.monotonic() - start
    assert done.returncode == 0
    after_files = state(whole)[2]
    assert after_files != before[2]

    chooser = random.Random(20261121)
    points = 0
    # A run that ended before its kill says nothing of one: it does not count, and the next kills
    # come earlier, because the machine has become faster.
    for attempt in range(4 * KILLS):
        sandbox = fresh(f"k{attempt}")
        started = time.monotonic()
        if run_and_kill(sandbox, chooser.uniform(0.1, 1.0) * duration) == -signal.SIGKILL:
            points += 1
        else:
            duration = min(duration, time.monotonic() - started)
        seen = state(sandbox)
        files = seen[2]
        assert files.keys() <= before[2].keys() | after_files.keys()
        for path, content in files.items():
            assert content in (before[2].get(path), after_files.get(path)), path
        if seen[0] == before[0] and files != before[2]:
            # Cut while the checkout was brought forward: the next run completes it.
            assert (sandbox.root / ".git/cockpit/take.json").exists()
        else:
            assert files in (before[2], after_files)
        done = sandbox.pytest("--cockpit-batch", "-q", "-p", "no:cacheprovider")
        assert done.returncode in (0, 5), done.stdout + done.stderr
        assert state(sandbox)[2] == after_files
        assert sandbox.git("status", "--porcelain") == ""
        assert sandbox.git("fsck", "--no-dangling", "--no-progress") == ""
        subprocess.run(["rm", "-rf", sandbox.root], check=True)
        if points == KILLS:
            break
    assert points == KILLS
