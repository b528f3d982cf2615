"""The check inside of packed panels: sums are taken while the product has its matrices in hand.

A product of packed panels is so fast that a pass over each matrix for its own sake costs several
percent of it. Here A and B are projected while they are packed, and C as soon as a part of it is
complete and has been written. The kernel is the variant's own text with calls put in: the product
is the same, bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.abft import checks
from pytest_cockpit_gates.gemm.kernels import panels
from pytest_cockpit_gates.gemm.kernels.operands import buffer
from pytest_cockpit_gates.gemm.kernels.rendering import render

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.abft.checks import Floats
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Operands
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

FAMILY = "panels"
PROJECTIONS = 2
_PLANES = 3
_BANDS = 16
_SOURCE = "panels.cl"
# Where the loop over rows of panels ends, inside of those over columns and over blocks along k.
_END = "\n        }\n    }\n}\n"
_LAST_ARGUMENT = "const int across)"
_MULTIPLY = "void multiply("
_CALL = """
            if (p0 + kc >= k)
                taken_of_c(m, n, i0 * MR, i1 * MR, j, c, signs,
                           sums + (size_t)(g / across) * 3 * wide * NR, (size_t)wide * NR);"""
_NOTED = """
static void taken_of_c(const int m, const int n, const int i0, const int i1, const int j,
                       __global const float *c, __global const float *signs,
                       __global float *to, const size_t stride);
