"""One git transaction of 400 moves in a repository of 100,000 files, beside other ways.

The two ways that act on the work tree file by file take over a minute for 400 moves, so they are
timed on fewer and their figure for one move is shown.
"""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from synthetic import git, repository

from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.transaction import Rename, build

FILES = 100_000
MOVES = 400
MOVES_ONE_BY_ONE = 5


@pytest.fixture(scope="module")
def large(tmp_path_factory):
    """100,000 files, 1,000 of them modules in the lane, not checked out."""
    return repository(tmp_path_factory.mktemp("large") / "repo", 1_000, 1_000, FILES - 1_101)


@pytest.fixture(scope="module")
def checked_out(large):
    """The same with its work tree written."""
    git(large, "checkout", "-q", "-f", "main")
    return large


def _moves(root: Path, number: int) -> list[Rename]:
    paths = git(root, "ls-tree", "-r", "--name-only", "main", "candidate").splitlines()
    return [Rename(path, path.removeprefix("candidate/")) for path in paths][:number]


@pytest.mark.benchmark(group="transaction: 400 moves, 100k files")
def test_ours(benchmark, large):
    found = Repository.discover(large)
    moves = _moves(large, MOVES)
    base = found.resolve("main")

    def run():
        return build(found, base, moves, message="bench", ref="refs/cockpit/bench")

    commit = benchmark.pedantic(run, rounds=7, warmup_rounds=1)
    assert git(large, "diff", "--name-only", "-M100%", "--diff-filter=R", base, commit).count(
        "\n"
    ) == (MOVES - 1)


@pytest.mark.benchmark(group="transaction: 400 moves, 100k files")
def test_private_index_and_commit_tree(benchmark, large, tmp_path):
    moves = _moves(large, MOVES)
    blobs = {}
    for line in git(large, "ls-tree", "-r", "main", "candidate").splitlines():
        entry, path = line.split("\t")
        blobs[path] = entry.split()[2]
    lines = [f"0 {'0' * 40}\t{move.source}" for move in moves]
    lines += [f"100644 {blobs[move.source]}\t{move.target}" for move in moves]
    stdin = "\n".join(lines).encode() + b"\n"

    def run():
        index = tmp_path / "index"
        index.unlink(missing_ok=True)
        environment = {**os.environ, "GIT_INDEX_FILE": str(index)}
        call = {"cwd": large, "env": environment, "check": True, "capture_output": True}
        subprocess.run(["git", "read-tree", "main"], **call)
        subprocess.run(["git", "update-index", "--index-info"], input=stdin, **call)
        tree = subprocess.run(["git", "write-tree"], **call).stdout.decode().strip()
        return git(large, "commit-tree", "-p", "main", "-m", "bench", tree)

    assert benchmark.pedantic(run, rounds=5)


@pytest.mark.benchmark(group="transaction: one move, work tree of 100k files")
def test_git_mv(benchmark, checked_out):
    moves = iter(_moves(checked_out, MOVES)[100:])

    def setup():
        move = next(moves)
        (checked_out / move.target).parent.mkdir(parents=True, exist_ok=True)
        return (move,), {}

    def run(move):
        git(checked_out, "mv", move.source, move.target)

    benchmark.pedantic(run, setup=setup, rounds=MOVES_ONE_BY_ONE)
    benchmark.extra_info["times_400_s"] = round(benchmark.stats.stats.mean * MOVES, 1)
    git(checked_out, "reset", "-q", "--hard")


@pytest.mark.benchmark(group="transaction: one move, work tree of 100k files")
def test_gitpython_index_move(benchmark, checked_out):
    gitpython = pytest.importorskip("git")
    index = gitpython.Repo(checked_out).index
    moves = iter(_moves(checked_out, MOVES)[200:])

    def setup():
        move = next(moves)
        (checked_out / move.target).parent.mkdir(parents=True, exist_ok=True)
        return (move,), {}

    benchmark.pedantic(
        lambda move: index.move([move.source, move.target]), setup=setup, rounds=MOVES_ONE_BY_ONE
    )
    benchmark.extra_info["times_400_s"] = round(benchmark.stats.stats.mean * MOVES, 1)
    git(checked_out, "reset", "-q", "--hard")
