"""What the guard adds to a kernel: the same product with and without it, in turns."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_cockpit.estimation import intervals
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.abft.policy import STRICT, T5Policy
from pytest_cockpit_gates.gemm.abft.session import Pair, run_session

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Overhead:
    """What was measured.

    Parameters
    ----------
    pairs: all of them.
    wall, cpu: percent that the guard adds, from log-ratios, with an interval at 99 %; None of too
        few pairs.
    added: percent of CPU time that the guard's own parts took beside the product of the same run:
        what it adds to itself, without what it does to the product's caches.
    """

    pairs: tuple[Pair, ...]
    wall: Interval | None
    cpu: Interval | None
    added: float | None

    def to_json(self) -> dict[str, Any]:
        """The measurement as JSON."""
        return {
            "pairs": [asdict(it) for it in self.pairs],
            "wall_percent": None if self.wall is None else asdict(self.wall),
            "cpu_percent": None if self.cpu is None else asdict(self.cpu),
            "added_percent": self.added,
        }


def overhead(
    gemm: Gemm, operands: Operands, pairs: int, policy: T5Policy = STRICT, *, seed: int = 0
) -> Overhead:
    """Measure `pairs` pairs in alternating order, whatever the limits of the policy are.

    Each of them is of a product that is checked; a guard that samples costs the less of that.
    """
    endless = replace(
        policy, sampling_period=1, max_overhead_percent=math.inf, hard_overhead_percent=math.inf
    )
    result = run_session(gemm, operands, pairs, endless, seed=seed, pairs=pairs)
    found = result.pairs
    return Overhead(
        found,
        _percent([it.guarded_s / it.plain_s for it in found]),
        _percent([it.guarded_cpu_s / it.plain_cpu_s for it in found]),
        result.rails.overhead_percent,
    )


def _percent(ratios: list[float]) -> Interval | None:
    found = intervals.location([math.log(it) for it in ratios])
    if found is None:
        return None
    return Interval(*(_PERCENT * math.expm1(it) for it in (found.low, found.estimate, found.high)))