"""


def of(gemm: Gemm, projections: int) -> Fused | None:
    """The check inside of a kernel that is of packed panels; None of any other."""
    variant = getattr(gemm, "variant", None)
    if variant is None or variant.family != FAMILY or projections != PROJECTIONS:
        return None
    if not gemm.m * gemm.n * gemm.k:
        return None
    source = text(variant)
    return None if source is None else Fused(gemm, source)


def text(variant: Variant) -> str | None:
    """The variant's text with the check put in; None where its shape is another one."""
    plain = variant.text().rstrip("\n") + "\n"
    head, found, kernel = plain.rpartition(_MULTIPLY)
    if not found or not kernel.endswith(_END) or _LAST_ARGUMENT not in kernel:
        return None
    kernel = kernel.removesuffix(_END) + _CALL + _END
    kernel = kernel.replace(
        _LAST_ARGUMENT,
        "const int across,\n              __global const float *signs, __global float *sums)",
        1,
    )
    attributes = head.rfind("__kernel")
    before = head[:attributes] + _NOTED + head[attributes:]
    added = (files("pytest_cockpit_gates.gemm.abft") / _SOURCE).read_text(encoding="utf-8")
    # The parameters are macros of the variant's text already.
    macros = "".join(
        f"#define {key} {value}\n" for key, value in sorted(variant.parameters.items())
    )
    return before + found + kernel + render(added, variant.parameters).removeprefix(macros)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the check of a product found.

    Parameters
    ----------
    flagged: of each column, whether no rounding explains it.
    worst: the largest residual of the others by its tolerance.
    """

    flagged: checks.Flags
    worst: float


class Fused:
    """One variant of packed panels with the check inside, for one size; beta is 0.

    Raises
    ------
    CockpitError: the driver cannot build it.
    """

    def __init__(self, gemm: Gemm, source: str) -> None:
        device, variant = gemm.device, gemm.variant
        m, n, k = gemm.m, gemm.n, gemm.k
        self._device, self._size = device, (m, n, k)
        self._grid = grid = panels.cut(variant, m, n, k, device.info["compute_units"])
        program = device.program(source)
        self._kernels = {
            name: cl.Kernel(program, name)
            for name in ("pack_left", "pack_right", "multiply", "look", "judge")
        }
        row, column = variant.parameters["MR"], variant.parameters["VW"] * variant.parameters["NV"]
        self._blocks = -(-k // grid.depth)
        self._band = -(-grid.high // max(1, _BANDS // self._blocks))
        self._bands = -(-grid.high // self._band)
        self._rows = -(-grid.high // grid.tall)
        self._stride = grid.wide * column
        # Sums over rows of C go panel by panel, those over rows of A band by band, the others
        # block by block.
        self._weights = checks.weights(k, grid.tall * row / 2, (self._band * row + grid.depth) / 2)
        sizes = {
            "pa": grid.high * row * k,
            "pb": self._stride * k,
            "signs": 2 * m,
            "left": self._bands * _PLANES * k,
            "right": self._blocks * _PLANES * self._stride,
            "sums": self._rows * _PLANES * self._stride,
            "shares": self._stride,
        }
        self._of: dict[str, Any] = {name: buffer(device, size) for name, size in sizes.items()}
        self._shares = np.empty(self._stride, np.float32)

    def run(self, operands: Operands, w: Floats, alpha: float) -> Looked:
        """Multiply and look, and wait for the end."""
        operands.release()
        m, n, k = self._size
        of, grid, depth = self._of, self._grid, np.int32(self._grid.depth)
        queue = self._device.queue
        cl.enqueue_copy(queue, of["signs"], w, is_blocking=False)
        self._launch(
            "pack_left", (self._bands, self._blocks), np.int32(m), np.int32(k), depth,
            np.int32(self._band), operands.a_buffer, of["pa"], of["signs"], of["left"],
        )  # fmt: skip
        self._launch(
            "pack_right", (grid.wide, self._blocks), np.int32(n), np.int32(k), depth,
            np.int32(self._bands), operands.b_buffer, of["pb"], of["left"], of["right"],
        )  # fmt: skip
        self._launch(
            "multiply", (grid.groups, 1), np.int32(m), np.int32(n), np.int32(k), depth,
            np.float32(alpha), np.float32(0), of["pa"], of["pb"], operands.c_buffer,
            np.int32(grid.tall), np.int32(grid.broad), np.int32(grid.across),
            of["signs"], of["sums"],
        )  # fmt: skip
        return self._judged(alpha)

    def look(self, operands: Operands, alpha: float = 1.0) -> Looked:
        """The same check of C as it is now, by the A, the B and the vectors of the last run."""
        m, n, _ = self._size
        operands.release()
        self._launch(
            "look", (self._rows, self._grid.wide), np.int32(m), np.int32(n), operands.c_buffer,
            np.int32(self._grid.tall), self._of["signs"], self._of["sums"],
        )  # fmt: skip
        return self._judged(alpha)

    def tolerances(self, alpha: float = 1.0) -> checks.Vector:
        """The tolerance of each column by the sums of the last look."""
        taken = {
            name: np.empty((parts, _PLANES, self._stride), np.float32)
            for name, parts in (("sums", self._rows), ("right", self._blocks))
        }
        for name, to in taken.items():
            cl.enqueue_copy(self._device.queue, to, self._of[name])
        c2, terms = (it.sum(axis=0)[2, : self._size[1]].astype(np.float64) for it in taken.values())
        of_c, of_terms = self._weights
        least = self._size[0] * checks.flushed(self._size[2], alpha)
        tolerances: checks.Vector = np.sqrt(of_c * c2 + of_terms * alpha**2 * terms) + least
        return tolerances

    def free(self) -> None:
        """Give its memory back."""
        for it in self._of.values():
            it.release()

    def _judged(self, alpha: float) -> Looked:
        m, n, k = self._size
        of_c, of_terms = self._weights
        self._launch(
            "judge", (self._grid.wide, 1), np.int32(n), np.int32(self._rows),
            np.int32(self._blocks), np.float32(alpha), np.float32(of_c),
            np.float32(of_terms * alpha * alpha), np.float32(m * checks.flushed(k, alpha)),
            self._of["sums"], self._of["right"], self._of["shares"],
        )  # fmt: skip
        cl.enqueue_copy(self._device.queue, self._shares, self._of["shares"])
        shares = self._shares[:n]
        worst = float(shares.max())
        if worst <= 1.0:
            return Looked(np.zeros(n, np.bool_), worst)
        flagged = ~(shares <= 1.0)
        return Looked(flagged, float(shares[~flagged].max(initial=0.0)))

    def _launch(self, name: str, groups: tuple[int, int], *arguments: Any) -> None:
        self._kernels[name](self._device.queue, groups, (1, 1), *arguments)
