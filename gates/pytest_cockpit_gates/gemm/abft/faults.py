"""Recall: faults put into products, and how many the deployed check finds.

A pass changes one element in every row of C, for the check judges each row by itself, lets the
deployed guard look at C, and counts the rows that it flags. Nothing is assumed of the check: it
reads C.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from pytest_cockpit.estimation.shares import share
from pytest_cockpit_gates.gemm.abft import checks
from pytest_cockpit_gates.gemm.abft.guard import Guard
from pytest_cockpit_gates.gemm.abft.policy import STRICT, T5Policy

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

SMALLEST = 1.25
"""The smallest fault that has to be found, by the tolerance of its row."""

_DECADES = 3.0
_AT_THE_LIMIT = 0.25
_EXPONENT_BITS = 8
_MANTISSA_BITS = 23


@dataclass(frozen=True, slots=True)
class Counted:
    """Some of many, with the interval of Clopper and Pearson (1934) for the share."""

    found: int
    of: int

    def to_json(self) -> dict[str, Any]:
        """Counts, the share, and the ends of its interval; null of nothing."""
        if not self.of:
            return {"found": 0, "of": 0, "share": None, "low": None, "high": None}
        ends = share(self.found, self.of)
        told = {"share": ends.estimate, "low": ends.low, "high": ends.high}
        return {"found": self.found, "of": self.of, **told}


@dataclass(frozen=True, slots=True)
class Recall:
    """What was found.

    Parameters
    ----------
    uniform: faults of 1.25 to 1250 tolerances, a quarter of them of exactly 1.25.
    critical: flipped bits of sign and exponent that change at least so much, infinities and NaN.
    alarms: rows without a fault that were flagged.
    """

    uniform: Counted
    critical: Counted
    alarms: Counted

    def to_json(self) -> dict[str, Any]:
        """The counts as JSON."""
        return {key: getattr(self, key).to_json() for key in ("uniform", "critical", "alarms")}


def recall(
    gemm: Gemm,
    operands: Operands,
    injections: int,
    policy: T5Policy = STRICT,
    seed: int = 0,
) -> Recall:
    """Inject at least `injections` faults of either kind, one in every row of a product.

    Where the check is inside of the kernel it judges columns, and each has one. Each pass without a
    fault is a check of all of them for false alarms.
    """
    chooser = np.random.Generator(np.random.PCG64(abs(seed)))
    with Guard(gemm, policy, seed) as guard:
        gemm.run(operands)
        by_columns = guard.fused is not None
        lines = operands.n if by_columns else operands.m
        found = {"uniform": Counted(0, 0), "critical": Counted(0, 0), "alarms": Counted(0, 0)}
        every, places = np.ones(lines, np.bool_), np.arange(lines)
        for _ in range(math.ceil(injections / max(1, lines))):
            flagged, tolerance = guard.look(operands, anew=True)
            found["alarms"] = _added(found["alarms"], flagged, every)
            for kind, damage in (("uniform", _shifts), ("critical", _flips)):
                view = operands.result().T if by_columns else operands.result()
                at = chooser.integers(view.shape[1], size=lines)
                right = view[places, at].copy()
                view[places, at], counts = damage(chooser, right, tolerance)
                flagged, _ = guard.look(operands, anew=False)
                found[kind] = _added(found[kind], flagged, counts)
                view = operands.result().T if by_columns else operands.result()
                view[places, at] = right
    return Recall(**found)


_Flags = npt.NDArray[np.bool_]
_Values = npt.NDArray[np.float32]


def _shifts(
    chooser: np.random.Generator, right: _Values, tolerance: checks.Vector
) -> tuple[_Values, _Flags]:
    """Something added to each element, rounded away from it, so as not to be less."""
    count = len(right)
    factors = SMALLEST * 10 ** chooser.uniform(0, _DECADES, count)
    factors[chooser.random(count) < _AT_THE_LIMIT] = SMALLEST
    signs = chooser.choice([-1.0, 1.0], count)
    before = right.astype(np.float64)
    values = (before + signs * factors * tolerance).astype(np.float32)
    short = np.abs(values - before) < SMALLEST * tolerance
    away = np.nextafter(values, (signs * np.inf).astype(np.float32))
    return np.where(short, away, values), np.ones(count, np.bool_)


def _flips(
    chooser: np.random.Generator, right: _Values, tolerance: checks.Vector
) -> tuple[_Values, _Flags]:
    """A bit of sign or exponent, or a value that is no finite number."""
    count = len(right)
    bits = chooser.integers(_MANTISSA_BITS, _MANTISSA_BITS + _EXPONENT_BITS + 1, size=count)
    masks = np.left_shift(np.uint32(1), bits.astype(np.uint32))
    values = (right.view(np.uint32) ^ masks).view(np.float32)
    for value, one_of in ((np.nan, 16), (np.inf, 17), (-np.inf, 19)):
        values[chooser.integers(one_of, size=count) == 0] = value
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.abs(values.astype(np.float64) - right)
    return values, ~(apart < SMALLEST * tolerance)


def _added(sofar: Counted, flagged: _Flags, counts: _Flags) -> Counted:
    return Counted(
        sofar.found + int(np.count_nonzero(flagged & counts)),
        sofar.of + int(np.count_nonzero(counts)),
    )
