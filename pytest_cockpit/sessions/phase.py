"""What the sessions of one phase have in common: they look at a tree, and change the work tree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, PlanItem, Step, Steps
from pytest_cockpit.phases import Place, Result, clock
from pytest_cockpit.sessions import changing
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.takeover import take_over


@dataclass(frozen=True, slots=True)
class Stage:
    """What a session of one phase begins with.

    Parameters
    ----------
    path: its plan file, in the artifacts folder.
    lock: held, unless the session only collects.
    header: lines for pytest's header.
    """

    config: pytest.Config
    mode: str
    place: Place
    path: Path
    lock: SessionLock
    header: Sequence[str]

    @classmethod
    def of(
        cls, config: pytest.Config, mode: str, *, edited: bool = False, looks: bool = False
    ) -> Stage:
        """The stage of a mode, over `HEAD`.

        Parameters
        ----------
        edited: look at tracked files as they are in the work tree.
        looks: write nothing, not even what a killed session had begun.
        """
        repository = Repository.discover(config.invocation_params.dir)
        settings = load_checked(repository.root, config.option.cockpit_set)
        head = repository.resolve("HEAD")
        path = artifacts_folder(repository.root, settings) / f"{mode}.plan.jsonl"
        header = take_over(config, path)
        lock = SessionLock(repository.common_dir)
        if not config.option.collectonly:
            lock.acquire(mode)
        try:
            if not (looks or config.option.collectonly):
                header += changing.finish(repository)
            tree = repository.tracked() if edited else head
            place = Place(repository, settings, tree, head, clock())
        except BaseException:
            lock.release()
            raise
        return cls(config, mode, place, path, lock, header)


class PhaseConductor(Conductor):
    """Runs a phase's steps, and writes what each wants written once it has ended well.

    Parameters
    ----------
    plan: gives the steps, from the conductor; each ends in `self.conclude_phase(result)`.
    halts: whether the first red step ends the session.
    """

    def __init__(
        self,
        stage: Stage,
        plan: Callable[[PhaseConductor], Sequence[Step]],
        *,
        title: str,
        halts: bool = False,
    ) -> None:
        self.place = stage.place
        self.lock = stage.lock
        try:
            super().__init__(
                stage.config,
                mode=stage.mode,
                root=stage.place.repository.root,
                folder=stage.path.parent,
                steps=Steps(stage.path, plan(self)),
                halts=halts,
                header=[*stage.header, f"cockpit: {title} of {stage.place.commit[:12]}"],
            )
            self.facts["base"] = stage.place.commit
            self.write_plan()
        except BaseException:
            self.lock.release()
            raise

    def conclude_phase(self, result: Result) -> Outcome:
        """Keep the artifacts of a phase; write its changes where its verdict opens what follows."""
        for name, (document, schema) in result.artifacts.items():
            self.keep(self.folder / name, document, schema)
        if result.verdict.opens:
            for path in changing.apply(self.place, result.changes):
                self._remember(self.root / path)
        return Outcome(result.verdict, result.summary, result.text)

    def demand_committed(self, step: str, session: pytest.Session, paths: Iterable[str]) -> None:
        """Refuse to begin where the step would have to refuse to write when all is measured.

        Raises
        ------
        pytest.UsageError: a file is not as it was committed, and the step is to run.
        """
        names = {item.name for item in session.items if isinstance(item, PlanItem)}
        if self.config.option.collectonly or step not in names:
            return
        try:
            changing.demand_committed(self.place, paths)
        except CockpitError as error:
            raise pytest.UsageError(str(error)) from None

    def tell_written(self, terminal: pytest.TerminalReporter) -> None:
        """Name the files that were written into the work tree."""
        written = [path for path in self.written if not path.is_relative_to(self.folder)]
        for path in written:
            terminal.write_line(f"wrote {self.relative(path)}")
        if written:
            terminal.write_line("look at these files and commit them")

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()
