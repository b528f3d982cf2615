"""Plots as SVG: equal numbers are equal bytes. matplotlib is loaded when one is drawn."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit_gates.gemm.closing import canvas
from pytest_cockpit_gates.gemm.closing.results import Line, Ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_BYTES = 4
_MATRICES = 3
_MARKS = "osD^vP*X"


@dataclass(frozen=True, slots=True)
class Ceiling:
    """What a device was measured to be capable of: GFLOPS of float32, GB/s of memory."""

    peak_gflops: float
    bandwidth_gbs: float


def throughput(lines: Sequence[Line]) -> bytes:
    """GFLOPS by size with intervals, a panel for each platform; hollow marks are the best.

    Raises
    ------
    CockpitError: matplotlib is not installed.
    """
    with canvas.figure(max(1, len({line.platform for line in lines}))) as (figure, axes):
        names = sorted({line.platform for line in lines})
        for axis, platform in zip(axes, names, strict=False):
            mine = [line for line in lines if line.platform == platform]
            for number, kernel in enumerate(sorted({line.kernel for line in mine})):
                _series(axis, [line for line in mine if line.kernel == kernel], kernel, number)
            axis.set_title(platform)
            axis.set_xlabel("N of N x N matrices")
            axis.set_ylabel("GFLOPS (with interval; hollow: best)")
            _sizes(axis, sorted({line.size for line in mine}))
            # Room for the legend above what is highest.
            axis.set_ylim(0, 1.2 * axis.get_ylim()[1])
            _legend(axis)
        return canvas.svg(figure)


def ratio(rows: Sequence[Ratio], bound: float, pair: tuple[str, str]) -> bytes:
    """The ratio of two platforms with its interval, beside the bound.

    Parameters
    ----------
    bound: of rows that say none themselves.

    Raises
    ------
    CockpitError: matplotlib is not installed.
    """
    with canvas.figure(1, height=_height(len(rows))) as (figure, axes):
        named = [(f"{row.kernel} {row.size} ({row.pairs} pairs)", row.interval) for row in rows]
        _intervals(axes[0], named)
        judged = {bound if row.bound is None else row.bound for row in rows} or {bound}
        for least in sorted(judged):
            axes[0].axvline(least, color="tab:red", linestyle="--", label=f"at least {least:g}")
        axes[0].set_xlabel(f"throughput of {pair[0]} over that of {pair[1]}")
        _legend(axes[0])
        return canvas.svg(figure)


def overhead(lines: Sequence[Line], bound: float | None) -> bytes:
    """What fault detection costs in percent, with its interval, beside what it is held to.

    Parameters
    ----------
    bound: percent; None draws those that the checks of the lines have judged by.

    Raises
    ------
    CockpitError: matplotlib is not installed.
    """
    mine = [line for line in lines if line.overhead is not None or line.pairs]
    with canvas.figure(1, height=_height(len(mine))) as (figure, axes):
        axis = axes[0]
        _intervals(axis, [(line.key, line.overhead_interval) for line in mine])
        judged = {line.cost.bound for line in mine if line.cost and line.cost.bound is not None}
        for most in sorted(judged) if bound is None else [bound]:
            axis.axvline(most, color="tab:red", linestyle="--", label=f"at most {most:g} %")
        axis.set_xlabel("cost of fault detection in percent")
        _legend(axis)
        return canvas.svg(figure)


def roofline(lines: Sequence[Line], ceilings: Mapping[str, Ceiling]) -> bytes:
    """GFLOPS over arithmetic intensity, below what each platform was measured to be capable of.

    The intensity is that of reading A and B and writing C once, so a point may not lie to the
    right of it.

    Parameters
    ----------
    ceilings: by platform; only platforms that have one are drawn.

    Raises
    ------
    CockpitError: matplotlib is not installed.
    """
    mine = [line for line in lines if line.platform in ceilings and line.gflops]
    names = sorted({line.platform for line in mine})
    with canvas.figure(max(1, len(names))) as (figure, axes):
        for axis, platform in zip(axes, names, strict=False):
            here = [line for line in mine if line.platform == platform]
            _roof(axis, ceilings[platform], here)
            axis.set_title(platform)
            axis.set_xlabel("flop per byte")
            axis.set_ylabel("GFLOPS")
            _legend(axis)
        return canvas.svg(figure)


def intensity(size: int) -> float:
    """Flop per byte of an N x N product that moves each matrix once."""
    return 2 * size**3 / (_BYTES * _MATRICES * size**2)


def _roof(axis: Axes, ceiling: Ceiling, lines: Sequence[Line]) -> None:
    # A device is capable of what a kernel did on it.
    peak = max([ceiling.peak_gflops, *(line.peak or 0.0 for line in lines)])
    ridge = peak / ceiling.bandwidth_gbs
    ends = [intensity(line.size) for line in lines]
    low, high = min([ridge, *ends]) / 2, max([ridge, *ends]) * 2
    roof = [min(peak, x * ceiling.bandwidth_gbs) for x in (low, ridge, high)]
    told = f"{peak:.1f} GFLOPS, {ceiling.bandwidth_gbs:.1f} GB/s, measured"
    axis.plot([low, ridge, high], roof, color="black", label=told)
    for number, kernel in enumerate(sorted({line.kernel for line in lines})):
        points = [line for line in lines if line.kernel == kernel]
        axis.plot(
            [intensity(line.size) for line in points],
            [line.gflops or math.nan for line in points],
            _MARKS[number % len(_MARKS)],
            color=f"C{number}",
            # Kernels of the same speed are seen through each other.
            markerfacecolor="none" if number else f"C{number}",
            markersize=6 + 3 * number,
            label=kernel,
        )
    axis.set_xscale("log", base=2)
    axis.set_yscale("log", base=2)
    # Two powers of two at least: one tick alone is no scale.
    seen = [*roof, *(line.gflops for line in lines if line.gflops)]
    axis.set_ylim(min(seen) / 2, max(seen) * 2)
    # A power of two as a formula would be one more place where a name could become one.
    for line in (axis.xaxis, axis.yaxis):
        line.set_major_formatter("{x:g}")


def _series(axis: Axes, lines: Sequence[Line], kernel: str, number: int) -> None:
    mark, color = _MARKS[number % len(_MARKS)], f"C{number}"
    # Beside each other, where intervals of two kernels would hide each other.
    width = max(1.0, 0.006 * max((line.size for line in lines), default=1)) * number
    sizes = [line.size + width for line in lines]
    found = [line.speed.interval if line.speed else None for line in lines]
    middles = [math.nan if line.gflops is None else line.gflops for line in lines]
    axis.plot(sizes, middles, marker=mark, markersize=4, color=color, label=kernel)
    for size, it in zip(sizes, found, strict=True):
        if it is not None and math.isfinite(it.low) and math.isfinite(it.high):
            axis.plot([size, size], [it.low, it.high], color=color, marker="_", linewidth=1.5)
    peaks = [math.nan if line.peak is None else line.peak for line in lines]
    hollow: dict[str, Any] = {"marker": mark, "markersize": 4, "markerfacecolor": "none"}
    axis.plot(sizes, peaks, linestyle=":", linewidth=1, color=color, **hollow)


def _sizes(axis: Axes, sizes: Sequence[int]) -> None:
    """Ticks at what was measured, and room on both sides also of a single size."""
    room = max(0.15 * (sizes[-1] - sizes[0]), 0.05 * sizes[-1], 1) if sizes else 1
    axis.set_xticks(list(sizes), [str(size) for size in sizes])
    if sizes:
        axis.set_xlim(sizes[0] - room, sizes[-1] + room)


def _intervals(axis: Axes, rows: Sequence[tuple[str, Interval | None]]) -> None:
    for at, (_, interval) in enumerate(rows):
        if interval is None:
            continue
        if math.isfinite(interval.low) and math.isfinite(interval.high):
            axis.plot([interval.low, interval.high], [at, at], color="C0", linewidth=2, marker="|")
        axis.plot([interval.estimate], [at], "o", color="C0")
    labels = [f"{name}{'' if interval else ': no interval'}" for name, interval in rows]
    axis.set_yticks(range(len(rows)), labels)
    axis.set_ylim(max(1, len(rows)) - 0.5, -0.5)


def _legend(axis: Axes) -> None:
    if axis.get_legend_handles_labels()[0]:
        axis.legend(loc="best", fontsize="small")


def _height(rows: int) -> float:
    return 1.2 + 0.35 * max(1, rows)
