"""What a device can do at most: float32 operations in registers, and bytes through memory.

    python gemm_ceiling.py PLATFORM

answers with one line of JSON. A roof above what kernels do says how far they are from it; what is
measured here is no figure of a data sheet.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

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
_ITEMS, _STEPS, _CHAINS, _WIDTH = 1 << 13, 2000, 8, 8
_WIDTHS = (8, 16)
_FLOATS = 1 << 24
_ROUNDS = 10


def main(platform: str) -> None:
    """Measure both, the best of some rounds each."""
    import numpy as np
    import pyopencl as cl

    from pytest_cockpit_gates.gemm.kernels.device import open_device

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    device = open_device(platform)
    programs = {
        width: cl.Program(device.context, _SOURCE).build(f"-Dvec=float{width}") for width in _WIDTHS
    }
    flags = cl.mem_flags
    out = cl.Buffer(device.context, flags.READ_WRITE, _ITEMS * max(_WIDTHS) * 4)
    arrays = [cl.Buffer(device.context, flags.READ_WRITE, _FLOATS * 4) for _ in range(3)]
    for it in arrays:
        cl.enqueue_fill_buffer(device.queue, it, np.ones(1, np.float32), 0, _FLOATS * 4)

    def best(launch: Any) -> float:
        times = []
        for _ in range(_ROUNDS + 1):
            before = time.perf_counter()
            launch()
            device.queue.finish()
            times.append(time.perf_counter() - before)
        return min(times[1:])

    scale, steps = np.float32(0.5), np.int32(_STEPS)
    peaks = []
    for width, program in programs.items():
        peak = cl.Kernel(program, "peak")
        seconds = best(lambda it=peak: it(device.queue, (_ITEMS,), None, out, scale, steps))
        peaks.append(2 * _ITEMS * _STEPS * _CHAINS * width / seconds)
    triad = cl.Kernel(programs[_WIDTH], "triad")
    stream = best(lambda: triad(device.queue, (_FLOATS // _WIDTH,), None, *arrays, scale))
    told = {
        "peak_gflops": max(peaks) / 1e9,
        "bandwidth_gbs": 3 * 4 * _FLOATS / stream / 1e9,
    }
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
