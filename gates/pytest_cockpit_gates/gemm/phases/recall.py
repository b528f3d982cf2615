"""How many injected faults the deployed guard finds: measured beside a campaign, per platform."""

from __future__ import annotations

from typing import Any

from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.workers.client import Worker

_INJECTIONS = 2000
"""Faults of either kind at each size: enough to tell a recall of 99 % from one of 97 %."""


def measure(crew: Crew, worker: Worker) -> list[dict[str, Any]]:
    """Rows of the artifact, one for each size.

    Raises
    ------
    WorkerError: the worker gives no answer, or multiplied wrongly.
    """
    plan, platform, found = crew.plan, worker.platform, []
    for size in plan.sizes:
        answer = worker.ask(
            "recall",
            size=size,
            injections=_INJECTIONS,
            seed=plan.seed,
            t5_policy=crew.t5_policy,
        )
        findings.demand_right(platform, answer)
        row = _row(platform, size, plan.seed, answer)
        crew.state.log("recall", row)
        found.append(row)
    crew.state.say(f"{platform}: {_words(found)}")
    return found


def _row(platform: str, size: int, seed: int, answer: dict[str, Any]) -> dict[str, Any]:
    uniform, critical, alarms = (answer[key] for key in ("uniform", "critical", "alarms"))
    return {
        "platform": platform,
        "size": size,
        "seed": seed,
        "injections": uniform["of"],
        "detected": uniform["found"],
        "critical_injections": critical["of"],
        "critical_detected": critical["found"],
        "rows_checked": alarms["of"],
        "false_alarms": alarms["found"],
    }


def _words(mine: list[dict[str, Any]]) -> str:
    injected = sum(row["injections"] + row["critical_injections"] for row in mine)
    detected = sum(row["detected"] + row["critical_detected"] for row in mine)
    return f"{detected} of {injected} injected faults found"
