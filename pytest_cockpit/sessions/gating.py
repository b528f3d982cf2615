"""Gates as steps: their scratch folders, and what is kept of their reports."""

from __future__ import annotations

import shutil
from pathlib import Path

from pytest_cockpit import rendering
from pytest_cockpit.api import Report
from pytest_cockpit.items import Outcome
from pytest_cockpit.sessions.conductor import Conductor


def fresh_scratch(common_dir: Path, name: str) -> Path:
    """An empty private folder for one gate."""
    scratch = common_dir / "cockpit" / "scratch" / name
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    return scratch


def keep_report(conductor: Conductor, name: str, report: Report, scratch: Path) -> Outcome:
    """Write a gate's report and its own artifacts below the session's artifacts folder."""
    data = {"schema": "pytest-cockpit/gate-report/1", "gate": name, **report.to_json()}
    conductor.keep(conductor.folder / "gates" / f"{name}.json", data, "gate-report")
    own = scratch / "artifacts"
    for path in sorted(own.glob("*")) if own.is_dir() else ():
        if path.is_file() and not path.is_symlink():
            conductor.keep_bytes(conductor.folder / path.name, path.read_bytes())
    conductor.config.hook.pytest_cockpit_gate_report(
        config=conductor.config, gate=name, report=report
    )
    return Outcome(
        report.verdict, report.summary, rendering.report_text(name, report), report=report
    )
