"""The passes over A, B and C: by NumPy on the host, or by a kernel on the device."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from pytest_cockpit_gates.gemm.abft.checks import Floats, Sums

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands

# Rows are taken in blocks that stay in a core's second-level cache for all that is asked of them.
_BLOCK_BYTES = 512 * 1024
# Rows of B so much alike that the largest may stand for all: the tolerance grows by a tenth.
_ALIKE = 1.2
_FLOAT = 4
_ON_DEVICE = frozenset({"pocl"})


class Summing(Protocol):
    """Takes the sums of one multiplication."""

    def before(self, operands: Operands, w: Floats) -> None:
        """Begin: called before the product, where C is still what it was."""
        ...

    def after(self, operands: Operands, w: Floats, before: Matrix | None) -> Sums:
        """The sums; `before` is C as it was, None where beta is 0."""
        ...


class OnHost:
    """By NumPy on the arrays that were given and the C that the device gives back.

    What reaches the device is not looked at: a fault on the way there is a fault of C.
    """

    def before(self, operands: Operands, w: Floats) -> None:
        """Nothing: A and B stay on the host."""

    def after(self, operands: Operands, w: Floats, before: Matrix | None) -> Sums:
        """All passes, one after the other."""
        return sums(operands.a, operands.b, operands.result(), w, before)


def by(gemm: Gemm, projections: int) -> Summing:
    """Who takes the sums of a device: itself, where its kernels are as fast as the host's."""
    device = getattr(gemm, "device", None)
    if device is None or device.platform not in _ON_DEVICE:
        return OnHost()
    from pytest_cockpit_gates.gemm.abft.device import OnDevice

    return OnDevice(device, projections)


def sums(a: Floats, b: Floats, c: Floats, w: Floats, before: Floats | None = None) -> Sums:
    """The sums of rows of C and of A, in the type that these are in."""
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        bw, b2 = projected(b, w)
        cw, c2 = projected(c, w)
        abw, ab2 = projected(a, bw.T, b2)
        if before is None:
            return Sums(cw, abw, c2, ab2)
        c0w, c02 = projected(before, w)
    return Sums(cw, abw, c2, ab2, c0w, c02)


def projected(
    matrix: Floats,
    vectors: Floats,
    weights: Floats | None = None,
) -> tuple[Floats, Floats]:
    """The product with each vector (a row of `vectors`), and the weighted squares of each row."""
    rows, columns = matrix.shape
    products = np.empty((rows, len(vectors)), matrix.dtype)
    squares = np.empty(rows, matrix.dtype)
    each = [np.ascontiguousarray(vector) for vector in vectors]
    factor = _factor(weights)
    high = max(1, _BLOCK_BYTES // (_FLOAT * max(columns, 1)))
    for first in range(0, rows, high):
        part = slice(first, first + high)
        block = matrix[part]
        for at, vector in enumerate(each):
            # One vector at a time: BLAS has no fast way with a matrix of two columns.
            products[part, at] = block @ vector
        if factor is None:
            squares[part] = np.square(block) @ weights
        else:
            squares[part] = _row_squares(block)
    if factor is not None:
        squares *= factor
    return products, squares


def _factor(weights: Floats | None) -> np.floating[Any] | None:
    """One number that bounds all weights closely; None where there is none."""
    if weights is None:
        return np.float32(1)
    if not weights.size:
        return np.float32(0)
    largest: np.floating[Any] = weights.max()
    return largest if largest <= _ALIKE * weights.mean() else None


def _row_squares(block: Floats) -> Floats:
    if hasattr(np, "vecdot"):  # NumPy 2: a dot product of BLAS for each row
        found: Floats = np.vecdot(block, block)
        return found
    plain: Floats = np.einsum("ij,ij->i", block, block)
    return plain
