"""The check inside of packed panels: sums are taken while the product has its matrices in hand.

A product of packed panels is so fast that a pass over each matrix for its own sake costs several
percent of it. Here A and B are projected while they are packed, and C as soon as a part of it is
complete and has been written. The kernel is the variant's own text with calls put in: the product
is the same, bit by bit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.abft import checks
from pytest_cockpit_gates.gemm.abft.weaving import text
from pytest_cockpit_gates.gemm.kernels import panels
from pytest_cockpit_gates.gemm.kernels.device import refusals
from pytest_cockpit_gates.gemm.kernels.operands import buffer, demand

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.abft.checks import Floats
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

PROJECTIONS = 2
_PLANES = 3
_BANDS = 16
# The worst share and the stamp of the product.
_TOLD = 2
# Signs are drawn for so many products at once, each of which begins at another place among them.
_POOL = 1 << 16
_DRAWN_FOR = 256


def of(gemm: Gemm, projections: int, seed: int = 0) -> Fused | None:
    """The check inside of a kernel that is of packed panels; None of any other."""
    launcher = getattr(gemm, "launcher", None)
    if not isinstance(launcher, panels.Panels) or projections != PROJECTIONS:
        return None
    source = text(gemm.variant)
    return None if source is None else Fused(gemm, launcher, source, seed)


@dataclass(frozen=True, slots=True)
class Looked:
    """What the check of a product found.

    Parameters
    ----------
    flagged: of each column, whether no rounding explains it.
    any_flagged: whether one is.
    worst: the largest residual of the others by its tolerance.
    """

    flagged: checks.Flags
    any_flagged: bool
    worst: float


class Fused:
    """One variant of packed panels with the check inside, for one size; beta is 0.

    It packs to where the launcher of the product without a check does: whoever multiplies packs
    anew.

    Raises
    ------
    CockpitError: the driver cannot build it, or the device has no memory for it.
    """

    def __init__(self, gemm: Gemm, launcher: panels.Panels, source: str, seed: int) -> None:
        device, variant = gemm.device, gemm.variant
        m, n, k = gemm.m, gemm.n, gemm.k
        self._device, self._size, self._launcher = device, (m, n, k), launcher
        self._what = f"the check of a multiplication of {m} x {n} x {k}"
        self._grid = grid = launcher.grid
        row, column = (
            variant.parameters["MR"],
            variant.parameters["VW"] * variant.parameters["NV"],
        )
        self._blocks = -(-k // grid.depth)
        self._band = -(-grid.high // max(1, _BANDS // self._blocks))
        self._bands = -(-grid.high // self._band)
        self._rows = -(-grid.high // grid.tall)
        self._stride = grid.wide * column
        # Sums over rows of C go panel by panel, those over rows of A band by band, the others
        # block by block.
        self._weights = checks.weights(k, grid.tall * row / 2, (self._band * row + grid.depth) / 2)
        sizes = {
            "pool": 2 * m + _POOL,
            "left": self._bands * _PLANES * k,
            "right": self._blocks * _PLANES * self._stride,
            "sums": self._rows * _PLANES * self._stride,
            "shares": self._stride + _TOLD + grid.across,
            "counters": grid.across + 1,
        }
        packed = grid.high * row * k, self._stride * k
        demand(device, self._what, m * k, k * n, m * n, *packed, *sizes.values())
        program = device.program(source)
        with refusals(device, self._what):
            self._kernels = {
                name: cl.Kernel(program, name)
                for name in ("pack_left", "pack_right", "multiply", "look")
            }
            self._of: dict[str, Any] = {name: buffer(device, it) for name, it in sizes.items()}
        self._shares = np.empty(self._stride, np.float32)
        self._worst = np.empty(_TOLD, np.float32)
        self._none = np.zeros(n, np.bool_)
        self._chooser = np.random.Generator(np.random.PCG64(abs(seed)))
        self._pool = np.empty(0, np.float32)
        self._places: list[Any] = []
        self._at = np.int32(0)
        self._bound: tuple[Any, ...] = ()
        # With the place of the argument that says where the vectors begin.
        self._launches = (
            ("pack_left", 7, (self._bands, self._blocks)),
            ("pack_right", None, (grid.wide, self._blocks)),
            ("multiply", 13, (grid.groups, 1)),
        )

    @property
    def w(self) -> Floats:
        """The vectors of the last run, each a row."""
        m = self._size[0]
        return self._pool[self._at : self._at + 2 * m].reshape(2, m)

    def settle(self, operands: Operands) -> None:
        """Wait until nothing is under way."""
        operands.release()
        self._device.queue.finish()

    def run(self, operands: Operands, alpha: float = 1.0) -> Looked:
        """Multiply and look by vectors of its own, and wait for the end.

        Raises
        ------
        CockpitError: the device ran out of memory.
        """
        operands.release()
        bound = (operands.a_buffer, operands.b_buffer, operands.c_buffer, alpha)
        with refusals(self._device, self._what):
            if bound != self._bound:
                self._bind(*bound)
            self._draw()
            for name, place, groups in self._launches:
                kernel = self._kernels[name]
                if place is not None:
                    kernel.set_arg(place, self._at)
                cl.enqueue_nd_range_kernel(self._device.queue, kernel, groups, (1, 1))
            cl.enqueue_copy(
                self._device.queue,
                self._worst,
                self._of["shares"],
                src_offset=4 * self._stride,
            )
            worst, stamp = self._worst.tolist()
            if stamp != self._at:
                # Kernels that did not run have left what was found of the product before.
                return Looked(np.ones(self._size[1], np.bool_), any_flagged=True, worst=0.0)
            return (
                Looked(self._none, any_flagged=False, worst=worst) if worst <= 1 else self._judged()
            )

    def _bind(self, a: Any, b: Any, c: Any, alpha: float) -> None:
        """Give the kernels all that stays the same from one product to the next."""
        m, n, k = (np.int32(it) for it in self._size)
        of, grid, depth = self._of, self._grid, np.int32(self._grid.depth)
        left, right = self._launcher.left, self._launcher.right
        across = np.int32(grid.across)
        self._kernels["pack_left"].set_args(
            m, k, depth, np.int32(self._band), a, left, of["pool"], self._at, of["left"],
            of["counters"], across,
        )  # fmt: skip
        self._kernels["pack_right"].set_args(
            n, k, depth, np.int32(self._bands), b, right, of["left"], of["right"]
        )
        self._kernels["multiply"].set_args(
            m, n, k, depth, np.float32(alpha), np.float32(0), left, right, c,
            np.int32(grid.tall), np.int32(grid.broad), across, of["pool"], self._at,
            np.int32(self._blocks), self._told(alpha), of["sums"], of["right"], of["shares"],
            of["counters"],
        )  # fmt: skip
        self._bound = (a, b, c, alpha)

    def look(self, operands: Operands, alpha: float = 1.0) -> Looked:
        """The same check of C as it is now, by the A, the B and the vectors of the last run."""
        m, n, _ = self._size
        operands.release()
        of = self._of
        with refusals(self._device, self._what):
            self._kernels["look"](
                self._device.queue,
                (self._grid.wide, 1),
                (1, 1),
                np.int32(m),
                np.int32(n),
                operands.c_buffer,
                np.int32(self._grid.tall),
                np.int32(self._blocks),
                np.float32(alpha),
                self._told(alpha),
                of["pool"],
                self._at,
                of["sums"],
                of["right"],
                of["shares"],
            )
            return self._judged()

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

    def _draw(self) -> None:
        """Vectors for the next product: somewhere else among the signs, or among new ones."""
        if not self._places:
            self._pool = checks.vectors(self._chooser, 2 * self._size[0] + _POOL, 1)[0]
            cl.enqueue_copy(self._device.queue, self._of["pool"], self._pool)
            # Never where the product before began: by this the two are told apart.
            steps = self._chooser.integers(1, _POOL, size=_DRAWN_FOR)
            self._places = list(((self._at + np.cumsum(steps)) % _POOL).astype(np.int32)[::-1])
        self._at = self._places.pop()

    def _told(self, alpha: float) -> Any:
        m, _, k = self._size
        of_c, of_terms = self._weights
        least = m * checks.flushed(k, alpha)
        return np.array([of_c, of_terms * alpha * alpha, least, 0], np.float32)

    def _judged(self) -> Looked:
        cl.enqueue_copy(self._device.queue, self._shares, self._of["shares"])
        shares = self._shares[: self._size[1]]
        flagged = ~(shares <= 1.0)
        worst = float(shares[~flagged].max(initial=0.0))
        return Looked(flagged, any_flagged=bool(flagged.any()), worst=worst)
