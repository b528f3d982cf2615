"""What pairs with and without the guard say of its cost.

By CPU time where the process did the work itself: on a machine that does other things too, wall
time says more of those. Of a guard that samples, pairs are of products that it checked: the others
run the same kernel in the same way, and count as what they cost, which is nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.abft.policy import STRICT
from pytest_cockpit_gates.gemm.strict import levels
from pytest_cockpit_gates.gemm.strict.policies import Policies

CPU, WALL = "cpu", "wall"
_KEYS = {WALL: ("guarded_s", "plain_s"), CPU: ("guarded_cpu_s", "plain_cpu_s")}
_BUSY = 0.25
"""CPU time over wall time that a process which does the work itself has at its best moments, on a
machine that does several other things; one that waits for a GPU is far below."""
_PERCENT = 100.0
_WEEKLY = "weekly_slo.global_guardrails.max_t5_overhead_percent"
_GUARD = "runtime_guardrails.disable_if_effective_overhead_percent_gt"

Pairs = Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Cost:
    """What the guard adds, in percent of the product.

    Parameters
    ----------
    found: with its interval; None of too few pairs for one.
    clock: what it is of, `cpu` or `wall`.
    wall: the same by wall time.
    """

    found: Interval | None
    clock: str
    wall: Interval | None

    def at_most(self, bound: float) -> bool | None:
        """Whether it is at most that; None where nobody can tell, or the clocks contradict."""
        if self.found is None:
            return None
        held = self.found.at_most(bound)
        by_wall = None if self.wall is None else self.wall.at_most(bound)
        return None if by_wall is not None and held is not by_wall else held


def bound(policies: Policies) -> float:
    """Percent that the guard may cost: the least of the weekly bound and the guard's own.

    Without a policy of its own the guard works by the strict one, and is held to it.
    """
    return min(_bounds(policies).values())


def bound_key(policies: Policies) -> str:
    """What sets this bound, as remedies name it: a key of a policy, or of both."""
    bounds, least = _bounds(policies), bound(policies)
    keys = {_GUARD: guard_key(policies, _GUARD), _WEEKLY: _WEEKLY}
    return " and ".join(keys[name] for name, most in bounds.items() if most <= least)


def guard_key(policies: Policies, key: str) -> str:
    """A key of the guard's policy; where none is named, that one has to be named for it."""
    return key if policies.t5 else f"{key} of a policy of the guard, named as t5_policy"


def _bounds(policies: Policies) -> dict[str, float]:
    weekly, t5 = policies.weekly, policies.t5 or STRICT
    found = {_WEEKLY: weekly.max_t5_overhead_percent} if weekly else {}
    return found | {_GUARD: t5.max_overhead_percent}


def clock(pairs: Pairs) -> str:
    """The clock to judge pairs by."""
    guarded, plain = _KEYS[CPU]
    timed = all((pair.get(guarded) or 0) > 0 < (pair.get(plain) or 0) for pair in pairs)
    busy = timed and any(pair[plain] >= _BUSY * pair["plain_s"] for pair in pairs)
    return CPU if busy else WALL


def percents(pairs: Pairs, period: int, by: str) -> list[float]:
    """What each pair says that the guard adds to all products.

    Parameters
    ----------
    period: every so many products one is checked, and pairs are of those that were.
    """
    guarded, plain = _KEYS[by]
    return [_PERCENT * (pair[guarded] / pair[plain] - 1) / period for pair in pairs]


def cost(pairs: Pairs, period: int, level: float) -> Cost:
    """What pairs of checked products say."""
    by = clock(pairs)
    found, wall = (
        intervals.location(levels.batches(percents(pairs, period, each)), level)
        for each in (by, WALL)
    )
    return Cost(found, by, wall)


def added_percent(pairs: Pairs, period: int = 1) -> float | None:
    """What the guard adds to the plain kernel over all pairs.

    Sums are compared, not medians: what is checked now and then costs nothing most of the time.
    """
    if not pairs:
        return None
    guarded, plain = (math.fsum(pair[key] for pair in pairs) for key in _KEYS[clock(pairs)])
    return _PERCENT * (guarded - plain) / plain / period if plain else None
