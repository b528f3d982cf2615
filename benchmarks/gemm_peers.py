"""Multiplications to compare with: NumPy's BLAS and CLBlast beside our kernels.

Each peer is a process of its own, for only one OpenCL platform can be seen by a process and the
threads of a BLAS spin for a while after a call. `Peer` starts one and asks it for multiplications
one by one, so that two of them can be measured in turns:

    python gemm_peers.py ours|openblas|clblast PLATFORM [VARIANT|searched]

reads a size from each line of its input and answers with one line of JSON.
"""

from __future__ import annotations

import contextlib
import ctypes
import ctypes.util
import functools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from benchmarks import gemm_figures

HERE = Path(__file__).resolve()
CORES = gemm_figures.CORES
# Threads of OpenBLAS stop spinning some 20 ms after a call.
QUIET_S = 0.05
SEED = 5
ENOUGH = 2e10  # operations, some 50 to 500 ms
_ROW_MAJOR, _PLAIN, _SINGLE = 101, 111, 32
# Work-groups of one item, which CLBlast's own tuner does not try: the fastest of some dozens, in
# vectors of 512 bits and of 256. Which of them is the fastest is looked for here.
_ONE_ITEM = {
    **dict.fromkeys(("GEMMK", "STRM", "STRN", "SA", "SB"), 0),
    **dict.fromkeys(("KREG", "KWI", "MDIMC", "NDIMC", "MDIMA", "NDIMB"), 1),
}
SEARCHED = [
    dict(zip(("KWG", "MWG", "NWG", "VWM", "VWN"), it, strict=True))
    for it in (
        *((64, 64, 8, 16, 4), (64, 32, 8, 16, 8), (32, 64, 8, 16, 4), (32, 128, 4, 16, 4)),
        *((64, 64, 4, 8, 4), (16, 64, 16, 8, 4)),
    )
]
_SEARCHED_AT, _LOOK_S = 1024, 0.5


