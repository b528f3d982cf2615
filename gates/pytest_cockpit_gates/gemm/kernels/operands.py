"""The three matrices of a multiplication, on the host and on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pyopencl as cl

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels.device import out_of_memory, refusals

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device

Matrix = npt.NDArray[np.float32]

_FLOAT = 4
_MAP: Any = cl.map_flags.READ | cl.map_flags.WRITE


class Operands:
    """A (m x k), B (k x n) and C (m x n), row by row, float32.

    `a` and `b` are what was loaded, on the host; `a_buffer`, `b_buffer` and `c_buffer` are the
    device's.

    Raises
    ------
    CockpitError: a size is negative, or the device has no memory for them.
    """

    def __init__(self, device: Device, m: int, n: int, k: int) -> None:
        if min(m, n, k) < 0:
            raise CockpitError(f"gemm: {m} x {n} x {k}: a size is 0 or more")
        self.device, self.m, self.n, self.k = device, m, n, k
        self.a: Matrix = np.empty((0, 0), np.float32)
        self.b: Matrix = np.empty((0, 0), np.float32)
        self._mapped: Any = None
        what = f"matrices of {m} x {n} x {k}"
        demand(device, what, m * k, k * n, m * n)
        with refusals(device, what):
            self.a_buffer = buffer(device, m * k)
            self.b_buffer = buffer(device, k * n)
            self.c_buffer = buffer(device, m * n)

    def load(self, a: Matrix, b: Matrix, c: Matrix | None = None) -> None:
        """Copy A, B and, where it is given, C to the device.

        Raises
        ------
        CockpitError: one has another shape or type.
        """
        self.a = self._fitting("A", a, (self.m, self.k))
        self.b = self._fitting("B", b, (self.k, self.n))
        self.release()
        with refusals(self.device, f"matrices of {self.m} x {self.n} x {self.k}"):
            self._write(self.a_buffer, self.a)
            self._write(self.b_buffer, self.b)
            if c is not None:
                self._write(self.c_buffer, self._fitting("C", c, (self.m, self.n)))

    def result(self) -> Matrix:
        """C as the host sees it: a view that may be written, valid until the next run or load.

        Raises
        ------
        CockpitError: there is no memory for it.
        """
        if not self.m * self.n:
            return np.empty((self.m, self.n), np.float32)
        if self._mapped is None:
            with refusals(self.device, f"a view of {self.m} x {self.n}"):
                self._mapped, _ = cl.enqueue_map_buffer(
                    self.device.queue,
                    self.c_buffer,
                    _MAP,
                    0,
                    (self.m, self.n),
                    np.dtype(np.float32),
                    is_blocking=True,
                )
        view: Matrix = self._mapped
        return view

    def renew(self, before: Matrix | None) -> None:
        """Make C what it is before a product: `before`, or NaN where a product does not read it.

        What a kernel then does not write shows, however right the product before was.
        """
        self.result()[:] = np.nan if before is None else before

    def release(self) -> None:
        """Give the view of C back to the device; what was written through it is in C."""
        if self._mapped is not None:
            self._mapped.base.release(self.device.queue)
            self._mapped = None

    def free(self) -> None:
        """Give all memory back."""
        self.release()
        self.device.queue.finish()
        for it in (self.a_buffer, self.b_buffer, self.c_buffer):
            it.release()

    def _fitting(self, name: str, matrix: Matrix, shape: tuple[int, int]) -> Matrix:
        if matrix.shape != shape or matrix.dtype != np.float32:
            raise CockpitError(
                f"gemm: {name} is {matrix.dtype} {matrix.shape}, not float32 {shape}"
            )
        return np.ascontiguousarray(matrix)

    def _write(self, target: cl.Buffer, matrix: Matrix) -> None:
        if matrix.size:
            cl.enqueue_copy(self.device.queue, target, matrix, is_blocking=True)


def demand(device: Device, what: str, *floats: int) -> None:
    """See that buffers of these sizes can be had together.

    A driver on the CPU gives out more than there is, and the kernel ends the process when it is
    used; so they are added up first.

    Raises
    ------
    CockpitError: they cannot; `what` they are for is named.
    """
    bytes_of = [_FLOAT * it for it in floats]
    if (
        sum(bytes_of) > device.info["global_mem_bytes"]
        or max(bytes_of) > device.handle.max_mem_alloc_size
    ):
        raise out_of_memory(device, what)


def buffer(device: Device, floats: int) -> cl.Buffer:
    """Memory of the device for that many floats; the host's own where the device lives there."""
    # The stubs have the flags of masks as one flag each.
    flags: Any = cl.mem_flags.READ_WRITE
    if not device.is_gpu:
        flags |= cl.mem_flags.ALLOC_HOST_PTR
    return cl.Buffer(device.context, flags, max(1, floats) * _FLOAT)
