"""How the cost of a whole runbook grows with the number of modules."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from math import log
from pathlib import Path

import pytest

from synthetic import checkout, committed, git, with_manifests

SIZES = tuple(map(int, os.environ.get("COCKPIT_RUNBOOK_MODULES", "50,150").split(",")))
TITLE = "runbook: modules of ten files each, CPU seconds of each phase"
CONFIGURATION = 'gates = ["ledger"]\n'

_COSTS: dict[int, dict[str, float]] = {}


@pytest.fixture(scope="session", params=SIZES)
def grown(request, tmp_path_factory) -> tuple[int, Path]:
    """A checkout of a repository of so many modules."""
    folder = tmp_path_factory.mktemp("runbook")
    content = [("cockpit.toml", CONFIGURATION), *with_manifests(request.param)]
    return request.param, checkout(committed(folder / "bare", content), folder / "work")


@pytest.mark.benchmark(group=TITLE)
def test_the_whole_runbook(meter, tell, grown):
    size, root = grown
    git(root, "config", "user.name", "Port")
    git(root, "config", "user.email", "port@example.org")

    def run():
        argv = [sys.executable, "-m", "pytest", "--cockpit-runbook", "--cockpit-tag", "v1", "-q"]
        done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-2000:]

    meter.cost(run, rounds=1)
    record = json.loads((root / "artifacts/session.runbook.json").read_text())
    costs = {row["name"]: row["cpu_s"] for row in record["items"]}
    assert costs["sweep"] > 0
    _COSTS[size] = {"all": sum(costs.values()), **costs}
    tell(TITLE, _table())


def _table() -> str:
    names = list(next(iter(_COSTS.values())))
    sizes = sorted(_COSTS)
    lines = [f"{'':<20}" + "".join(f"{size:>10,}" for size in sizes) + "  exponent"]
    for name in names:
        values = [_COSTS[size].get(name, 0.0) for size in sizes]
        line = f"{name:<20}" + "".join(f"{value:>10.2f}" for value in values)
        if len(sizes) > 1 and min(values[0], values[-1]) > 0:
            line += f"{log(values[-1] / values[0]) / log(sizes[-1] / sizes[0]):>10.2f}"
        lines.append(line)
    return "\n".join(lines)
