"""Multiplications of one size, each of them judged before its time is worth anything."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.abft.guard import Guard, Guarded
from pytest_cockpit_gates.gemm.abft.policy import T5Policy
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.correctness import Correctness, Expectation
from pytest_cockpit_gates.gemm.kernels.device import Device
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm, Timing
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands
from pytest_cockpit_gates.gemm.kernels.table import Table
from pytest_cockpit_gates.gemm.kernels.variants import Variant
from pytest_cockpit_gates.gemm.workers import machine

KERNELS = ("static", "naive", "auto_t3_controlled", "auto_t5_guarded")

_SEED_OF_C = 1 << 40
_FLOAT = 4
# Of each matrix: the device's, the host's, and one that is packed or kept for comparison.
_COPIES = 3


@dataclass(frozen=True, slots=True)
class Shape:
    """Sizes of a product, its factors, and the seed of its matrices."""

    m: int
    n: int
    k: int
    seed: int
    alpha: float = 1.0
    beta: float = 0.0

    def __post_init__(self) -> None:
        if min(self.m, self.n, self.k) < 0:
            raise CockpitError(f"gemm: {self.m} x {self.n} x {self.k}: a size is 0 or more")


class Product:
    """A product on kept operands.

    Every result is held against the first one that was judged, bit by bit, and judged itself
    where it differs: a driver that is wrong once in a while is wrong.

    Parameters
    ----------
    guard: check each result by this policy, and count the check's time as the product's.
    poisoned: put a NaN into each result, as a broken driver might; a guard sees it.
    """

    def __init__(
        self,
        device: Device,
        variant: Variant,
        shape: Shape,
        *,
        guard: T5Policy | None = None,
        poisoned: bool = False,
    ) -> None:
        self.variant, self.shape = variant, shape
        self.fault = poison if poisoned else None
        self._unseen = guard is None
        self._judged: Matrix | None = None
        self._found: list[Correctness] = []
        self._policy = guard
        self._guard: Guard | None = None
        _demand_memory(shape)
        self.operands = Operands(device, shape.m, shape.n, shape.k)
        try:
            self.gemm = Gemm(device, variant, shape.m, shape.n, shape.k)
            self.before = _c(shape) if shape.beta else None
            a, b, self._expected = _question(shape, self.before)
            self.operands.load(a, b, self.before)
        except BaseException:
            self.operands.free()
            raise

    def run(self) -> Timing | Guarded:
        """Multiply once; the result is looked at after the clock has stopped."""
        self.operands.renew(self.before)
        timing = self._runs().run(self.operands, self.shape.alpha, self.shape.beta)
        self.look()
        return timing

    def _runs(self) -> Gemm | Guard:
        """What multiplies; the guard is made when it is needed, for a session has its own."""
        if self._policy is None:
            return self.gemm
        if self._guard is None:
            self._guard = Guard(self.gemm, self._policy, self.shape.seed, fault=self.fault)
        return self._guard

    def look(self) -> float:
        """Judge what the operands hold as the result; its largest error."""
        result = self.operands.result()
        if self.fault is not None and self._unseen:
            self.fault(result)
        if self._judged is not None and np.array_equal(
            self._judged.view(np.uint32), result.view(np.uint32)
        ):
            return self._found[0].max_error
        found = self._expected.judge(result)
        if self._judged is None:
            self._judged = result.copy()
        self._found.append(found)
        return found.max_error

    def verdict(self) -> dict[str, Any]:
        """What the results so far were, the worst of them; there has to be one."""
        found = max(self._found, key=_badness)
        return {
            "max_error": _finite(found.max_error),
            "error_bound": _finite(found.bound),
            "ok": found.ok,
            "variant": described(self.variant),
        }

    def free(self) -> None:
        """Give its memory back."""
        if self._guard is not None:
            self._guard.free()
        self.gemm.free()
        self.operands.free()


def poison(result: Matrix) -> None:
    """What a broken driver might leave in a result."""
    if result.size:
        result[-1, -1] = np.nan


def choose(device: Device, table: Table, kernel: str, shape: Shape, variant: str = "") -> Variant:
    """The variant that is fixed for a kernel: the named one, the naive one, or the table's.

    Raises
    ------
    CockpitError: there is no such kernel, or the platform has no variant of that name.
    """
    if kernel not in KERNELS:
        raise CockpitError(f"gemm: no kernel {kernel!r}; kernels: {', '.join(KERNELS)}")
    if variant:
        return families.by_id(device.platform, variant)
    if kernel == "naive":
        return families.NAIVE
    return table.best(device.info, shape.m, shape.n, shape.k)


def described(variant: Variant) -> dict[str, str]:
    """A variant as artifacts name it."""
    return {"id": variant.id, "source_sha256": variant.sha256}


def _demand_memory(shape: Shape) -> None:
    """Refuse what the host has no memory for: the system would end this process, or another one."""
    free = machine.available_mib()
    floats = (shape.m + shape.n) * shape.k + shape.m * shape.n
    needed = _COPIES * _FLOAT * floats >> 20
    if free is not None and needed > free:
        raise CockpitError(
            f"gemm: no memory for matrices of {shape.m} x {shape.n} x {shape.k} ({needed} MiB are"
            f" needed, {free} MiB are free); take a smaller size"
        )


def _question(shape: Shape, before: Matrix | None) -> tuple[Matrix, Matrix, Expectation]:
    """A and B, and what has to come of them: kernels of one session have all of it in common."""
    if before is not None:
        a, b = inputs(shape.m, shape.n, shape.k, shape.seed)
        return a, b, Expectation(a, b, alpha=shape.alpha, beta=shape.beta, before=before)
    return _fresh(shape.m, shape.n, shape.k, shape.seed, shape.alpha)


@functools.lru_cache(maxsize=1)
def _fresh(m: int, n: int, k: int, seed: int, alpha: float) -> tuple[Matrix, Matrix, Expectation]:
    a, b = inputs(m, n, k, seed)
    for matrix in (a, b):
        matrix.setflags(write=False)
    return a, b, Expectation(a, b, alpha=alpha)


def _c(shape: Shape) -> Matrix:
    return inputs(shape.m, 0, shape.n, shape.seed + _SEED_OF_C)[0]


def _badness(found: Correctness) -> tuple[bool, float]:
    return not found.ok, found.max_error / found.bound if found.bound else 0.0


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
