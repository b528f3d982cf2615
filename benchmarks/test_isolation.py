"""How many gate sessions it takes to find the culprits of a batch, and how often it errs.

Batches are simulated with seeded drawings, each judged by the driver that a session uses. The
figures are sessions, which is what costs time; the seconds of planning are in a table of their
own. What counts as what:

- *search*: sessions that the nested plan asks for. R1 and the other procedures are made of these
  alone: they blame a unit as soon as they are led to it.
- *suspects*: units that clues name, each by itself on top of the good ones.
- *all*: these, and every session that confirms a culprit before it is blamed or repeats a tree:
  as many for each culprit as the margin of `trust` asks for, less the one that led to it.
"""

from __future__ import annotations

import random
from functools import cache
from math import ceil, log, log2

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.promotion.isolation.driver import Isolation
from pytest_cockpit.promotion.isolation.nested import Nested
from pytest_cockpit.promotion.isolation.trust import Trust

TIMES = "isolation: planning 400 units"
BLIND = "isolation: expected sessions without clues"
CLUES = "isolation: expected sessions, 50 files, risk 2 %, the whole batch first"
FLAKES = "isolation: innocent files blamed per batch, 1 % of the sessions red by mistake"
SCENES = [(risk, count) for risk in (0.01, 0.02, 0.05) for count in (50, 400)]

_PEERS = "binary splitting | bisecting | one by one"
_LINES: dict[str, list[str]] = {
    BLIND: [
        f"| risk | files | R1 | search | to R1 | all | to R1 | to R1 and confirming | {_PEERS} |",
        "|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|---:|",
    ],
    CLUES: [
        "| | search | and suspects | all | goal |",
        "|---|---:|---:|---:|---|",
    ],
    FLAKES: [
        "| | batches | innocents per batch | flaky trees reported | sessions | goal |",
        "|---|---:|---:|---:|---:|---|",
    ],
}


@pytest.fixture
def enter(tell):
    """Add a line to a table."""

    def add(title, *cells):
        _LINES[title].append(f"| {' | '.join(map(str, cells))} |")
        tell(title, "\n".join(_LINES[title]))

    return add


@pytest.mark.benchmark(group=TIMES)
@pytest.mark.parametrize("kind", ["equal risks", "unequal risks"])
def test_planning(meter, kind):
    chooser = random.Random(1)
    risks = [0.02 if kind == "equal risks" else chooser.random() / 20 for _ in range(400)]
    plan = meter(kind, lambda: Nested(risks), ours=kind == "equal risks", goal="well under 1 s")
    assert plan.expected() > 1


@pytest.mark.parametrize(("risk", "count"), SCENES)
def test_sessions_without_clues(benchmark, enter, risk, count):
    runs = 4000 if count == 50 else 400
    chooser = random.Random(f"{risk} {count}")
    batches = [frozenset(f for f in range(count) if chooser.random() < risk) for _ in range(runs)]
    told = benchmark.pedantic(lambda: [isolate(count, risk, bad) for bad in batches])
    optimum = r1(count, risk)
    search = sum(each["search"] for each, _ in told) / runs
    everything = sum(sum(each.values()) for each, _ in told) / runs
    plan = Nested([risk] * count)
    # A culprit was red once when the search is led to it; the margin asks for the others.
    confirmed = optimum + count * risk * (Trust().margin(plan.expected_greens) - 1)
    peers = [
        sum(procedure(count, bad, risk) for bad in batches) / runs
        for procedure in (splitting, bisecting, one_by_one)
    ]
    enter(
        BLIND,
        f"{risk:.0%}",
        count,
        f"{optimum:.2f}",
        f"{search:.2f}",
        f"{search / optimum:.3f}",
        f"{everything:.2f}",
        f"{everything / optimum:.3f}",
        f"{everything / confirmed:.3f}",
        *(f"{sessions:.2f}" for sessions in peers),
    )
    assert all(blamed == bad for (_, blamed), bad in zip(told, batches, strict=True))
    assert plan.expected() == pytest.approx(optimum, rel=1e-9)
    assert search <= 1.05 * optimum
    assert everything <= 1.05 * confirmed
    assert search < min(peers)


@pytest.mark.parametrize(
    ("what", "share", "misled", "goal"),
    [
        ("no clues", None, 0, None),
        ("80 % of the culprits named", 0.8, 0, 3.3),
        ("the same, and an innocent file in every red session", 0.8, 1, None),
        ("all named", 1.0, 0, None),
    ],
)
def test_sessions_with_clues(benchmark, enter, what, share, misled, goal):
    chooser, count, risk, runs = random.Random(2), 50, 0.02, 4000

    def simulated():
        total = [0.0, 0.0, 0.0]
        for _ in range(runs):
            bad = frozenset(file for file in range(count) if chooser.random() < risk)
            named = {file for file in bad if share is not None and chooser.random() < share}
            named |= set(chooser.sample(range(count), misled))
            if not bad:
                total = [each + 1 for each in total]
                continue
            clues = None if share is None else named
            spent, blamed = isolate(count, risk, bad, clues=clues, whole=True)
            assert blamed == bad
            search = spent["given"] + spent["search"]
            parts = search, search + spent["suspect"], sum(spent.values())
            total = [each + part for each, part in zip(total, parts, strict=True)]
        return [each / runs for each in total]

    search, suspects, everything = benchmark.pedantic(simulated)
    shown = f"search ≤ {goal}" if goal else ""
    enter(CLUES, what, f"{search:.2f}", f"{suspects:.2f}", f"{everything:.2f}", shown)
    assert goal is None or search <= goal


