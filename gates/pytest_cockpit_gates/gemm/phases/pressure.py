"""Load beside what is timed: pulses of multiplications by a worker of their own."""

from __future__ import annotations

import contextlib
import time
from types import TracebackType
from typing import Any, Self

from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

_LONGEST = 4000
_APART = 17
"""How far the seeds of two pulses are apart."""


class Pressure:
    """Pulses on one platform, at most one at a time, each begun without waiting for its end.

    Parameters
    ----------
    rows: what came of the pulses, as the artifact has it.
    """

    def __init__(self, plan: Plan, state: State, platform: str) -> None:
        self.rows: list[dict[str, Any]] = []
        self._plan, self._state, self._platform = plan, state, platform
        self._worker: Worker | None = None
        self._begun: tuple[dict[str, Any], float] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._close()

    def pulse(self, number: int, seed: int, snapshot: int | None) -> None:
        """Begin a pulse; the one before it is waited for first."""
        self.settle()
        plan = self._plan
        row: dict[str, Any] = {
            "snapshot": snapshot,
            "pulse": number,
            "platform": self._platform,
            "size": plan.pressure_size,
            "seed": seed + _APART * number,
            "status": "ok",
            "wall_s": None,
            "iterations": plan.pressure_iterations,
            "error": None,
        }
        try:
            if self._worker is None:
                folder = self._state.folder / "workers"
                worker = Worker(self._platform, folder, timeout_s=plan.timeout_s)
                self._worker = worker.__enter__()
            self._begun = row, time.perf_counter()
            self._worker.begin(
                "pressure", size=row["size"], iterations=row["iterations"], seed=row["seed"]
            )
        except WorkerError as error:
            self._failed(row, error)

    def settle(self) -> None:
        """Wait for the pulse that is under way, if one is."""
        if self._begun is None or self._worker is None:
            return
        row, begun = self._begun
        try:
            answer = self._worker.finish()
        except WorkerError as error:
            self._failed(row, error)
            return
        self._begun = None
        row["wall_s"] = time.perf_counter() - begun
        if answer.get("ok") is not True:
            row["status"], row["error"] = "failed", "a result is wrong"
        self._keep(row)

    def _failed(self, row: dict[str, Any], error: WorkerError) -> None:
        self._begun = None
        row["status"], row["error"] = "failed", error.message[:_LONGEST]
        self._keep(row)
        self._close()

    def _keep(self, row: dict[str, Any]) -> None:
        self.rows.append(row)
        self._state.log("pressure", row)
        if row["error"]:
            self._state.say(f"pressure on {self._platform}: {row['error']}")

    def _close(self) -> None:
        if self._worker is not None:
            with contextlib.suppress(WorkerError):
                self._worker.close()
            self._worker = None
