"""The text of a kernel with the check put in."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from pytest_cockpit_gates.gemm.kernels.rendering import render

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

_SOURCE = "panels.cl"
# How loops over rows of panels, over columns and over blocks along k end, and then the kernel.
_END = "\n            }\n        }\n    }\n}\n"
_TILE = """
                // One tile later: what has just been written is read back slowly.
                if (p0 + kc >= k && i > i0)
                    taken_of_c(m, n, (i - 1) * MR, j, i - 1 == i0, c, pool + from_sign,
                               sums + (size_t)(g / across) * 3 * wide * NR, (size_t)wide * NR);
            }
            if (p0 + kc >= k)
                taken_of_c(m, n, (i1 - 1) * MR, j, i1 - 1 == i0, c, pool + from_sign,
                           sums + (size_t)(g / across) * 3 * wide * NR, (size_t)wide * NR);
        }
    }
    finished(n, g, across, j0, j1, (high + tall - 1) / tall, rights, alpha, told, from_sign, sums,
             ab, shares, counters);
}
"""
_LAST_ARGUMENT = "const int across)"
_ARGUMENTS = """const int across,
              __global const float *pool, const int from_sign, const int rights,
              const float4 told, __global float *sums, __global const float *ab,
              __global float *shares, volatile __global int *counters)"""
_MULTIPLY = "void multiply("
_NOTED = """
static void taken_of_c(const int m, const int n, const int i, const int j, const int first,
                       __global const float *c, __global const float *signs,
                       __global float *to, const size_t stride);
static void finished(const int n, const int g, const int across, const int j0, const int j1,
                     const int lefts, const int rights, const float alpha, const float4 told,
                     const int stamp, __global const float *c, __global const float *ab,
                     __global float *shares, volatile __global int *counters);
"""


def text(variant: Variant) -> str | None:
    """The variant's text with the check put in; None where its shape is another one."""
    plain = variant.text().rstrip("\n") + "\n"
    head, found, kernel = plain.rpartition(_MULTIPLY)
    if not found or not kernel.endswith(_END) or _LAST_ARGUMENT not in kernel:
        return None
    kernel = kernel.removesuffix(_END) + _TILE
    kernel = kernel.replace(_LAST_ARGUMENT, _ARGUMENTS, 1)
    attributes = head.rfind("__kernel")
    before = head[:attributes] + _NOTED + head[attributes:]
    added = (files("pytest_cockpit_gates.gemm.abft") / _SOURCE).read_text(encoding="utf-8")
    # The parameters are macros of the variant's text already.
    macros = "".join(
        f"#define {key} {value}\n" for key, value in sorted(variant.parameters.items())
    )
    return before + found + kernel + render(added, variant.parameters).removeprefix(macros)
