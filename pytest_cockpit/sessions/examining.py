"""What the sessions that only look have in common: items in groups, each with what to do."""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, load
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion import metrics
from pytest_cockpit.promotion.calendar import Clock
from pytest_cockpit.promotion.metrics import Ground, Metric
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions import cadence
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.settings import artifacts_folder
from pytest_cockpit.sessions.takeover import take_over

_NAMED = 5


@dataclass(frozen=True, slots=True)
class Check:
    """One thing looked at; its name is `group/what`. An expected error is `unknown`."""

    name: str
    look: Callable[[], Outcome]


@dataclass(frozen=True)
class Scene:
    """What is looked at: a repository at `HEAD` with the configuration of its work tree."""

    config: pytest.Config
    repository: Repository
    settings: Config
    head: str

    @classmethod
    def of(cls, config: pytest.Config) -> Scene:
        """The repository that the session was started in."""
        repository = Repository.discover(config.invocation_params.dir)
        settings = load(repository.root, config.option.cockpit_set)
        return cls(config, repository, settings, repository.resolve("HEAD"))

    @cached_property
    def clock(self) -> Clock:
        """What time it is."""
        return cadence.clock(self.repository, self.settings, self.head)

    @cached_property
    def ground(self) -> Ground:
        """What the numbers are computed from."""
        return Ground(self.repository, self.settings, self.head, self.clock.now)

    def blob(self, path: str) -> bytes | None:
        """What `HEAD` has at a path."""
        return self.repository.blob(self.head, path)


class ExaminingConductor(Conductor):
    """Runs every check, whatever the others say, and keeps the answers as data."""

    def __init__(
        self,
        scene: Scene,
        *,
        mode: str,
        checks: Iterable[Check],
        title: str,
    ) -> None:
        config, root = scene.config, scene.repository.root
        folder = artifacts_folder(root, scene.settings)
        path = folder / f"{mode}.plan.jsonl"
        header = take_over(config, path)
        steps = [Step(check.name, "check", partial(self._look, check)) for check in checks]
        self.scene = scene
        self.title = title
        self.remedies: dict[str, str] = {}
        super().__init__(
            config,
            mode=mode,
            root=root,
            folder=folder,
            steps=Steps(path, steps),
            halts=False,
            header=[*header, f"cockpit: {title} of {scene.head[:12]}"],
        )
        self.facts["base"] = scene.head
        self.write_plan()

    def _look(self, check: Check) -> Outcome:
        try:
            outcome = check.look()
        except CockpitError as error:
            outcome = unknown(artifacts.printable(str(error)), "")
        said, _, remedy = outcome.text.partition("\n")
        self.remedies[check.name] = remedy.strip() if said else ""
        return outcome

    def document(self) -> dict[str, Any]:
        """What every such session says of itself."""
        clock = self.scene.clock
        return {
            "commit": self.scene.head,
            "at": clock.now.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "planned": len(self.steps.steps),
            "items": [
                {
                    "group": row["name"].partition("/")[0],
                    "name": row["name"].partition("/")[2],
                    "verdict": row["verdict"],
                    "summary": row["summary"],
                    "remedy": self.remedies.get(row["name"], ""),
                }
                for row in self.rows
            ],
        }

    def measured(self) -> list[Metric]:
        """The six numbers, kept as an artifact."""
        own = tuple(path for path in self.written if path.is_file())
        ground = dataclasses.replace(self.scene.ground, own=own)
        found = metrics.measure(ground)
        self.keep(self.folder / "metrics.json", metrics.document(ground, found), "metrics")
        return found

    def finish(self, exitstatus: int) -> None:
        """Write what was seen, then the record."""
        if self.config.option.collectonly:
            return
        try:
            self.keep_document()
        except CockpitError as error:
            self.say(f"the {self.title} was not written: {error}")
        super().finish(exitstatus)

    @abc.abstractmethod
    def keep_document(self) -> None:
        """Write the mode's own artifact."""

    def conclude(self, terminal: Any) -> None:
        """Every item in its group, with what to do about those that are not green."""
        if self.config.option.collectonly:
            return
        terminal.section(f"cockpit: {self.title}")
        group = ""
        for row in self.rows:
            own, _, name = row["name"].partition("/")
            if own != group:
                group = own
                terminal.write_line(f"{group}:")
            terminal.write_line(f"  {row['verdict']:<8}{name}: {row['summary']}")
            remedy = self.remedies.get(row["name"], "")
            if remedy and row["verdict"] != Verdict.PASS.value:
                terminal.write_line(f"          {remedy}")


def passed(said: str) -> Outcome:
    """Green, with the facts in words."""
    return Outcome(Verdict.PASS, said)


def failed(said: str, remedy: str) -> Outcome:
    """Red, with what to do."""
    return Outcome(Verdict.FAIL, said, f"{said}\n  {remedy}")


def warned(said: str, remedy: str) -> Outcome:
    """Worth a look, with what to do."""
    return Outcome(Verdict.WARN, said, f"{said}\n  {remedy}")


def unknown(said: str, remedy: str) -> Outcome:
    """Not to be told, with what would tell it."""
    return Outcome(Verdict.UNKNOWN, said, f"{said}\n  {remedy}" if remedy else said)


def skipped(said: str) -> Outcome:
    """Not applicable, with the reason."""
    return Outcome(Verdict.SKIP, said)


def named(paths: Sequence[str]) -> str:
    """The first few of some paths."""
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(map(artifacts.printable, paths[:_NAMED])) + more
