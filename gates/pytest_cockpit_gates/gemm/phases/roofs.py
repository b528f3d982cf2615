"""What each platform is capable of: measured beside a campaign, for the roofline of its report."""

from __future__ import annotations

from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.workers.client import WorkerError


def measure(crew: Crew) -> dict[str, dict[str, float]]:
    """Ceilings by platform; none of one whose worker failed, as nothing is judged by them."""
    found = {}
    for platform in crew.plan.platforms:
        try:
            with crew.worker(platform) as worker:
                answer = worker.ask("ceilings")
        except WorkerError as error:
            crew.state.say(f"ceilings of {platform}: {error.message}")
            continue
        found[platform] = {key: answer[key] for key in ("peak_gflops", "bandwidth_gbs")}
        crew.state.log("ceilings", {"platform": platform, **found[platform]})
    return found
