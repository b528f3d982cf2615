"""The launcher of Mesa's llvmpipe, which reads matrices as images of texels of four floats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels import images, texels
from pytest_cockpit_gates.gemm.kernels.launching import round_up
from pytest_cockpit_gates.gemm.kernels.operands import buffer, demand
from pytest_cockpit_gates.gemm.kernels.texels import TEXEL
from pytest_cockpit_gates.gemm.kernels.variants import Variant

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

BLEND = Variant("blend", "texels", "llvmpipe_blend.cl")

_LANES = 8
_LLVM = re.compile(r"llvmpipe \(LLVM (\d+)\.")
# Clover hands LLVM's code to a translator that reads the types pointers point to. They are gone
# by default in 15, and for good in 17; without them it ends the process at an image.
_UNTYPED, _ALWAYS_UNTYPED = 15, 17
_TYPED_POINTERS = "-no-opaque-pointers"


class Texels:
    """One launch on images; what is not a whole number of texels goes through padded copies.

    Raises
    ------
    CockpitError: the device is not llvmpipe, or its compiler, its images or its memory are too
        small for this.
    """

    def __init__(self, device: Device, variant: Variant, m: int, n: int, k: int) -> None:
        given = variant.parameters
        what = f"{variant.id} of {m} x {n} x {k}"
        self._device, self._size = device, (m, n)
        left, right = texels.padded(variant, m, n, k)
        tall, wide = right
        self._depth, self._width = tall // TEXEL, wide // TEXEL
        demand(device, what, m * k, k * n, m * n, m * tall, tall * wide, m * wide)
        if not texels.fit(device.info, variant, m, n, k):
            raise CockpitError(
                f"gemm: {device.platform}: the images of {what} are larger than the device takes;"
                " take another variant"
            )
        program = device.built(variant, options(device))
        self._kernel = cl.Kernel(program, "gemm")
        self._blend = cl.Kernel(device.built(BLEND), "blend")
        self._global = (
            _LANES,
            -(-m // given["ROWS"]),
            -(-self._width // (_LANES * given["TEXELS"])),
        )
        kind = images.Lines if given["BUFFERS"] else images.Pictures
        self._left = kind(device, (m, k), left)
        self._right = kind(device, (k, n), right)
        self._sums: Any = None
        self._sampler = None if given["BUFFERS"] else images.nearest(device)

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """The copies that are needed, the product, and a second kernel for other factors."""
        m, n = self._size
        queue = self._device.queue
        plain = alpha == 1.0 and beta == 0.0
        whole = n == TEXEL * self._width
        target = operands.c_buffer if plain and whole else self._space()
        self._kernel(
            queue,
            self._global,
            (_LANES, 1, 1),
            *(np.int32(it) for it in (m, self._width, self._depth)),
            self._left.of(operands.a_buffer),
            self._right.of(operands.b_buffer),
            target,
            *([] if self._sampler is None else [self._sampler]),
        )
        if not plain:
            self._blend(
                queue,
                (round_up(n, _LANES), m),
                (_LANES, 1),
                np.int32(n),
                np.int32(TEXEL * self._width),
                np.float32(alpha),
                np.float32(beta),
                target,
                operands.c_buffer,
            )
        elif not whole:
            images.copy_rows(queue, target, TEXEL * self._width, operands.c_buffer, n, m)

    def free(self) -> None:
        """Give images and copies back."""
        self._left.free()
        self._right.free()
        if self._sums is not None:
            self._sums.release()
            self._sums = None

    def _space(self) -> Any:
        if self._sums is None:
            self._sums = buffer(self._device, self._size[0] * TEXEL * self._width)
        return self._sums


def options(device: Device) -> Sequence[str]:
    """What the compiler is told.

    Raises
    ------
    CockpitError: the device is not llvmpipe, or its compiler would end the process.
    """
    found = _LLVM.match(device.info["device"])
    if found is None:
        raise CockpitError(
            f"gemm: {device.platform}: {device.info['device']} is not llvmpipe, for which this"
            " variant is; take another (--cockpit-gemm-tune)"
        )
    version = int(found[1])
    if device.info["platform_name"] != "Clover" or version < _UNTYPED:
        return ()
    if version >= _ALWAYS_UNTYPED:
        raise CockpitError(
            f"gemm: {device.platform}: Clover with LLVM {version} cannot compile images; take"
            " another variant (--cockpit-gemm-tune)"
        )
    return (_TYPED_POINTERS,)
