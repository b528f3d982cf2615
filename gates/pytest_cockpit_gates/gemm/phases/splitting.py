"""The split's measurement: rows of all platforms for each seed, and interleaved pairs of two."""

from __future__ import annotations

import contextlib

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report
from pytest_cockpit_gates.gemm.phases import beside, document, guarding
from pytest_cockpit_gates.gemm.phases.document import Measured
from pytest_cockpit_gates.gemm.phases.measuring import Crew, pulses, rows_of
from pytest_cockpit_gates.gemm.phases.pairing import Pairing
from pytest_cockpit_gates.gemm.phases.plan import SPLIT
from pytest_cockpit_gates.gemm.phases.pressure import Pressure
from pytest_cockpit_gates.gemm.phases.rows import Row, pace
from pytest_cockpit_gates.gemm.phases.state import State, now
from pytest_cockpit_gates.gemm.strict import guard_costs, policies


def run(phase: str, context: Context, options: JSON) -> Report:
    """Measure rows and pairs; more pairs where they do not decide yet."""
    state = State.of(context, options)
    plan = state.plan()
    read = policies.read(context.root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    split = Split(Crew.of(plan, state, read), int(options["attempt"]))
    try:
        split.measure(guard_costs.bound(read))
    finally:
        # An interrupted campaign leaves an artifact too, of what there is by then.
        sources = state.kept("sources") or {}
        made = split.measured()
        data = document.artifact(made, plan, split.crew.seen, sources, context, options)
        content = state.keep_run(data)
    state.forget_log()
    evidence = [
        Evidence("run", document.digest(content)),
        Evidence("ratios", split.pairing.told),
    ]
    summary = f"{len(made.runs)} rows, {len(split.failed)} of them failed, {len(made.pairs)} pairs"
    return Report.judge(
        f"{summary}: {split.pairing.words}" if split.pairing.words else summary,
        checked=len(made.runs),
        findings=split.findings,
        evidence=evidence,
    )


class Split:
    """Rows for each seed, pairs of candidate and fallback, and what fault detection costs.

    Parameters
    ----------
    attempt: the how manieth run of its plan it is.
    until: moments of the monotonic clock after which no more is begun than is needed: of pairs of
        platforms, and of pairs with and without the guard.
    """

    def __init__(
        self,
        crew: Crew,
        attempt: int,
        until: tuple[float | None, float | None] = (None, None),
    ) -> None:
        self.crew = crew
        self._made = Measured(crew.plan.kind, now())
        self.pairing = Pairing(crew, self._made.pairs, attempt, until[0])
        self._rows: list[Row] = []
        self._attempt, self._until = attempt, until
        self._found: list[Finding] = []

    def measure(self, max_overhead: float) -> None:
        """Measure all of it.

        Parameters
        ----------
        max_overhead: percent that fault detection may cost.
        """
        plan = self.crew.plan
        for seed in plan.seeds:
            self._seed(seed)
        if {plan.candidate, plan.fallback} <= set(plan.platforms):
            self.pairing.measure()
        self._found += guarding.complete(
            self.crew, self._rows, max_overhead, attempt=self._attempt, until=self._until[1]
        )
        self._found += beside.measure(self.crew, self._made, ceilings=plan.kind == SPLIT)

    def measured(self) -> Measured:
        """What there is by now."""
        self._made.runs = [row.to_json() for row in self._rows]
        return self._made

    @property
    def failed(self) -> list[Row]:
        """Rows whose worker failed."""
        return [row for row in self._rows if row.failure]

    @property
    def findings(self) -> list[Finding]:
        """Rows and workers that failed."""
        rows = [
            Finding(
                "gemm.run-failed",
                f"{row.task.key}: {row.failure.message}",
                remedy="see its stderr in the run's artifact",
                evidence={"seed": row.task.seed, "returncode": row.failure.returncode},
            )
            for row in self.failed
            if row.failure
        ]
        return [*rows, *self.others]

    @property
    def others(self) -> list[Finding]:
        """Workers that failed at what is no row: pairs, and what is measured beside the rows."""
        return [*self.pairing.findings, *self._found]

    def _seed(self, seed: int) -> None:
        """Rows of all platforms for one seed, with pressure beside them."""
        crew, plan = self.crew, self.crew.plan
        rows = {name: rows_of(plan, name, seed) for name in plan.platforms}
        self._rows += [row for mine in rows.values() for row in mine]
        with contextlib.ExitStack() as stack:
            beside = {
                name: stack.enter_context(Pressure(plan, crew.state, name))
                for name in plan.platforms
            }
            for session in range(1, plan.sessions + 1):
                for name, mine in rows.items():
                    begin = pulses(beside[name], plan, len(mine), session, (None, seed))
                    crew.session(session, mine, begin)
            for name, pressure in beside.items():
                pressure.settle()
                self._made.pressure += pressure.rows
                crew.state.say(f"seed {seed}: {name}: {pace(rows[name])}")
