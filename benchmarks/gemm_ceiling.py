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
#define STEP(i) a##i = mad(a##i, x, y);
__kernel void peak(__global float8 *out, const float s, const int n)
{
    const float8 x = (float8)(s), y = (float8)(1.0f - s);
    float8 a0 = x, a1 = x + 1, a2 = x + 2, a3 = x + 3;
    float8 a4 = x + 4, a5 = x + 5, a6 = x + 6, a7 = x + 7;
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
_ITEMS, _STEPS, _CHAINS, _WIDTH = 1 << 14, 2000, 8, 8
_FLOATS = 1 << 24
_ROUNDS = 5


def main(platform: str) -> None:
    """Measure both, the best of some rounds each."""
    import numpy as np
    import pyopencl as cl

    from pytest_cockpit_gates.gemm.kernels.device import open_device

    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    device = open_device(platform)
    program = cl.Program(device.context, _SOURCE).build()
    flags = cl.mem_flags
    out = cl.Buffer(device.context, flags.READ_WRITE, _ITEMS * _WIDTH * 4)
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
    peak, triad = cl.Kernel(program, "peak"), cl.Kernel(program, "triad")
    compute = best(lambda: peak(device.queue, (_ITEMS,), None, out, scale, steps))
    stream = best(lambda: triad(device.queue, (_FLOATS // _WIDTH,), None, *arrays, scale))
    operations = 2 * _ITEMS * _STEPS * _CHAINS * _WIDTH
    told = {
        "peak_gflops": operations / compute / 1e9,
        "bandwidth_gbs": 3 * 4 * _FLOATS / stream / 1e9,
    }
    answers.write(json.dumps(told) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
