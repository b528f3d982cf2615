"""A short sweep over the variants of a device: which is right, and which of those is fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import correctness, families
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
from pytest_cockpit_gates.gemm.kernels.inputs import inputs
from pytest_cockpit_gates.gemm.kernels.operands import Operands
from pytest_cockpit_gates.gemm.kernels.table import Entry

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

Say = Callable[[str], None]

_SEED = 7
_ROUNDS = 3
# After a first look only those that come this near to the fastest are measured again.
_NEAR = 0.7
_GIGA = 1e9


@dataclass(slots=True)
class _Candidate:
    gemm: Gemm
    best_s: float


def tune(device: Device, sizes: Iterable[int], say: Say) -> Sequence[Entry]:
    """The fastest variant that is right for each size (of square matrices).

    Each variant multiplies once and is judged; only those that are right are measured, round by
    round in alternating order, so that a busy moment does not hit one of them alone.

    Raises
    ------
    CockpitError: for some size no variant is right, or there is no memory for it.
    """
    return [_one(device, size, say) for size in sizes]


def _one(device: Device, size: int, say: Say) -> Entry:
    operands = Operands(device, size, size, size)
    try:
        operands.load(*inputs(size, size, size, _SEED))
        right = _right(device, operands, say)
        if not right:
            raise CockpitError(
                f"gemm: {device.platform}: no variant is right at {size}; the driver is broken:"
                " take another version of it"
            )
        limit = min(it.best_s for it in right) / _NEAR
        _measure([it for it in right if it.best_s <= limit], operands)
        best = min(right, key=lambda it: it.best_s)
        gflops = _gflops(operands, best.best_s)
        say(f"{device.platform} {size}: {best.gemm.variant.id}, {gflops:.1f} GFLOPS")
        for it in right:
            it.gemm.free()
        return Entry.of(device.info, (size, size, size), best.gemm.variant, gflops)
    finally:
        operands.free()


def _right(device: Device, operands: Operands, say: Say) -> list[_Candidate]:
    right: list[_Candidate] = []
    for variant in families.variants(device.platform):
        if right and variant.family == families.NAIVE.family:
            continue  # what everything is compared with; it takes minutes and never wins
        where = f"{device.platform} {operands.m}: {variant.id}"
        candidate, why = _try(device, variant, operands)
        if candidate is None:
            say(f"{where}: {why}")
            continue
        say(f"{where}: {_gflops(operands, candidate.best_s):.1f} GFLOPS at first")
        right.append(candidate)
    return right


def _try(device: Device, variant: Variant, operands: Operands) -> tuple[_Candidate | None, str]:
    try:
        gemm = Gemm(device, variant, operands.m, operands.n, operands.k)
        gemm.run(operands)
        found = correctness.judge(operands.result(), operands.a, operands.b)
        if not found.ok:
            gemm.free()
            return None, f"wrong by {found.max_error:g}, at most {found.bound:g} is rounding"
        return _Candidate(gemm, gemm.run(operands).wall_s), ""
    except CockpitError as error:
        return None, str(error)


def _measure(candidates: list[_Candidate], operands: Operands) -> None:
    for turn in range(_ROUNDS):
        for it in candidates if turn % 2 else reversed(candidates):
            it.best_s = min(it.best_s, it.gemm.run(operands).wall_s)


def _gflops(operands: Operands, seconds: float) -> float:
    return 2.0 * operands.m * operands.n * operands.k / seconds / _GIGA
