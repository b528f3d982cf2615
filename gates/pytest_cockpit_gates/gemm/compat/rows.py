"""Rows of archived artifacts, read the way the archived decisions read them."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.schema import shown

T3, T5 = "auto_t3_controlled", "auto_t5_guarded"
CLOVER, RUSTICL = "clover", "rusticl"
ABSENT = 999.0
"""What an absent error or drift counts as."""

_MOST = 1e100

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Run:
    """One row: `sessions` x `iterations` of one kernel at one size.

    Parameters
    ----------
    number: the row's place in the artifact, which ties are kept in.
    metrics: what was measured, by the names of the artifact; GFLOPS, ms, and shares.
    """

    number: int
    ok: bool
    platform: str
    kernel: str
    size: int
    seed: int | None = None
    snapshot: int | None = None
    metrics: Mapping[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """What rows are grouped by."""
        return self.kernel, self.size

    def number_of(self, metric: str, default: float) -> float:
        """A metric as a number; `default` where there is none."""
        value = self.metrics.get(metric)
        return default if value is None else _number(value, f"runs[{self.number}]: {metric}")


@dataclass(frozen=True, slots=True)
class Check:
    """One check of a decision: whether it held, and what was looked at."""

    name: str
    passed: bool
    observed: Mapping[str, Any] = field(default_factory=dict)


def at_least(name: str, observed: float, bound: float) -> Check:
    """Whether a number reaches a bound."""
    return Check(name, observed >= bound, {"observed": observed, "at_least": bound})


def at_most(name: str, observed: float, bound: float) -> Check:
    """Whether a number keeps to a bound."""
    return Check(name, observed <= bound, {"observed": observed, "at_most": bound})


@dataclass(frozen=True, slots=True)
class Evaluation:
    """All checks in their order, the decision, and the numbers it was made from."""

    checks: tuple[Check, ...]
    decision: str
    observed: Mapping[str, Any]

    @property
    def failed(self) -> list[str]:
        """Names of the checks that did not hold."""
        return [check.name for check in self.checks if not check.passed]


def runs(artifact: Mapping[str, Any]) -> list[Run]:
    """All rows of an artifact.

    Raises
    ------
    CockpitError: a row is not one; the text names it.
    """
    rows = artifact.get("runs")
    if not isinstance(rows, list):
        raise CockpitError("runs: expected a list of rows")
    return [_run(number, row) for number, row in enumerate(rows)]


def _run(number: int, row: Any) -> Run:
    where = f"runs[{number}]"
    if not isinstance(row, Mapping):
        raise CockpitError(f"{where}: expected an object")
    metrics = row.get("metrics")
    if not isinstance(metrics, Mapping):
        metrics = {}
    kernel = row.get("kernel")
    if not isinstance(kernel, str):
        raise CockpitError(f"{where}.kernel: expected a name")
    platform = row.get("platform_selector", metrics.get("platform", ""))
    return Run(
        number=number,
        ok=row.get("status") == "ok",
        platform=str(platform).lower(),
        kernel=kernel,
        size=_whole(row.get("size"), f"{where}.size"),
        seed=None if row.get("seed") is None else _whole(row["seed"], f"{where}.seed"),
        snapshot=(
            None if row.get("snapshot") is None else _whole(row["snapshot"], f"{where}.snapshot")
        ),
        metrics=metrics,
    )


def named(key: Key) -> str:
    """A group as artifacts name it."""
    return f"{key[0]}:{key[1]}"


def grouped(rows: Iterable[Run]) -> dict[Key, list[Run]]:
    """Rows by kernel and size, each group in the order of its snapshots."""
    groups: dict[Key, list[Run]] = {}
    for row in rows:
        groups.setdefault(row.key, []).append(row)
    for group in groups.values():
        group.sort(key=lambda row: row.snapshot or 0)
    return dict(sorted(groups.items()))


def mean(values: Sequence[float]) -> float:
    """The mean as it was computed: exact, and rounded once."""
    return statistics.mean(values)


def drift(first: float, last: float) -> float:
    """Change from the first to the last in percent; 0 where the first is 0."""
    return (last - first) / first * 100.0 if first else 0.0


def highest(rows: Iterable[Run], metric: str, default: float) -> float:
    """The highest value of a metric, `default` standing for absent ones and for no row at all."""
    return max((row.number_of(metric, default) for row in rows), default=default)


def total(rows: Iterable[Run], metric: str) -> int:
    """The sum of a metric that counts."""
    return int(sum(row.number_of(metric, 0) for row in rows))


def of_kernel(rows: Iterable[Run], kernel: str) -> list[Run]:
    """The rows of one kernel."""
    return [row for row in rows if row.kernel == kernel]


def of_platform(rows: Iterable[Run], platform: str) -> list[Run]:
    """The rows of one platform."""
    return [row for row in rows if row.platform == platform]


def number_at(table: Mapping[str, Any], key: str, where: str) -> float:
    """A number that has to be there.

    Raises
    ------
    CockpitError: it is not; the text names the key.
    """
    if key not in table:
        raise CockpitError(f"{where}.{key}: missing")
    return _number(table[key], f"{where}.{key}")


def whole_at(table: Mapping[str, Any], key: str, where: str, default: int) -> int:
    """A whole number that may be there.

    Raises
    ------
    CockpitError: it is something else; the text names the key.
    """
    return _whole(table[key], f"{where}.{key}") if key in table else default


def _number(value: Any, where: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= _MOST:
        raise CockpitError(f"{where}: expected a number, got {shown(value)}")
    return value


def _whole(value: Any, where: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or abs(value) > _MOST:
        raise CockpitError(f"{where}: expected a whole number, got {shown(value)}")
    return value
