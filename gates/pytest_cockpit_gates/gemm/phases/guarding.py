"""What the guard costs, measured until it is known: more pairs while they do not decide."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.estimation.intervals import location
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.phases.rows import Row
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.strict import levels
from pytest_cockpit_gates.gemm.workers.client import WorkerError

_GUARDED = KERNELS[1]


def complete(
    crew: Crew, rows: Sequence[Row], bound: float, *, attempt: int = 1, until: float | None = None
) -> list[Finding]:
    """Add pairs with and without the guard to rows of the guarded kernel; workers that failed.

    Parameters
    ----------
    bound: percent that the guard may cost.
    until: moment of the monotonic clock after which no more pairs are begun.
    """
    groups: dict[str, dict[int, list[Row]]] = {}
    for row in rows:
        if row.task.kernel == _GUARDED and row.answers and row.answers[-1]["t5"]:
            sizes = groups.setdefault(row.task.platform, {})
            sizes.setdefault(row.task.size, []).append(row)
    found = []
    for platform, sizes in groups.items():
        try:
            with crew.worker(platform) as worker:
                for size, mine in sizes.items():
                    while _open(mine, bound, attempt) and not _late(until):
                        answer = worker.ask(
                            "overhead",
                            size=size,
                            pairs=levels.PORTION,
                            seed=mine[-1].task.inputs,
                            t5_policy=crew.t5_policy,
                        )
                        _take(crew, mine[-1], answer["pairs"])
                    crew.state.say(f"{mine[-1].task.key}: {_words(mine, attempt)}")
        except WorkerError as error:
            crew.state.say(error.message)
            found.append(findings.of_worker(error, platform))
    return found


def _take(crew: Crew, row: Row, pairs: Sequence[Mapping[str, Any]]) -> None:
    made = [{key: pair[key] for key in ("guarded_s", "plain_s")} for pair in pairs]
    row.answers[-1]["t5"]["pairs"] += made
    crew.state.log("overhead", {"row": row.task.key, "pairs": made})


def _open(rows: Sequence[Row], bound: float, attempt: int) -> bool:
    """Whether more pairs are worth their time."""
    costs = _costs(rows)
    if len(costs) >= levels.MOST_PAIRS:
        return False
    cost = location(costs, levels.of_attempt(attempt))
    return cost is None or cost.at_most(bound) is None


def _costs(rows: Sequence[Row]) -> list[float]:
    """Percent that the guard added in each pair."""
    return [
        100 * (pair["guarded_s"] / pair["plain_s"] - 1)
        for row in rows
        for answer in row.answers
        for pair in answer["t5"]["pairs"]
    ]


def _late(until: float | None) -> bool:
    return until is not None and time.monotonic() > until


def _words(rows: Sequence[Row], attempt: int) -> str:
    costs = _costs(rows)
    cost = location(costs, levels.of_attempt(attempt))
    if cost is None:
        return f"{len(costs)} pairs say nothing of what the guard costs"
    return (
        f"the guard costs {cost.estimate:.2f} % ({cost.low:.2f} to {cost.high:.2f}) "
        f"by {len(costs)} pairs"
    )
