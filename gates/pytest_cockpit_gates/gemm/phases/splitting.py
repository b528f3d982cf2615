"""The split's measurement: rows of all platforms for each seed, and interleaved pairs of two."""

from __future__ import annotations

import contextlib
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report
from pytest_cockpit_gates.gemm.phases import document, recall
from pytest_cockpit_gates.gemm.phases.document import Measured
from pytest_cockpit_gates.gemm.phases.measuring import Crew, pulses, rows_of
from pytest_cockpit_gates.gemm.phases.pairing import Pairing
from pytest_cockpit_gates.gemm.phases.plan import SPLIT
from pytest_cockpit_gates.gemm.phases.pressure import Pressure
from pytest_cockpit_gates.gemm.phases.rows import Row, pace
from pytest_cockpit_gates.gemm.phases.state import State, now
from pytest_cockpit_gates.gemm.strict import policies


def run(phase: str, context: Context, options: JSON) -> Report:
    """Measure rows and pairs; more pairs where they do not decide yet."""
    state = State.of(context, options)
    plan = state.plan()
    read = policies.read(context.root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    crew = Crew.of(plan, state, read)
    made = Measured(SPLIT, now())
    pairing = Pairing(crew, made.pairs, int(options["attempt"]))
    try:
        for seed in plan.seeds:
            _seed(crew, made, seed)
        pairing.measure()
        made.recall = recall.measure(crew)
    finally:
        # An interrupted campaign leaves an artifact too, of what there is by then.
        sources = state.kept("sources") or {}
        content = state.keep_run(
            document.artifact(made, plan, crew.seen, sources, context, options)
        )
    state.forget_log()
    return _report(made, pairing, content)


def _seed(crew: Crew, made: Measured, seed: int) -> None:
    """Rows of all platforms for one seed, with pressure beside them."""
    plan = crew.plan
    rows: dict[str, list[Row]] = {name: rows_of(plan, name, seed) for name in plan.platforms}
    with contextlib.ExitStack() as stack:
        beside = {
            name: stack.enter_context(Pressure(plan, crew.state, name)) for name in plan.platforms
        }
        for session in range(1, plan.sessions + 1):
            for name, mine in rows.items():
                begin = pulses(beside[name], plan, len(mine), session, (None, seed))
                crew.session(session, mine, begin)
        for name, pressure in beside.items():
            pressure.settle()
            made.pressure += pressure.rows
            made.runs += [row.to_json() for row in rows[name]]
            crew.state.say(f"seed {seed}: {name}: {pace(rows[name])}")


def _report(made: Measured, pairing: Pairing, content: bytes) -> Report:
    failed: list[dict[str, Any]] = [row for row in made.runs if row["status"] != "ok"]
    found = [
        Finding(
            "gemm.run-failed",
            f"{row['kernel']}:{row['size']}@{row['platform_selector']}: {row['error']}",
            remedy="see its stderr in the run's artifact",
            evidence={"seed": row["seed"], "returncode": row["returncode"]},
        )
        for row in failed
    ]
    found += pairing.findings
    summary = f"{len(made.runs)} rows, {len(failed)} of them failed, {len(made.pairs)} pairs"
    return Report.judge(
        f"{summary}: {pairing.words}" if pairing.words else summary,
        checked=len(made.runs),
        findings=found,
        evidence=[Evidence("run", document.digest(content)), Evidence("ratios", pairing.told)],
    )
