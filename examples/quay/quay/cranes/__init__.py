"""Which crane works which bay, and how long a ship is at the quay for it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

MOVES_AN_HOUR = 28


def assign(bays: Mapping[int, int], cranes: int) -> list[list[int]]:
    """Bays by crane, each a run of neighbours, so that no two cranes cross.

    `bays` says how many moves each bay takes.
    """
    if cranes < 1:
        raise ValueError("a ship is not worked without a crane")
    share = sum(bays.values()) / cranes
    found: list[list[int]] = [[] for _ in range(cranes)]
    done = 0
    for bay in sorted(bays):
        found[min(int(done / share) if share else 0, cranes - 1)].append(bay)
        done += bays[bay]
    return found


def hours(bays: Mapping[int, int], plan: Sequence[Sequence[int]]) -> float:
    """How long the busiest crane works."""
    busiest = max((sum(bays[bay] for bay in run) for run in plan), default=0)
    return busiest / MOVES_AN_HOUR
