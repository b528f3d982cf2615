"""What one part has found, as a file named by its own digest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_cockpit.api import Report
from pytest_cockpit.records.text import canonical, sha256
from pytest_cockpit.sharding.plan import Plan
from pytest_cockpit.sweep.model import Measured

SCHEMA = "shard"
FOLDER = "shards"
_SHOWN = 8


@dataclass(frozen=True, slots=True)
class Shard:
    """One part of a plan, done.

    Parameters
    ----------
    part: which one, counted from 1.
    measured: of a sweep, what was measured of the part's modules.
    reports: of gates, the report of each gate of the part.
    seconds: how long each took.
    """

    plan: Plan
    part: int
    measured: Measured | None = None
    reports: Mapping[str, Report] = field(default_factory=dict)
    seconds: Mapping[str, float] = field(default_factory=dict)

    @property
    def units(self) -> tuple[str, ...]:
        """What this part had to do."""
        return self.plan.parts[self.part - 1]

    @property
    def digest(self) -> str:
        """Digest of the file."""
        return sha256(canonical(self.to_json()))

    @property
    def found(self) -> str:
        """Digest of what was found; how long it took is the machine's, and in none of it."""
        measured = self.measured and replace(
            self.measured,
            outcomes=tuple(replace(each, duration_s=0.0) for each in self.measured.outcomes),
        )
        reports = {name: _untimed(report) for name, report in self.reports.items()}
        return replace(self, measured=measured, reports=reports, seconds={}).digest

    @property
    def name(self) -> str:
        """The file's path in the folder of artifacts."""
        return f"{FOLDER}/{self.digest}.json"

    @property
    def said(self) -> str:
        """What was done here, and what was left to others."""
        more = len(self.units) - _SHOWN
        some = ", ".join(self.units[:_SHOWN]) + (f" and {more} more" if more > 0 else "")
        what = some or "nothing: there are fewer units than parts"
        others = len(self.plan.weights) - len(self.units)
        return f"part {self.part} of {self.plan.of}: {what}; {others} left to other parts"

    def to_json(self) -> dict[str, Any]:
        """The shard as a JSON document."""
        return {
            "schema": "pytest-cockpit/shard/1",
            "plan": self.plan.to_json(),
            "plan_sha256": self.plan.digest,
            "part": self.part,
            "measured": self.measured.to_json() if self.measured else None,
            "reports": {name: _reported(name, self.reports[name]) for name in sorted(self.reports)},
            "seconds": {name: round(self.seconds[name], 3) for name in sorted(self.seconds)},
        }


def _untimed(report: Report) -> Report:
    kept = tuple(each for each in report.evidence if each.name != "timing")
    return replace(report, evidence=kept)


def _reported(gate: str, report: Report) -> dict[str, Any]:
    return {"schema": "pytest-cockpit/gate-report/1", "gate": gate, **report.to_json()}
