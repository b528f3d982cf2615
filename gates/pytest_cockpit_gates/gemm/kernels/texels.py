"""Matrices as texels of four floats: how many a product takes, and what a device holds."""

from __future__ import annotations

from pytest_cockpit.api import JSON
from pytest_cockpit_gates.gemm.kernels.variants import Variant

TEXEL = 4
"""Floats of one."""

Shape = tuple[int, int]


def padded(variant: Variant, m: int, n: int, k: int) -> tuple[Shape, Shape]:
    """The shapes of A and B, in floats, with zeros up to whole texels and whole steps along k."""
    step = TEXEL * variant.parameters["STEP"]
    tall, wide = -(-k // step) * step, -(-n // TEXEL) * TEXEL
    return (m, tall), (tall, wide)


def fit(info: JSON, variant: Variant, m: int, n: int, k: int) -> bool:
    """Whether the device that `info` describes has images that large; so be it if it says nothing.

    Images of buffers count their texels; others are limited in width and in height.
    """
    shapes = padded(variant, m, n, k)
    if variant.parameters["BUFFERS"]:
        most = info.get("image_buffer_texels")
        return most is None or all(rows * floats // TEXEL <= most for rows, floats in shapes)
    width, height = info.get("image_width"), info.get("image_height")
    return all(
        (width is None or floats // TEXEL <= width) and (height is None or rows <= height)
        for rows, floats in shapes
    )
