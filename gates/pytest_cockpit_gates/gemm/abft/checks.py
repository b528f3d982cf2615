"""The check: what a right product and its factors have in common, and how far rounding may part it.

For random vectors w of plus and minus one, C w = alpha A (B w) + beta C₀ w. Both sides cost a pass
over each matrix instead of a multiplication (Freivalds 1979). Two vectors are drawn anew for each
product, because one misses half of all pairs of equal faults in a row.

Rounding parts the two sides. With u = 2⁻²⁴, an addition errs by u/√3 times its result on average;
the k partial sums of an element grow like a random walk, or, at most, evenly up to the element:
both are taken together, as variances, and the signs add them over the row. What the check itself
adds in float32 comes on top of that. A row is flagged when it is off by more than eight deviations.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

UNIT = 2.0**-24
DEVIATIONS = 8.0
# The check's sums are kept in so many lanes at least, each of which is a walk of its own.
_LANES = 8
# What alpha, beta and the last additions do: a few roundings of the result itself.
_LAST = 3.0
# Squares of anything smaller than that vanish in float32, and with them the tolerance.
_SMALL, _LARGE = 1e-30, 1e30
# Products and sums that are smaller may be flushed to zero: OpenCL lets a device do so.
TINY = float(np.finfo(np.float32).tiny)

Floats = npt.NDArray[np.floating[Any]]
Vector = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Sums:
    """What the passes over the matrices give: for each row of C, in float32 arithmetic.

    Parameters
    ----------
    cw: (m, p) C w.
    abw: (m, p) A (B w).
    c2: (m) squares of the row of C; None where they have not been taken: tolerances are less then.
    ab2: (m) squares of all terms of all elements of the row: a_il² times the squares of row l of B.
    c0w, c02: the same of C before the product; None where beta is 0.
    """

    cw: Floats
    abw: Floats
    c2: Floats | None
    ab2: Floats
    c0w: Floats | None = None
    c02: Floats | None = None


@dataclass(frozen=True, slots=True)
class Residuals:
    """How far the two sides are apart, and how far they may be.

    Parameters
    ----------
    values: (m, p).
    tolerance: (m).
    """

    values: npt.NDArray[np.float64]
    tolerance: Vector

    @property
    def flagged(self) -> Flags:
        """Rows that no rounding explains: everything but a number within a finite tolerance."""
        found: Flags = self.shares() > 1.0
        return found

    def shares(self) -> Vector:
        """The largest residual of each row by its tolerance; infinite where either is no number."""
        with np.errstate(invalid="ignore"):
            found: Vector = np.abs(self.values).max(axis=1) / self.tolerance
        # Of an infinite tolerance anything finite is a share of 0.
        found[~(np.isfinite(found) & np.isfinite(self.tolerance))] = np.inf
        return found


def residuals(sums: Sums, k: int, n: int, alpha: float = 1.0, beta: float = 0.0) -> Residuals:
    """Both sides of the check, subtracted, and the tolerance of each row.

    Parameters
    ----------
    k, n: terms of an element, elements of a row.
    """
    with np.errstate(invalid="ignore", over="ignore"):
        values = sums.cw - alpha * np.asarray(sums.abw, np.float64)
        if sums.c0w is not None:
            values = values - beta * np.asarray(sums.c0w, np.float64)
        terms = alpha * alpha * np.asarray(sums.ab2, np.float64)
        before: Vector | float = 0.0
        if sums.c02 is not None:
            before = beta * beta * np.asarray(sums.c02, np.float64)
        of_c, of_terms = weights(k, n / (2 * _LANES), (n + k) / (2 * _LANES))
        after = 0.0 if sums.c2 is None else np.asarray(sums.c2, np.float64)
        variance = of_c * (after + before) + of_terms * terms
        return Residuals(values, np.sqrt(variance) + n * flushed(k, alpha))


def flushed(k: int, alpha: float) -> float:
    """How far an element may be off because what is too small became zero."""
    return TINY * (k + 2) * max(1.0, abs(alpha))


def weights(k: int, along_c: float, along_terms: float) -> tuple[float, float]:
    """The squared tolerance of a row as weights of its squares and of those of its terms.

    Parameters
    ----------
    along_c, along_terms: half the lengths of the walks by which the check itself adds up C w, and
        B w and A (B w).
    """
    scale = (DEVIATIONS * UNIT) ** 2 / 3
    return scale * (k / 3 + along_c + 2 * _LAST), scale * (k / 2 + along_terms + 2 * _LAST)


def spread(c2: Vector, terms: Vector, before: Vector | float, k: int) -> Vector:
    """The variance of the rounding of elements whose squares sum up to `c2`, terms to `terms`."""
    walk = k * (c2 / 3 + terms / 2)
    variance: Vector = UNIT**2 / 3 * (walk + _LAST * (c2 + before))
    return variance


def outside(sums: Sums) -> Flags:
    """Rows whose squares float32 cannot hold: for these the sums have to be taken in float64."""
    strange = np.zeros(len(sums.ab2), np.bool_)
    for squares in (sums.c2, sums.ab2, sums.c02):
        if squares is not None:
            strange |= ~((squares >= _SMALL) & (squares <= _LARGE))
    return strange


def vectors(chooser: np.random.Generator, n: int, count: int) -> npt.NDArray[np.float32]:
    """`count` random vectors of plus and minus one, each a contiguous row.

    Each second one is that before it turned by a right angle, every two neighbours x, y to -y, x;
    where n is odd it is drawn as well. Faults d are missed by both where the numbers
    d₂ⱼ + i d₂ⱼ₊₁, each times any of ±1 ± i with the same chance, add up to 0: in a quarter of all
    draws at most, as by two that are drawn apart.
    """
    bits = np.unpackbits(np.frombuffer(chooser.bytes(math.ceil(count * n / 8)), np.uint8))
    signs = bits[: count * n].reshape(count, n).astype(np.float32)
    signs *= np.float32(2)
    signs -= np.float32(1)
    if n % 2 == 0:
        second = signs[1::2]
        first = signs[::2][: len(second)]
        second[:, ::2], second[:, 1::2] = -first[:, 1::2], first[:, ::2]
    return signs
