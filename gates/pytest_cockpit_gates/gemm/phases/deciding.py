"""What the parameters of a plan cannot decide, whatever is measured: said before anything is."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_cockpit.estimation.intervals import LEVEL, values_needed
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, Plan
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.strict import needed
from pytest_cockpit_gates.gemm.strict.checks_policy import FEWEST
from pytest_cockpit_gates.gemm.strict.policies import Policies

_PAIRS = 2
"""Pairs with and without the guard in a session, where so many products are checked."""


def undecided(plan: Plan, read: Policies) -> Iterator[str]:
    """Checks that will be unknown, each with the option and the number that it takes."""
    rows = plan.snapshots if plan.kind == REPLAY else len(plan.seeds)
    sessions, times = rows * plan.sessions, plan.times
    least = values_needed()
    if read.weekly is not None and times < least:
        yield _told(f"{times} times of each row", "its throughput", least, _iterations(plan, least))
    if plan.kind != REPLAY:
        # Pairs are added until they decide, and a split owes no 95th percentile.
        return
    weekly = read.weekly
    if weekly is not None:
        wanted = weekly.minimum_snapshots
        if plan.snapshots < wanted:
            yield _told(f"{plan.snapshots} snapshots", "the policy", wanted, _snapshots(wanted))
        wanted = needed.snapshots_for_drift(plan.sessions, LEVEL)
        if plan.snapshots < wanted:
            yield _told(f"{plan.snapshots} snapshots", "a drift", wanted, _snapshots(wanted))
        if times < FEWEST:
            what = f"{times} times of each row"
            yield _told(what, "its 95th percentile", FEWEST, _iterations(plan, FEWEST))
    if KERNELS[1] in plan.kernels:
        period = read.t5.sampling_period if read.t5 else 1
        each = min(_PAIRS, math.ceil(plan.iterations / period))
        if sessions * each < least:
            number = math.ceil(least / each / plan.sessions)
            what = f"{sessions * each} pairs with and without the guard"
            yield _told(what, "its cost", least, _snapshots(number))


def _told(there: str, what: str, wanted: int, remedy: str) -> str:
    return f"{there} are too few for {what}, which takes {wanted} and will be unknown: {remedy}"


def _snapshots(number: int) -> str:
    return f"--cockpit-gemm-snapshots {number}"


def _iterations(plan: Plan, wanted: int) -> str:
    number = math.ceil(wanted / (plan.times // plan.iterations))
    return f"--cockpit-gemm-iterations {number}"
