"""Which phases of an earlier session are believed: those whose commit is what the phase leaves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Result
from pytest_cockpit.sessions.runbook import report
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import (
    AFTER,
    BASELINE,
    BEFORE,
    PHASES,
    PRODUCTION,
    REPORT,
    Phase,
    said,
)
from pytest_cockpit.sessions.settings import freezing_gates

_FROZEN = ("tag", "freeze", "base", "manifest", "manifest_sha256", "digest")


def believed(
    repository: Repository, settings: Config, identity: Identity, done: Sequence[Done]
) -> tuple[Done, ...]:
    """The phases up to the first that cannot have left its commit as it is.

    Raises
    ------
    CockpitError: no gate would judge the production freeze, or the report has nothing to tell by.
    """
    ground = _Ground(repository, settings, identity)
    found: tuple[Done, ...] = ()
    for phase, one in zip(PHASES, done, strict=False):
        if not ground.fits(phase, one, found):
            break
        found = (*found, one)
    return found


@dataclass(frozen=True, slots=True)
class _Ground:
    repository: Repository
    settings: Config
    identity: Identity

    def fits(self, phase: Phase, one: Done, before: Sequence[Done]) -> bool:
        """Whether a commit is what a phase leaves on top of those before it."""
        parent = before[-1].commit if before else self.identity.base
        match phase.name:
            case name if name in (BEFORE, AFTER):
                return _looked(phase, one) and not self.repository.changes(parent, one.commit)
            case name if name == BASELINE:
                return _froze(one, self.identity.baseline_tag, parent)
            case name if name == PRODUCTION:
                return _froze(one, self.identity.tag, parent) and self._judged(one)
            case name if name == REPORT:
                return self._reported(one, parent, before)
        return True

    def _judged(self, one: Done) -> bool:
        """Whether every gate is there that judges a freeze today, and has opened."""
        wanted = {name: self.settings.skip(name) for name in freezing_gates(self.settings)}
        return wanted.keys() == one.gates.keys() and all(
            verdict is Verdict.SKIP if wanted[name] else verdict.opens
            for name, verdict in one.gates.items()
        )

    def _reported(self, one: Done, parent: str, before: Sequence[Done]) -> bool:
        """Whether the report is the one that is computed now, and all that its commit brings."""
        wanted = report.files(self.repository, self.settings, self.identity, before)
        changed = self.repository.changes(parent, one.commit)
        return changed.keys() == wanted.keys() and all(
            self.repository.blob(one.commit, path) == content for path, content in wanted.items()
        )


def _looked(phase: Phase, one: Done) -> bool:
    """Whether the verdict of a checkpoint is that of its checks."""
    try:
        verdicts = said(one).values()
    except (KeyError, ValueError, AttributeError):
        return False
    return phase.verdict(Result(Verdict.worst(verdicts), "")) is one.verdict


def _froze(one: Done, tag: str, parent: str) -> bool:
    """Whether the facts are of this freeze; the seal holds them against the manifest."""
    whole = all(isinstance(one.facts.get(name), str) for name in _FROZEN)
    return whole and (one.facts["tag"], one.facts["base"]) == (tag, parent)
