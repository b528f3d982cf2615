"""Matrices to multiply: the same for the same seed, wherever they are made."""

from __future__ import annotations

import numpy as np

from pytest_cockpit_gates.gemm.kernels.operands import Matrix


def inputs(m: int, n: int, k: int, seed: int) -> tuple[Matrix, Matrix]:
    """A (m x k) and B (k x n), evenly from [-1, 1)."""
    source = np.random.Generator(np.random.PCG64(abs(seed)))
    one = np.float32(1)
    a = source.random((m, k), np.float32) * 2 - one
    b = source.random((k, n), np.float32) * 2 - one
    return a, b
