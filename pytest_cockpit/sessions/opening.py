"""How every session begins that may end in a seal: lock, configuration, what was left behind."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import places
from pytest_cockpit.sessions import cadence, settings
from pytest_cockpit.sessions.cadence import Cadence
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.sealing import Sealing
from pytest_cockpit.sessions.takeover import take_over

AnyConductor = TypeVar("AnyConductor", bound=Conductor)


@dataclass(frozen=True, slots=True)
class Opened:
    """A session that may begin.

    Parameters
    ----------
    settings: the configuration; the committed one, unless the session only looks.
    lock: held, unless the session only collects.
    base: the commit that the session works on.
    folder: absolute artifacts folder.
    only_looks: whether nothing can be sealed.
    header: lines for pytest's header, after the session's own.
    cadence: what the calendar says of it.
    """

    config: pytest.Config
    repository: Repository
    settings: Config
    lock: SessionLock
    base: str
    folder: Path
    only_looks: bool
    header: list[str]
    cadence: Cadence

    def collect(self, plan: Path, batch_id: str, base: str) -> None:
        """Make the plan file the one collected argument, and the journal's first entry."""
        self.header.extend(take_over(self.config, plan))
        if not self.config.option.collectonly:
            self.lock.journal("planned", batch_id=batch_id, base=base)


def opened(config: pytest.Config, make: Callable[[Opened], AnyConductor]) -> AnyConductor:
    """The conductor that `make` gives for the session; nobody else's session runs meanwhile.

    Raises
    ------
    CockpitError: another session holds the lock, the configuration is not fit, or the day is
        closed.
    """
    repository = Repository.discover(config.invocation_params.dir)
    lock = SessionLock(repository.common_dir)
    if not config.option.collectonly:
        lock.acquire(_mode(config.option))
    try:
        session = _opened(config, repository, lock)
        conductor = make(session)
    except BaseException:
        lock.release()
        raise
    conductor.header += session.header
    session.cadence.enter(conductor)
    return conductor


def _opened(config: pytest.Config, repository: Repository, lock: SessionLock) -> Opened:
    option = config.option
    only_looks = option.collectonly or option.cockpit_dry_run or option.cockpit_checkpoint_only
    base = repository.resolve("HEAD")
    chosen = settings.load_for_batch(
        repository, base, seals=not only_looks, overrides=option.cockpit_set
    )
    said = cadence.judged(config, repository, chosen, base, looks=only_looks)
    header = [*said.header, *([] if option.collectonly else lock.left_behind())]
    if not option.collectonly:
        header += _told(config, places.of(repository.common_dir))
    if not only_looks:
        header += Sealing.recover(repository)
        base = repository.resolve("HEAD")
    folder = settings.artifacts_folder(repository.root, chosen)
    return Opened(config, repository, chosen, lock, base, folder, only_looks, header, said)


def _mode(option: argparse.Namespace) -> str:
    return "rollback" if option.cockpit_rollback else "burst" if option.cockpit_burst else "batch"


def _told(config: pytest.Config, place: places.Place) -> list[str]:
    """Where gates will see the commit, if that is worth a line."""
    if place.why:
        return [f"cockpit: the private tree lies below .git, where tests may not look: {place.why}"]
    return [f"cockpit: private tree {place.folder}/tree"] if config.get_verbosity() > 0 else []
