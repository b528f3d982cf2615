"""How often strict verdicts on GEMM are wrong, and how often they find what is slower.

Everything is simulated as a shared machine gives it: every process has 2 % for itself, every time
2 % of noise and one in twenty a tail of 8 % more, so that a pair has 4.5 %; both halves of a pair
share what the machine does at that moment, 5 %, and a campaign has 2 % of its day.

- *ratio*: pairs in turns, eight more while the interval straddles the bound, at most 48.
- *blocks*: medians of eight times on each platform, one after the other.
- *regression*, *throughput*, *95th percentile*, *drift*: a replay of 8 snapshots x 2 processes x 8
  iterations, judged once.

Intervals of counts are those of Clopper and Pearson at 95 %.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from statistics import median

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.estimation.shares import share
from pytest_cockpit.estimation.slopes import slope
from pytest_cockpit_gates.gemm.compat.guardrails import MIN_THROUGHPUT_DELTA
from pytest_cockpit_gates.gemm.strict import (
    calibration,
    checks_baseline,
    checks_drift,
    checks_policy,
    levels,
)
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.model import Artifact, Run, Session
from pytest_cockpit_gates.gemm.strict.policies import Policies, Row, Weekly
from pytest_cockpit_gates.gemm.strict.ratios import Comparison, Pair, compare
from pytest_cockpit_gates.gemm.strict.subject import Subject

BOUND = 0.85
OWN, NOISE, MOMENT, DAY = 0.02, 0.02, 0.05, 0.02
CAMPAIGNS = 4000
SHARES = (0.5, 0.9, 0.99)
HEAD = "| what | truth | passed | failed | unknown | pairs |"
RULE = "|---|---:|---|---|---|---:|"


def noise(rng: random.Random) -> float:
    """The logarithm of a time's noise: most of it normal, some of it only ever slower."""
    return rng.gauss(0, NOISE) + (rng.expovariate(1 / 0.08) if rng.random() < 0.05 else 0.0)


def counted(counts: Counter[Verdict], verdict: Verdict) -> str:
    found = share(counts[verdict], counts.total(), 0.05)
    return f"{found.estimate:.2%} ({found.low:.2%} to {found.high:.2%})"


def line(what: str, truth: float, counts: Counter[Verdict], pairs: str = "") -> str:
    cells = [counted(counts, each) for each in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)]
    return f"| {what} | {truth:g} | {' | '.join(cells)} | {pairs} |"


def compared(rng: random.Random, ratio: float, per_session: int) -> Comparison:
    measured: list[Pair] = []
    own: dict[int, tuple[float, float]] = {}
    while True:
        for _ in range(levels.PORTION):
            session = len(measured) // per_session
            a, b = own.setdefault(session, (rng.gauss(0, OWN), rng.gauss(0, OWN)))
            moment = rng.gauss(0, MOMENT)
            fast = math.exp(a + moment + noise(rng))
            slow = ratio * math.exp(b + moment + noise(rng))
            order = "ab" if len(measured) % 2 else "ba"
            measured.append(Pair(order, session, fast, 1.9 * fast, slow, 1.9 * slow))
        found = compare(measured, BOUND)
        if not found.more:
            return found


def blocks(rng: random.Random, ratio: float) -> Verdict:
    """Eight times of the one, then eight of the other, while the machine goes on changing."""
    sides = []
    for factor in (1.0, ratio):
        moment, own = rng.gauss(0, MOMENT), rng.gauss(0, OWN)
        sides.append(median(factor * math.exp(moment + own + noise(rng)) for _ in range(8)))
    return Verdict.PASS if sides[1] / sides[0] >= BOUND else Verdict.FAIL


@pytest.mark.benchmark(group="strict ratio of two platforms")
@pytest.mark.parametrize("per_session", [1, 2, 4, 8])
def test_the_ratio(meter, tell, per_session):
    rows = [HEAD, RULE]
    found: dict[float, Counter[Verdict]] = {}

    def simulate() -> None:
        for ratio in (1.0, 0.95, 0.90, BOUND, 0.80, 0.75):
            rng = random.Random(f"{ratio} {per_session}")
            made = [compared(rng, ratio, per_session) for _ in range(CAMPAIGNS)]
            found[ratio] = Counter(each.verdict for each in made)
            used = sum(each.pairs for each in made) / len(made)
            rows.append(
                line(f"{per_session} pairs in a session", ratio, found[ratio], f"{used:.1f}")
            )

    meter(
        f"six ratios, {CAMPAIGNS} campaigns each, {per_session} pairs a session", simulate, rounds=1
    )
    tell(f"Strict ratio, bound {BOUND}, {per_session} pairs in a session", "\n".join(rows))
    fails = {ratio: counts[Verdict.FAIL] / counts.total() for ratio, counts in found.items()}
    passes = {ratio: counts[Verdict.PASS] / counts.total() for ratio, counts in found.items()}
    assert max(fails[1.0], fails[0.95], fails[0.90], fails[BOUND]) <= 0.01
    assert max(passes[BOUND], passes[0.80], passes[0.75]) <= 0.01
    if per_session <= 4:
        assert fails[0.80] >= 0.95


