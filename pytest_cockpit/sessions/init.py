"""`--cockpit-init`: a commented configuration where there is none, and measured baselines."""

from __future__ import annotations

import json
from functools import cached_property, partial
from importlib import resources
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import COCKPIT, Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.phases import Place, clock
from pytest_cockpit.records import baselines, ledger
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit.registry.modules import discover
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.examining import named
from pytest_cockpit.sessions.gating import scratch
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.measuring import Measuring, compared
from pytest_cockpit.sessions.settings import IGNORE, artifacts_folder, load_checked
from pytest_cockpit.sessions.takeover import take_over

PLAN = "init.plan.jsonl"

_NAMED = 5
_RED = ("fail", "unknown", "error")
_REMEDY = "give it something to judge, or declare gate.{}.skip with a reason in the configuration"


def conduct(config: pytest.Config) -> InitConductor:
    """Plan the starter files and one measurement for each gate that keeps a baseline."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load_checked(repository.root, config.option.cockpit_set)
    head = repository.resolve("HEAD")
    place = Place(repository, settings, head, head, clock())
    if not (repository.entries(head, settings.lane.path) or discover(place)):
        raise CockpitError(
            f"{settings.lane.path}/: no such folder in commit {head[:12]}, nor is any file there a "
            "module's manifest; set lane.path or registry.manifests, or commit the lane first"
        )
    fresh = not (repository.root / settings.artifacts).exists()
    header = take_over(config, artifacts_folder(repository.root, settings) / PLAN)
    lock = SessionLock(repository.common_dir)
    lock.acquire("init")
    try:
        conductor = InitConductor(config, repository, settings, head, lock, fresh=fresh)
        conductor.write_plan()
    except BaseException:
        lock.release()
        raise
    conductor.header = [*header, f"cockpit: baselines of {head[:12]}, measured in a private tree"]
    return conductor


class InitConductor(Conductor):
    """Writes what a repository needs before its first batch; never overwrites a configuration."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        settings: Config,
        head: str,
        lock: SessionLock,
        *,
        fresh: bool,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.head = head
        self.lock = lock
        self._fresh = fresh
        self.measuring = Measuring(repository, settings, head)
        folder = repository.root / settings.artifacts
        super().__init__(
            config,
            mode="init",
            root=repository.root,
            folder=folder,
            steps=Steps(folder / PLAN, self._steps()),
            halts=False,
        )

    def _steps(self) -> list[Step]:
        steps = [
            Step("configuration", "file", self._configuration),
            Step("artifacts", "file", self._artifacts),
            Step("ledger", "file", self._ledger),
        ]
        steps += [
            Step(f"baseline:{name}", "baseline", partial(self._baseline, name))
            for name in self.measuring.gates()
        ]
        return steps

    def _configuration(self) -> Outcome:
        skips = self._skips
        if self.settings.source is not None:
            name = self.settings.source.relative_to(self.root)
            advice = "".join(f"; {gate}: {reason}: skip it there" for gate, reason in skips.items())
            return Outcome(Verdict.PASS, f"{name} is there and was left alone{advice}")
        starter = resources.files("pytest_cockpit").joinpath("starter.toml").read_bytes()
        for gate, reason in skips.items():
            starter += f"\n[gate.{gate}]\nskip = {json.dumps(reason)}\n".encode()
        return self._create(self.root / COCKPIT, starter)

    @cached_property
    def _skips(self) -> dict[str, str]:
        """Gates that have nothing to judge here, each with the reason."""
        found = {}
        loaded = discovery.gates().loaded
        common, tree = self.repository.common_dir, self.measuring.tree
        with scratch(common, "init") as folder, tree.at(self.head) as root:
            for name in self.settings.gates:
                suggest = getattr(loaded[name].gate, "not_applicable", None)
                settings = self.settings.gate.get(name, {})
                if suggest is not None and "skip" not in settings:
                    reason = suggest(self.measuring.context(root, folder, settings))
                    if reason is not None:
                        found[name] = reason
        return found

    def _artifacts(self) -> Outcome:
        path = self.folder / ".gitignore"
        if self._fresh and path.exists():
            # Written with the folder, before the plan of this session could be.
            return Outcome(Verdict.PASS, f"wrote {self.relative(path)}")
        return self._create(path, IGNORE)

    def _ledger(self) -> Outcome:
        opened = ledger.extend(b"", [{"kind": "opened", "base": self.head}])
        return self._create(self.root / self.settings.ledger, opened)

    def _create(self, path: Path, content: bytes) -> Outcome:
        if path.exists():
            return Outcome(Verdict.PASS, f"{self.relative(path)} exists and was left alone")
        self.keep_bytes(path, content)
        return Outcome(Verdict.PASS, f"wrote {self.relative(path)}")

    def _baseline(self, gate: str) -> Outcome:
        settings = self.settings.gate.get(gate, {})
        if "skip" in settings:
            return Outcome(Verdict.SKIP, f"declared not applicable: {settings['skip']}")
        if gate in self._skips:
            return self._inapplicable(gate, self._skips[gate])
        stored = baselines.load(self.root, self.settings.records, gate)
        measured = self.measuring.measure(gate)
        if measured is None:
            said = f"{gate} could measure nothing here: {self.head[:12]} has nothing that it judges"
            return Outcome(Verdict.UNKNOWN, said, f"{said}\n  {_REMEDY.format(gate)}")
        where = baselines.path_of(self.settings.records, gate)
        if stored is None:
            self.keep_bytes(self.root / where, baselines.dump(measured))
            return _wrote(where, measured)
        return self._tightened(where, stored, measured)

    def _inapplicable(self, gate: str, reason: str) -> Outcome:
        """A gate without anything to measure: skipped by the starter, or a thing to settle."""
        if self.settings.source is None:
            return Outcome(Verdict.SKIP, f"skipped in {COCKPIT}: {reason}")
        return Outcome(Verdict.UNKNOWN, reason, f"{reason}\n  {_REMEDY.format(gate)}")

    def _tightened(self, where: str, stored: Baseline, measured: Baseline) -> Outcome:
        """A baseline that exists is tightened at most: loosening it is nothing done in passing."""
        comparison = compared(stored, measured)
        if comparison is None:
            return Outcome(
                Verdict.PASS, f"{where} exists and was left alone; delete it to measure it anew"
            )
        if comparison.slack:
            self.keep_bytes(self.root / where, baselines.dump(comparison.result))
        summary = f"{where} exists: {len(comparison.slack)} bounds tightened"
        if not comparison.loose:
            return Outcome(Verdict.PASS, summary)
        loose = [change.name for change in comparison.loose]
        more = f" and {len(loose) - _NAMED} more" if len(loose) > _NAMED else ""
        return Outcome(
            Verdict.WARN,
            f"{summary}; {len(loose)} measured looser and left as they were: "
            f"{', '.join(map(printable, loose[:_NAMED]))}{more}; delete it to measure it anew",
        )

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()

    def conclude(self, terminal: Any) -> None:
        """Say what was written and what to do with it."""
        terminal.section("cockpit: init")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['summary']}")
        red = [row["name"] for row in self.rows if row["verdict"] in _RED]
        if red:
            terminal.write_line(f"not ready to promote: {named(red)}; settle that, then init again")
            return
        lane = self.repository.entries(self.head, self.settings.lane.path)
        what = "promote with: pytest --cockpit-batch" if lane else "run: pytest --cockpit-registry"
        terminal.write_line(f"look at these files and commit them; then {what}")


def _wrote(where: str, measured: Baseline) -> Outcome:
    """A baseline as it was written, with what it tolerates that nobody may want."""
    said = f"wrote {where}: {len(measured.entries)} entries"
    failing = baselines.failing_tests(measured) if measured.gate == "coverage" else []
    if not failing:
        return Outcome(Verdict.PASS, said)
    return Outcome(
        Verdict.WARN,
        f"{said}; {words.count(len(failing), 'failing test')} tolerated: {named(failing)}",
    )
