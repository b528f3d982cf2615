"""The phase `tune`: which variant is fastest on each platform at each size, and right."""

from __future__ import annotations

from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.plan import REPLAY, Plan
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError


def run(phase: str, context: Context, options: JSON) -> Report:
    """Tune each platform in a worker of its own; what one platform lacks keeps no other waiting.

    Raises
    ------
    CockpitError: an option is of no use.
    """
    plan = Plan.of(REPLAY, options, Settings.of(context.settings))
    state = State.of(context, options)
    found: list[Finding] = []
    tuned: dict[str, Any] = {}
    for name in plan.platforms:
        state.say(f"tune {name} at {', '.join(map(str, plan.sizes))}")
        try:
            with Worker(
                name, state.folder / "workers", timeout_s=plan.timeout_s, say=state.say
            ) as worker:
                answer = worker.ask("tune", sizes=list(plan.sizes))
                tuned[name] = {"info": worker.info, "entries": answer["entries"]}
        except WorkerError as error:
            found.append(findings.of_worker(error, name))
    data = {"sizes": list(plan.sizes), "platforms": tuned}
    artifacts.write(state.artifact_path("table.json"), data)
    words = "; ".join(f"{name}: {_words(table['entries'])}" for name, table in tuned.items())
    return Report.judge(
        f"{len(tuned)} of {len(plan.platforms)} platforms tuned" + (f": {words}" if words else ""),
        checked=len(plan.platforms),
        findings=found,
        evidence=[Evidence("tuned", data)],
    )


def _words(entries: list[dict[str, Any]]) -> str:
    return ", ".join(f"{it['size']} {it['variant']} {it['gflops']:.4g} GFLOPS" for it in entries)
