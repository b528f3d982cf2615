"""Policies, with what they inherit, every key of them known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Row:
    """Bounds of one kernel at one size: GFLOPS at least, milliseconds at most."""

    min_avg_gflops: float
    max_p95_time_ms: float


@dataclass(frozen=True, slots=True)
class Weekly:
    """The weekly objectives: bounds over all rows, and those of each `kernel:size`.

    Parameters
    ----------
    path, sha256, id: of the file, the digest of its bytes.
    platform: short name of the one platform that `rows` are about; empty where they are of all.
    """

    path: str
    sha256: str
    id: str
    platform: str
    minimum_snapshots: int
    max_correctness_error: float
    max_t3_fallback_rate: float
    max_t5_disable_events_total: int
    max_t5_overhead_percent: float
    max_abs_throughput_drift_percent: float
    max_p95_drift_percent: float
    rows: Mapping[str, Row]


@dataclass(frozen=True, slots=True)
class T3:
    """Guardrails of the online selector."""

    path: str
    sha256: str
    id: str
    max_fallback_rate: float
    max_correctness_error: float


@dataclass(frozen=True, slots=True)
class T5:
    """Guardrails of fault detection; shares and percent. None: the policy does not say."""

    path: str
    sha256: str
    id: str
    max_false_positive_rate: float
    max_overhead_percent: float
    max_overhead_percent_hard: float | None
    max_correctness_error: float
    min_uniform_recall: float | None
    min_critical_recall: float | None


@dataclass(frozen=True, slots=True)
class Policies:
    """The policies of one evaluation."""

    weekly: Weekly | None = None
    t3: T3 | None = None
    t5: T5 | None = None


def read(root: Path, *, weekly: str = "", t3: str = "", t5: str = "") -> Policies:
    """The policies at these paths below `root`; an empty path is none.

    Raises
    ------
    CockpitError: one cannot be read, what it inherits from is missing or leads back to it, or a key
        is unknown, missing or no number; the text names file and key.
    """
    raise NotImplementedError
