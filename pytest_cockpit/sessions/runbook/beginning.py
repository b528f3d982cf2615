"""How a runbook begins: anew, or where one was halted or killed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.freeze import signatures
from pytest_cockpit.git import Repository
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.runbook import belief, chain, sealing
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import NAMES
from pytest_cockpit.sessions.sealing import Sealing
from pytest_cockpit.sessions.settings import artifacts_folder, load_for_batch
from pytest_cockpit.sessions.takeover import take_over

PLAN = "runbook.plan.jsonl"
_GIVEN_UP = (
    "begins anew; what an earlier runbook has kept is given up once the first phase has ended (see "
    "--cockpit-resume)"
)


@dataclass(frozen=True, slots=True)
class Begun:
    """A runbook that may go on.

    Parameters
    ----------
    done: the phases that earlier sessions have committed.
    lock: held, unless the session only collects.
    path: the plan file.
    header: lines for pytest's header.
    """

    config: pytest.Config
    repository: Repository
    settings: Config
    lock: SessionLock
    identity: Identity
    done: tuple[Done, ...]
    path: Path
    header: list[str]


def begin(config: pytest.Config, repository: Repository, lock: SessionLock) -> Begun:
    """Find out where the runbook stands.

    Raises
    ------
    CockpitError: the configuration is not fit, a tag is taken, or there is nothing to go on with.
    """
    option = config.option
    looks = option.collectonly or option.cockpit_dry_run
    header = [] if option.collectonly else lock.left_behind()
    if not looks:
        header += Sealing.recover(repository)
    head = repository.resolve("HEAD")
    settings = load_for_batch(repository, head, seals=not looks, overrides=option.cockpit_set)
    if option.cockpit_resume:
        identity = _stopped(config, repository, settings)
        read = chain.read(repository, identity, NAMES)
        done = belief.believed(repository, settings, identity, read)
        _demand_place(repository, identity, done, head)
    else:
        identity, done = _asked(config, settings, head), ()
        if repository.ref(chain.REF) is not None:
            header.append(f"cockpit: {_GIVEN_UP}")
    sealing.demand_free(repository, identity, done)
    signatures.Signers.of(settings.freeze.signers)
    path = artifacts_folder(repository.root, settings) / PLAN
    header = [*take_over(config, path), *header]
    return Begun(config, repository, settings, lock, identity, done, path, header)


def _asked(config: pytest.Config, settings: Config, head: str) -> Identity:
    """A runbook from the options."""
    tag = config.option.cockpit_tag
    if not tag:
        raise CockpitError("--cockpit-runbook: needs --cockpit-tag TAG, which it ends in")
    baseline = config.option.cockpit_baseline_tag or f"{tag}-baseline"
    if baseline == tag:
        raise CockpitError(f"--cockpit-baseline-tag: {tag} is that of the end; name another one")
    return Identity(head, settings.digest(), baseline, tag)


def _stopped(config: pytest.Config, repository: Repository, settings: Config) -> Identity:
    """The runbook on the private ref, which the options and the settings must agree with."""
    identity = chain.begun(repository)
    if identity is None:
        raise CockpitError("no runbook was halted or killed here; leave out --cockpit-resume")
    option = config.option
    asked = (
        ("--cockpit-tag", option.cockpit_tag, identity.tag),
        ("--cockpit-baseline-tag", option.cockpit_baseline_tag, identity.baseline_tag),
    )
    for name, given, began in asked:
        if given and given != began:
            raise CockpitError(
                f"{name}: the runbook was begun with {began}; leave out {name} or --cockpit-resume"
            )
    if identity.settings_sha256 != settings.digest():
        raise CockpitError(
            "the configuration has changed since the runbook began; put it back, or leave out "
            "--cockpit-resume to begin anew"
        )
    return identity


def _demand_place(
    repository: Repository, identity: Identity, done: tuple[Done, ...], head: str
) -> None:
    if not done:
        raise CockpitError(
            f"{chain.REF}: holds no phase that this version can go on from; leave out "
            "--cockpit-resume to begin anew"
        )
    # After the last phase the checkout may have been brought forward already.
    ends = (identity.base, done[-1].commit) if len(done) == len(NAMES) else (identity.base,)
    if head not in ends:
        raise CockpitError(
            f"the runbook was begun at {identity.base[:12]}, and HEAD is {head[:12]}; put HEAD "
            "back, or leave out --cockpit-resume to begin anew"
        )
