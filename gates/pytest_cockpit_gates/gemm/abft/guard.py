"""A product that is checked: what was flagged is recomputed, and said."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pytest_cockpit_gates.gemm.abft import checks, correction
from pytest_cockpit_gates.gemm.abft import sums as summing
from pytest_cockpit_gates.gemm.abft.checks import Flags
from pytest_cockpit_gates.gemm.abft.correction import Corrected

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cockpit_gates.gemm.abft.policy import T5Policy
    from pytest_cockpit_gates.gemm.abft.sums import Summing
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm, Timing
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands


@dataclass(frozen=True, slots=True)
class Guarded:
    """One product and what the guard said of it.

    Parameters
    ----------
    wall_s, cpu_s: all of it, checks and corrections too.
    added_wall_s, added_cpu_s: what the guard added to the product.
    corrected: what became of flagged rows; None where the product was not checked.
    worst: the largest residual by its tolerance.
    """

    wall_s: float
    cpu_s: float
    added_wall_s: float
    added_cpu_s: float
    corrected: Corrected | None = None
    worst: float = 0.0

    @property
    def checked(self) -> bool:
        """Whether it was looked at."""
        return self.corrected is not None


class Guard:
    """Multiplies and checks.

    Parameters
    ----------
    gemm: what multiplies; `run(operands, alpha, beta)` is all that is asked of it.
    policy: how often, and by how many vectors.
    seed: of the vectors.
    summing: who takes the sums; chosen by the device where None.
    fault: called with C after the product, before the check: a test's or a campaign's injection.
    """

    def __init__(
        self,
        gemm: Gemm,
        policy: T5Policy,
        seed: int = 0,
        *,
        summing_by: Summing | None = None,
        fault: Callable[[Matrix], None] | None = None,
    ) -> None:
        self.gemm, self.policy, self.fault = gemm, policy, fault
        self._summing = summing_by or summing.by(gemm, policy.projections)
        self._chooser = np.random.Generator(np.random.PCG64(abs(seed)))
        self._count = 0

    def restart(self) -> None:
        """Count anew: the next product is the first of a sampling period."""
        self._count = 0

    def run(self, operands: Operands, alpha: float = 1.0, beta: float = 0.0) -> Guarded:
        """Multiply, and check what is due by the policy."""
        due = self._count % self.policy.sampling_period == 0
        self._count += 1
        if not due or not operands.m * operands.n:
            timing = self.gemm.run(operands, alpha, beta)
            return Guarded(timing.wall_s, timing.cpu_s, 0.0, 0.0)
        cpu, wall = time.process_time(), time.perf_counter()
        before = operands.result().copy() if beta else None
        w = checks.vectors(self._chooser, operands.n, self.policy.projections)
        self._summing.before(operands, w)
        prepared_wall, prepared_cpu = time.perf_counter() - wall, time.process_time() - cpu
        timing = self.gemm.run(operands, alpha, beta)
        if self.fault is not None:
            self.fault(operands.result())
        cpu, wall = time.process_time(), time.perf_counter()
        worst, corrected = self._judged(operands, w, before, alpha, beta)
        return _guarded(
            timing,
            prepared_wall + time.perf_counter() - wall,
            prepared_cpu + time.process_time() - cpu,
            corrected,
            worst,
        )

    def _judged(
        self, operands: Operands, w: Matrix, before: Matrix | None, alpha: float, beta: float
    ) -> tuple[float, Corrected]:
        taken = self._summing.after(operands, w, before)
        found = checks.residuals(taken, operands.k, operands.n, alpha, beta)
        flagged = found.flagged
        if not flagged.any():
            return found.worst(~flagged), Corrected()
        outside = checks.outside(taken) & flagged
        if outside.any():
            flagged[outside] = _again(operands, outside, w, before, (alpha, beta))
        worst = found.worst(flagged | ~outside)
        if not flagged.any():
            return worst, Corrected()
        rows = np.flatnonzero(flagged)
        return worst, correction.correct(operands, rows, before, alpha, beta)


def _again(
    operands: Operands, rows: Flags, w: Matrix, before: Matrix | None, factors: tuple[float, float]
) -> Flags:
    """Which of the rows are flagged in float64, for their squares are outside of float32."""
    taken = summing.sums(
        operands.a[rows].astype(np.float64),
        operands.b.astype(np.float64),
        operands.result()[rows].astype(np.float64),
        w.astype(np.float64),
        None if before is None else before[rows].astype(np.float64),
    )
    return checks.residuals(taken, operands.k, operands.n, *factors).flagged


def _guarded(
    timing: Timing, wall: float, cpu: float, corrected: Corrected, worst: float
) -> Guarded:
    return Guarded(timing.wall_s + wall, timing.cpu_s + cpu, wall, cpu, corrected, worst)
