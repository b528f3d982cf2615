"""Whether a product is right: held against float64, within what rounding can explain.

The bound is a priori: with u = 2⁻²⁴, each element of a product of length k is off by at most
gamma = (k + 4) u / (1 - (k + 4) u) times the sum of the absolute values of its terms, whatever the
order in which they were added (Higham, *Accuracy and Stability of Numerical Algorithms*, 3.5); the
four are for alpha, beta, and their sum.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from pytest_cockpit_gates.gemm.kernels.operands import Matrix

_UNIT = 2.0**-24
# Below this all of C is compared; above, whole rows and whole columns of it are.
_WHOLE = 512 * 512 * 512
# Nor is there memory for all of a big C in float64, however few terms its elements have.
_AREA = 2048 * 2048
_LINES = 24
_SEED = 20231
# Along k, so that no whole matrix is there in float64 too.
_BLOCK = 1024
_Part = tuple[npt.NDArray[np.intp] | slice, npt.NDArray[np.intp] | slice]
_Truth = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]


@dataclass(frozen=True, slots=True)
class Correctness:
    """What was found.

    Parameters
    ----------
    max_error: the largest deviation seen; infinite where C is not finite.
    bound: of the largest deviation; each element has its own, so this one is such that
        `max_error / bound` is the largest share of its own bound that any element used up.
    finite: whether all of C is.
    ok: whether C is finite and each deviation within the bound of its element.
    """

    max_error: float
    bound: float
    finite: bool
    ok: bool


class Expectation:
    """What alpha A B + beta `before` has to be; worked out once, when the first result comes."""

    def __init__(
        self,
        a: Matrix,
        b: Matrix,
        *,
        alpha: float = 1.0,
        beta: float = 0.0,
        before: Matrix | None = None,
    ) -> None:
        self._factors = a, b
        self._alpha, self._beta, self._before = alpha, beta, before
        self._known: list[tuple[_Part, _Truth]] | None = None

    def judge(self, c: Matrix) -> Correctness:
        """Hold C against it: all of it, or rows and columns where it is big."""
        finite = bool(np.isfinite(c).all())
        if not c.size:
            return Correctness(0.0, 0.0, finite=True, ok=True)
        worst, used, largest = 0.0, 0.0, 0.0
        for (rows, columns), (truth, limit) in self._parts(c.shape[0], c.shape[1]):
            with np.errstate(invalid="ignore", over="ignore"):
                error = np.abs(c[rows][:, columns].astype(np.float64) - truth)
                share = error / limit
            # A comparison with NaN would let it pass.
            worst = max(worst, float(np.where(np.isnan(error), math.inf, error).max()))
            used = max(used, float(np.where(np.isnan(share), math.inf, share).max()))
            largest = max(largest, float(limit.max()))
        if not finite:
            return Correctness(math.inf, largest, finite=False, ok=False)
        bound = worst / used if used else largest
        return Correctness(worst, bound, finite=True, ok=used <= 1.0)

    def _parts(self, m: int, n: int) -> list[tuple[_Part, _Truth]]:
        if self._known is None:
            a, b = self._factors
            self._known = []
            for rows, columns in _parts(m, n, a.shape[1]):
                old = None if self._before is None else self._before[rows][:, columns]
                truth = reference(
                    a[rows], b[:, columns], alpha=self._alpha, beta=self._beta, before=old
                )
                self._known.append(((rows, columns), truth))
        return self._known


def judge(
    c: Matrix,
    a: Matrix,
    b: Matrix,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    before: Matrix | None = None,
) -> Correctness:
    """Hold C against alpha A B + beta `before`: all of it, or rows and columns where it is big."""
    return Expectation(a, b, alpha=alpha, beta=beta, before=before).judge(c)


def reference(
    a: Matrix,
    b: Matrix,
    *,
    alpha: float = 1.0,
    beta: float = 0.0,
    before: Matrix | None = None,
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Alpha A B + beta `before` in float64, and how far float32 may be off for each element."""
    truth, size = (np.zeros((a.shape[0], b.shape[1])) for _ in range(2))
    for start in range(0, a.shape[1], _BLOCK):
        block = slice(start, start + _BLOCK)
        wide_a, wide_b = a[:, block].astype(np.float64), b[block].astype(np.float64)
        truth += wide_a @ wide_b
        size += np.abs(wide_a) @ np.abs(wide_b)
    truth *= alpha
    size *= abs(alpha)
    if beta and before is not None:
        added = beta * before.astype(np.float64)
        truth, size = truth + added, size + np.abs(added)
    steps = (a.shape[1] + 4) * _UNIT
    # Denormal results may be flushed to zero: OpenCL lets a device do so.
    return truth, steps / (1 - steps) * size + np.finfo(np.float32).tiny


def _parts(m: int, n: int, k: int) -> list[_Part]:
    everything = slice(None)
    if m * n * max(k, 1) <= _WHOLE and m * n <= _AREA:
        return [(everything, everything)]
    chooser = np.random.Generator(np.random.PCG64(_SEED))
    rows = np.union1d(chooser.integers(m, size=_LINES), [0, m - 1])
    columns = np.union1d(chooser.integers(n, size=_LINES), [0, n - 1])
    return [(rows, everything), (everything, columns)]