@pytest.mark.benchmark(group="strict ratio of two platforms")
def test_blocks(meter, tell):
    rows = [HEAD, RULE]

    def simulate() -> None:
        for ratio in (1.0, 0.90, BOUND, 0.80):
            rng = random.Random(str(ratio))
            counts = Counter(blocks(rng, ratio) for _ in range(CAMPAIGNS))
            rows.append(line("medians of blocks", ratio, counts))

    meter(f"four ratios, {CAMPAIGNS} campaigns each", simulate, rounds=1)
    tell(f"Medians of sequential blocks, bound {BOUND}", "\n".join(rows))


def replay(rng: random.Random, *, slower: float = 1.0, drift: float = 0.0) -> list[Run]:
    """Rows of one kernel at one size; times around a second."""
    day = math.exp(rng.gauss(0, DAY)) * slower
    rows = []
    for snapshot in range(8):
        factor = day * (1 + drift) ** (snapshot / 7)
        sessions = []
        for number in range(2):
            own = factor * math.exp(rng.gauss(0, OWN))
            wall = tuple(own * math.exp(noise(rng)) for _ in range(8))
            sessions.append(Session(number, wall, wall, 0.0, 1.0))
        rows.append(
            Run(snapshot, True, 0, "clover", "k", 1000, 1, snapshot, "", "", tuple(sessions), {})
        )
    return rows


def verdict(held: bool | None) -> Verdict:
    return {None: Verdict.UNKNOWN, True: Verdict.PASS, False: Verdict.FAIL}[held]


def regressed(rng: random.Random, slower: float) -> Verdict:
    found = checks_baseline.change(
        0.01, checks_baseline.pace, replay(rng), replay(rng, slower=slower)
    )
    assert found is not None
    return verdict(found.at_least(MIN_THROUGHPUT_DELTA))


def too_slow(rng: random.Random, slower: float) -> Verdict:
    """Against a floor 5 % below what is measured on an ordinary day."""
    logs = [
        [-math.log(wall) for wall in each.wall]
        for run in replay(rng, slower=slower)
        for each in run.sessions
    ]
    found = levels.centre(logs, 0.01, levels.SESSION_SPREAD)
    assert found is not None
    return verdict(found.at_least(math.log(0.95)))


def too_late(rng: random.Random, slower: float) -> Verdict:
    """Against a ceiling 20 % above the median of an ordinary day; 10.4 % is the truth."""
    times = [
        wall for run in replay(rng, slower=slower) for each in run.sessions for wall in each.wall
    ]
    return verdict(checks_policy.p95(times, 16, 1).at_most(1.2))


def drifts(rng: random.Random, drift: float) -> Verdict:
    """Against the 3 % of the archived policies."""
    found, _ = checks_drift.drifts(replay(rng, drift=drift), 0.01)
    assert found is not None
    return verdict(checks_drift.within(found, 3.0))


def first_and_last(rng: random.Random, drift: float) -> Verdict:
    """The last snapshot against the first, as it was once done."""
    ends = [run for run in replay(rng, drift=drift) if run.snapshot in (0, 7)]
    first, last = (sum(1 / wall for each in run.sessions for wall in each.wall) for run in ends)
    return Verdict.PASS if abs(last / first - 1) <= 0.03 else Verdict.FAIL


# What is judged, by what, at which truths, and up to which all is well; the last is not strict.
CHECKS: list[tuple[str, Callable[[random.Random, float], Verdict], tuple[float, ...], float]] = [
    ("regression, at most 8 %", regressed, (1.0, 1.03, 1.15, 1.25), 1.03),
    ("throughput, floor 5 % below", too_slow, (0.95, 1.0, 1.15, 1.25), 1.0),
    ("95th percentile, ceiling 20 % above", too_late, (0.9, 1.0, 1.2, 1.3), 1.0),
    ("drift, at most 3 %", drifts, (0.0, 0.01, -0.08, -0.15), 0.01),
    ("last snapshot against the first", first_and_last, (0.0, 0.01, -0.08, -0.15), math.inf),
]


