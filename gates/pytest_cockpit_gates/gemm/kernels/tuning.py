"""A short sweep over the variants of a device: which is right, and which of those is fastest."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
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
_LOOKS, _ROUNDS = 2, 5
# Whoever waits is told at least so often, or takes the driver for one that hangs.
_QUIET_S = 10.0
# One measurement lasts at least so long, or is of so many multiplications.
_ENOUGH_S, _MOST = 0.02, 50
# After a first look only those that come this near to the fastest are measured again, and those
# that are this far from it at a small size are left out at larger ones.
_NEAR, _HOPELESS = 0.7, 0.25
# What is slow there may take minutes at the sizes that are asked for.
_LOOK = 384
_GIGA = 1e9


def tune(device: Device, sizes: Iterable[int], say: Say) -> Sequence[Entry]:
    """The fastest variant that is right for each size (of square matrices).

    Each variant multiplies once and is judged; only those that are right are measured, round by
    round in alternating order, so that a busy moment does not hit one of them alone. On a CPU they
    are compared by the time of all its cores, which other processes disturb least. Each step is
    told to `say`.

    Raises
    ------
    CockpitError: for some size no variant is right, or there is no memory for it.
    """
    wanted = sorted(set(sizes))
    sweep = _Sweep(device, say)
    if wanted and wanted[-1] > _LOOK:
        sweep.at(_LOOK)
    return [sweep.at(size) for size in wanted]


@dataclass(slots=True)
class _Candidate:
    gemm: Gemm
    cost_s: float = math.inf
    wall_s: float = math.inf

    @property
    def variant(self) -> Variant:
        return self.gemm.variant

    def measure(self, operands: Operands) -> None:
        """Keep the best of what it has cost so far."""
        one = self.gemm.run(operands)
        count = max(1, min(_MOST, int(_ENOUGH_S / max(one.wall_s, _ENOUGH_S / _MOST))))
        runs = [self.gemm.run(operands) for _ in range(count)] if count > 1 else [one]
        wall = sum(it.wall_s for it in runs) / count
        cost = wall if self.gemm.device.is_gpu else sum(it.cpu_s for it in runs) / count
        self.cost_s, self.wall_s = min(self.cost_s, cost), min(self.wall_s, wall)

    def gflops(self) -> float:
        """By the clock."""
        return 2.0 * self.gemm.m * self.gemm.n * self.gemm.k / self.wall_s / _GIGA


@dataclass(slots=True)
class _Sweep:
    device: Device
    say: Say
    hopeless: set[str] = field(default_factory=set)
    found: dict[int, Entry] = field(default_factory=dict)

    def at(self, size: int) -> Entry:
        if size not in self.found:
            self.found[size] = self._measured(size)
        return self.found[size]

    def _measured(self, size: int) -> Entry:
        operands = Operands(self.device, size, size, size)
        right: list[_Candidate] = []
        try:
            operands.load(*inputs(size, size, size, _SEED))
            self._look(operands, right)
            if not right:
                raise CockpitError(
                    f"gemm: {self.device.platform}: no variant is right at {size}; the driver is"
                    " broken: take another version of it"
                )
            limit = min(it.cost_s for it in right) / _NEAR
            self._race([it for it in right if it.cost_s <= limit], operands)
            best = min(right, key=lambda it: it.cost_s)
            if size >= _LOOK:
                slow = (it for it in right if best.cost_s < it.cost_s * _HOPELESS)
                self.hopeless.update(it.variant.id for it in slow)
            self.say(f"{self._where(operands)}: {_told(best)}")
            return Entry.of(self.device.info, (size, size, size), best.variant, best.gflops())
        finally:
            for it in right:
                it.gemm.free()
            operands.free()

    def _where(self, operands: Operands) -> str:
        return f"{self.device.platform} {operands.m}"

    def _look(self, operands: Operands, right: list[_Candidate]) -> None:
        """Add each variant that is right, with what it cost at first."""
        for variant in families.fitting(self.device.info, operands.m, operands.n, operands.k):
            if operands.m > _LOOK and variant.id in self.hopeless:
                continue
            if right and variant.family == families.NAIVE.family:
                continue  # what everything is compared with; it takes minutes and never wins
            try:
                right.append(_try(self.device, variant, operands))
            except CockpitError as error:
                self.say(f"{self._where(operands)}: {variant.id}: {error}")
            else:
                self.say(f"{self._where(operands)}: {_told(right[-1])} at first")

    def _race(self, candidates: list[_Candidate], operands: Operands) -> None:
        told = time.monotonic()
        for turn in range(1, _ROUNDS + 1):
            for it in candidates if turn % 2 == 0 else reversed(candidates):
                it.measure(operands)
                if time.monotonic() - told >= _QUIET_S:
                    told = time.monotonic()
                    self.say(f"{self._where(operands)}: round {turn} of {_ROUNDS}, {_told(it)}")


def _try(device: Device, variant: Variant, operands: Operands) -> _Candidate:
    """Multiply and judge.

    Raises
    ------
    CockpitError: the driver refuses, or the result is wrong.
    """
    gemm = Gemm(device, variant, operands.m, operands.n, operands.k)
    try:
        _demand(gemm, operands)
        candidate = _Candidate(gemm)
        # Some drivers build once more when a kernel is launched again.
        for _ in range(_LOOKS):
            candidate.measure(operands)
        # What is only right at first is not measured either.
        _demand(gemm, operands)
    except CockpitError:
        gemm.free()
        raise
    return candidate


def _demand(gemm: Gemm, operands: Operands) -> None:
    # A kernel that writes nothing must not be judged by what the one before it wrote.
    operands.renew(None)
    gemm.run(operands)
    found = correctness.judge(operands.result(), operands.a, operands.b)
    if not found.ok:
        raise CockpitError(f"wrong by {found.max_error:g}; rounding is {found.bound:g} at most")


def _told(candidate: _Candidate) -> str:
    return f"{candidate.variant.id}, {candidate.gflops():.1f} GFLOPS"
