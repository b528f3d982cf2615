"""What becomes of flagged rows: they are computed again in float64, on the host, and compared.

A row whose elements are all where rounding may have put them was flagged without cause: a false
alarm. Any other is a detection, and what was computed again takes its place. A detection is never
counted as a false alarm, nor the other way round.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from pytest_cockpit_gates.gemm.abft import checks

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.abft.guard import Transposed
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands

# So many float64 numbers of rows at once: all of a big matrix would not fit beside it.
_AT_ONCE = 4_000_000
_NUMBERS = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Corrected:
    """What became of the flagged rows of one product.

    Parameters
    ----------
    detections: rows that were wrong.
    elements: elements of them that were.
    corrections: detections that are right now.
    false_positives: rows that were right.
    undefined: rows that are not finite however they are computed: A, B or C held such a value, or
        the result is too big for float32.
    """

    detections: int = 0
    elements: int = 0
    corrections: int = 0
    false_positives: int = 0
    undefined: int = 0

    @property
    def flagged(self) -> int:
        """All rows that were looked at again."""
        return self.detections + self.false_positives + self.undefined

    def __add__(self, other: Corrected) -> Corrected:
        return Corrected(
            self.detections + other.detections,
            self.elements + other.elements,
            self.corrections + other.corrections,
            self.false_positives + other.false_positives,
            self.undefined + other.undefined,
        )


def correct(
    operands: Operands | Transposed,
    rows: npt.NDArray[np.intp],
    before: Matrix | None,
    alpha: float,
    beta: float,
) -> Corrected:
    """Compute `rows` again, compare, and put what is right into C where it was wrong."""
    total = Corrected()
    c = operands.result()
    high = max(1, _AT_ONCE // max(1, operands.n))
    wide = operands.b.astype(np.float64)
    for first in range(0, len(rows), high):
        part = rows[first : first + high]
        old = None if before is None else before[part].astype(np.float64)
        truth, variance = recomputed(operands.a[part].astype(np.float64), wide, old, alpha, beta)
        total += _replace(c, part, truth, variance, checks.flushed(operands.k, alpha))
    return total


def recomputed(
    a: _NUMBERS, b: _NUMBERS, before: _NUMBERS | None, alpha: float, beta: float
) -> tuple[_NUMBERS, _NUMBERS]:
    """Rows of the product, and the variance of each element's rounding in float32."""
    with np.errstate(invalid="ignore", over="ignore"):
        truth = alpha * (a @ b)
        terms = alpha * alpha * (np.square(a) @ np.square(b))
        added: _NUMBERS | float = 0.0
        if before is not None:
            truth = truth + beta * before
            added = np.square(beta * before)
        return truth, checks.spread(np.square(truth), terms, added, a.shape[1])


def _replace(
    c: Matrix,
    rows: npt.NDArray[np.intp],
    truth: _NUMBERS,
    variance: _NUMBERS,
    floor: float,
) -> Corrected:
    with np.errstate(invalid="ignore", over="ignore"):
        right = truth.astype(np.float32)
        apart = np.abs(c[rows].astype(np.float64) - truth)
        limit = checks.DEVIATIONS * np.sqrt(variance) + floor
        wrong = ~(apart <= limit)
    undefined = ~np.isfinite(right)
    # A value that is no number in either is what A and B ask for.
    wrong &= ~undefined | np.isfinite(c[rows])
    hit = wrong.any(axis=1)
    strange = undefined.any(axis=1)
    if hit.any():
        c[rows[hit]] = right[hit]
    agreed = np.array_equal(c[rows[hit]], right[hit], equal_nan=True)
    healed = int(np.count_nonzero(hit & ~strange)) if agreed else 0
    return Corrected(
        detections=int(np.count_nonzero(hit)),
        elements=int(np.count_nonzero(wrong)),
        corrections=healed,
        false_positives=int(np.count_nonzero(~hit & ~strange)),
        undefined=int(np.count_nonzero(~hit & strange)),
    )
