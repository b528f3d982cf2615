"""Matrices as images of texels of four floats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.kernels.operands import buffer
from pytest_cockpit_gates.gemm.kernels.texels import TEXEL

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device

_FLOAT = 4


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
        copy_rows(self._queue, matrix, columns, self._copy, self._pitch, rows, columns)
        return self._copy

    def free(self) -> None:
        """Give the copy back."""
        if self._copy is not None:
            self._copy.release()


class Lines:
    """One-dimensional images of a matrix's own memory."""

    def __init__(self, device: Device, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        self._device, self._texels = device, padded[0] * padded[1] // TEXEL
        self._padded = _Padded(device, shape, padded)

    def of(self, matrix: Any) -> Any:
        """The image of a matrix."""
        memory_of = self._padded.of(matrix)
        return _image(self._device, cl.mem_object_type.IMAGE1D_BUFFER, (self._texels,), memory_of)

    def free(self) -> None:
        """Give the copy back."""
        self._padded.free()


class Pictures:
    """Two-dimensional images that a matrix is copied to."""

    def __init__(self, device: Device, shape: tuple[int, int], padded: tuple[int, int]) -> None:
        self._queue, self._region = device.queue, (padded[1] // TEXEL, padded[0])
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


def nearest(device: Device) -> Any:
    """What an image is read by: one that is written into the kernel reads nonsense on Clover."""
    return cl.Sampler(
        device.context,
        False,
        cl.addressing_mode.CLAMP_TO_EDGE,
        cl.filter_mode.NEAREST,
    )


def copy_rows(
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
