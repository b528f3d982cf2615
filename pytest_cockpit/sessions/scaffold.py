"""`--cockpit-scaffold[=apply]`: what modules lack of the template, and where they drifted."""

from __future__ import annotations

import dataclasses
import os
import stat
import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.phases import Result
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import one_line
from pytest_cockpit.scaffolding import drift, phase, wording
from pytest_cockpit.scaffolding.drift import Standing, State
from pytest_cockpit.sessions.phase import PhaseConductor, Stage

_ALL = "scaffold:all"


def conduct(config: pytest.Config) -> ScaffoldConductor:
    """Plan one item for each module that lacks something or drifted, or one that writes."""
    looks = config.option.cockpit_scaffold != "apply"
    return ScaffoldConductor(Stage.of(config, "scaffold", edited=True, looks=looks))


class ScaffoldConductor(PhaseConductor):
    """Holds the tracked files of the work tree against the template."""

    def __init__(self, stage: Stage) -> None:
        self.survey: phase.Survey | None = None
        self.applies = stage.config.option.cockpit_scaffold == "apply"
        super().__init__(stage, lambda _: self._plan(), title="scaffolds of modules")

    def _plan(self) -> Sequence[Step]:
        if self.applies:
            return [Step(_ALL, "scaffold", self._apply)]
        reason = phase.missing()
        if reason:
            return [Step(_ALL, "scaffold", partial(Outcome, Verdict.UNKNOWN, reason, reason))]
        self.survey = phase.survey(dataclasses.replace(self.place, say=_ahead), self._lies)
        worth = [each for each in self.survey.standings if _worth(each)]
        if not worth:
            return [Step(_ALL, "scaffold", self._all)]
        return [
            Step(
                f"scaffold:{one_line(printable(each.module.path))}",
                "scaffold",
                partial(_told, each),
            )
            for each in worth
        ]

    def _lies(self, path: str) -> str:
        """What is at a path of the work tree, tracked or not."""
        try:
            mode = os.lstat(self.place.repository.root / path).st_mode
        except OSError:
            # Nothing, or something else than a folder before it, which is asked for by itself.
            return ""
        kinds = {stat.S_IFDIR: drift.FOLDER, stat.S_IFLNK: drift.LINK}
        return kinds.get(stat.S_IFMT(mode), drift.FILE)

    def _apply(self) -> Outcome:
        place = dataclasses.replace(self.place, say=self.live)
        found = phase.run(place, apply=True, lies=self._lies)
        # What is in the way of one file keeps no other from being given.
        opened = Verdict.WARN if found.verdict is Verdict.FAIL else found.verdict
        outcome = self.conclude_phase(dataclasses.replace(found, verdict=opened))
        return dataclasses.replace(outcome, verdict=found.verdict)

    def _all(self) -> Outcome:
        found = self._result()
        return Outcome(found.verdict, found.summary, found.text)

    def _result(self) -> Result:
        if self.survey is None:
            raise CockpitError("nothing was looked at")
        return phase.result(self.place, self.survey, apply=False)

    def finish(self, exitstatus: int) -> None:
        """Write what was seen, then the record."""
        if self.survey is not None and not self.config.option.collectonly:
            try:
                for name, (document, schema) in self._result().artifacts.items():
                    self.keep(self.folder / name, document, schema)
            except CockpitError as error:
                self.say(f"{phase.ARTIFACT} was not written: {error}")
        super().finish(exitstatus)

    def conclude(self, terminal: Any) -> None:
        """All modules in one line, and what was written."""
        terminal.section("cockpit: scaffolds")
        if self.survey is not None:
            terminal.write_line(self._result().summary)
        elif self.rows:
            terminal.write_line(self.rows[-1]["summary"])
        if self.applies:
            written = [path for path in self.written if not path.is_relative_to(self.folder)]
            for path in written:
                terminal.write_line(f"wrote {self.relative(path)}")
            if written:
                terminal.write_line("look at these files and commit them")


def _ahead(line: str) -> None:
    """Tell something before pytest has a terminal to tell it to."""
    print(f"cockpit: {line}", file=sys.stderr, flush=True)  # noqa: T201 - nothing else is there yet


def _worth(standing: Standing) -> bool:
    drifted = standing.of(State.OUTDATED, State.DIVERGED, State.EDITED)
    return bool(drifted) or not standing.verdict.opens


def _told(standing: Standing) -> Outcome:
    return Outcome(standing.verdict, wording.told(standing), wording.text(standing))
