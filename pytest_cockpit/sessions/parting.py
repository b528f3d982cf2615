"""A batch cut into parts, each judged as a commit of its own."""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError, Move, Report, Verdict
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion.batch import Batch
from pytest_cockpit.promotion.isolation.inquiry import Judged
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.promotion.selector import Look, make_plan
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import Bench


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of the batch as a commit; the base commit when nothing is moved.

    The fields are those of a gate's context.
    """

    commit: str
    moves: tuple[Move, ...] = ()
    changed: tuple[str, ...] = ()
    batch_id: str | None = None
    plan_sha256: str | None = None


class Parts:
    """The parts of a batch.

    Parameters
    ----------
    bench: what gates are run with.
    batch: the whole, which must have been staged.
    """

    def __init__(self, bench: Bench, batch: Batch) -> None:
        self.bench = bench
        self.batch = batch

    @cached_property
    def _look(self) -> Look:
        """What is there to be planned from: the same for every part."""
        bench, head = self.bench, self.batch.plan.header
        return Look.at(bench.repository, bench.settings, head.size, head.modules, head.base)

    def judged(self, conductor: Conductor, files: Sequence[str], gates: Iterable[str]) -> Judged:
        """What the gates say of production with these files moved; of the base, with none."""
        wall, cpu = time.perf_counter(), _cpu_seconds()
        part = self._part(files)
        facts: dict[str, Any] = {
            item.name: getattr(part, item.name) for item in dataclasses.fields(part)
        }
        reports = {
            gate: self.bench.judge(conductor, gate, keep=_unkept, base=self.batch.base, **facts)[0]
            for gate in gates
        }
        if not files:
            reports = {gate: _of_base(report) for gate, report in reports.items()}
        tree = self.bench.repository.tree(part.commit)
        return Judged(tree, reports, time.perf_counter() - wall, _cpu_seconds() - cpu)

    def plan(self, files: Sequence[str], left: Mapping[str, str] | None = None) -> Plan:
        """The batch cut down to these files; `left` stay behind, each with the reason.

        Raises
        ------
        CockpitError: something else would have to come along, or one of them cannot move alone.
        """
        plan = make_plan(
            self.bench.repository, self.bench.settings, only=files, left=left, look=self._look
        )
        planned = {row.move.source for row in plan.moves}
        if planned != set(files):
            other = artifacts.printable(min(planned ^ set(files)))
            raise CockpitError(f"{other}: cannot be judged apart from the rest of the batch")
        return plan

    def _part(self, files: Sequence[str]) -> _Part:
        if not files:
            return self._base()
        batch = self.batch
        if len(files) < len(batch.moves):
            # A part moves nothing that the whole does not, so nobody else mentions it.
            among = batch.mentioning
            batch = Batch(self.bench.repository, self.bench.settings, self.plan(files), among)
        staged, plan = batch.stage(), batch.plan
        return _Part(staged.commit, batch.moves, staged.changed, plan.header.batch_id, plan.sha256)

    def _base(self) -> _Part:
        """The base, looking at what the batch would change in it apart from its own files."""
        base = self.batch.base
        held = {entry.path for entry in self.bench.repository.entries(base)}
        near = held.intersection(self.batch.stage().changed)
        return _Part(base, changed=tuple(sorted(near - {move.source for move in self.batch.moves})))


def _of_base(report: Report) -> Report:
    """A gate that has nothing to judge in the base finds nothing wrong with it."""
    if report.verdict is Verdict.UNKNOWN and not report.checked and not report.findings:
        return dataclasses.replace(report, verdict=Verdict.PASS)
    return report


def _unkept(_conductor: object, _name: str, report: Report, _scratch: Path) -> Outcome:
    """Reports of parts are in the record of the search; those of the gates' steps stay."""
    return Outcome(report.verdict, report.summary)


def _cpu_seconds() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    return sum(os.times()[:4])
