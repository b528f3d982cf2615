"""The passes over A, B and C: by NumPy on the host, or by a kernel on the device."""

from __future__ import annotations

from dataclasses import replace
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
        """The sums; `before` is C as it was, None where beta is 0.

        The squares of C may be missing: few rows need them to be told from wrong ones.
        """
        ...

    def free(self) -> None:
        """Give memory of its own back."""
        ...


class OnHost:
    """By NumPy on the arrays that were given and the C that the device gives back.

    What reaches the device is not looked at: a fault on the way there is a fault of C.
    """

    def before(self, operands: Operands, w: Floats) -> None:
        """Nothing: A and B stay on the host."""

    def after(self, operands: Operands, w: Floats, before: Matrix | None) -> Sums:
        """All passes, one after the other, without the squares of C."""
        turned = operands.n % 2 == 0 and len(w) % 2 == 0
        return sums(operands.a, operands.b, operands.result(), w, before, turned=turned)

    def free(self) -> None:
        """There is none."""


def by(gemm: Gemm, projections: int) -> Summing:
    """Who takes the sums of a device: itself, where its kernels are as fast as the host's."""
    device = getattr(gemm, "device", None)
    if device is None or device.platform not in _ON_DEVICE:
        return OnHost()
    from pytest_cockpit_gates.gemm.abft.device import OnDevice

    return OnDevice(device, projections)


def complete(taken: Sums, c: Floats) -> Sums:
    """These sums with the squares of C."""
    if taken.c2 is not None:
        return taken
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        return replace(taken, c2=_row_squares(c))


def sums(
    a: Floats,
    b: Floats,
    c: Floats,
    w: Floats,
    before: Floats | None = None,
    *,
    turned: bool = False,
) -> Sums:
    """The sums of rows of C and of A, in the type that these are in; without the squares of C.

    Parameters
    ----------
    turned: whether each second vector is the one before it, turned, and rows are contiguous.
    """
    with np.errstate(invalid="ignore", over="ignore", under="ignore"):
        bw, b2 = projected(b, w, turned=turned)
        cw, _ = projected(c, w, turned=turned, squared=False)
        abw, ab2 = projected(a, bw.T, b2)
        if before is None:
            return Sums(cw, abw, None, ab2)
        c0w, c02 = projected(before, w, turned=turned)
    return Sums(cw, abw, None, ab2, c0w, c02)


def projected(
    matrix: Floats,
    vectors: Floats,
    weights: Floats | None = None,
    *,
    turned: bool = False,
    squared: bool = True,
) -> tuple[Floats, Floats]:
    """The product with each vector (a row of `vectors`), and the weighted squares of each row.

    With two neighbours as one complex number, the product with a vector has that with the turned
    one beside it: BLAS has no fast way with a matrix of two columns.

    Parameters
    ----------
    squared: whether squares are asked for; else they are 0.
    """
    rows, columns = matrix.shape
    dtype = np.result_type(matrix, np.complex64) if turned else matrix.dtype
    each = [np.ascontiguousarray(it) for it in vectors]
    if turned:
        each = [it.view(dtype).conj() for it in each[::2]]
    products = np.empty((len(each), rows), dtype)
    squares = np.zeros(rows, matrix.dtype)
    factor = _factor(weights)
    high = max(1, _BLOCK_BYTES // (_FLOAT * max(columns, 1)))
    if len(each) == 1 and not squared:
        high = max(1, rows)  # there is nothing to read twice
    for first in range(0, rows, high):
        part = slice(first, first + high)
        block = matrix[part]
        # First what reads in the order of memory: that is the fastest way into the caches.
        if squared:
            squares[part] = np.square(block) @ weights if factor is None else _row_squares(block)
        for vector, product in zip(each, products, strict=True):
            np.matmul(block.view(dtype), vector, out=product[part])
    if factor is not None:
        squares *= factor
    if turned:
        pairs = products.view(matrix.dtype).reshape(len(each), rows, 2)
        products = pairs.transpose(0, 2, 1).reshape(len(vectors), rows)
    return products.T, squares


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
