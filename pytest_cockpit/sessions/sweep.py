"""`--cockpit-sweep`: the coverage of every module by its own tests, measured and recorded."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cached_property, partial
from typing import Any

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.items import Outcome, PlanItem, Step
from pytest_cockpit.phases import Result
from pytest_cockpit.records.text import count, printable
from pytest_cockpit.sessions import changing
from pytest_cockpit.sessions.phase import PhaseConductor, Stage
from pytest_cockpit.sharding import sweeping
from pytest_cockpit.sweep import phase, settling
from pytest_cockpit.sweep.model import Measured
from pytest_cockpit.sweep.model import Outcome as ModuleOutcome

_MEASURE, _MODULE, _RECORD = "measure", "module:", "record"


def conduct(config: pytest.Config) -> PhaseConductor:
    """Plan the measurement, an item for each module, and one that records the figures."""
    hosts = _hosts(config)
    stage = Stage.of(config, "sweep")
    if hosts:
        told = f"cockpit: the modules' tests run with {' '.join(hosts)}"
        header = [line for line in stage.header if "-n is not used" not in line]
        stage = dataclasses.replace(stage, header=[*header, told])
    if config.option.cockpit_shard:
        return PartConductor(stage, hosts)
    return SweepConductor(stage, hosts)


class SweepConductor(PhaseConductor):
    """Measures the modules whose items are to run, all at once; records them where all are."""

    def __init__(self, stage: Stage, hosts: Sequence[str]) -> None:
        place = dataclasses.replace(stage.place, say=self.live)
        self.hosts = hosts
        self.modules = {module.path: module for module in phase.candidates(place)}
        self.selected = set(self.modules)
        super().__init__(
            dataclasses.replace(stage, place=place), lambda _: self._planned(), title="coverage"
        )

    def _planned(self) -> Sequence[Step]:
        return [
            Step(_MEASURE, "measure", self._measure),
            *(
                Step(f"{_MODULE}{printable(path)}", "test", partial(self._module, path))
                for path in self.modules
            ),
            Step(_RECORD, "record", self._record),
        ]

    def pytest_collection_finish(self, session: pytest.Session) -> None:
        """Of a partial selection, measure the modules in it alone."""
        names = {item.name for item in session.items if isinstance(item, PlanItem)}
        if _RECORD not in names:
            self.selected = {p for p in self.modules if f"{_MODULE}{printable(p)}" in names}
        self.demand_committed(_RECORD, session, [each.manifest for each in self.modules.values()])

    @cached_property
    def measured(self) -> Measured:
        """What was measured; the first item that asks waits for it."""
        wanted = [module for path, module in self.modules.items() if path in self.selected]
        return phase.measure(self.place, wanted, self.hosts)

    @cached_property
    def _by_module(self) -> dict[str, ModuleOutcome]:
        return {outcome.module: outcome for outcome in self.measured.outcomes}

    @cached_property
    def result(self) -> Result:
        """What the figures change."""
        return phase.settle(self.place, self.measured)

    def _measure(self) -> Outcome:
        apart = sum(bool(outcome.apart) for outcome in self.measured.outcomes)
        said = f"{count(len(self.measured.outcomes), 'module')} measured"
        again = f", {apart} of them again in processes of their own" if apart else ""
        return Outcome(Verdict.PASS, said + again)

    def _module(self, path: str) -> Outcome:
        outcome = self._by_module[path]
        failures = self.place.settings.sweep.failures
        verdict = settling.verdict(outcome, failures)
        return Outcome(verdict, settling.said(outcome), settling.text(outcome))

    def _record(self) -> Outcome:
        """Keep the figures of every module that has some, whatever became of the others."""
        if not self.modules:
            globs = ", ".join(self.place.settings.registry.manifests)
            said = f"no module to measure: no tracked file matches {globs}, or all are excluded"
            remedy = "see registry.manifests, registry.exclude and sweep.exclude"
            return Outcome(Verdict.UNKNOWN, said, f"{said}\n  {remedy}")
        for name, (document, schema) in self.result.artifacts.items():
            self.keep(self.folder / name, document, schema)
        changes = self.result.changes
        for path in changing.apply(self.place, changes):
            self._remember(self.root / path)
        self.facts["extra"] = {"sweep": dict(self.result.facts)}
        manifests = count(len(changes.files), "manifest")
        rows = count(len(changes.rows), "row")
        told = f"{manifests} and {rows} of the ledger written" if changes else "no figure changed"
        return Outcome(Verdict.PASS, told)

    def conclude(self, terminal: Any) -> None:
        """Every figure, whose come from a run of their own, the totals, and what was written."""
        if self.config.option.collectonly or "measured" not in self.__dict__:
            return
        terminal.section("cockpit: coverage")
        for line in settling.table(self.place, self.measured):
            terminal.write_line(line)
        for outcome in self.measured.outcomes:
            if outcome.apart:
                name = printable(outcome.module)
                terminal.write_line(f"{name}: measured alone ({printable(outcome.apart)})")
        terminal.write_line(self.result.summary)
        self.tell_written(terminal)

    def conclude_part(self, terminal: Any) -> None:
        """A selection looks, and changes nothing."""
        if "measured" in self.__dict__:
            terminal.write_line("cockpit: a part of the modules was measured; nothing was recorded")


class PartConductor(PhaseConductor):
    """Measures one part of the modules, for another session to merge."""

    def __init__(self, stage: Stage, hosts: Sequence[str]) -> None:
        place = dataclasses.replace(stage.place, say=self.live)
        number, of = stage.config.option.cockpit_shard
        super().__init__(
            dataclasses.replace(stage, place=place),
            lambda _: [Step(_MEASURE, "measure", partial(self._part, (number, of), hosts))],
            title=f"coverage, part {number} of {of},",
        )

    def _part(self, part: tuple[int, int], hosts: Sequence[str]) -> Outcome:
        return self.conclude_phase(sweeping.run(self.place, part, hosts=hosts))

    def conclude(self, terminal: Any) -> None:
        """The shard, what was done for it, and what was left to others."""
        for row in self.rows:
            terminal.write_line(f"cockpit: {row['summary']}")


def _hosts(config: pytest.Config) -> tuple[str, ...]:
    """What the session was told of processes and hosts, which is meant for the modules' tests."""
    options = config.option
    processes, places = getattr(options, "numprocesses", None), getattr(options, "tx", None)
    if processes:
        return (f"-n{processes}", "--dist=load")
    if not places:
        return ()
    named = (("px", "px"), ("rsyncdir", "rsyncdir"), ("rsyncignore", "rsyncignore"))
    return (
        "--dist=load",
        *(f"--tx={each}" for each in places),
        *(f"--{flag}={each}" for flag, key in named for each in getattr(options, key, None) or ()),
    )
