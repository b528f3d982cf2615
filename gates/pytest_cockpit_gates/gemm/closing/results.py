"""What an artifact's rows come to, for tables and plots: one line per kernel, size and platform.

Artifacts are read with care here: what is no number counts as not measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import Any

from pytest_cockpit.estimation.intervals import Interval, location
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing import figures
from pytest_cockpit_gates.gemm.closing.figures import Figure
from pytest_cockpit_gates.gemm.closing.tables import table, tables
from pytest_cockpit_gates.gemm.strict import levels, names, ratios
from pytest_cockpit_gates.gemm.strict.ratios import Pair

Key = tuple[str, int, str]


@dataclass(frozen=True, slots=True)
class Line:
    """All rows of one kernel at one size on one platform; None is not measured.

    Parameters
    ----------
    rows, failed: how many there are, and how many of them failed.
    average, peak: GFLOPS, means over the rows; of all iterations, and of each session's best.
    p95_ms: milliseconds, mean over the rows.
    error, bound: the largest error of a result, and the smallest bound it is held to.
    fallback: the largest share of multiplications in which the selector fell back.
    overhead: of fault detection in percent, the largest of any row.
    pairs: of fault detection, guarded over plain seconds less one, in percent.
    speed, latency, cost: GFLOPS, 95th percentile in milliseconds, and percent of fault detection,
        as the checks judge them.
    """

    kernel: str
    size: int
    platform: str
    rows: int
    failed: int
    average: float | None
    peak: float | None
    p95_ms: float | None
    error: float | None
    bound: float | None
    fallback: float | None
    overhead: float | None
    pairs: tuple[float, ...] = ()
    speed: Figure | None = None
    latency: Figure | None = None
    cost: Figure | None = None

    @property
    def key(self) -> str:
        """As checks name it."""
        return f"{self.kernel}:{self.size}@{self.platform}"

    @property
    def gflops(self) -> float | None:
        """Throughput: the estimate of what is judged, or the mean of too little for one."""
        found = self.speed.interval if self.speed else None
        return found.estimate if found else self.average

    @property
    def overhead_interval(self) -> Interval | None:
        """Of the overhead in percent, as its check says or from its pairs; None of too few."""
        if self.cost is not None:
            return self.cost.interval
        return location(levels.batches(self.pairs))


@dataclass(frozen=True, slots=True)
class Ratio:
    """Throughput of the candidate over that of the fallback at one kernel and size."""

    kernel: str
    size: int
    pairs: int
    interval: Interval | None
    verdict: str
    bound: float | None = None


def lines(
    artifact: Mapping[str, Any], checks: Iterable[Mapping[str, Any]] = ()
) -> tuple[Line, ...]:
    """One line per kernel, size and platform, sorted by these.

    Parameters
    ----------
    checks: of the artifact's evaluation, JSON-able; what they have judged has their figure.
    """
    judged, attempt = figures.of_checks(checks), _attempt(artifact)
    groups: dict[Key, list[Mapping[str, Any]]] = {}
    for row in tables(artifact.get("runs")):
        size = row.get("size")
        if isinstance(size, int) and not isinstance(size, bool):
            metrics = table(row.get("metrics"))
            platform = row.get("platform_selector") or metrics.get("platform") or ""
            key = one_line(str(row.get("kernel"))), size, one_line(str(platform))
            groups.setdefault(key, []).append(row)
    found = []
    for key, rows in sorted(groups.items()):
        line = _line(key, rows)
        good = [row for row in rows if row.get("status") == "ok"]
        walls = [session for row in good for session in figures.times(row)]
        found.append(
            replace(
                line,
                speed=judged.get((figures.SPEED, line.key))
                or figures.speed(line.size, walls, attempt),
                latency=judged.get((figures.P95, line.key)) or figures.p95(walls, attempt),
                cost=judged.get((figures.COST, line.key)),
            )
        )
    return tuple(found)


def compared(
    artifact: Mapping[str, Any],
    candidate: str,
    fallback: str,
    bound: float,
    checks: Iterable[Mapping[str, Any]] = (),
) -> tuple[Ratio, ...]:
    """The ratio of two platforms at each kernel and size that was measured in pairs.

    Parameters
    ----------
    checks: of the artifact's evaluation, JSON-able; what they have judged has their figure.
    """
    judged, attempt = figures.of_checks(checks), _attempt(artifact)
    groups: dict[tuple[str, int], list[Pair]] = {}
    for row in tables(artifact.get("pairs")):
        pair, size = _pair(row, candidate, fallback), row.get("size")
        if pair is not None and isinstance(size, int):
            groups.setdefault((one_line(str(row.get("kernel"))), size), []).append(pair)
    found = []
    for (kernel, size), pairs in sorted(groups.items()):
        made = ratios.compare(pairs, bound, attempt=attempt)
        said = judged.get((names.RATIO, f"{kernel}:{size}@{candidate}/{fallback}"))
        interval, verdict = (said.interval, said.verdict) if said else (made.ratio, made.verdict)
        held_to = said.bound if said else bound
        found.append(Ratio(kernel, size, made.pairs, interval, str(verdict), held_to))
    return tuple(found)


def number(value: Any) -> float | None:
    """A finite number; None of anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def _attempt(artifact: Mapping[str, Any]) -> int:
    attempt = table(artifact.get("metadata")).get("attempt")
    return attempt if isinstance(attempt, int) and attempt > 0 else 1


def _line(key: Key, rows: Sequence[Mapping[str, Any]]) -> Line:
    good = [table(row.get("metrics")) for row in rows if row.get("status") == "ok"]

    def over(take: Callable[[list[float]], float], metric: str) -> float | None:
        found = [value for it in good if (value := number(it.get(metric))) is not None]
        return take(found) if found else None

    return Line(
        *key,
        rows=len(rows),
        failed=len(rows) - len(good),
        average=over(fmean, "avg_mean_gflops"),
        peak=over(fmean, "peak_mean_gflops"),
        p95_ms=over(fmean, "p95_time_ms"),
        error=over(max, "max_error_max"),
        bound=over(min, "error_bound_min"),
        fallback=over(max, "t3_fallback_rate"),
        overhead=over(max, "t5_overhead_percent"),
        pairs=tuple(_overheads(good)),
    )


def _overheads(good: Iterable[Mapping[str, Any]]) -> Iterable[float]:
    for metrics in good:
        for pair in tables(metrics.get("t5_pairs")):
            guarded, plain = number(pair.get("guarded_s")), number(pair.get("plain_s"))
            if guarded is not None and plain is not None and plain > 0:
                yield (guarded / plain - 1) * 100


def _pair(row: Mapping[str, Any], candidate: str, fallback: str) -> Pair | None:
    times = [
        number(table(row.get(platform)).get(clock))
        for platform in (candidate, fallback)
        for clock in ("wall_s", "cpu_s")
    ]
    # As strict evaluation has it: without a session of its own a pair shares that of its seed.
    session = row.get("seed", 0), row.get("session", -1)
    wall_a, cpu_a, wall_b, cpu_b = times
    if wall_a is None or cpu_a is None or wall_b is None or cpu_b is None:
        return None
    if min(wall_a, wall_b) <= 0 or min(cpu_a, cpu_b) < 0:
        return None
    if not all(isinstance(it, int) for it in session):
        return None
    return Pair(str(row.get("order")), session, wall_a, cpu_a, wall_b, cpu_b)
