"""A berth for every call, or the reason why not."""

from collections.abc import Iterable
from dataclasses import dataclass

from harbour.clock import Window
from harbour.vessel import Vessel

from .slots import QUAYS, Berth


@dataclass(frozen=True)
class Allocation:
    """One call; `berth` is None when no berth takes the ship at all."""

    vessel: Vessel
    window: Window
    berth: Berth | None


def allocate(
    calls: Iterable[tuple[Vessel, Window]], berths: Iterable[Berth] = QUAYS
) -> list[Allocation]:
    """First come, first served: the berth free soonest, the shallowest of several."""
    free: dict[Berth, int] = {berth: 0 for berth in sorted(berths, key=lambda b: b.depth)}
    plan = []
    for vessel, wanted in sorted(calls, key=lambda call: (call[1], call[0].name)):
        fitting = [berth for berth in free if berth.takes(vessel)]
        if not fitting:
            plan.append(Allocation(vessel, wanted, None))
            continue
        berth = min(fitting, key=lambda b: max(free[b], wanted.start))
        window = wanted.shifted(max(0, free[berth] - wanted.start))
        free[berth] = window.end
        plan.append(Allocation(vessel, window, berth))
    return plan
