"""How cost grows with the repository: the same batch from 1,000 to 100,000 files."""

from __future__ import annotations

import shutil
from math import log

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.selector import make_plan
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.promotion.transaction import Rename, build
from synthetic import PER_PACKAGE, git

SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
MOVES = 50
GOAL = 1.1
TITLE = f"growth: {MOVES} moves, CPU seconds"

_COSTS: dict[str, dict[int, float]] = {}


@pytest.fixture(params=SIZES)
def grown(request, project):
    """A repository of so many files: a quarter in the lane, a quarter production, half data."""
    size = request.param
    lane = size // 4 // PER_PACKAGE * PER_PACKAGE
    markers = 2 + 2 * lane // PER_PACKAGE
    root = project(2 * lane, lane, size - 2 * lane - markers)
    found = Repository.discover(root)
    assert len(found.entries("main")) == size
    return size, found


@pytest.fixture
def growth(tell):
    """Take in a cost; the table is drawn anew with every one."""

    def enter(what, size, cost):
        _COSTS.setdefault(what, {})[size] = cost.cpu_s
        tell(TITLE, _table())

    return enter


@pytest.mark.benchmark(group=TITLE)
def test_plan(meter, growth, grown):
    size, found = grown

    def setup():
        shutil.rmtree(found.common_dir / "cockpit", ignore_errors=True)

    plan, cost = meter.cost(
        lambda: make_plan(found, Config()), setup=setup, rounds=1 if size > 10_000 else 3
    )
    assert len(plan.moves) == MOVES
    growth("plan, cold", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_transaction(meter, growth, grown):
    size, found = grown
    moves = _moves(found)
    commit, cost = meter.cost(lambda: _built(found, moves), rounds=9)
    assert commit
    growth("transaction", size, cost)


@pytest.mark.benchmark(group=TITLE)
def test_staged_tree(meter, growth, grown):
    """The kept tree goes from the base to the batch: what a session does every day."""
    size, found = grown
    base, moved = found.resolve("main"), _built(found, _moves(found))
    tree = StagedTree(found)

    def bring(commit):
        with tree.at(commit):
            pass

    _, cost = meter.cost(lambda: bring(moved), setup=lambda: bring(base), rounds=3)
    shutil.rmtree(found.common_dir / "cockpit")
    growth("staged tree, by difference", size, cost)


def _moves(found):
    paths = git(found.root, "ls-tree", "-r", "--name-only", "main", "candidate").splitlines()
    chosen = paths[1 :: len(paths) // (MOVES + 1)][:MOVES]
    return [Rename(path, path.removeprefix("candidate/")) for path in chosen]


def _built(found, moves):
    base = found.resolve("main")
    return build(found, base, moves, message="bench", ref="refs/cockpit/bench")


def _table():
    sizes = sorted({size for costs in _COSTS.values() for size in costs})
    head = " | ".join(f"{size:,}" for size in sizes)
    rows = [
        f"| files | {head} | exponent, all sizes | exponent, largest step | goal |",
        "|---|" + "---:|" * (len(sizes) + 2) + "---|",
    ]
    for what, costs in sorted(_COSTS.items()):
        cells = " | ".join(f"{costs[size]:.3f}" if size in costs else "" for size in sizes)
        fits = f"{_exponent(costs, sizes):.2f} | {_exponent(costs, sizes[-2:]):.2f}"
        rows.append(f"| {what} | {cells} | {fits} | ≤ {GOAL} |")
    return "\n".join(rows)


def _exponent(costs, sizes):
    """The slope of a straight line through the logarithms."""
    points = [(log(size), log(costs[size])) for size in sizes if size in costs]
    if len(points) < 2:
        return float("nan")
    mean_x = sum(x for x, _ in points) / len(points)
    mean_y = sum(y for _, y in points) / len(points)
    return sum((x - mean_x) * (y - mean_y) for x, y in points) / sum(
        (x - mean_x) ** 2 for x, _ in points
    )
