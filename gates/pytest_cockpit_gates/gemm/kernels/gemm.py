"""C = alpha A B + beta C on a device, timed."""

from __future__ import annotations

import ctypes
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.device import refusals
from pytest_cockpit_gates.gemm.kernels.launching import SCALE, Launcher, Scale
from pytest_cockpit_gates.gemm.kernels.variants import Variant

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Operands


@dataclass(frozen=True, slots=True)
class Timing:
    """What one multiplication took: seconds of the clock, and of this process's CPU time."""

    wall_s: float
    cpu_s: float


class Gemm:
    """One variant, built for one device and one size.

    Sizes of 0 are as in BLAS: nothing is done where C is empty, and C = beta C where A and B are.
    Where beta is 0, C is not read; where alpha is 0, neither A nor B is.

    `launcher` is that of the variant; None where a size is 0.

    Raises
    ------
    CockpitError: the driver cannot build it, or has no memory for what it packs.
    """

    def __init__(self, device: Device, variant: Variant, m: int, n: int, k: int) -> None:
        self.device, self.variant = device, variant
        self.m, self.n, self.k = m, n, k
        self.launcher: Launcher | None = None
        self._scale: Launcher | None = None
        if m and n and k:
            with refusals(device, f"the kernels of {variant.id} for {m} x {n} x {k}"):
                self.launcher = families.family_of(variant).launch(device, variant, m, n, k)

    def run(self, operands: Operands, alpha: float = 1.0, beta: float = 0.0) -> Timing:
        """Multiply and wait for the end.

        Raises
        ------
        CockpitError: the operands are of another size, or the device ran out of memory.
        """
        if (operands.m, operands.n, operands.k) != (self.m, self.n, self.k):
            raise CockpitError(
                f"gemm: operands of {operands.m} x {operands.n} x {operands.k} given to"
                f" kernels for {self.m} x {self.n} x {self.k}"
            )
        # What is too small for a float is 0 to the device.
        alpha, beta = (ctypes.c_float(it).value for it in (alpha, beta))
        operands.release()
        what = f"a multiplication of {self.m} x {self.n} x {self.k}"
        with refusals(self.device, what):
            self.device.queue.finish()
            cpu, wall = time.process_time(), time.perf_counter()
            if launcher := self._fitting(alpha):
                launcher.enqueue(operands, alpha, beta)
                self.device.queue.finish()
            wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        return Timing(wall, cpu)

    def free(self) -> None:
        """Give the memory of its packed matrices back."""
        if self.launcher is not None:
            self.launcher.free()

    def _fitting(self, alpha: float) -> Launcher | None:
        if not self.m * self.n:
            return None
        if self.launcher is not None and alpha:
            return self.launcher
        if self._scale is None:
            program = self.device.built(Variant("scale", "scale", SCALE))
            self._scale = Scale(self.device, program, self.m, self.n)
        return self._scale
