"""What nights have measured: the file of their rows, what a new one is held against, the trend.

A row is one kernel at one size on one platform in one night. Nights are compared on one machine,
one version of one driver and one device alone. What is compared is the time over that of NumPy's
BLAS in the same minutes: how busy or how warm the machine was is in both.
"""

from __future__ import annotations

import csv
import io
import json
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

import platformdirs

from pytest_cockpit.api import CockpitError
from pytest_cockpit.estimation import intervals, prediction
from pytest_cockpit.estimation.intervals import Interval
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import canonical_line

VARIABLE = "COCKPIT_GEMM_HISTORY"
NAME, TREND = "history.ndjson", "trend.csv"
FALSE_ALARMS = 0.01
"""Chance, at most, that a night in which nothing is slower says that something is."""
ENOUGH, RECENT = 10, 100
"""Nights without which nothing is said, and the newest that are looked at."""
_LEAST_SPREAD = 0.005
_LEVEL = 0.05


@dataclass(frozen=True, slots=True)
class Night:
    """One row.

    Parameters
    ----------
    machine: fingerprint.
    wall_s, cpu_s: medians of one multiplication.
    best_s: the shortest by the clock.
    openblas, clblast: time of the peer over ours by the clock, as estimate and ends at 95 %;
        above 1 ours is faster; None where there is none.
    """

    at: str
    commit: str
    machine: str
    platform: str
    version: str
    device: str
    kernel: str
    variant: str
    size: int
    pairs: int
    wall_s: float
    cpu_s: float
    best_s: float
    openblas: tuple[float, float, float] | None = None
    clblast: tuple[float, float, float] | None = None

    @property
    def key(self) -> tuple[str | int, ...]:
        """Nights with the same one are alike."""
        return (self.machine, self.platform, self.version, self.device, self.kernel, self.size)

    @property
    def gflops(self) -> float:
        """By the clock."""
        return 2 * self.size**3 / self.wall_s / 1e9


@dataclass(frozen=True, slots=True)
class Said:
    """What the nights before say of a row: `slower`, `as before`, or `unknown`."""

    night: Night
    verdict: str
    words: str


def place() -> Path:
    """The folder: the one that the variable names, or one in the user's cache."""
    given = os.environ.get(VARIABLE)
    if given:
        return Path(given)
    return platformdirs.user_cache_path("pytest-cockpit", appauthor=False) / "benchmarks" / "gemm"


def read(folder: Path) -> list[Night]:
    """All rows; [] where there are none yet.

    Raises
    ------
    CockpitError: a row is none; the text names file and line.
    """
    path = folder / NAME
    if not path.exists():
        return []
    found = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        try:
            found.append(_night(json.loads(line)))
        except (ValueError, TypeError, KeyError) as error:
            raise CockpitError(
                f"{artifacts.printable(path.name)}: line {number} is no row of a night ({error});"
                " remove the line"
            ) from error
    return found


def _night(data: Any) -> Night:
    for peer in ("openblas", "clblast"):
        data[peer] = None if data[peer] is None else _ends(data[peer])
    night = Night(**{item.name: data[item.name] for item in fields(Night)})
    _above_zero(night.wall_s, night.cpu_s, night.best_s, night.size)
    return night


def _ends(data: Any) -> tuple[float, float, float]:
    estimate, low, high = map(float, data)
    _above_zero(estimate, low, high)
    return (estimate, low, high)


def _above_zero(*values: float) -> None:
    if not all(math.isfinite(value) and value > 0 for value in values):
        raise ValueError("a time, a size or a ratio is not above 0")


def write(folder: Path, nights: Sequence[Night]) -> None:
    """Write all rows and the trend, whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = b"".join(canonical_line(_plain(night)) for night in nights)
    artifacts.write_bytes(folder / NAME, lines)
    artifacts.write_bytes(folder / TREND, trend(nights).encode())


def _plain(night: Night) -> dict[str, Any]:
    data = asdict(night)
    for peer in ("openblas", "clblast"):
        data[peer] = None if data[peer] is None else list(data[peer])
    return data


def judged(new: Iterable[Night], past: Iterable[Night]) -> list[Said]:
    """Each row beside the nights before it that were alike; the rows share the level."""
    series: dict[tuple[str | int, ...], list[Night]] = {}
    for night in past:
        series.setdefault(night.key, []).append(night)
    rows = list(new)
    return [_judged(row, series.get(row.key, []), FALSE_ALARMS / len(rows)) for row in rows]


def _judged(row: Night, past: Sequence[Night], level: float) -> Said:
    if row.openblas is None:
        return Said(row, "unknown", "NumPy's BLAS was not measured beside it")
    known = [_slowness(it) for it in past if it.openblas is not None][-RECENT:]
    if len(known) < ENOUGH:
        return Said(row, "unknown", f"{ENOUGH - len(known)} more nights on such a machine needed")
    limit = prediction.limit(known, level, least_spread=_LEAST_SPREAD)
    now = _slowness(row)
    told = f"{math.exp(now):.3f} times the time of OpenBLAS, {math.exp(limit):.3f} expected at most"
    return Said(row, "slower" if now > limit else "as before", f"{told}, {len(known)} nights")


def _slowness(night: Night) -> float:
    assert night.openblas is not None
    return -math.log(night.openblas[0])


def ratio(pairs: Sequence[tuple[float, float]]) -> tuple[float, float, float] | None:
    """Time of the peer over ours, from (ours, theirs) in seconds: estimate and ends at 95 %."""
    found = intervals.location([math.log(theirs / ours) for ours, theirs in pairs], _LEVEL)
    if found is None:
        return None
    return (math.exp(found.estimate), math.exp(found.low), math.exp(found.high))


def interval(told: tuple[float, float, float]) -> Interval:
    """The same as an interval."""
    return Interval(told[1], told[0], told[2])


def trend(nights: Sequence[Night]) -> str:
    """The table of all nights, in the order in which they were."""
    out = io.StringIO()
    table = csv.writer(out, lineterminator="\n")
    table.writerow(
        (
            *("at", "commit", "machine", "platform", "version", "device", "kernel", "variant"),
            *("size", "gflops", "openblas", "openblas_low", "openblas_high", "clblast"),
        )
    )
    for it in nights:
        peer = [f"{value:.4f}" for value in it.openblas] if it.openblas else ["", "", ""]
        other = f"{it.clblast[0]:.4f}" if it.clblast else ""
        names = [it.at, it.commit, it.machine, it.platform, it.version, it.device, it.kernel]
        table.writerow([*names, it.variant, it.size, f"{it.gflops:.3f}", *peer, other])
    return out.getvalue()


def commit_of(info: Mapping[str, Any]) -> str:
    """The commit that pytest-benchmark was told of, short; empty where there is none."""
    return str(info.get("id") or "")[:12]
