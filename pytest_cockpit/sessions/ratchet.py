"""`--cockpit-ratchet=check|tighten`: where the baselines are looser than they need to be."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.records import baselines
from pytest_cockpit.records.baselines_join import Change, Comparison
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.measuring import Measuring, compared
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.takeover import take_over

PLAN = "ratchet.plan.jsonl"

_LISTED = 20


def conduct(config: pytest.Config) -> RatchetConductor:
    """Plan one comparison for each gate that keeps a baseline."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load_checked(repository.root, config.option.cockpit_set)
    measuring = Measuring(repository, settings, repository.resolve("HEAD"))
    if not measuring.gates():
        raise CockpitError("--cockpit-ratchet: none of the configured gates keeps a baseline")
    header = take_over(config, artifacts_folder(repository.root, settings) / PLAN)
    lock = SessionLock(repository.common_dir)
    lock.acquire("ratchet")
    try:
        conductor = RatchetConductor(config, measuring, lock)
        conductor.write_plan()
    except BaseException:
        lock.release()
        raise
    what = "tightened" if conductor.tightens else "compared"
    conductor.header = [
        *header,
        f"cockpit: baselines {what} with {measuring.commit[:12]}, measured in a private tree",
    ]
    return conductor


class RatchetConductor(Conductor):
    """Compares the stored baselines with `HEAD` as it measures; writes only what is tighter."""

    def __init__(self, config: pytest.Config, measuring: Measuring, lock: SessionLock) -> None:
        self.measuring = measuring
        self.settings: Config = measuring.settings
        self.lock = lock
        self.tightens = config.option.cockpit_ratchet == "tighten"
        root = measuring.repository.root
        folder = root / self.settings.artifacts
        steps = [
            Step(f"ratchet:{name}", "ratchet", partial(self._gate, name))
            for name in measuring.gates()
        ]
        super().__init__(
            config,
            mode="ratchet",
            root=root,
            folder=folder,
            steps=Steps(folder / PLAN, steps),
            halts=False,
        )

    def _gate(self, gate: str) -> Outcome:
        skip = self.settings.skip(gate)
        if skip is not None:
            return Outcome(Verdict.SKIP, f"declared not applicable: {skip}")
        where = baselines.path_of(self.settings.records, gate)
        stored = baselines.load(self.root, self.settings.records, gate)
        if stored is None:
            return Outcome(Verdict.UNKNOWN, f"{where}: no baseline; run pytest --cockpit-init")
        measured = self.measuring.measure(gate)
        if measured is None:
            return Outcome(Verdict.UNKNOWN, f"{gate} could measure nothing here")
        comparison = compared(stored, measured)
        if comparison is None:
            return Outcome(Verdict.UNKNOWN, f"{gate} has no join to say which bound is tighter")
        if not self.tightens:
            return _checked(where, comparison)
        if comparison.slack:
            self.keep_bytes(self.root / where, baselines.dump(comparison.result))
        return _tightened(where, comparison)

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()

    def conclude(self, terminal: Any) -> None:
        """Say of each baseline what it is like."""
        terminal.section("cockpit: ratchet")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if self.tightens and any(path.suffix == ".json" for path in self.written):
            terminal.write_line("look at these baselines and commit them")


def _checked(where: str, found: Comparison) -> Outcome:
    if not (found.slack or found.loose):
        return Outcome(Verdict.PASS, f"{where}: as tight as what it measures")
    told = []
    if found.slack:
        told.append(f"{_count(found.slack)} can be tightened")
    if found.loose:
        told.append(f"{_count(found.loose)} measured looser, which the gate itself judges")
    summary = f"{where}: {'; '.join(told)}"
    remedy = "  tighten with: pytest --cockpit-ratchet=tighten" if found.slack else ""
    return Outcome(Verdict.FAIL, summary, _text(summary, found, remedy))


def _tightened(where: str, found: Comparison) -> Outcome:
    if found.slack:
        summary = f"{where}: {_count(found.slack)} tightened"
    else:
        summary = f"{where}: nothing to tighten"
    if not found.loose:
        return Outcome(Verdict.PASS, _listed(summary, found.slack))
    summary += f"; {_count(found.loose)} measured looser and left as they were"
    return Outcome(Verdict.WARN, _listed(summary, found.slack))


def _text(summary: str, found: Comparison, remedy: str) -> str:
    lines = [summary, *_lines(found.slack)]
    if found.loose:
        lines += ["measured looser than the baseline allows:", *_lines(found.loose)]
    return "\n".join([*lines, remedy] if remedy else lines)


def _listed(summary: str, changes: Sequence[Change]) -> str:
    return "\n".join([summary, *_lines(changes)])


def _lines(changes: Sequence[Change]) -> list[str]:
    lines = [f"  {change}" for change in changes[:_LISTED]]
    if len(changes) > _LISTED:
        lines.append(f"  … and {len(changes) - _LISTED} more")
    return lines


def _count(changes: Sequence[Change]) -> str:
    return f"{len(changes):,} bound{'' if len(changes) == 1 else 's'}"
