"""`--cockpit-checkpoint`: whether generated documents, ledger and trends are as they should be."""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.registry import checkpoint
from pytest_cockpit.registry.checkpoint import Check
from pytest_cockpit.rendering import table
from pytest_cockpit.sessions.phase import PhaseConductor, Stage

MODE = "checkpoint"
SCHEMA = "pytest-cockpit/checkpoint_report/1"


def conduct(config: pytest.Config) -> CheckpointConductor:
    """Plan the eight checks of the tracked files as they are in the work tree."""
    return CheckpointConductor(Stage.of(config, MODE, edited=True, looks=True))


class CheckpointConductor(PhaseConductor):
    """Runs every check, whatever the others say; changes nothing but its artifacts."""

    def __init__(self, stage: Stage) -> None:
        super().__init__(stage, lambda _: self._plan(), title="checkpoint of the tracked files")

    def _plan(self) -> list[Step]:
        found = checkpoint.checks(self.place)
        return [Step(name, "check", partial(self._look, check)) for name, check in found]

    def _look(self, check: Check) -> Outcome:
        return self.conclude_phase(check())

    def finish(self, exitstatus: int) -> None:
        """Write the report, then the record."""
        if not self.config.option.collectonly:
            try:
                self.keep(self.folder / "checkpoint.json", self._document(), "checkpoint_report")
            except CockpitError as error:
                self.say(f"the report was not written: {error}")
        super().finish(exitstatus)

    def conclude(self, terminal: Any) -> None:
        """Every check, and how many came out how: a skipped one is no passed one."""
        if self.config.option.collectonly or not self.rows:
            return
        terminal.section("cockpit: checkpoint")
        for line in table((row["name"], row["verdict"], row["summary"]) for row in self.rows):
            terminal.write_line(line)
        terminal.write_line(self._said())

    def _said(self) -> str:
        said = checkpoint.totals(Verdict(row["verdict"]) for row in self.rows)
        left = len(self.steps.steps) - len(self.rows)
        return f"{said}; {left} of {len(self.steps.steps)} not run" if left else said

    def _document(self) -> dict[str, Any]:
        counts = Counter(row["verdict"] for row in self.rows)
        return {
            "schema": SCHEMA,
            "commit": self.place.commit,
            "tree": self.place.tree,
            "planned": len(self.steps.steps),
            "totals": {verdict.value: counts[verdict.value] for verdict in Verdict},
            "said": self._said(),
            "checks": [
                {
                    "name": row["name"],
                    "verdict": row["verdict"],
                    "summary": row["summary"],
                    "text": row["message"],
                }
                for row in self.rows
            ],
        }
