"""`kill -9` and Ctrl-C anywhere in a runbook: resumed, it ends as if nothing had happened.

Clock and commits are fixed, so that a runbook that was cut off must come to the very commits of
the one that was not. `COCKPIT_KILLS` sets the number of points (default 2: one of each way).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

from pytest_cockpit.sessions.runbook.chain import REF
from tests.acceptance.conftest import Sandbox, create
from tests.yard import FILES, RESUME, RUNBOOK

KILLS = int(os.environ.get("COCKPIT_KILLS", "2"))
FIXED = {
    **{f"GIT_{who}_DATE": "2026-03-02T12:00:00+00:00" for who in ("AUTHOR", "COMMITTER")},
    "SOURCE_DATE_EPOCH": "1772452800",
}


def cut_off(yard, seconds, arguments, number):
    """Run a session and send it a signal after a while; whether it was still running."""
    process = subprocess.Popen(
        yard.hearing(*arguments),
        cwd=yard.root,
        env={**yard.environment(), **FIXED},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(number)
        return process.wait() in (-number, 2)
    return False


def refs(yard):
    rows = yard.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads", "refs/tags")
    return dict(row.split() for row in rows.splitlines())


def test_cut_off_anywhere_a_runbook_ends_at_the_same_commits(tmp_path):
    origin = create(tmp_path / "origin", FILES)

    def fresh(name):
        shutil.copytree(origin.root, tmp_path / name, symlinks=True)
        return Sandbox(tmp_path / name)

    base, before = refs(origin), origin.snapshot()["files"]
    whole = fresh("whole")
    start = time.monotonic()
    done = whole.pytest(*RUNBOOK, env=FIXED, fresh=True)
    duration = time.monotonic() - start
    assert done.returncode == 0, done.stdout + done.stderr
    expected, after = refs(whole), whole.snapshot()["files"]
    contents = whole.git("ls-files", "-s")
    assert len(expected) == 4

    chance, points, number = random.Random(20261122), 0, 0
    while points < KILLS:
        number += 1
        yard = fresh(f"k{number}")
        arguments = RUNBOOK
        while points < KILLS:
            way = (signal.SIGKILL, signal.SIGINT)[points % 2]
            if not cut_off(yard, chance.uniform(0.1, 1.0) * duration, arguments, way):
                # It ended before its time: the machine has become faster, or little was left.
                break
            points += 1
            there, files = refs(yard), yard.snapshot()["files"]
            # All that is published is published at once.
            assert there in (base, {**expected, **base}, expected)
            if there != expected and files != before:
                # Cut while the checkout was brought forward: the next run completes it.
                assert (yard.root / ".git/cockpit/take.json").exists()
            else:
                assert files in (before, after)
            arguments = RESUME if yard.git("for-each-ref", REF) else RUNBOOK
        if yard.git("for-each-ref", REF) or refs(yard) == base:
            done = yard.pytest(*(RESUME if yard.git("for-each-ref", REF) else RUNBOOK), env=FIXED)
            assert done.returncode == 0, done.stdout + done.stderr
        assert refs(yard) == expected
        assert yard.snapshot()["files"] == after
        assert yard.git("ls-files", "-s") == contents
        assert yard.git("status", "--porcelain", "--untracked-files=no") == ""
        assert yard.git("fsck", "--no-dangling", "--no-progress") == ""
        shutil.rmtree(yard.root)
