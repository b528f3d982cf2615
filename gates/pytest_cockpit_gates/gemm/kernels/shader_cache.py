"""Whether a driver keeps what it compiled: one that does not compiles again at every launch."""

from __future__ import annotations

import os
import secrets
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.kernels.variants import Variant
from pytest_cockpit_gates.gemm.workers import caches

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device

FOLDER = "MESA_SHADER_CACHE_DIR"
DISABLED = ("MESA_SHADER_CACHE_DISABLE", "MESA_GLSL_CACHE_DISABLE")

_SUMS = 32
# The first launch compiles; a driver that writes in another thread may do so once more after it.
_LAUNCHES = 5
# A launch of what is kept takes a thirtieth of one that compiles.
_KEPT = 0.5
# The driver that compiles at the first launch; others do so before it, and are never suspected.
_COMPILES_LATE = "llvmpipe "


@dataclass(frozen=True, slots=True)
class Kept:
    """What the launches of one new kernel took.

    Parameters
    ----------
    first_s: CPU time of the first, which compiles.
    again_s: that of the fastest after it.
    problem, remedy: why it is slow and what to do, one line each; empty where all is well.
    """

    first_s: float
    again_s: float
    problem: str = ""
    remedy: str = ""


def probe(device: Device) -> Kept | None:
    """Launch a kernel that is new a few times, and see whether all but the first are fast.

    Takes a few tenths of a second. Where they are slow, a figure of that device is one of its
    compiler. None of a device that compiles before the first launch.

    Raises
    ------
    CockpitError: the driver cannot build or launch the kernel.
    """
    if not device.info["device"].startswith(_COMPILES_LATE):
        return None
    import numpy as np
    import pyopencl as cl

    from pytest_cockpit_gates.gemm.kernels import binaries
    from pytest_cockpit_gates.gemm.kernels.device import refusals

    salt = secrets.randbelow(1 << 30)
    variant = Variant("probe", "probe", "llvmpipe_probe.cl", {"SUMS": _SUMS, "SALT": salt})
    took: list[float] = []
    with refusals(device, "the kernel that tells whether it keeps what it compiled"):
        # No two are the same, so to keep them would fill the disk.
        kernel = cl.Kernel(binaries.build_anew(device.context, variant.text(), ()), "probe")
        space = cl.Buffer(device.context, cl.mem_flags.READ_WRITE, 4 * _SUMS)
        for _ in range(_LAUNCHES):
            start = time.process_time()
            kernel(device.queue, (8,), (8,), np.int32(1), space)
            device.queue.finish()
            took.append(time.process_time() - start)
            if _fast(took):
                break
        space.release()
    first, again = took[0], min(took[1:])
    if _fast(took):
        return Kept(first, again)
    where = one_line(os.environ.get(FOLDER) or "the user's cache")
    return Kept(
        first,
        again,
        f"each launch compiles its kernel again ({1000 * first:.0f} ms), so no figure holds",
        f"see that {where} can be written and has room, or name another folder in"
        f" {caches.VARIABLE}",
    )


def _fast(took: list[float]) -> bool:
    return len(took) > 1 and min(took[1:]) < _KEPT * took[0]
