"""`--cockpit-bench`: every module's benchmarks, measured, recorded and judged."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking import phase
from pytest_cockpit.benchmarking.phase import Answer, Benches
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.records.text import count, one_line, printable
from pytest_cockpit.sessions import changing
from pytest_cockpit.sessions.phase import PhaseConductor, Stage

_RECORD = "record"


def conduct(config: pytest.Config) -> BenchConductor:
    """Plan one item for each module with benchmarks, and one that records them."""
    return BenchConductor(Stage.of(config, "bench"))


class BenchConductor(PhaseConductor):
    """Measures one module after the other; records what came of each, good or bad."""

    def __init__(self, stage: Stage) -> None:
        place = dataclasses.replace(stage.place, say=self.live)
        self.benches = Benches(place, stage.config.option.cockpit_base)
        self.answers: list[Answer] = []
        super().__init__(
            dataclasses.replace(stage, place=place), lambda _: self._planned(), title="benchmarks"
        )
        if self.benches.against is not None:
            self.header[-1] += f", in pairs with {self.benches.against[:12]}"

    def _planned(self) -> Sequence[Step]:
        # A name that no commit has is told before anything runs.
        _ = self.benches.against
        steps = [
            Step(f"bench:{one_line(printable(path))}", "bench", partial(self._measure, path))
            for path in self.benches.modules
        ]
        return [*steps, Step(_RECORD, "record", self._record)]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Refuse before the first benchmark what could not be recorded after the last."""
        if self.benches.modules:
            self.demand_committed(_RECORD, session, [phase.trend(self.place.settings)])

    def _measure(self, path: str) -> Outcome:
        answer = self.benches.measure(path)
        self.answers.append(answer)
        return Outcome(answer.verdict, answer.said, f"{answer.said}\n{answer.text}")

    def _record(self) -> Outcome:
        """Keep rows and trend of all that was measured, whatever was said of it."""
        result = self.benches.result(self.answers)
        for name, (document, schema) in result.artifacts.items():
            self.keep(self.folder / name, document, schema)
        for path in changing.apply(self.place, result.changes):
            self._remember(self.root / path)
        self.facts["extra"] = {"bench": dict(result.facts)}
        if not self.benches.modules:
            return Outcome(Verdict.SKIP, phase.NONE)
        recorded = len(result.changes.rows)
        said = f"{count(recorded, 'benchmark')} recorded"
        return Outcome(Verdict.PASS if recorded else Verdict.SKIP, said)

    def conclude(self, terminal: Any) -> None:
        """Every benchmark of which pytest has not said what became of it, and what was written."""
        green = [answer for answer in self.answers if answer.verdict is Verdict.PASS]
        if green:
            terminal.section("cockpit: benchmarks")
            for line in self.benches.result(green).text.splitlines():
                terminal.write_line(line)
        self.tell_written(terminal)
