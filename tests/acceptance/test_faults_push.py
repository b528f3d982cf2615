"""Two clones and one remote: nobody's work is overwritten, and the second is told what to do."""

from __future__ import annotations

import subprocess

import pytest

BATCH = ("--cockpit-batch", "--cockpit-batch-size=2", "-q", "-p", "no:cacheprovider")
BURST = (
    "--cockpit-burst",
    "--cockpit-target=4",
    "--cockpit-batch-size=1",
    "--cockpit-checkpoint-every=2",
    "-q",
    "-p",
    "no:cacheprovider",
)


def seen(done):
    return done.stdout + done.stderr


class Pair:
    """Two clones of one bare remote."""

    def __init__(self, quick, tmp_path):
        self.bare = tmp_path / "remote.git"
        subprocess.run(["git", "clone", "-q", "--bare", quick.root, self.bare], check=True)
        self.ours, self.theirs = (self._clone(quick, tmp_path / name) for name in ("us", "them"))

    def _clone(self, quick, path):
        subprocess.run(["git", "clone", "-q", self.bare, path], check=True)
        clone = type(quick)(path)
        clone.git("config", "user.name", path.name)
        clone.git("config", "user.email", f"{path.name}@example.org")
        return clone

    def remote(self, *arguments):
        done = subprocess.run(
            ["git", "-C", self.bare, *arguments], capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def merge(self, clone, branch):
        """What a person does with a pull request: main is brought forward to the branch."""
        clone.git("fetch", "-q")
        clone.git("push", "-q", "origin", f"origin/{branch}:main")


@pytest.fixture
def pair(quick, tmp_path):
    return Pair(quick, tmp_path)


def branch_of(clone):
    names = clone.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit")
    return names.splitlines()[-1]


def test_the_second_to_push_the_same_batch_is_told(pair):
    done = pair.ours.pytest(*BATCH)
    assert done.returncode == 0, seen(done)
    branch = branch_of(pair.ours)
    there = pair.remote("rev-parse", branch)
    done = pair.theirs.pytest(*BATCH)
    assert done.returncode == 1, seen(done)
    assert branch_of(pair.theirs) == branch
    assert f"origin has another commit as {branch}, {there[:12]} and not" in done.stdout
    assert "somebody else promoted the same files" in done.stdout
    assert pair.remote("rev-parse", branch) == there
    # Once more: only the push is tried again, and it is not forced either.
    done = pair.theirs.pytest(*BATCH)
    assert done.returncode == 1, seen(done)
    assert "origin has another commit" in done.stdout
    assert pair.remote("rev-parse", branch) == there


def test_once_the_first_is_merged_the_second_plans_on_top_of_it(pair):
    assert pair.ours.pytest(*BATCH).returncode == 0
    branch = branch_of(pair.ours)
    assert pair.theirs.pytest(*BATCH).returncode == 1
    pair.merge(pair.ours, branch)
    pair.theirs.git("pull", "-q", "--ff-only")
    done = pair.theirs.pytest(*BATCH)
    assert done.returncode == 0, seen(done)
    new = [
        name
        for name in pair.theirs.git(
            "for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit"
        ).splitlines()
        if name != branch
    ]
    assert len(new) == 1
    assert pair.remote("rev-parse", f"{new[0]}^") == pair.remote("rev-parse", "main")
    moved = pair.remote("diff-tree", "-r", "--name-only", "--diff-filter=A", f"{new[0]}^", new[0])
    assert "deck/m2.py" in moved or "deck/m3.py" in moved


def test_a_base_that_moved_is_no_reason_to_judge_less(pair):
    """The branch of the old base waits; the same files are not promoted twice behind it."""
    (pair.bare / "hooks/pre-receive").write_text("#!/bin/sh\necho closed >&2\nexit 1\n")
    (pair.bare / "hooks/pre-receive").chmod(0o755)
    done = pair.ours.pytest(*BATCH)
    assert done.returncode == 1, seen(done)
    assert "sealed here as cockpit/" in done.stdout
    assert "closed" in done.stdout
    old = branch_of(pair.ours)
    (pair.bare / "hooks/pre-receive").unlink()
    pair.theirs.commit({"notes.txt": "theirs\n"})
    pair.theirs.git("push", "-q", "origin", "main")
    pair.ours.git("pull", "-q", "--ff-only")
    done = pair.ours.pytest(*BATCH)
    assert done.returncode == 4, seen(done)
    assert f"{old}: 2 of these files wait there to be merged" in done.stderr
    assert "merge that branch or delete it first" in done.stderr
    pair.ours.git("branch", "-q", "-D", old)
    done = pair.ours.pytest(*BATCH)
    assert done.returncode == 0, seen(done)
    new = branch_of(pair.ours)
    assert new != old
    assert pair.remote("rev-parse", f"{new}^") == pair.remote("rev-parse", "main")


def test_a_commit_that_somebody_pushed_onto_the_branch_is_not_overwritten(pair):
    assert pair.ours.pytest(*BATCH).returncode == 0
    branch = branch_of(pair.ours)
    pair.theirs.git("fetch", "-q")
    pair.theirs.git("switch", "-q", "-c", branch, f"origin/{branch}")
    theirs = pair.theirs.commit({"notes.txt": "theirs\n"})
    pair.theirs.git("push", "-q", "origin", branch)
    done = pair.ours.pytest(*BATCH)
    assert done.returncode == 1, seen(done)
    assert f"origin has another commit as {branch}, {theirs[:12]}" in done.stdout
    assert pair.remote("rev-parse", branch) == theirs


def test_the_second_to_push_the_same_burst_is_told(pair):
    assert pair.ours.pytest(*BURST).returncode == 0
    branch = branch_of(pair.ours)
    there = pair.remote("rev-parse", branch)
    done = pair.theirs.pytest(*BURST)
    assert done.returncode == 1, seen(done)
    assert f"origin has another commit as {branch}" in done.stdout
    assert pair.remote("rev-parse", branch) == there
    again = pair.theirs.pytest("--cockpit-burst", "--cockpit-resume", "-q")
    assert again.returncode == 1, seen(again)
    assert pair.remote("rev-parse", branch) == there
