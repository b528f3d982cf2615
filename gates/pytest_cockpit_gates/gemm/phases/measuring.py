"""Sessions of a campaign: each in a fresh worker, and none lost whatever becomes of its worker."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from pytest_cockpit.api import JSON
from pytest_cockpit_gates.gemm.phases.plan import Plan
from pytest_cockpit_gates.gemm.phases.pressure import Pressure
from pytest_cockpit_gates.gemm.phases.rows import Row, Task
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.strict.policies import Policies
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

_BETWEEN_SESSIONS = 1000
"""How far the seeds of two sessions are apart."""


@dataclass(slots=True)
class Seen:
    """What workers have said of where they run."""

    machine: dict[str, Any] = field(default_factory=dict)
    software: dict[str, Any] = field(default_factory=dict)
    platforms: dict[str, Any] = field(default_factory=dict)

    def learn(self, worker: Worker) -> None:
        """Take in what a worker says when it begins; the first word of each platform counts."""
        self.machine = self.machine or worker.machine
        self.software = self.software or worker.software
        self.platforms.setdefault(worker.platform, worker.info)


@dataclass(slots=True)
class Crew:
    """What every session of a campaign is measured with.

    Parameters
    ----------
    t3_policy, t5_policy: what the kernels work by, inheritance resolved; None where none is named.
    """

    plan: Plan
    state: State
    t3_policy: JSON | None = None
    t5_policy: JSON | None = None
    seen: Seen = field(default_factory=Seen)

    @classmethod
    def of(cls, plan: Plan, state: State, policies: Policies) -> Self:
        """The crew of a campaign."""
        found = {name: source.merged for name, source in policies.sources.items()}
        return cls(plan, state, found.get("t3"), found.get("t5"))

    @contextlib.contextmanager
    def worker(self, platform: str) -> Iterator[Worker]:
        """A fresh worker of a platform.

        Raises
        ------
        WorkerError: it does not begin.
        """
        folder = self.state.folder / "workers"
        with Worker(platform, folder, timeout_s=self.plan.timeout_s, say=self.state.say) as worker:
            self.seen.learn(worker)
            yield worker

    def session(
        self, number: int, rows: Sequence[Row], before: Callable[[int], None] = lambda _: None
    ) -> None:
        """Measure one session of rows of one platform, one after the other in one process.

        A row whose worker fails is a failed row; what is left is measured by another worker.

        Parameters
        ----------
        before: called with the index of each row before it is measured.
        """
        left = list(enumerate(rows))
        while left:
            try:
                with self.worker(rows[0].task.platform) as worker:
                    while left:
                        index, row = left[0]
                        before(index)
                        left.pop(0)
                        if not self._measure(worker, number, row):
                            break
            except WorkerError as error:
                # It did not begin: the next row's attempt is another one.
                _, row = left.pop(0)
                self._failed(number, row, error)

    def _measure(self, worker: Worker, number: int, row: Row) -> bool:
        """Whether the worker can be asked again."""
        task = row.task
        row.info = worker.info
        seed = task.inputs + _BETWEEN_SESSIONS * number
        try:
            answer = worker.ask(
                "session",
                kernel=task.kernel,
                m=task.size,
                n=task.size,
                k=task.size,
                seed=seed,
                iterations=self.plan.iterations,
                t3_policy=self.t3_policy,
                t5_policy=self.t5_policy,
            )
            made = row.add(number, seed, answer)
        except WorkerError as error:
            self._failed(number, row, error)
            return error.kind == "refused"
        self.state.log("session", {"row": task.key, "snapshot": task.snapshot, **made})
        return True

    def _failed(self, number: int, row: Row, error: WorkerError) -> None:
        row.failure = row.failure or error
        self.state.say(f"{row.task.key}: session {number}: {error.message}")
        self.state.log(
            "failure",
            {
                "row": row.task.key,
                "snapshot": row.task.snapshot,
                "session": number,
                "kind": error.kind,
                "error": error.message,
                "returncode": error.returncode,
                "stderr": error.stderr,
            },
        )


def pulses(
    pressure: Pressure, plan: Plan, rows: int, session: int, turn: tuple[int | None, int]
) -> Callable[[int], None]:
    """What begins pulses evenly over a snapshot's rows: to be called with the index of each row.

    Parameters
    ----------
    rows: of one session.
    session: the one that is to be measured, counted from 1.
    turn: the snapshot, None in a split, and the seed that those of the pulses follow from.
    """
    snapshot, seed = turn
    count, planned = plan.pressure_pulses, rows * plan.sessions

    def begin(index: int) -> None:
        for pulse in range(count):
            if planned * pulse // count == rows * (session - 1) + index:
                pressure.pulse(pulse + 1, seed, snapshot)

    return begin


def rows_of(plan: Plan, platform: str, seed: int, snapshot: int | None = None) -> list[Row]:
    """The rows of a platform in a snapshot or for a seed, in the order they are measured in."""
    return [
        Row(
            Task(
                platform,
                kernel,
                size,
                # A split's rows go by the seeds of its plan.
                seed if snapshot is None else seed + size,
                snapshot,
                seed + size,
            )
        )
        for size in plan.sizes
        for kernel in plan.kernels
    ]
