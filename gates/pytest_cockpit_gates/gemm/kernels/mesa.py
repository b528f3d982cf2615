"""The launcher of Mesa's llvmpipe, which reads matrices as images of texels of four floats."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit.api import CockpitError
from pytest_cockpit_gates.gemm.kernels.launching import round_up
from pytest_cockpit_gates.gemm.kernels.operands import buffer, demand
from pytest_cockpit_gates.gemm.kernels.variants import Variant

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

BLEND = Variant("blend", "texels", "llvmpipe_blend.cl")

_TEXEL = 4
_FLOAT = 4
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
        self._depth = round_up(k, _TEXEL * given["STEP"]) // _TEXEL
        self._width = -(-n // _TEXEL)
        tall, wide = _TEXEL * self._depth, _TEXEL * self._width
        demand(device, what, m * k, k * n, m * n, m * tall, tall * wide, m * wide)
        program = device.built(variant, options(device))
        self._kernel = cl.Kernel(program, "gemm")
        self._blend = cl.Kernel(device.built(BLEND), "blend")
        self._global = (
            _LANES,
            -(-m // given["ROWS"]),
            -(-self._width // (_LANES * given["TEXELS"])),
        )
        images = _Lines if given["BUFFERS"] else _Pictures
        self._left = images(device, (m, k), (m, tall))
        self._right = images(device, (k, n), (tall, wide))
        self._sums: Any = None
        self._sampler = None if given["BUFFERS"] else _nearest(device)

    def enqueue(self, operands: Operands, alpha: float, beta: float) -> None:
        """The copies that are needed, the product, and a second kernel for other factors."""
        m, n = self._size
        queue = self._device.queue
        plain = alpha == 1.0 and beta == 0.0
        whole = n == _TEXEL * self._width
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
                np.int32(_TEXEL * self._width),
                np.float32(alpha),
                np.float32(beta),
                target,
                operands.c_buffer,
            )
        elif not whole:
            _copy(queue, target, _TEXEL * self._width, operands.c_buffer, n, m)

    def free(self) -> None:
        """Give images and copies back."""
        self._left.free()
        self._right.free()
        if self._sums is not None:
            self._sums.release()
            self._sums = None

    def _space(self) -> Any:
        if self._sums is None:
            self._sums = buffer(self._device, self._size[0] * _TEXEL * self._width)
        return self._sums


class _Padded:
    """A copy of a matrix with zeros up to a larger shape; none where that is its own."""

    def __init__(self, device: Device, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        self._queue, self._shape, self._pitch = device.queue, shape, padded[1]
        self._copy: Any = None
        if shape != padded:
            self._copy = buffer(device, padded[0] * padded[1])
            zeros = np.zeros(padded, np.float32)
            cl.enqueue_copy(device.queue, self._copy, zeros, is_blocking=True)

    def of(self, matrix: Any) -> Any:
        """The matrix as it is, or its copy."""
        if self._copy is None:
            return matrix
        rows, columns = self._shape
        _copy(self._queue, matrix, columns, self._copy, self._pitch, rows, columns)
        return self._copy

    def free(self) -> None:
        """Give the copy back."""
        if self._copy is not None:
            self._copy.release()


class _Lines:
    """One-dimensional images of a matrix's own memory."""

    def __init__(self, device: Device, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        self._device, self._texels = device, padded[0] * padded[1] // _TEXEL
        most = int(device.handle.image_max_buffer_size)
        if self._texels > most:
            raise _too_large(device, f"{self._texels} texels", f"{most}")
        self._padded = _Padded(device, shape, padded)

    def of(self, matrix: Any) -> Any:
        """The image of a matrix."""
        memory_of = self._padded.of(matrix)
        return _image(self._device, cl.mem_object_type.IMAGE1D_BUFFER, (self._texels,), memory_of)

    def free(self) -> None:
        """Give the copy back."""
        self._padded.free()


class _Pictures:
    """Two-dimensional images that a matrix is copied to."""

    def __init__(self, device: Device, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        self._queue, self._region = device.queue, (padded[1] // _TEXEL, padded[0])
        most = (int(device.handle.image2d_max_width), int(device.handle.image2d_max_height))
        if self._region[0] > most[0] or self._region[1] > most[1]:
            raise _too_large(device, _by(self._region), _by(most))
        self._padded = _Padded(device, shape, padded)
        self._image = _image(device, cl.mem_object_type.IMAGE2D, self._region, None)

    def of(self, matrix: Any) -> Any:
        """The image, with the matrix in it."""
        copy: Any = cl.enqueue_copy  # its stubs know no `offset`, which is needed here
        copy(
            self._queue,
            self._image,
            self._padded.of(matrix),
            offset=0,
            origin=(0, 0),
            region=self._region,
        )
        return self._image

    def free(self) -> None:
        """Give image and copy back."""
        self._padded.free()
        self._image.release()


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


def _image(device: Device, kind: Any, shape: tuple[int, ...], matrix: Any) -> Any:
    # By a descriptor: the way of OpenCL 1.1, which Clover would need, is broken in pyopencl.
    described: Any = cl.ImageDescriptor()
    described.image_type = kind
    described.shape = shape
    described.pitches = (0, 0)
    described.num_mip_levels = 0
    described.num_samples = 0
    described.buffer = matrix
    texels = cl.ImageFormat(cl.channel_order.RGBA, cl.channel_type.FLOAT)
    return cl.Image(device.context, cl.mem_flags.READ_ONLY, texels, desc=described)


def _nearest(device: Device) -> Any:
    # An argument: one that is written into the kernel reads nonsense on Clover.
    return cl.Sampler(
        device.context,
        False,
        cl.addressing_mode.CLAMP_TO_EDGE,
        cl.filter_mode.NEAREST,
    )


def _copy(
    queue: Any, source: Any, had: int, target: Any, wanted: int, rows: int, columns: int = 0
) -> None:
    """Copy rows from one pitch (in floats) to another."""
    cl.enqueue_copy(
        queue,
        target,
        source,
        src_origin=(0, 0, 0),
        dst_origin=(0, 0, 0),
        region=(_FLOAT * (columns or min(had, wanted)), rows, 1),
        src_pitches=(_FLOAT * had,),
        dst_pitches=(_FLOAT * wanted,),
    )


def _by(sizes: tuple[int, int]) -> str:
    return f"{sizes[0]} x {sizes[1]}"


def _too_large(device: Device, wanted: str, most: str) -> CockpitError:
    return CockpitError(
        f"gemm: {device.platform}: an image of {wanted} is larger than {most}; take a smaller"
        " size or another variant"
    )
