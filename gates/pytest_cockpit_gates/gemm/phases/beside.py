"""What is measured of each platform beside a campaign's rows: recall of the guard, and ceilings."""

from __future__ import annotations

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases import recall
from pytest_cockpit_gates.gemm.phases.document import Measured
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError


def measure(crew: Crew, made: Measured, *, ceilings: bool = True) -> list[Finding]:
    """Add both to what was measured, by one worker of each platform.

    A worker that fails adds nothing: without recall the verdict is unknown, and ceilings are not
    judged by. A wrong product is a finding all the same.
    """
    guarded = KERNELS[1] in crew.plan.kernels
    if not guarded and not ceilings:
        return []
    found = []
    for platform in crew.plan.platforms:
        try:
            with crew.worker(platform) as worker:
                if guarded:
                    made.recall += recall.measure(crew, worker)
                if ceilings:
                    made.ceilings[platform] = _ceilings(crew, worker)
        except WorkerError as error:
            crew.state.say(f"beside the rows on {platform}: {error.message}")
            crew.state.log("failure", {"row": f"beside@{platform}", "error": error.message})
            if error.kind == findings.INCORRECT:
                found.append(findings.of_worker(error, platform))
    return found


def _ceilings(crew: Crew, worker: Worker) -> dict[str, float]:
    """What the platform is capable of, for the roofline of the report."""
    answer = worker.ask("ceilings")
    found = {key: answer[key] for key in ("peak_gflops", "bandwidth_gbs")}
    crew.state.log("ceilings", {"platform": worker.platform, **found})
    return found