@pytest.mark.parametrize(
    ("what", "count", "risk", "runs", "weight"),
    [
        ("nothing wrong, 50 files", 50, 0.02, 5000, 1),
        ("nothing wrong, 50 files, the first session red by mistake", 50, 0.02, 3000, 0.01),
        ("nothing wrong, 400 files, the first session red by mistake", 400, 0.01, 300, 0.01),
        ("50 files, 2 % to blame", 50, 0.02, 4000, 1),
    ],
)
def test_innocents(benchmark, enter, what, count, risk, runs, weight):
    """`weight` is how likely the batch is that a row is about: all of the rest eject nobody."""
    chooser = random.Random(3)
    chance = 0.0 if what.startswith("nothing") else risk

    def simulated():
        innocents = flaky = sessions = 0
        for _ in range(runs):
            bad = frozenset(file for file in range(count) if chooser.random() < chance)
            red = iter([True] if weight < 1 else [])
            spent, blamed, flakes = isolate(
                count, risk, bad, mistake=lambda red=red: next(red, chooser.random() < 0.01), full=1
            )
            assert bad <= blamed
            innocents += len(blamed - bad)
            flaky += flakes
            sessions += sum(spent.values())
        return innocents, flaky, sessions

    innocents, flaky, sessions = benchmark.pedantic(simulated)
    per_batch = weight * innocents / runs
    enter(
        FLAKES,
        what,
        f"{runs:,}",
        f"{per_batch:.6f}",
        f"{flaky / runs:.3f} per batch",
        f"{sessions / runs:.2f}",
        "≤ 0.001",
    )
    assert per_batch <= 0.001


def isolate(count, risk, bad, *, clues=None, whole=False, mistake=None, full=0):
    """One batch through the driver: sessions by purpose, and what was blamed."""
    files = _files(count)
    number = {path: at for at, path in enumerate(files)}
    isolation = Isolation(dict.fromkeys(files, ()), risk)
    named = None if clues is None else {files[at] for at in clues}

    def weights(subset):
        return None if named is None else dict.fromkeys(named & set(subset), 1.0)

    if whole:
        isolation.begin_red(weights(files))
    while (subset := isolation.next()) is not None:
        red = any(number[path] in bad for path in subset) or (mistake is not None and mistake())
        isolation.tell(subset, Verdict.FAIL if red else Verdict.PASS, weights(subset))
    outcome = isolation.outcome()
    assert outcome.complete
    assert not set(outcome.good) & {files[at] for at in bad}
    blamed = frozenset(number[path] for culprit in outcome.culprits for path in culprit.files)
    kinds = dict.fromkeys(("given", "search", "suspect", "confirm", "repeat", "base"), 0)
    spent = {**kinds, **outcome.sessions}
    return (spent, blamed, len(outcome.flakes)) if full else (spent, blamed)


@cache
def _files(count):
    return tuple(f"lane/f{number:03}.py" for number in range(count))


@cache
def r1(count, risk):
    """R1's expectation by Sobel and Groll's own recursion; no group that is red 3 to 1."""
    good, most = 1 - risk, ceil(log(0.25) / log(1 - risk))
    power = [good**x for x in range(max(count, most) + 1)]
    whole = [0.0] * (count + 1)
    some = [[0.0] * (count + 1) for _ in range(most + 1)]
    for n in range(1, count + 1):
        some[1][n] = whole[n - 1]
        for m in range(2, min(most, n) + 1):
            some[m][n] = 1 + min(
                (power[x] - power[m]) * some[m - x][n - x] + (1 - power[x]) * some[x][n]
                for x in range(1, m)
            ) / (1 - power[m])
        costs = [
            power[x] * whole[n - x] + (1 - power[x]) * some[x][n]
            for x in range(1, min(most, n) + 1)
        ]
        whole[n] = 1 + min(costs)
        assert n <= most or costs.index(min(costs)) < most - 1
    return whole[count]


def splitting(count, bad, risk):
    """F. K. Hwang's generalised binary splitting (1972) with the expected number of defectives."""
    at = sessions = 0
    while at < count:
        left = count - at
        expected = max(1, round(left * risk))
        size = 1 if left <= 2 * expected - 2 else 2 ** int(log2((left - expected + 1) / expected))
        sessions += 1
        if bad.isdisjoint(range(at, at + size)):
            at += size
            continue
        at, more = first_bad(at, size, bad)
        sessions += more
    return sessions


def bisecting(count, bad, risk):
    """The rest as a whole, halved down to its first culprit while it is red."""
    at = sessions = 0
    while at < count:
        sessions += 1
        if bad.isdisjoint(range(at, count)):
            break
        at, more = first_bad(at, count - at, bad)
        sessions += more
    return sessions


def first_bad(at, size, bad):
    """What comes after the first culprit of a red group, and the sessions it took to find it."""
    sessions = 0
    while size > 1:
        half = size // 2
        sessions += 1
        if bad.isdisjoint(range(at, at + half)):
            at, size = at + half, size - half
        else:
            size = half
    return at + 1, sessions


def one_by_one(count, bad, risk):
    return count
