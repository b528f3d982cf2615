"""Berths promised twice."""

from collections.abc import Iterable
from itertools import combinations

from candidate.berths.plan import Allocation


def conflicts(plan: Iterable[Allocation]) -> list[tuple[Allocation, Allocation]]:
    """Pairs of calls that share a berth and a minute."""
    return [
        (first, second)
        for first, second in combinations(plan, 2)
        if first.berth is not None
        and first.berth == second.berth
        and first.window.overlaps(second.window)
    ]


def occupancy(plan: Iterable[Allocation], minutes: int) -> dict[str, float]:
    """Part of the time that each berth is taken."""
    taken: dict[str, int] = {}
    for call in plan:
        if call.berth is not None:
            taken[call.berth.name] = taken.get(call.berth.name, 0) + call.window.minutes
    return {name: busy / minutes for name, busy in sorted(taken.items())}
