"""A product that is checked: what was flagged is recomputed, and said."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.abft import checks, correction
from pytest_cockpit_gates.gemm.abft import sums as summing
from pytest_cockpit_gates.gemm.abft.checks import Flags, Floats
from pytest_cockpit_gates.gemm.abft.correction import Corrected

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_cockpit_gates.gemm.abft.fused import Fused
    from pytest_cockpit_gates.gemm.abft.policy import T5Policy
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands

# Vectors are drawn for so many products at once.
_AHEAD = 16


@dataclass(frozen=True, slots=True)
class Guarded:
    """One product and what the guard said of it.

    Parameters
    ----------
    wall_s, cpu_s: all of it, checks and corrections too.
    added_cpu_s: what the guard added to the product; None where that cannot be told apart.
    corrected: what became of flagged rows; None where the product was not checked.
    worst: the largest residual by its tolerance, at most: parts of a tolerance that were not needed
        are not looked at.
    """

    wall_s: float
    cpu_s: float
    added_cpu_s: float | None = 0.0
    corrected: Corrected | None = None
    worst: float = 0.0

    @property
    def checked(self) -> bool:
        """Whether it was looked at."""
        return self.corrected is not None


class Guard:
    """Multiplies and checks; a context manager, which gives its memory back.

    Parameters
    ----------
    gemm: what multiplies; `run(operands, alpha, beta)` is all that is asked of it.
    policy: how often, and by how many vectors.
    seed: of the vectors.
    fault: called with C after the product, before the check: a test's or a campaign's injection.
    """

    def __init__(
        self,
        gemm: Gemm,
        policy: T5Policy,
        seed: int = 0,
        *,
        fault: Callable[[Matrix], None] | None = None,
    ) -> None:
        self.gemm, self.policy, self.fault = gemm, policy, fault
        self.fused = fused_by(gemm, policy.projections, seed)
        self._summing = summing.by(gemm, policy.projections)
        self._chooser = np.random.Generator(np.random.PCG64(abs(seed)))
        self._drawn: list[Floats] = []
        self._count = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *raised: object) -> None:
        self.free()

    def restart(self) -> None:
        """Count anew: the next product is the first of a sampling period."""
        self._count = 0

    def free(self) -> None:
        """Give the memory of the guard back."""
        self._summing.free()
        if self.fused is not None:
            self.fused.free()

    def run(self, operands: Operands, alpha: float = 1.0, beta: float = 0.0) -> Guarded:
        """Multiply, and check what is due by the policy."""
        due = self._count % self.policy.sampling_period == 0
        self._count += 1
        if not due or not operands.m * operands.n:
            timing = self.gemm.run(operands, alpha, beta)
            return Guarded(timing.wall_s, timing.cpu_s)
        if self.fused is not None and alpha and not beta:
            return self._inside(self.fused, operands, alpha)
        return self._beside(operands, alpha, beta)

    def look(self, operands: Operands, *, anew: bool) -> tuple[Flags, checks.Vector]:
        """The deployed check of C as it is now: what it flags, and the tolerances.

        Rows of C, or columns of it where the check is inside of the kernel.

        Parameters
        ----------
        anew: draw other vectors; where the check is inside of the kernel this multiplies again.
        """
        if self.fused is None:
            w = self._vectors(operands.n)
            self._summing.before(operands, w)
            taken = summing.complete(self._summing.after(operands, w, None), operands.result())
            found = checks.residuals(taken, operands.k, operands.n)
            return found.flagged, found.tolerance
        if anew:
            self.fused.run(operands)
        return self.fused.look(operands).flagged, self.fused.tolerances()

    def _vectors(self, length: int) -> Floats:
        """Those of the next product; what is rarely run is slow, so some are drawn ahead."""
        if not self._drawn or self._drawn[-1].shape[1] != length:
            count = self.policy.projections
            drawn = checks.vectors(self._chooser, length, _AHEAD * count)
            self._drawn = list(drawn.reshape(_AHEAD, count, length))
        return self._drawn.pop()

    def _inside(self, fused: Fused, operands: Operands, alpha: float) -> Guarded:
        """By the check inside of the kernel: what it judges are columns of C."""
        fused.settle(operands)  # the clock of an unguarded product begins there too
        cpu, wall = time.process_time(), time.perf_counter()
        found = fused.run(operands, alpha)
        if self.fault is not None:
            self.fault(operands.result())
            found = fused.look(operands, alpha)
        corrected = Corrected()
        if found.any_flagged:
            corrected = _corrected(Transposed(operands), found.flagged, fused.w, None, (alpha, 0.0))
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Guarded(wall, cpu, None, corrected, found.worst)

    def _beside(self, operands: Operands, alpha: float, beta: float) -> Guarded:
        """By passes of their own over the matrices."""
        cpu, wall = time.process_time(), time.perf_counter()
        before = operands.result().copy() if beta else None
        w = self._vectors(operands.n)
        self._summing.before(operands, w)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        timing = self.gemm.run(operands, alpha, beta)
        if self.fault is not None:
            self.fault(operands.result())
        later_cpu, later_wall = time.process_time(), time.perf_counter()
        worst, corrected = self._judged(operands, w, before, alpha, beta)
        wall += time.perf_counter() - later_wall
        cpu += time.process_time() - later_cpu
        return Guarded(timing.wall_s + wall, timing.cpu_s + cpu, cpu, corrected, worst)

    def _judged(
        self,
        operands: Operands,
        w: Floats,
        before: Matrix | None,
        alpha: float,
        beta: float,
    ) -> tuple[float, Corrected]:
        taken = self._summing.after(operands, w, before)
        found = checks.residuals(taken, operands.k, operands.n, alpha, beta)
        shares = found.shares()
        if shares.max() > 1.0 and taken.c2 is None:
            taken = summing.complete(taken, operands.result())
            found = checks.residuals(taken, operands.k, operands.n, alpha, beta)
            shares = found.shares()
        worst = float(shares.max())
        if worst <= 1.0:
            return worst, Corrected()
        corrected = _corrected(operands, found.flagged, w, before, (alpha, beta))
        return float(shares[shares <= 1.0].max(initial=0.0)), corrected


class Transposed:
    """Operands of the transposed product: its rows are the columns of C."""

    def __init__(self, operands: Operands) -> None:
        self.a, self.b = operands.b.T, operands.a.T
        self.m, self.n, self.k = operands.n, operands.m, operands.k
        self._operands = operands

    def result(self) -> Matrix:
        """C transposed; what is written there is written to C."""
        return self._operands.result().T


def fused_by(gemm: Gemm, projections: int, seed: int) -> Fused | None:
    """The check inside of the kernel, where there is one and the driver can build it."""
    if getattr(gemm, "device", None) is None:
        return None
    from pytest_cockpit_gates.gemm.abft import fused

    with contextlib.suppress(CockpitError):
        return fused.of(gemm, projections, seed)
    return None


def _corrected(
    operands: Operands | Transposed,
    flagged: Flags,
    w: Floats,
    before: Matrix | None,
    factors: tuple[float, float],
) -> Corrected:
    """What became of flagged rows, but for those whose squares float32 cannot hold.

    These are looked at in float64 first: the alarm was the check's own.
    """
    rows = np.flatnonzero(flagged)
    wide_c = operands.result()[rows].astype(np.float64)
    taken = summing.sums(
        operands.a[rows].astype(np.float64),
        operands.b.astype(np.float64),
        wide_c,
        w.astype(np.float64),
        None if before is None else before[rows].astype(np.float64),
    )
    taken = summing.complete(taken, wide_c)
    still = checks.residuals(taken, operands.k, operands.n, *factors).flagged
    rows = rows[still | ~checks.outside(taken)]
    if not len(rows):
        return Corrected()
    return correction.correct(operands, rows, before, *factors)