class Peer:
    """A process that multiplies when it is asked to."""

    def __init__(self, *arguments: str, environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(HERE), *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**environment, "OPENBLAS_NUM_THREADS": str(CORES), "PYTHONPATH": _paths()},
            text=True,
        )

    def sample(self, size: int) -> dict[str, Any]:
        """Seconds of one multiplication: `wall_s`, `cpu_s`; the first of a size is judged.

        That one has also what the peer was `told`, where it was told anything.
        """
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        time.sleep(QUIET_S)
        self._process.stdin.write(f"{size}\n")
        self._process.stdin.flush()
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the peer ended with {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """End it."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                stream.close()
        self._process.wait(30)


@contextlib.contextmanager
def peer(*arguments: str, environment: Mapping[str, str]) -> Iterator[Peer]:
    """A peer that is ended."""
    it = Peer(*arguments, environment=environment)
    try:
        yield it
    finally:
        it.close()


def clblast() -> str | None:
    """The library, where it is installed."""
    return ctypes.util.find_library("clblast")


def _paths() -> str:
    root = HERE.parents[1]
    return os.pathsep.join((str(root), str(root / "gates")))


Multiply = Callable[[], Any]


def openblas(platform: str, variant: str, size: int) -> tuple[Multiply, Callable[[], Any], Any]:
    """NumPy's matrix product, into the same memory each time."""
    import numpy as np

    from pytest_cockpit_gates.gemm.kernels.inputs import inputs

    a, b = inputs(size, size, size, SEED)
    c = np.empty((size, size), np.float32)
    return (lambda: np.matmul(a, b, out=c)), (lambda: c), (a, b)


def ours(platform: str, variant: str, size: int) -> tuple[Multiply, Callable[[], Any], Any]:
    """Our kernel: the one named, or what the table says."""
    from pytest_cockpit_gates.gemm.kernels import families, table
    from pytest_cockpit_gates.gemm.kernels.device import open_device
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.inputs import inputs
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

    device = open_device(platform)
    chosen = (
        families.by_id(platform, variant)
        if variant
        else table.load().best(device.info, size, size, size)
    )
    operands = Operands(device, size, size, size)
    a, b = inputs(size, size, size, SEED)
    operands.load(a, b)
    gemm = Gemm(device, chosen, size, size, size)
    return (lambda: gemm.run(operands)), operands.result, (a, b)


def clblast_sgemm(
    platform: str, variant: str, size: int
) -> tuple[Multiply, Callable[[], Any], Any]:
    """CLBlast on the same device, by its own database of tuned parameters, or as searched for."""
    from pytest_cockpit_gates.gemm.kernels.device import open_device
    from pytest_cockpit_gates.gemm.kernels.inputs import inputs
    from pytest_cockpit_gates.gemm.kernels.operands import Operands

    library = ctypes.CDLL(clblast())
    device = open_device(platform)
    if variant:
        _override(library, device.handle.int_ptr, _fastest(platform))
    operands = Operands(device, size, size, size)
    a, b = inputs(size, size, size, SEED)
    operands.load(a, b)
    queue = ctypes.c_void_p(device.queue.int_ptr)
    none, one, n = ctypes.c_size_t(0), ctypes.c_float(1), ctypes.c_size_t(size)

    def memory(it: Any) -> ctypes.c_void_p:
        return ctypes.c_void_p(it.int_ptr)

    def multiply() -> None:
        operands.release()
        status = library.CLBlastSgemm(
            *(_ROW_MAJOR, _PLAIN, _PLAIN, n, n, n, one),
            *(memory(operands.a_buffer), none, n, memory(operands.b_buffer), none, n),
            *(ctypes.c_float(0), memory(operands.c_buffer), none, n, ctypes.byref(queue), None),
        )
        if status:
            raise RuntimeError(f"CLBlast answers {status}")
        device.queue.finish()

    return multiply, operands.result, (a, b)


@functools.cache
def _fastest(platform: str) -> int:
    """Which of `SEARCHED` costs the least here, by CPU time."""
    from pytest_cockpit_gates.gemm.kernels.device import open_device

    library, costs = ctypes.CDLL(clblast()), []
    for number in range(len(SEARCHED)):
        multiply, _, _ = clblast_sgemm(platform, "", _SEARCHED_AT)
        _override(library, open_device(platform).handle.int_ptr, number)
        multiply()
        begun, cost = time.perf_counter(), math.inf
        while time.perf_counter() - begun < _LOOK_S:
            before = time.process_time()
            multiply()
            cost = min(cost, time.process_time() - before)
        costs.append(cost)
    return costs.index(min(costs))


def _override(library: ctypes.CDLL, handle: int, number: int) -> None:
    every = {
        "Xgemm": {**_ONE_ITEM, **SEARCHED[number]},
        "GemmRoutine": {"XGEMM_MIN_INDIRECT_SIZE": 1},
    }
    for kernel, values in every.items():
        count = len(values)
        status = library.CLBlastOverrideParameters(
            *(ctypes.c_void_p(handle), kernel.encode(), _SINGLE, ctypes.c_size_t(count)),
            (ctypes.c_char_p * count)(*(name.encode() for name in values)),
            (ctypes.c_size_t * count)(*values.values()),
        )
        if status:
            raise RuntimeError(f"CLBlast refuses parameters: {status}")


def _told(what: str, platform: str, variant: str) -> str:
    """What the peer works by, where it was told anything."""
    if what != "clblast" or not variant:
        return ""
    chosen = " ".join(f"{key}={value}" for key, value in SEARCHED[_fastest(platform)].items())
    return f"{chosen}, the fastest of {len(SEARCHED)} sets here"


MAKERS = {"ours": ours, "openblas": openblas, "clblast": clblast_sgemm}


def main(what: str, platform: str, variant: str = "") -> None:
    """Answer until the input ends."""
    from pytest_cockpit_gates.gemm.kernels import correctness

    # A driver may print where the answers go.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    ready: dict[int, Multiply] = {}
    for line in sys.stdin:
        size = int(line)
        fresh = size not in ready
        if fresh:
            multiply, result, given = MAKERS[what](platform, variant, size)
            multiply()
            found = correctness.judge(result(), *given)
            if not found.ok:
                raise RuntimeError(f"{what} is wrong at {size}: {found}")
            multiply()
            ready = {size: multiply}
        cpu, wall = time.process_time(), time.perf_counter()
        for _ in range(count := turns(size)):
            ready[size]()
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        answer: dict[str, Any] = {"wall_s": wall / count, "cpu_s": cpu / count}
        if told := fresh and _told(what, platform, variant):
            answer["told"] = told
        answers.write(json.dumps(answer) + "\n")
        answers.flush()


def turns(size: int) -> int:
    """How often one sample multiplies: the CPU time of threads that still run is some ms old."""
    return max(1, round(ENOUGH / (2 * size**3)))


if __name__ == "__main__":
    main(*sys.argv[1:])
