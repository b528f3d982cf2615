"""What a device can do at most: float32 operations in registers, and bytes through memory.

A roof above what kernels do says how far they are from it; it is no figure of a data sheet.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyopencl as cl

from pytest_cockpit_gates.gemm.kernels.device import Device, refusals

_SOURCE = """
#if defined(__has_attribute)
#if __has_attribute(min_vector_width)
// Without it LLVM cuts vectors of 512 bits in two on many CPUs that have them.
#define WIDE __attribute__((min_vector_width(512)))
#endif
#endif
#ifndef WIDE
#define WIDE
#endif
#define STEP(i) a##i = mad(a##i, x, y);
__kernel WIDE void peak(__global vec *out, const float s, const int n)
{
    const vec x = (vec)(s), y = (vec)(1.0f - s);
    vec a0 = x, a1 = x + 1, a2 = x + 2, a3 = x + 3;
    vec a4 = x + 4, a5 = x + 5, a6 = x + 6, a7 = x + 7;
    for (int i = 0; i < n; i++) { STEP(0) STEP(1) STEP(2) STEP(3) STEP(4) STEP(5) STEP(6) STEP(7) }
    out[get_global_id(0)] = a0 + a1 + a2 + a3 + a4 + a5 + a6 + a7;
}
__kernel void triad(__global const float8 *a, __global const float8 *b, __global float8 *c,
                    const float s)
{
    const size_t i = get_global_id(0);
    c[i] = a[i] + s * b[i];
}
"""
_ITEMS, _STEPS, _CHAINS, _WIDTH = 1 << 13, 1000, 8, 8
_WIDTHS = (8, 16)
_FLOATS, _ARRAYS, _BYTES = 1 << 23, 3, 4
_SECONDS = 0.1
_FEWEST = 2
"""Launches after the one that warms up, however long they take."""


@dataclass(frozen=True, slots=True)
class Ceilings:
    """What a device was measured to do: GFLOPS of float32, GB/s of memory."""

    peak_gflops: float
    bandwidth_gbs: float


def measure(device: Device) -> Ceilings:
    """The best of the launches of a tenth of a second each.

    Raises
    ------
    CockpitError: the driver refuses kernels or memory.
    """
    with refusals(device, "the kernels that tell what it does at most"):
        return _measured(device)


def _measured(device: Device) -> Ceilings:
    programs = {width: device.program(_SOURCE, (f"-Dvec=float{width}",)) for width in _WIDTHS}
    flags, size = cl.mem_flags, _FLOATS * _BYTES
    out = cl.Buffer(device.context, flags.READ_WRITE, _ITEMS * max(_WIDTHS) * _BYTES)
    # OpenCL 1.1 fills no buffer.
    ones = np.ones(_FLOATS, np.float32)
    copied = flags.READ_WRITE | flags.COPY_HOST_PTR
    arrays = [cl.Buffer(device.context, copied, hostbuf=ones) for _ in range(_ARRAYS)]
    try:
        scale, steps = np.float32(0.5), np.int32(_STEPS)
        peaks = []
        for width, program in programs.items():
            peak = cl.Kernel(program, "peak")
            seconds = _best(device, peak, (_ITEMS,), out, scale, steps)
            peaks.append(2 * _ITEMS * _STEPS * _CHAINS * width / seconds)
        triad = cl.Kernel(programs[_WIDTH], "triad")
        stream = _best(device, triad, (_FLOATS // _WIDTH,), *arrays, scale)
    finally:
        for it in (out, *arrays):
            it.release()
    return Ceilings(max(peaks) / 1e9, _ARRAYS * size / stream / 1e9)


def _best(device: Device, kernel: Callable[..., Any], items: tuple[int], *arguments: Any) -> float:
    """Seconds of the fastest launch."""
    times: list[float] = []
    begun = time.perf_counter()
    while len(times) <= _FEWEST or time.perf_counter() - begun < _SECONDS:
        before = time.perf_counter()
        kernel(device.queue, items, None, *arguments)
        device.queue.finish()
        times.append(time.perf_counter() - before)
    # The first one compiles.
    return min(times[1:])
