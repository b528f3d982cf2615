"""`kill -9` anywhere in a burst of four batches: resumed, it ends as if nothing had happened.

Commits are dated, so that the killed burst must come to the very commits of the one nobody killed.
`COCKPIT_KILLS` sets the number of points (default 2; the nightly run takes 200).
"""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

KILLS = int(os.environ.get("COCKPIT_KILLS", "2"))
DATED = {f"GIT_{who}_DATE": "2026-03-02T12:00:00+00:00" for who in ("AUTHOR", "COMMITTER")}
BURST = (
    "--cockpit-burst",
    "--cockpit-target=4",
    "--cockpit-batch-size=1",
    "--cockpit-checkpoint-every=2",
    "-q",
    "-p",
    "no:cacheprovider",
)
RESUME = ("--cockpit-burst", "--cockpit-resume", "-q", "-p", "no:cacheprovider")


def killed(sandbox, seconds, arguments):
    """Run a session and kill it after a while; whether it was still running."""
    process = subprocess.Popen(
        sandbox.argv(*arguments),
        cwd=sandbox.root,
        env={**sandbox.environment(), **DATED},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    return process.wait() == -signal.SIGKILL


def heads(sandbox):
    rows = sandbox.git("for-each-ref", "--format=%(refname) %(objectname)", "refs/heads")
    return dict(row.split() for row in rows.splitlines())


def test_killed_anywhere_a_burst_ends_at_the_same_commits(quick, tmp_path):
    def fresh(name):
        shutil.copytree(quick.root, tmp_path / name, symlinks=True)
        return type(quick)(tmp_path / name)

    whole = fresh("whole")
    base, before = whole.git("rev-parse", "HEAD"), whole.snapshot()["files"]
    start = time.monotonic()
    done = whole.pytest(*BURST, env=DATED, fresh=True)
    duration = time.monotonic() - start
    assert done.returncode == 0, done.stdout + done.stderr
    commits = whole.git("rev-list", "--reverse", f"{base}..HEAD").split()
    assert len(commits) == 4
    [branch] = heads(whole).keys() - {"refs/heads/main"}
    after, contents = whole.snapshot()["files"], whole.git("ls-files", "-s")

    chance, points, number = random.Random(20261122), 0, 0
    while points < KILLS:
        number += 1
        sandbox = fresh(f"k{number}")
        kept = False
        while points < KILLS:
            arguments = RESUME if kept else BURST
            if not killed(sandbox, chance.uniform(0.05, 1.0) * duration, arguments):
                # It ended before its time: the machine has become faster, or little was left.
                break
            points += 1
            there = heads(sandbox)
            assert there["refs/heads/main"] in (base, commits[3])
            assert there.keys() <= {"refs/heads/main", branch}
            assert there.get(branch) in (None, commits[1], commits[3])
            files = sandbox.snapshot()["files"]
            if there["refs/heads/main"] == base and files != before:
                # Cut while the checkout was brought forward: the next run completes it.
                assert (sandbox.root / ".git/cockpit/take.json").exists()
            else:
                assert files in (before, after)
            kept = branch in there
        kept = branch in heads(sandbox)
        done = sandbox.pytest(*(RESUME if kept else BURST), env=DATED)
        ended = done.returncode == 4 and "no burst has stopped" in done.stderr
        assert done.returncode == 0 or ended, done.stdout + done.stderr
        assert heads(sandbox) == {"refs/heads/main": commits[3], branch: commits[3]}
        assert sandbox.snapshot()["files"] == after
        assert sandbox.git("ls-files", "-s") == contents
        assert sandbox.git("status", "--porcelain") == ""
        assert sandbox.git("fsck", "--no-dangling", "--no-progress") == ""
        shutil.rmtree(sandbox.root)
