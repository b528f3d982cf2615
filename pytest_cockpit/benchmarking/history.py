"""What was recorded of benchmarks before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeGuard

from pytest_cockpit.records.ledger_kinds import BENCHMARK

SHORTEST, LONGEST = 1e-15, 1e9
"""Seconds between which a time is taken for one: no clock tells less, nobody waits for more."""


@dataclass(frozen=True, slots=True)
class Point:
    """One benchmark in one session, in seconds.

    Parameters
    ----------
    seq: number of the ledger's row.
    content: digest of the module's files that were measured; empty where the row has none.
    digest: of the samples; empty where the row has none.
    """

    at: str
    module: str
    name: str
    commit: str
    fingerprint: str
    median: float
    low: float
    high: float
    seq: int = 0
    content: str = ""
    digest: str = ""


def points(rows: Iterable[Mapping[str, Any]]) -> Iterator[Point]:
    """Every row about a benchmark, in the ledger's order; one of another shape says nothing."""
    for row in rows:
        if row.get("kind") != BENCHMARK or row.get("unit") != "s":
            continue
        words = [row.get(key) for key in ("at", "module", "benchmark", "commit", "fingerprint")]
        times = [row.get(key) for key in ("median", "low", "high")]
        if not (all(map(_is_text, words)) and all(map(is_time, times))):
            continue
        median, low, high = map(float, times)  # type: ignore[arg-type] # as `is_time` has seen
        if low <= median <= high:
            at, module, name, commit, fingerprint = map(str, words)
            seq, content, digest = map(row.get, ("seq", "content_sha256", "data_sha256"))
            yield Point(
                *(at, module, name, commit, fingerprint, median, low, high),
                seq=seq if type(seq) is int else 0,
                content=content if _is_text(content) else "",
                digest=digest if _is_text(digest) else "",
            )


def of(found: Iterable[Point], module: str, fingerprint: str) -> dict[str, list[Point]]:
    """The rows of one module on machines like one, by benchmark."""
    own: dict[str, list[Point]] = {}
    for point in found:
        if (point.module, point.fingerprint) == (module, fingerprint):
            own.setdefault(point.name, []).append(point)
    return own


def _is_text(value: Any) -> TypeGuard[str]:
    return isinstance(value, str) and bool(value)


def is_time(value: Any) -> bool:
    """Whether something is a time that can be compared with others."""
    return type(value) in (int, float) and SHORTEST <= value <= LONGEST
