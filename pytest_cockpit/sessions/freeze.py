"""`--cockpit-freeze=baseline|production`: digests of a commit, sealed under an annotated tag."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import partial

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Context, Report, Verdict
from pytest_cockpit.freeze import manifest, phase, signatures, tagged, tagging
from pytest_cockpit.freeze.verify import verify
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.phases import Place, Result
from pytest_cockpit.records import checkpoint as tree_heads
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.registry import checkpoint, ledger_check
from pytest_cockpit.registry.checkpoint import Check
from pytest_cockpit.seals import checkout, tag
from pytest_cockpit.sessions import changing, gating
from pytest_cockpit.sessions.phase import PhaseConductor, Stage
from pytest_cockpit.sessions.settings import committed, freezing_gates

MODE = "freeze"

_REF = "refs/cockpit/freeze"
_SHOWN = 3


def conduct(config: pytest.Config) -> FreezeConductor:
    """Plan the checks, the gates of a production freeze, its manifest and its seal."""
    name = config.option.cockpit_tag
    if not name:
        raise CockpitError(
            "--cockpit-freeze: under which tag? add one such as --cockpit-tag v0.02-prod"
        )
    stage = Stage.of(config, MODE)
    try:
        if not config.option.collectonly:
            stage = _recovered(stage)
        done = _demand_ready(stage.place, name, config.option.cockpit_freeze)
        return FreezeConductor(stage, name, config.option.cockpit_freeze, done=done)
    except BaseException:
        stage.lock.release()
        raise


def _recovered(stage: Stage) -> Stage:
    """The stage once the checkout that a killed session had begun to bring forward is there."""
    repository = stage.place.repository
    stage = dataclasses.replace(stage, header=[*stage.header, *stage.lock.left_behind()])
    taken = checkout.resume(repository)
    if taken is None:
        return stage
    head = repository.resolve("HEAD")
    state = "finished" if taken.done else "left as it is"
    line = f"cockpit: the checkout of the last seal was {state}: {taken.reason}"
    place = dataclasses.replace(stage.place, tree=head, commit=head)
    return dataclasses.replace(stage, place=place, header=[*stage.header, line])


def _demand_ready(place: Place, name: str, kind: str) -> bool:
    """Refuse what could not be sealed in the end; True where this very freeze is there already.

    Raises
    ------
    CockpitError: with the remedy.
    """
    repository, settings = place.repository, place.settings
    tag.demand_valid(repository, name)
    if _is_done(repository, place.commit, name, kind):
        return True
    tag.demand_free(repository, name)
    signatures.Signers.of(settings.freeze.signers)
    if repository.branch() is None:
        raise CockpitError("HEAD is detached: a freeze goes on a branch; git switch to one")
    if settings.digest() != committed(repository, place.commit).digest():
        raise CockpitError(
            "the configuration differs from the commit's; commit it first, without --cockpit-set, "
            "so that the rules of a freeze are in git"
        )
    ledger = settings.ledger
    own = (manifest.path_of(settings.registry.output, kind), ledger, tree_heads.path_of(ledger))
    dirty = [printable(path) for path in repository.dirty(own)]
    if dirty:
        raise CockpitError(
            f"{', '.join(dirty[:_SHOWN])}: uncommitted, and written by a freeze; commit it first"
        )
    return False


def _is_done(repository: Repository, head: str, name: str, kind: str) -> bool:
    found = tagged.find(repository, name)
    return found is not None and found.commit == head and found.trailers.get("Freeze") == kind


class FreezeConductor(PhaseConductor):
    """Freezes the commit that `HEAD` is; nothing names what was made until the seal.

    Parameters
    ----------
    done: the freeze is there; only verify it.
    """

    def __init__(self, stage: Stage, name: str, kind: str, *, done: bool) -> None:
        self.name, self.kind, self.done = name, kind, done
        self.demands = kind == "production"
        repository, settings = stage.place.repository, stage.place.settings
        self.gates = freezing_gates(settings) if self.demands and not done else ()
        self.bench = gating.Bench.of(repository, settings)
        self.said: dict[str, Verdict] = {}
        self.judged: dict[str, Verdict] = {}
        self.result: Result | None = None
        self.commit = ""
        self.advice: list[str] = []
        plan = self._verifying if done else self._freezing
        super().__init__(stage, lambda _: plan(), title=f"{kind} freeze {name}", halts=True)
        self.place = dataclasses.replace(self.place, say=self.live)

    def _verifying(self) -> list[Step]:
        return [Step(f"verify:{self.name}", "check", self._verify)]

    def _freezing(self) -> list[Step]:
        found = checkpoint.checks(self.place, judge=self._ledger)
        return [
            *(Step(name, "check", partial(self._look, name, check)) for name, check in found),
            *gating.steps(self.gates, discovery.gates(), self._judge),
            Step("manifest", "file", self._manifest),
            Step("seal", "seal", self._seal),
        ]

    def _verify(self) -> Outcome:
        found = verify(self.place.repository, self.place.settings, self.name, say=self.live)
        text = "\n".join(found.lines())
        return Outcome(found.verdict, f"{self.name} is there already: {found.verdict.value}", text)

    def _ledger(self, place: Place) -> Report:
        return ledger_check.report(place, self._waived)

    def _waived(self, name: str, context: Context) -> Report:
        return gating.judge(self, name, context, self.place.settings)

    def _look(self, name: str, check: Check) -> Outcome:
        """One check: a baseline freezes what is there, so there it is shown and recorded only."""
        result = check()
        self.said[name] = result.verdict
        verdict, summary = result.verdict, result.summary
        if not (self.demands or _goes_on(verdict)):
            summary = f"{verdict.value}: {summary}"
            verdict = Verdict.WARN
        return Outcome(verdict, summary, result.text)

    def _judge(self, name: str) -> Outcome:
        base = self.place.commit
        report, outcome = self.bench.judge(self, name, base=base, commit=base)
        self.judged[name] = report.verdict
        self.lock.journal("gate", gate=name, verdict=report.verdict.value)
        return outcome

    def _manifest(self) -> Outcome:
        """Make the commit of the freeze, under a private ref."""
        result = phase.run(
            self.place,
            kind=self.kind,
            tag=self.name,
            checks=_pairs(self.said),
            gates=_pairs(self.judged),
        )
        self.commit = changing.commit(
            self.place, result.changes, message=phase.message(result.facts), ref=_REF
        )
        self.result = result
        self.facts["extra"] = {"freeze": dict(result.facts)}
        self.lock.journal("frozen", commit=self.commit)
        return Outcome(result.verdict, result.summary, result.text)

    def _seal(self) -> Outcome:
        """Make the tag, and publish it with the branch that goes forward to its commit."""
        repository, settings = self.place.repository, self.place.settings
        fault = self._fault()
        if self.result is None or fault:
            return Outcome(Verdict.FAIL, fault or "there is no manifest: nothing was sealed")
        branch = repository.branch()
        if branch is None:
            return Outcome(Verdict.FAIL, "HEAD is detached by now: nothing was sealed")
        message = phase.message(self.result.facts)
        oid = tagging.made(repository, settings, self.name, self.commit, message)
        self.lock.journal("sealing", commit=self.commit, tag=self.name)
        tags = {tag.ref_of(self.name): oid}
        taken = checkout.take(repository, branch, self.place.commit, self.commit, tags=tags)
        if not taken.done:
            return Outcome(Verdict.FAIL, f"nothing was sealed: {taken.reason}")
        short = branch.removeprefix("refs/heads/")
        self.facts["sealed"] = {"branch": branch, "commit": self.commit}
        self.lock.journal("sealed", commit=self.commit, tag=self.name)
        repository.run("update-ref", "-d", _REF, self.commit, check=False, finishes=True)
        self.config.hook.pytest_cockpit_sealed(
            config=self.config, batch_id=self.name, branch=branch, commit=self.commit
        )
        remote = settings.seal.remote
        if repository.remote_url(remote) is not None:
            self.advice.append(f"publish both with: git push --atomic {remote} {short} {self.name}")
        self.advice.append(f"look at it any time with: cockpit freeze verify {self.name}")
        return Outcome(Verdict.PASS, f"{self.name} and {short} are {self.commit[:12]}")

    def _fault(self) -> str:
        """What is missing of what a freeze demands; it may not have run in this session."""
        if not self.demands:
            return ""
        wanted = {step.name for step in self.steps.steps if step.kind == "check"}
        red = sorted(name for name in wanted if not _goes_on(self.said.get(name)))
        red += sorted(name for name in self.gates if not self._opens(name))
        return f"{', '.join(red)}: not green in this session: nothing was sealed" if red else ""

    def _opens(self, gate: str) -> bool:
        verdict = self.judged.get(gate)
        skipped = self.place.settings.skip(gate) is not None
        return verdict is not None and (verdict.opens or (skipped and verdict is Verdict.SKIP))

    def finish(self, exitstatus: int) -> None:
        """Write the record, and say what is left to a person."""
        super().finish(exitstatus)
        for line in self.advice:
            self.say(line)
        if not self.config.option.collectonly:
            self.lock.ended(exitstatus)


def _goes_on(verdict: Verdict | None) -> bool:
    """Whether a freeze goes on after it; a skip is declared, and recorded as such."""
    return verdict is not None and (verdict.opens or verdict is Verdict.SKIP)


def _pairs(said: dict[str, Verdict]) -> Sequence[tuple[str, str]]:
    return [(name, verdict.value) for name, verdict in said.items()]
