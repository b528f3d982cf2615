"""One measurement beside all that it is compared with, and the findings that follow."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.api import Context, Finding, Severity
from pytest_cockpit.records import baselines
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.coverage import patch, ratchet, rules, suite, targets
from pytest_cockpit_gates.coverage.completion import trouble
from pytest_cockpit_gates.coverage.joining import failing_tests
from pytest_cockpit_gates.coverage.loosening import Compared
from pytest_cockpit_gates.coverage.measure import Measurement
from pytest_cockpit_gates.coverage.model import Bound
from pytest_cockpit_gates.coverage.past import Past
from pytest_cockpit_gates.coverage.settings import Settings
from pytest_cockpit_gates.coverage.tree import Tree

GATE = "coverage"


@dataclass(frozen=True, slots=True)
class Held:
    """What the tree's baseline holds it to."""

    kept: Baseline = field(default_factory=lambda: Baseline(GATE))
    bounds: Mapping[str, Bound] = field(default_factory=dict)
    failing: frozenset[str] = frozenset()

    @classmethod
    def of(cls, kept: Baseline, where: str) -> Held:
        """Read the baseline that the tree has at `where`."""
        bounds = {path: Bound.of(row, f"{where}: {path}") for path, row in kept.entries.items()}
        return cls(kept, bounds, failing_tests(kept.meta, where))


@dataclass(frozen=True, slots=True)
class Case:
    """One measurement beside all that it is compared with."""

    context: Context
    settings: Settings
    tree: Tree
    measured: Measurement
    past: Past
    held: Held

    @property
    def patch(self) -> patch.Patch:
        """What changed, among all that was measured."""
        return patch.Patch.of(self.measured.files, self.past.base, self.past.unknown)

    def findings(self, blocking: Sequence[Finding]) -> Iterator[Finding]:
        """All findings; where the run says nothing of the tree, no file is compared."""
        yield from blocking
        tests, sources = self.measured.tests, self.past.sources
        yield from suite.new_failures(tests, self.held.failing, sources)
        yield from self._loosened()
        if blocking:
            return
        files, bounds = self.measured.files, self.held.bounds
        yield from ratchet.compare(
            files,
            bounds,
            sources=sources,
            moved=[move.source for move in self.context.moves],
            new_file_ratio=self.settings.new_file_ratio,
        )
        yield from targets.below(files, targets.configured(self.settings, self.context.lane))
        yield from self.patch.findings(self.settings.patch_ratio)
        yield from ratchet.unmeasured(self._expected(), self._reasons(), bounds, sources)
        yield from self._untested()
        yield from suite.skipped(tests, self.held.kept.meta.get("skipped"))
        yield from ratchet.slackness(
            ratchet.slack(files, bounds, sources),
            suite.mended(tests, self.held.failing, sources),
            ratchet.unbound(files, bounds, sources),
            ratchet.uncounted(files, bounds, sources),
        )

    def blocking(self) -> Iterator[Finding]:
        """Why the run says nothing of the tree."""
        measured = self.measured
        incomplete = trouble(measured, self.settings.timeout_s)
        if incomplete is not None:
            yield incomplete
            return
        yield from suite.outside(measured.tests, self.tree.modules)
        yield from suite.disturbed(measured.tests, measured.measurer)
        statements = sum(now.statements for now in measured.files.values())
        if (statements or measured.same) and not measured.executed:
            yield _nothing_executed(suite.elsewhere(measured.tests, self.tree.sources))
        elif not (measured.files or measured.same):
            yield _nothing_to_measure()

    def _loosened(self) -> Iterator[Finding]:
        where = baselines.path_of(self.context.records, GATE)
        if self.past.unread is not None:
            yield _unread(where, self.past.unread)
        if self.past.baseline is None:
            return
        sources = {printable(new): printable(old) for new, old in self.past.sources.items()}
        yield from Compared(
            where=where,
            base=self.past.baseline,
            now=self.held.kept,
            sources=sources,
            present={
                *map(printable, self.tree.paths - self.tree.shims),
                *self._strays(self.past.baseline.entries),
            },
            statements={
                printable(path): now.statements for path, now in self.measured.files.items()
            },
            new_file_ratio=self.settings.new_file_ratio,
        ).findings()

    def _untested(self) -> Iterator[Finding]:
        # A batch changes files on its own account, to follow what it moves.
        severity = "info" if self.context.moves else self.settings.untested_change
        ratio = self.settings.new_file_ratio
        yield from patch.untested(
            {
                path: now
                for path, now in self.measured.files.items()
                # What is wrong with a new file has been said.
                if self._bounded(path) or not ratchet.beyond(now, ratio)
            },
            changed=self.context.changed,
            moved=self.past.sources,
            patched=self.past.base is not None,
            severity=Severity(severity),
        )

    def _expected(self) -> Iterable[str]:
        """Files that cannot go unmeasured: changed, moved, or with a bound."""
        moved = [move.target for move in self.context.moves]
        named = {*self.context.changed, *self.past.sources}
        return [
            *(path for path in moved if path.endswith(".py")),
            *(path for path in self.tree.sources if path in named or self._bounded(path)),
            *self._strays(self.held.bounds),
        ]

    def _strays(self, paths: Iterable[str]) -> list[str]:
        """Those of the paths that are on disk, and are neither counted nor shims."""
        counted = set(map(printable, (*self.tree.sources, *self.tree.shims)))
        return [
            path
            for path in paths
            if path not in counted
            and ".." not in path.split("/")
            and os.path.lexists(self.tree.root / path.lstrip("/"))
        ]

    def _bounded(self, path: str) -> bool:
        return ratchet.bound_of(path, self.held.bounds, self.past.sources) is not None

    def _reasons(self) -> dict[str, str]:
        measured = self.measured
        seen = {*self.tree.sources, *self.tree.shims}
        moved = {move.target for move in self.context.moves}
        lost = dict.fromkeys(moved - seen, "it is not among the tree's files")
        left_out = dict.fromkeys(measured.omitted, ratchet.OMITTED)
        strays = dict.fromkeys(self._strays(self.held.bounds), ratchet.STRAY)
        return {**strays, **lost, **measured.unreadable, **left_out}


def _unread(where: str, reason: str) -> Finding:
    return Finding(
        rules.LOOSENED,
        f"cannot be compared with the base commit's: {printable(reason)}",
        Severity.UNKNOWN,
        path=where,
        remedy="judge in a clone that has the base commit",
    )


def _nothing_to_measure() -> Finding:
    return Finding(
        rules.NO_DATA,
        "the tree has no Python file whose lines count",
        Severity.UNKNOWN,
        remedy="see the settings omit and lane.source_roots, or declare why with skip",
    )


def _nothing_executed(elsewhere: list[str]) -> Finding:
    instead = f"; they imported {elsewhere[0]} instead" if elsewhere else ""
    return Finding(
        rules.NO_DATA,
        f"the tests executed no statement of the tree{instead}",
        Severity.UNKNOWN,
        remedy="let the tests import the tree: see lane.source_roots, and the environment's copies",
        evidence={"imported": elsewhere},
    )
