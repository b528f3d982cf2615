"""A variant beside the static choice: the same product by both, timed, and compared."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_cockpit_gates.gemm.abft import checks, sums
from pytest_cockpit_gates.gemm.kernels.correctness import Expectation

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm, Timing
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

_PROJECTIONS = 2
_SEED = 5


@dataclass(frozen=True, slots=True)
class Done:
    """One product.

    Parameters
    ----------
    wall_s, cpu_s: of what led to the result that counts.
    feedback_s: of the other one of a pair.
    reward: logarithm of how much faster the arm was; None without a pair.
    wrong: in which way the arm's result was; empty where it was right.
    """

    wall_s: float
    cpu_s: float
    feedback_s: float = 0.0
    reward: float | None = None
    wrong: str = ""


class Trial:
    """Products of one size on the same operands, by any variant.

    Parameters
    ----------
    build: makes what multiplies.
    before: C as it is before each product, where beta is not 0.
    by_clock: rewards by the clock; else by CPU time, which other programs disturb less, and which
        is all that a device gets where it is the CPU.
    """

    def __init__(
        self,
        build: Callable[[Variant], Gemm],
        operands: Operands,
        alpha: float,
        beta: float,
        before: Matrix | None,
        *,
        by_clock: bool,
    ) -> None:
        self._build, self._operands = build, operands
        self._factors, self._before = (alpha, beta), before
        self._by_clock = by_clock
        self._expected = Expectation(
            operands.a, operands.b, alpha=alpha, beta=beta, before=before if beta else None
        )
        self._built: dict[str, Gemm] = {}
        self._chooser = np.random.Generator(np.random.PCG64(_SEED))

    def warm(self, variant: Variant) -> None:
        """Multiply once with a variant that has not been used yet.

        Raises
        ------
        CockpitError: it cannot be built.
        """
        if variant.id not in self._built:
            self._built[variant.id] = self._build(variant)
            self._run(variant)

    def alone(self, variant: Variant) -> Done:
        """One product."""
        self.warm(variant)
        timing = self._run(variant)
        return Done(timing.wall_s, timing.cpu_s)

    def pair(
        self, static: Variant, arm: Variant, *, served: bool, arm_first: bool, max_error: float
    ) -> Done:
        """The same product by both; afterwards C is the result that counts."""
        self.warm(static)
        timings: dict[str, Timing] = {}
        results: dict[str, Matrix] = {}
        for variant in (arm, static) if arm_first else (static, arm):
            timings[variant.id] = self._run(variant)
            results[variant.id] = self._operands.result().copy()
        wrong = self._wrong(results[arm.id], max_error)
        kept, other = (arm, static) if served and not wrong else (static, arm)
        self._operands.result()[:] = results[kept.id]
        mine, theirs = timings[kept.id], timings[other.id]
        if served and wrong:
            # Both were needed to get there.
            wall, cpu = mine.wall_s + theirs.wall_s, mine.cpu_s + theirs.cpu_s
            return Done(wall, cpu, wrong=wrong)
        reward = self._reward(timings[static.id], timings[arm.id])
        return Done(mine.wall_s, mine.cpu_s, theirs.wall_s, None if wrong else reward, wrong)

    def free(self) -> None:
        """Give the memory of all variants back."""
        for gemm in self._built.values():
            gemm.free()

    def _run(self, variant: Variant) -> Timing:
        self._operands.renew(self._before if self._factors[1] else None)
        return self._built[variant.id].run(self._operands, *self._factors)

    def _reward(self, static: Timing, arm: Timing) -> float:
        mine, theirs = (arm.wall_s, static.wall_s) if self._by_clock else (arm.cpu_s, static.cpu_s)
        return math.log(max(theirs, 1e-9) / max(mine, 1e-9))

    def _wrong(self, c: Matrix, max_error: float) -> str:
        """In which way a result is wrong: some of it against float64, all of it by projections."""
        operands, (alpha, beta) = self._operands, self._factors
        before = self._before if beta else None
        found = self._expected.judge(c)
        if not found.ok:
            return f"wrong by {found.max_error:g}, at most {found.bound:g} is rounding"
        if not found.max_error <= max_error:
            return f"error {found.max_error:g} above {max_error:g}"
        w = checks.vectors(self._chooser, operands.n, _PROJECTIONS)
        taken = sums.complete(sums.sums(operands.a, operands.b, c, w, before), c)
        rows = checks.residuals(taken, operands.k, operands.n, alpha, beta).flagged.sum()
        return f"wrong in {rows} rows" if rows else ""