@pytest.mark.benchmark(group="strict verdicts on a replay")
@pytest.mark.parametrize(
    ("what", "judge", "truths", "well"), CHECKS, ids=[each[0] for each in CHECKS]
)
def test_a_replay(meter, tell, what, judge, truths, well):
    rows = [HEAD, RULE]
    found: dict[float, Counter[Verdict]] = {}

    def simulate() -> None:
        for truth in truths:
            rng = random.Random(f"{what} {truth}")
            found[truth] = Counter(judge(rng, truth) for _ in range(CAMPAIGNS // 4))
            rows.append(line(what, truth, found[truth]))

    meter(f"{what}: {len(truths)} truths, {CAMPAIGNS // 4} campaigns each", simulate, rounds=1)
    tell(f"A replay of 8 snapshots: {what}", "\n".join(rows))
    if math.isinf(well):
        return
    for truth, counts in found.items():
        wrong = Verdict.FAIL if abs(truth) <= well else Verdict.PASS
        assert counts[wrong] / counts.total() <= 0.01, truth
    # What is furthest from its bound is found.
    worst = found[truths[-1]]
    assert worst[Verdict.FAIL] / worst.total() >= 0.95


def widest(rng: random.Random, own: float, snapshots: int, sessions: int) -> float:
    """How far from nought the interval of a drift reaches in percent, when nothing drifts."""
    places = [at for at in range(snapshots) for _ in range(sessions)]
    found = slope(places, [rng.gauss(0, own) for _ in places])
    assert found is not None
    ends = ((snapshots - 1) * end for end in (found.low, found.high))
    return max(abs(100 * math.expm1(end)) for end in ends)


@pytest.mark.benchmark(group="strict verdicts on a replay")
def test_how_wide_a_drift_is(meter, tell):
    rows = [
        "| snapshots | sessions | own | 50 % | 90 % | 99 % |",
        "|---:|---:|---:|---:|---:|---:|",
    ]

    def simulate() -> None:
        for snapshots, sessions in ((8, 2), (16, 2), (8, 4), (8, 8)):
            for own in (0.02, 0.01, 0.005):
                rng = random.Random(f"{snapshots} {sessions} {own}")
                seen = sorted(widest(rng, own, snapshots, sessions) for _ in range(CAMPAIGNS // 10))
                ends = [f"{seen[round(part * len(seen)) - 1]:.1f} %" for part in SHARES]
                rows.append(f"| {snapshots} | {sessions} | {own:.1%} | {' | '.join(ends)} |")

    meter(f"twelve plans, {CAMPAIGNS // 10} campaigns each", simulate, rounds=1)
    tell("What bound of a drift can be kept when nothing drifts", "\n".join(rows))


def campaign(rng: random.Random) -> Artifact:
    return Artifact(False, "replay", {}, {}, tuple(replay(rng)), (), (), (), (), None)


def kept(rng: random.Random) -> Verdict:
    """A campaign by the policy that is proposed from the three before it."""
    slo = calibration.propose([campaign(rng) for _ in range(3)], "clover", None).slo
    rows = {name: Row(**bounds) for name, bounds in slo["per_kernel_size"].items()}
    weekly = Weekly(path="proposed", platform="", rows=rows, **slo["global_guardrails"])
    subject = Subject(campaign(rng), Policies(weekly=weekly), Demands(kernels=()))
    checks = [*checks_policy.checks(subject), *checks_drift.checks(subject)]
    return Verdict.worst(check.verdict for check in checks)


@pytest.mark.benchmark(group="strict verdicts on a replay")
def test_a_proposed_policy_can_be_kept(meter, tell):
    found: Counter[Verdict] = Counter()

    def simulate() -> None:
        rng = random.Random("proposed")
        found.update(kept(rng) for _ in range(CAMPAIGNS // 10))

    meter(f"one row, {CAMPAIGNS // 10} times three campaigns and one", simulate, rounds=1)
    told = line("the next campaign by a proposed policy", 1.0, found)
    tell("A policy that recalibration proposes", f"{HEAD}\n{RULE}\n{told}")
    assert found[Verdict.PASS] / found.total() >= 0.9
    assert found[Verdict.FAIL] / found.total() <= 0.03
