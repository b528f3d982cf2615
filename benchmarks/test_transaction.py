"""One git transaction of 400 moves in a repository of 100,000 files, beside other ways.

The two ways that act on the work tree file by file take over a minute for 400 moves, so they are
timed on fewer and scaled.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.transaction import Rename, build
from synthetic import git

LARGE = (50_000, 25_000, 48_998)
"""With the packages' markers 100,000 files, a quarter of them in the lane."""
MOVES = 400
FEW = 5

_GROUP = pytest.mark.benchmark(group="transaction: 400 moves, 100,000 files")


def _moves(root: Path, number: int, first: int = 0, *, spread: bool = True) -> list[Rename]:
    """From as many packages as there are, or from as few as hold them."""
    paths = git(root, "ls-tree", "-r", "--name-only", "main", "candidate").splitlines()
    step = len(paths) // (number + 1) if spread else 1
    chosen = paths[first + 1 :: step][:number]
    return [Rename(path, path.removeprefix("candidate/")) for path in chosen]


@_GROUP
@pytest.mark.parametrize("spread", [True, False])
def test_ours(meter, project, spread):
    root = project(*LARGE)
    found, moves = Repository.discover(root), _moves(root, MOVES, spread=spread)
    folders = len({move.source.rpartition("/")[0] for move in moves})
    base = found.resolve("main")
    assert len(found.entries(base)) == 100_000

    def run():
        return build(found, base, moves, message="bench", ref="refs/cockpit/bench")

    commit = meter(
        f"`transaction.build`, {folders} folders",
        run,
        rounds=15,
        ours=spread,
        goal="≤ 100 ms wall",
        note="checks included",
    )
    renamed = git(root, "diff", "--name-only", "-l0", "-M100%", "--diff-filter=R", base, commit)
    assert len(renamed.splitlines()) == MOVES


@_GROUP
def test_private_index_and_commit_tree(meter, project, tmp_path):
    root = project(*LARGE)
    moves = _moves(root, MOVES)
    blobs = {}
    for line in git(root, "ls-tree", "-r", "main", "candidate").splitlines():
        entry, path = line.split("\t")
        blobs[path] = entry.split()[2]
    lines = [f"0 {'0' * 40}\t{move.source}" for move in moves]
    lines += [f"100644 {blobs[move.source]}\t{move.target}" for move in moves]
    stdin = "\n".join(lines).encode() + b"\n"

    def run():
        index = tmp_path / "index"
        index.unlink(missing_ok=True)
        env = {"GIT_INDEX_FILE": str(index)}
        git(root, "read-tree", "main", env=env)
        git(root, "update-index", "--index-info", stdin=stdin, env=env)
        tree = git(root, "write-tree", env=env)
        return git(root, "commit-tree", "-p", "main", "-m", "bench", tree)

    assert meter("private index and `git commit-tree`", run, rounds=7, note="400 folders")


@_GROUP
def test_git_mv(meter, checked_out):
    root = checked_out(*LARGE)
    moves = iter(_moves(root, FEW, first=50))

    def setup():
        move = next(moves)
        (root / move.target).parent.mkdir(parents=True, exist_ok=True)
        return (move,), {}

    def run(move):
        git(root, "mv", move.source, move.target)

    meter(
        "`git mv`, one per file",
        run,
        setup=setup,
        rounds=FEW,
        scaled=MOVES,
        note=f"measured on {FEW}, no commit",
    )


@_GROUP
def test_gitpython_index_move(meter, checked_out):
    gitpython = pytest.importorskip("git")
    root = checked_out(*LARGE)
    repository = gitpython.Repo(root)
    moves = iter(_moves(root, FEW, first=100))

    def setup():
        move = next(moves)
        (root / move.target).parent.mkdir(parents=True, exist_ok=True)
        return (move,), {}

    meter(
        "GitPython `index.move`, one per file",
        lambda move: repository.index.move([move.source, move.target]),
        setup=setup,
        rounds=FEW,
        scaled=MOVES,
        note=f"measured on {FEW}, no commit",
    )
    repository.close()
