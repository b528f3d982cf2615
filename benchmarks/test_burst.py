"""What a burst costs beside its gates: plans, moves, commits and checkpoints of four batches."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthetic import git

SMALL = (1_000, 500, 480)
"""With the packages' markers 2,000 files, half of them in the lane."""
BATCHES, SIZE = 4, 25
SETTINGS = 'gates = ["ledger"]\n\n[burst]\ncheckpoint_only = []\n\n[calendar]\nstabilisation = []\n'

_GROUP = pytest.mark.benchmark(group="burst: 4 batches of 25, 2,000 files, the ledger's gate alone")


@pytest.fixture(scope="module")
def ready(checked_out):
    """A repository in which a burst can be run."""
    root = checked_out(*SMALL, purpose="burst")
    (root / "cockpit.toml").write_text(SETTINGS)
    _pytest(root, "--cockpit-init")
    git(root, "add", "-A")
    git(root, "commit", "-q", "-m", "settings")
    return root


def _pytest(root, *arguments):
    argv = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]
    done = subprocess.run(argv, cwd=root, env=os.environ, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout.decode() + done.stderr.decode()


@_GROUP
@pytest.mark.parametrize("batches", [1, BATCHES])
def test_ours(meter, ready, batches):
    def run():
        _pytest(
            ready,
            "--cockpit-burst",
            "--cockpit-dry-run",
            f"--cockpit-target={batches * SIZE}",
            f"--cockpit-batch-size={SIZE}",
            f"--cockpit-checkpoint-every={2 * SIZE}",
        )

    meter(
        f"a session of {batches} batch{'es' * (batches > 1)}",
        run,
        rounds=3,
        ours=batches == BATCHES,
        note="the session's start and the dry run's gates included",
    )
