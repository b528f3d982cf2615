"""Which files go first: how many import them, how lately they changed, what is critical."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pytest_cockpit.config import Config, Rank
from pytest_cockpit.promotion.globs import matcher
from pytest_cockpit.promotion.snapshot import Snapshot

_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Score:
    """A file's weighted sum and what went into it, each from 0 to 1."""

    total: float
    reasons: Mapping[str, float]


def scores(snapshot: Snapshot, config: Config, touched: Mapping[str, int]) -> dict[str, Score]:
    """Scores of all waiting files. `touched` are the times of their newest commits."""
    importers = snapshot.graph.importers()
    most = max((importers[path] for path in snapshot.waiting), default=0) or 1
    recency = _dense({path: touched.get(path, 0) for path in snapshot.waiting})
    critical = matcher(config.rank.critical, config.lane.path)
    return {
        path: _weighted(
            config.rank,
            {
                "import_frequency": round(importers[path] / most, _DIGITS),
                "recency": recency[path],
                "criticality": float(critical(path)),
            },
        )
        for path in snapshot.waiting
    }


def _dense(times: Mapping[str, int]) -> dict[str, float]:
    """The place of each time among all distinct ones, from 0 for the oldest to 1."""
    places = {time: place for place, time in enumerate(sorted(set(times.values())))}
    last = len(places) - 1
    return {
        path: round(places[time] / last, _DIGITS) if last else 1.0 for path, time in times.items()
    }


def _weighted(rank: Rank, reasons: Mapping[str, float]) -> Score:
    weights = {name: getattr(rank, name) for name in reasons}
    total = sum(weights[name] * value for name, value in reasons.items()) / sum(weights.values())
    return Score(round(total, _DIGITS), reasons)
