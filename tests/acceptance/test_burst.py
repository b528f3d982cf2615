"""`--cockpit-burst`: several batches on top of each other, with checkpoints, halts and resumes."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time

SMALL = ("--cockpit-burst", "--cockpit-batch-size", "2", "--cockpit-checkpoint-every", "4")
ALL = (*SMALL, "--cockpit-target", "100")
# Red at the checkpoint that moves m4, and not at the first one.
STAYS = (
    "import pathlib\n\n\ndef test_stays():\n"
    "    assert 'moved' not in pathlib.Path('candidate/deck/m4.py').read_text()\n"
)


def state(sandbox):
    return json.loads((sandbox.root / "artifacts/burst_checkpoint.json").read_text())


def lane(sandbox, commit="HEAD"):
    rows = sandbox.git("ls-tree", "-r", "--name-only", commit, "candidate").splitlines()
    return {
        path for path in rows
        if "cockpit: moved to" not in sandbox.git("show", f"{commit}:{path}")
    }  # fmt: skip


def waiting(sandbox):
    """What a plan counts: Python files of the lane, but for its own and shims."""
    return {path for path in lane(sandbox) if path.endswith(".py")} - {"candidate/__init__.py"}


def shims(sandbox):
    marked = sandbox.git("grep", "-l", "^# cockpit: moved to ", "HEAD", "--", "candidate")
    return len(marked.splitlines())


def seen(done):
    return done.stdout + done.stderr


def test_a_burst_is_a_series_of_commits_judged_at_checkpoints(fleet):
    base = fleet.git("rev-parse", "HEAD")
    done = fleet.pytest(*ALL, "-v")
    assert done.returncode == 0, seen(done)
    kept = state(fleet)
    assert kept["state"] == "sealed"
    assert [batch["number"] for batch in kept["batches"]] == [*range(1, len(kept["batches"]) + 1)]
    assert [point["files"] for point in kept["checkpoints"]] == [4, 8, 11]
    for point in kept["checkpoints"]:
        assert set(point["verdicts"]) >= {"coverage", "imports", "ledger", "matriz"}
    commits = fleet.git("rev-list", "--reverse", f"{base}..HEAD").split()
    assert commits == [batch["commit"] for batch in kept["batches"]]
    trailers = [fleet.git("log", "-1", "--format=%B", commit) for commit in commits]
    assert "Gate-Coverage" not in trailers[0]
    assert "Gate-Imports: pass" in trailers[0]
    assert "Gate-Coverage: pass" in trailers[1]
    assert fleet.git("rev-parse", kept["branch"]) == fleet.git("rev-parse", "HEAD") == commits[-1]
    assert not {path for path in lane(fleet) if "deck/m" in path}
    assert fleet.git("status", "--porcelain") == ""
    body = (fleet.root / "artifacts/burst_pr_body.md").read_text()
    assert "| checkpoint | files | commit | coverage | " in body
    for point in kept["checkpoints"]:
        assert point["figures"]["lane"] == kept["lane"] - point["files"]
        assert point["figures"]["missing_lines"] is not None
        assert point["figures"]["missing_lines_change"] is not None
        assert point["figures"]["import_failures"] == 0
        # This repository declares that it has no contracts.
        assert point["figures"]["contracts"] is None
    change = kept["checkpoints"][-1]["figures"]["missing_lines_change"]
    whole = (
        f"in all: files in the lane -11, missing lines {change:+}, contracts with errors unknown"
    )
    assert f"{whole}, import failures 0" in done.stdout
    assert f"| 1 | -4 | {kept['checkpoints'][0]['figures']['missing_lines_change']:+} |" in body
    assert f"| in all | -11 | {change:+} | unknown | 0 |" in body
    progress = json.loads((fleet.root / "artifacts/progress.json").read_text())
    assert progress["lane_remaining"] == kept["lane"] - 11 == len(waiting(fleet))
    assert progress["shims"] == shims(fleet)
    assert (progress["promoted_in_burst"], progress["promoted_in_batch"]) == (11, 1)
    assert progress["batch_id"] == kept["batches"][-1]["batch_id"]
    assert fleet.pytest("-m", "gate", "-q").returncode == 0


def test_what_waits_is_counted_without_shims_and_the_lanes_own_file(quick):
    done = quick.pytest(*SMALL, "--cockpit-target", "4", "-q")
    assert done.returncode == 0, seen(done)
    first = state(quick)
    assert shims(quick) == 4
    done = quick.pytest(*SMALL, "--cockpit-target", "4", "-q")
    assert done.returncode == 0, seen(done)
    assert state(quick)["lane"] == first["lane"] - 4


def test_a_burst_is_never_longer_than_it_may(fleet):
    done = fleet.pytest(*ALL, "--cockpit-max-batches", "1", "--co", "-q")
    assert done.returncode == 0, seen(done)
    assert "batch-1/plan" in done.stdout
    assert "batch-2/plan" not in done.stdout
    done = fleet.pytest(*SMALL, "--cockpit-target", "3", "--co", "-q")
    assert "batch-2/plan" in done.stdout
    assert "batch-3/plan" not in done.stdout


def test_a_dry_run_keeps_nothing(quick):
    before = quick.snapshot()
    done = quick.pytest(*ALL, "--cockpit-dry-run", "-q")
    assert done.returncode == 0, seen(done)
    assert quick.snapshot() == before
    assert not (quick.root / "artifacts/burst_checkpoint.json").exists()


def test_a_red_checkpoint_halts_and_what_was_green_stays(fleet):
    fleet.commit({"tests/test_stays.py": STAYS})
    before = fleet.snapshot()
    done = fleet.pytest(*ALL, "-v")
    assert done.returncode == 1, seen(done)
    assert "test_stays" in done.stdout
    kept = state(fleet)
    assert kept["state"] == "halted"
    assert kept["checkpoints"]
    after = fleet.snapshot()
    assert {key: after[key] for key in ("head", "index", "files")} == {
        key: before[key] for key in ("head", "index", "files")
    }
    assert fleet.git("rev-parse", kept["branch"]) == kept["checkpoints"][-1]["commit"]
    again = fleet.pytest(*ALL)
    assert again.returncode == 4
    assert "--cockpit-resume" in again.stderr
    # The first of its batches alone would be the same batch again, and conflict with the burst.
    alone = fleet.pytest("--cockpit-batch", "--cockpit-batch-size", "2")
    assert alone.returncode == 4
    assert f"{kept['branch'].removeprefix('refs/heads/')}: 2 of these files wait" in alone.stderr
    other = fleet.pytest("--cockpit-burst", "--cockpit-resume", "--cockpit-batch-size", "3")
    assert other.returncode == 4
    assert "--cockpit-batch-size: a burst that is gone on with keeps to its own" in other.stderr
    fleet.commit({"other.txt": "1\n"})
    elsewhere = fleet.pytest("--cockpit-burst", "--cockpit-resume")
    assert elsewhere.returncode == 4
    assert "put HEAD back" in elsewhere.stderr
    fleet.git("reset", "-q", "--hard", "HEAD^")
    files = kept["checkpoints"][-1]["files"]
    sealed = fleet.pytest(*SMALL, "--cockpit-resume", "--cockpit-target", str(files))
    assert sealed.returncode == 0, seen(sealed)
    assert state(fleet)["state"] == "sealed"
    assert fleet.git("rev-parse", "HEAD") == kept["checkpoints"][-1]["commit"]


def test_nothing_is_resumed_that_did_not_stop(fleet):
    done = fleet.pytest("--cockpit-burst", "--cockpit-resume")
    assert done.returncode == 4
    assert "no burst has stopped" in done.stderr


def test_a_checkpoint_alone_judges_and_keeps_nothing(fleet):
    before = fleet.snapshot()
    done = fleet.pytest("--cockpit-burst", "--cockpit-checkpoint-only", "-v")
    assert done.returncode == 0, seen(done)
    assert "burst.plan.jsonl::gate:coverage PASS" in done.stdout
    assert "burst.plan.jsonl::seal" not in done.stdout
    assert fleet.snapshot() == before
    fleet.commit({"app/main.py": "import nosuchpackage\n"})
    done = fleet.pytest("--cockpit-burst", "--cockpit-checkpoint-only", "-q")
    assert done.returncode == 1, seen(done)


def test_a_partial_burst_keeps_nothing(fleet):
    done = fleet.pytest(*ALL, "-k", "deck")
    assert done.returncode == 0, seen(done)
    assert not (fleet.root / "artifacts/burst_checkpoint.json").exists()
    done = fleet.pytest(*ALL, "-k", "keep")
    assert done.returncode == 4
    assert "a partial selection cannot seal" in done.stderr


def killed(sandbox, delay, *arguments):
    """Run pytest in a group of its own and kill all of it after `delay` seconds."""
    process = subprocess.Popen(
        sandbox.argv(*arguments),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        process.wait(delay)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True
    return False


def test_a_killed_burst_goes_on_where_its_last_checkpoint_was(quick):
    """Killed at many moments, resumed each time: it ends as one that nobody disturbed."""
    chance, kills = random.Random(7), int(os.environ.get("COCKPIT_KILLS", "2"))
    start = time.monotonic()
    assert quick.pytest(*ALL, "--cockpit-dry-run", "-q", fresh=True).returncode == 0
    whole = time.monotonic() - start
    before = quick.snapshot()
    resumable, hits = False, 0
    while hits < kills:
        arguments = ("--cockpit-burst", "--cockpit-resume") if resumable else ALL
        if not killed(quick, chance.uniform(0.1, whole), *arguments):
            break
        hits += 1
        after = quick.snapshot()
        path = quick.root / "artifacts/burst_checkpoint.json"
        resumable = path.exists() and bool(state(quick)["checkpoints"])
        if not resumable:
            assert after["head"] == before["head"]
            assert after["files"] == before["files"]
    arguments = ("--cockpit-burst", "--cockpit-resume") if resumable else ALL
    done = quick.pytest(*arguments, "-q")
    finished = done.returncode == 4 and "no burst has stopped" in done.stderr
    assert done.returncode == 0 or finished, seen(done)
    assert state(quick)["state"] == "sealed"
    assert state(quick)["checkpoints"][-1]["files"] == 6
    assert not {path for path in lane(quick) if "deck/m" in path}
    assert quick.git("status", "--porcelain") == ""
    assert quick.git("fsck", "--no-dangling") == ""
