"""How the kernels of a variant are launched: one class for each way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyopencl as cl

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Operands
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

SCALE = "scale.cl"
_SIDE = 8


class Launcher(Protocol):
    """Kernels built for one variant and one size; m, n and k are at least 1."""

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """Put all kernels of C = alpha A B + beta C into the device's queue, without waiting."""
        ...

    def free(self) -> None:
        """Give memory of its own back."""
        ...


class Tiles:
    """One launch on plain matrices; a work-item computes TM x TN elements, WX x WY are a group."""

    def __init__(self, device: Device, variant: Variant, m: int, n: int, k: int) -> None:
        self._kernel = cl.Kernel(device.built(variant), "gemm")
        self._size = tuple(np.int32(it) for it in (m, n, k))
        given = variant.parameters
        self._local = given["WX"], given["WY"]
        self._global = (
            round_up(-(-n // given.get("TN", 1)), given["WX"]),
            round_up(-(-m // given.get("TM", 1)), given["WY"]),
        )
        self._queue = device.queue

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """One kernel."""
        self._kernel(
            self._queue,
            self._global,
            self._local,
            *self._size,
            np.float32(alpha),
            np.float32(beta),
            operands.a_buffer,
            operands.b_buffer,
            operands.c_buffer,
        )

    def free(self) -> None:
        """There is none."""


class Scale:
    """C = beta C: what remains of a product of nothing."""

    def __init__(self, device: Device, program: Any, m: int, n: int) -> None:
        self._kernel = cl.Kernel(program, "scale")
        self._size = (np.int32(m), np.int32(n))
        self._queue = device.queue

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """One kernel."""
        m, n = self._size
        self._kernel(self._queue, (int(n), int(m)), None, m, n, np.float32(beta), operands.c_buffer)

    def free(self) -> None:
        """There is none."""


def round_up(value: int, step: int) -> int:
    """The smallest multiple of `step` that is at least `value`."""
    return -(-value // step) * step
