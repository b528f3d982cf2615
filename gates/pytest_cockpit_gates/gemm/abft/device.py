"""The passes over A, B and C by a kernel, where the matrices are."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.abft.checks import Floats, Sums
from pytest_cockpit_gates.gemm.abft.sums import projected
from pytest_cockpit_gates.gemm.kernels.device import refusals
from pytest_cockpit_gates.gemm.kernels.operands import buffer
from pytest_cockpit_gates.gemm.kernels.rendering import render

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands

_SOURCE = "rows.cl"
# Each compute unit gets so many groups, for it may be slowed down by something else.
_SHARES = 4
_WHAT = "the check of a multiplication"


class OnDevice:
    """By a kernel that reads each matrix once, on the device's own copies.

    Raises
    ------
    CockpitError: the driver cannot build it; `before` and `after`: the device ran out of memory.
    """

    def __init__(self, device: Device, projections: int) -> None:
        text = (files("pytest_cockpit_gates.gemm.abft") / _SOURCE).read_text(encoding="utf-8")
        program = device.program(render(text, {"P": projections}))
        self._kernel = cl.Kernel(program, "rows")
        self._device, self._planes = device, projections + 1
        self._shape = (-1, -1, -1)
        self._of: dict[str, Any] = {}
        self._vectors = np.empty((0, 0), np.float32)

    def before(self, operands: Operands, w: Floats) -> None:
        """Make room for what is taken, when the size is another one."""
        shape = (operands.m, operands.n, operands.k)
        if shape != self._shape:
            self.free()
            sizes = {"w": operands.n, "b": operands.k, "a": operands.m, "c": operands.m}
            with refusals(self._device, _WHAT):
                self._of = {
                    name: buffer(self._device, self._planes * it) for name, it in sizes.items()
                }
            self._vectors = np.ones((self._planes, operands.n), np.float32)
            self._shape = shape

    def after(self, operands: Operands, w: Floats, before: Matrix | None) -> Sums:
        """Three launches, and one row of numbers of each matrix comes back."""
        self._vectors[:-1] = w
        operands.release()
        m, n, k = self._shape
        found = {name: np.empty((self._planes, m), np.float32) for name in ("a", "c")}
        with refusals(self._device, _WHAT):
            cl.enqueue_copy(self._device.queue, self._of["w"], self._vectors, is_blocking=False)
            # A kernel that does not run must not leave the sums of the product before.
            unknown = np.full((self._planes, m), np.nan, np.float32)
            cl.enqueue_copy(self._device.queue, self._of["c"], unknown)
            self._launch(operands.c_buffer, (m, n), "w", "c")
            self._launch(operands.b_buffer, (k, n), "w", "b")
            self._launch(operands.a_buffer, (m, k), "b", "a")
            for name, to in found.items():
                cl.enqueue_copy(self._device.queue, to, self._of[name], is_blocking=name == "c")
        a, c = found["a"], found["c"]
        if before is None:
            return Sums(c[:-1].T, a[:-1].T, c[-1], a[-1])
        c0w, c02 = projected(before, w)
        return Sums(c[:-1].T, a[:-1].T, c[-1], a[-1], c0w, c02)

    def free(self) -> None:
        """Give its memory back."""
        for it in self._of.values():
            it.release()
        self._of, self._shape = {}, (-1, -1, -1)

    def _launch(self, matrix: Any, shape: tuple[int, int], vectors: str, to: str) -> None:
        height, columns = shape
        if not height:
            return
        groups = _SHARES * int(self._device.info["compute_units"])
        chunk = -(-height // groups)
        self._kernel(
            self._device.queue,
            (-(-height // chunk),),
            (1,),
            np.int32(height),
            np.int32(columns),
            np.int32(chunk),
            matrix,
            self._of[vectors],
            self._of[to],
        )
