"""From a context to a report or a baseline: measure, compare, write down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pytest_cockpit.api import CockpitError, Context, Finding, Report, Severity
from pytest_cockpit.records import baselines
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import ratchet, rules, summary
from pytest_cockpit_gates.coverage.completion import trouble
from pytest_cockpit_gates.coverage.measure import Known, Measurement, NotMeasured, measure
from pytest_cockpit_gates.coverage.model import Bound
from pytest_cockpit_gates.coverage.settings import Settings
from pytest_cockpit_gates.coverage.tree import Tree, survey

_GATE = "coverage"
_NO_TESTS = 5
"""pytest's exit code when it found none."""


def judge(context: Context) -> Report:
    """The gate's answer for the tree of `context`."""
    where = baselines.path_of(context.records, _GATE)
    kept = baselines.load(context.root, context.records, _GATE)
    if kept is None:
        return Report.judge("no baseline", checked=0, findings=[_no_baseline(where)])
    bounds = {path: Bound.of(row, f"{where}: {path}") for path, row in kept.entries.items()}
    known = _known_failures(kept, where)
    settings = Settings.of(context.settings)
    tree = survey(context)
    try:
        measured = measure(context, settings, tree, _known(context, tree, kept, bounds))
    except NotMeasured as error:
        return Report.judge("not measured", checked=0, findings=[_not_measured(error)])
    case = _Case(context, settings, tree, measured, bounds, known)
    blocking = list(case.blocking())
    findings = [_shown(finding) for finding in case.findings(blocking)]
    told = summary.Told(measured, bounds, case.sources, kept.meta, findings, compared=not blocking)
    told.write(context)
    return Report.judge(
        told.line(), checked=told.checked, findings=findings, evidence=told.evidence()
    )


def baseline(context: Context) -> dict[str, Any] | None:
    """What is kept of the tree of `context`; None when it has no tests."""
    settings = Settings.of(context.settings)
    tree = survey(context)
    measured = measure(context, settings, tree)
    if measured.tests.exit == _NO_TESTS:
        return None
    case = _Case(context, settings, tree, measured, {}, frozenset())
    blocking = next(case.blocking(), None)
    if blocking is not None:
        raise CockpitError(
            f"{_GATE}: no baseline, as {_shown(blocking).message}; {blocking.remedy}"
        )
    return {
        "entries": {printable(path): now.entry() for path, now in measured.files.items()},
        "meta": {
            **measured.versions,
            **measured.tests.tools,
            "command": [printable(argument) for argument in measured.command],
            "failing_tests": sorted(map(printable, measured.tests.failures)),
            "base": context.commit or context.base,
        },
    }


class _Case:
    """One measurement beside all that it is compared with."""

    def __init__(
        self,
        context: Context,
        settings: Settings,
        tree: Tree,
        measured: Measurement,
        bounds: Mapping[str, Bound],
        known: frozenset[str],
    ) -> None:
        self.context = context
        self.settings = settings
        self.tree = tree
        self.measured = measured
        self.bounds = bounds
        self.known = known
        self.sources = {move.target: move.source for move in context.moves}

    def findings(self, blocking: Sequence[Finding]) -> Iterator[Finding]:
        """All findings; where the run says nothing of the tree, no file is compared."""
        yield from blocking
        tests = self.measured.tests
        yield from ratchet.new_failures(tests, self.known, self.context.moves)
        if blocking:
            return
        files = self.measured.files
        yield from ratchet.compare(
            files,
            self.bounds,
            sources=self.sources,
            new_file_ratio=self.settings.new_file_ratio,
        )
        yield from ratchet.unmeasured(self._expected(), self._reasons(), self.bounds, self.sources)
        yield from ratchet.untested(files, self.sources)
        yield from ratchet.slack(files, self.bounds, self.sources)

    def blocking(self) -> Iterator[Finding]:
        """Why the run says nothing of the tree."""
        measured = self.measured
        incomplete = trouble(measured, self.settings.timeout_s)
        if incomplete is not None:
            yield incomplete
            return
        yield from ratchet.outside(measured.tests, self.tree.modules)
        statements = sum(now.statements for now in measured.files.values())
        if (statements or measured.same) and not measured.executed:
            yield _nothing_executed(ratchet.elsewhere(measured.tests, self.tree.sources))
        elif not (measured.files or measured.same):
            yield _nothing_to_measure()

    def _expected(self) -> Iterable[str]:
        """Files that cannot go unmeasured: changed, moved, or with a bound."""
        named = {*self.context.changed, *self.sources}
        return [
            *(path for path in self.sources if path.endswith(".py")),
            *(path for path in self.tree.sources if path in named or self._bounded(path)),
        ]

    def _bounded(self, path: str) -> bool:
        return ratchet.bound_of(path, self.bounds, self.sources) is not None

    def _reasons(self) -> dict[str, str]:
        measured = self.measured
        seen = {*self.tree.sources, *self.tree.shims}
        lost = dict.fromkeys({*self.sources} - seen, "it is not among the tree's files")
        left_out = dict.fromkeys(measured.omitted, ratchet.OMITTED)
        return {**lost, **measured.unreadable, **left_out}


def _shown(finding: Finding) -> Finding:
    """The finding with a path that JSON can hold."""
    path = None if finding.path is None else printable(finding.path)
    return replace(finding, path=path)


def _known(
    context: Context, tree: Tree, kept: baselines.Baseline, bounds: Mapping[str, Bound]
) -> Known:
    """What of the baseline spares parsing; never a file of this batch, or one that differs."""
    touched = {*context.changed, *(move.target for move in context.moves)}
    held = ((path, bounds.get(printable(path))) for path in tree.sources if path not in touched)
    digests = {path: bound.source for path, bound in held if bound is not None and bound.source}
    return Known(str(kept.meta.get("parser", "")), digests)


def _known_failures(kept: baselines.Baseline, where: str) -> frozenset[str]:
    found = kept.meta.get("failing_tests", [])
    if not isinstance(found, list) or not all(isinstance(test, str) for test in found):
        raise CockpitError(
            f"{where}: meta: failing_tests: expected a list of node ids; "
            f"measure it again with {rules.INIT}"
        )
    return frozenset(found)


def _no_baseline(where: str) -> Finding:
    return Finding(
        rules.NO_BASELINE,
        f"{where} is missing: there is nothing to compare with",
        Severity.UNKNOWN,
        path=where,
        remedy=f"measure it on a commit you trust, and commit it: {rules.INIT}",
    )


def _not_measured(error: NotMeasured) -> Finding:
    return Finding(rules.TESTS_DID_NOT_RUN, str(error), Severity.UNKNOWN)


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
