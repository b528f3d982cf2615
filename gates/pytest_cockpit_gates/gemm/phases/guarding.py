"""What the guard costs, measured until it is known: more pairs while they do not decide."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.phases.rows import Row, timed
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.strict import guard_costs, levels
from pytest_cockpit_gates.gemm.workers.client import WorkerError

_GUARDED = KERNELS[1]


def complete(
    crew: Crew, rows: Sequence[Row], bound: float, *, attempt: int = 1, until: float | None = None
) -> list[Finding]:
    """Add pairs with and without the guard to rows of the guarded kernel; workers that failed.

    Parameters
    ----------
    bound: percent that the guard may cost.
    until: moment of the monotonic clock after which no second portion of pairs is begun.
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
                    while (more := _more(mine, bound, attempt)) and _due(mine, until):
                        answer = worker.ask(
                            "overhead",
                            size=size,
                            pairs=more,
                            seed=mine[-1].task.inputs,
                            t5_policy=crew.t5_policy,
                        )
                        try:
                            findings.demand_right(platform, answer)
                        except WorkerError as error:
                            # By a row that failed the artifact is no longer promoted.
                            mine[-1].failure = mine[-1].failure or error
                            raise
                        _take(crew, mine[-1], answer["pairs"])
                    crew.state.say(f"{mine[-1].task.key}: {_words(mine, attempt)}")
        except WorkerError as error:
            crew.state.say(error.message)
            found.append(findings.of_worker(error, platform))
    return found


def _take(crew: Crew, row: Row, pairs: Sequence[Mapping[str, Any]]) -> None:
    made = [timed(pair) for pair in pairs]
    row.answers[-1]["t5"]["pairs"] += made
    crew.state.log("overhead", {"row": row.task.key, "pairs": made})


def _more(rows: Sequence[Row], bound: float, attempt: int) -> int:
    """Pairs that are worth their time: up to a whole number of portions, none when they decide."""
    cost, pairs = _cost(rows, attempt)
    if pairs >= levels.MOST_PAIRS or cost.at_most(bound) is not None:
        return 0
    return levels.PORTION - pairs % levels.PORTION


def _due(rows: Sequence[Row], until: float | None) -> bool:
    """Whether there is time left; for the first portion there always is."""
    first = _cost(rows, 1)[1] < levels.PORTION
    return first or until is None or time.monotonic() < until


def _cost(rows: Sequence[Row], attempt: int) -> tuple[guard_costs.Cost, int]:
    """What the guard adds by all pairs of rows, and how many there are."""
    told = [answer["t5"] for row in rows for answer in row.answers]
    pairs = [pair for it in told for pair in it["pairs"]]
    period = max(int(it.get("sampling_period") or 1) for it in told)
    return guard_costs.cost(pairs, period, levels.of_pairs(len(pairs), attempt)), len(pairs)


def _words(rows: Sequence[Row], attempt: int) -> str:
    cost, pairs = _cost(rows, attempt)
    found = cost.found
    if found is None:
        return f"{pairs} pairs do not yet say what the guard costs"
    return (
        f"the guard costs {found.estimate:.2f} % ({found.low:.2f} to {found.high:.2f}) "
        f"of {'CPU' if cost.clock == guard_costs.CPU else 'wall'} time by {pairs} pairs"
    )
