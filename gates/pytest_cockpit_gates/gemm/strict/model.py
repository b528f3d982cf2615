"""What an artifact says, as far as it can be judged."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from statistics import fmean
from typing import Any

from pytest_cockpit.api import JSON
from pytest_cockpit.estimation.intervals import quantile_ends
from pytest_cockpit_gates.gemm.strict.ratios import Pair

P95 = 0.95
FLOPS = 2.0
"""Additions and multiplications of each of the N³ products."""


@dataclass(frozen=True, slots=True)
class Session:
    """One process: raw times in seconds; an error that is None was not finite."""

    number: int
    wall: tuple[float, ...]
    cpu: tuple[float, ...]
    max_error: float | None
    error_bound: float | None

    @property
    def pace(self) -> float:
        """The logarithm of its mean number of multiplications in a second."""
        return math.log(fmean(1 / wall for wall in self.wall))


@dataclass(frozen=True, slots=True)
class Run:
    """A row: one kernel at one size on one platform, in one snapshot or for one seed.

    Parameters
    ----------
    number: its place in the artifact.
    platform: its short name in lower case.
    sessions: none where the artifact is an archived one.
    """

    number: int
    ok: bool
    returncode: int | None
    platform: str
    kernel: str
    size: int
    seed: int | None
    snapshot: int | None
    error: str
    source_sha256: str
    sessions: tuple[Session, ...]
    metrics: JSON

    @property
    def row(self) -> str:
        """What policies call it."""
        return f"{self.kernel}:{self.size}"

    @property
    def key(self) -> str:
        """What checks call it."""
        return f"{self.row}@{self.platform}"

    @property
    def place(self) -> str:
        """Its key, and the snapshot or the seed that it is of."""
        of = f"of seed {self.seed}" if self.snapshot is None else f"in snapshot {self.snapshot}"
        return f"{self.key} {of}"

    @property
    def times(self) -> list[float]:
        """Wall times of all sessions, in seconds."""
        return [wall for session in self.sessions for wall in session.wall]


@dataclass(frozen=True, slots=True)
class Artifact:
    """A run of a campaign.

    Parameters
    ----------
    archived: written before there was a schema: no raw times, and nothing of the machine.
    kind: `replay`, `split` or `gate`.
    pairs: interleaved ones by `kernel:size`, with their places among all pairs of the artifact.
    platforms: what each platform said of itself, by short name.
    """

    archived: bool
    kind: str
    metadata: JSON
    parameters: JSON
    runs: tuple[Run, ...]
    snapshots: tuple[JSON, ...]
    pressure: tuple[JSON, ...]
    pairs: tuple[JSON, ...]
    recall: tuple[JSON, ...]
    rollback_event: JSON | None
    attempt: int = 1
    finished: datetime | None = None
    fingerprint: str = ""
    platforms: Mapping[str, JSON] = field(default_factory=dict)

    @property
    def good(self) -> list[Run]:
        """The rows that came to their end."""
        return [run for run in self.runs if run.ok]

    @property
    def executed(self) -> int:
        """Different snapshots that there are rows of."""
        return len({run.snapshot for run in self.runs if run.snapshot is not None})


def instant(text: Any) -> datetime | None:
    """A moment that an artifact names; None where it names none, or says no zone."""
    try:
        found = datetime.fromisoformat(text)
    except (TypeError, ValueError):
        return None
    return found if found.tzinfo else None


def grouped(runs: Iterable[Run]) -> dict[str, list[Run]]:
    """Rows by their key, each group in the order of its snapshots."""
    groups: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: (run.snapshot or 0, run.number)):
        groups.setdefault(run.key, []).append(run)
    return dict(sorted(groups.items()))


def sessions_of(runs: Iterable[Run]) -> list[Session]:
    """The sessions of rows that have times."""
    return [session for run in runs for session in run.sessions if session.wall]


def percentile(times: list[float]) -> float:
    """The 95th percentile of iteration times, by Hyndman and Fan's type 7."""
    return quantile_ends(times, P95, 0, 0).estimate


def figures(size: int, sessions: Iterable[Session]) -> dict[str, Any]:
    """What a row says of its own samples: GFLOPS, milliseconds and errors, None without samples.

    Peak and average are means over sessions, of the best iteration and of all; a p95 is that of all
    iteration times.
    """
    timed = [session for session in sessions if session.wall]
    work = FLOPS * size**3 / 1e9
    errors = [session.max_error for session in timed]
    bounds = [session.error_bound for session in timed]
    times = [wall for session in timed for wall in session.wall]
    return {
        "peak_mean_gflops": fmean(work / min(each.wall) for each in timed) if timed else None,
        "avg_mean_gflops": (
            fmean(fmean(work / wall for wall in each.wall) for each in timed) if timed else None
        ),
        "p95_time_ms": 1e3 * percentile(times) if times else None,
        "max_error_max": _all(max, errors),
        "error_bound_min": _all(min, bounds),
    }


def sides(pair: JSON) -> dict[str, JSON]:
    """The multiplications of a pair, by platform."""
    return {name: side for name, side in pair.items() if isinstance(side, Mapping)}


def paired(pairs: Iterable[JSON], candidate: str, fallback: str) -> dict[str, list[Pair]]:
    """Pairs of these two platforms by `kernel:size`, in their order."""
    found: dict[str, list[Pair]] = {}
    for pair in pairs:
        if candidate in pair and fallback in pair:
            a, b = pair[candidate], pair[fallback]
            found.setdefault(f"{pair['kernel']}:{pair['size']}", []).append(
                Pair(
                    order=pair["order"],
                    # Without a session of its own a pair shares its processes with its seed.
                    session=(pair["seed"], pair.get("session", -1)),
                    candidate_wall_s=a["wall_s"],
                    candidate_cpu_s=a["cpu_s"],
                    fallback_wall_s=b["wall_s"],
                    fallback_cpu_s=b["cpu_s"],
                )
            )
    return found


def _all(pick: Any, values: list[float | None]) -> float | None:
    present = [value for value in values if value is not None]
    return pick(present) if present and len(present) == len(values) else None
