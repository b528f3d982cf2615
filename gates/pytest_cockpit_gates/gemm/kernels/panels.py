"""The launcher of packed panels: one kernel packs A and B, another multiplies the panels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.kernels.operands import buffer, demand

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Operands
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

# Groups for each compute unit, at least: a core that is busy otherwise then gets fewer of them.
_GROUPS = 4


@dataclass(frozen=True, slots=True)
class Grid:
    """How a product is cut.

    Parameters
    ----------
    high, wide: panels of A and of B.
    depth: how deep a block along k is.
    tall, broad: panels of each that one group multiplies.
    """

    high: int
    wide: int
    depth: int
    tall: int
    broad: int

    @property
    def across(self) -> int:
        """Groups beside each other."""
        return -(-self.wide // self.broad)

    @property
    def groups(self) -> int:
        """All groups."""
        return -(-self.high // self.tall) * self.across


def cut(variant: Variant, m: int, n: int, k: int, compute_units: int) -> Grid:
    """Cut a product into blocks and groups of about the sizes that the variant names.

    Blocks and groups are made even: the last one would else be a small one, and at a cost.
    """
    given = variant.parameters
    row, column = given["MR"], given["VW"] * given["NV"]
    high, wide = -(-m // row), -(-n // column)
    tall, broad = max(1, given["ROWS"] // row), max(1, given["COLS"] // column)
    while tall > 1 and -(-high // tall) * -(-wide // broad) < _GROUPS * compute_units:
        tall = -(-tall // 2)
    return Grid(high, wide, _even(k, given["KC"]), _even(high, tall), _even(wide, broad))


class Panels:
    """Packs into memory of its own, which lasts from one multiplication to the next.

    `left` and `right` are the packed A and B, cut by `grid`: each multiplication packs them anew.
    """

    def __init__(self, device: Device, variant: Variant, m: int, n: int, k: int) -> None:
        self._queue = device.queue
        self.grid = cut(variant, m, n, k, device.info["compute_units"])
        row, column = variant.parameters["MR"], variant.parameters["VW"] * variant.parameters["NV"]
        left, right = self.grid.high * row * k, self.grid.wide * column * k
        demand(device, f"{variant.id} of {m} x {n} x {k}", m * k, k * n, m * n, left, right)
        program = device.built(variant)
        self._pack = cl.Kernel(program, "pack")
        self._multiply = cl.Kernel(program, "multiply")
        self._size = tuple(np.int32(it) for it in (m, n, k, self.grid.depth))
        self._blocks = -(-k // self.grid.depth)
        self.left, self.right = buffer(device, left), buffer(device, right)

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """Two kernels."""
        grid = self.grid
        self._pack(
            self._queue,
            (grid.high + grid.wide, self._blocks),
            (1, 1),
            *self._size,
            operands.a_buffer,
            operands.b_buffer,
            self.left,
            self.right,
        )
        self._multiply(
            self._queue,
            (grid.groups,),
            (1,),
            *self._size,
            np.float32(alpha),
            np.float32(beta),
            self.left,
            self.right,
            operands.c_buffer,
            np.int32(grid.tall),
            np.int32(grid.broad),
            np.int32(grid.across),
        )

    def free(self) -> None:
        """Give the packed matrices back."""
        self.left.release()
        self.right.release()


def _even(whole: int, step: int) -> int:
    """The step nearest below `step` that cuts `whole` into as many parts, all about as large."""
    return -(-whole // -(-whole // step))
