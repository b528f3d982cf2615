"""From a context to a report or a baseline: measure, compare, write down."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

from pytest_cockpit.api import CockpitError, Context, Finding, Report, Severity
from pytest_cockpit.records import baselines
from pytest_cockpit.records.artifacts import printable, sha256
from pytest_cockpit_gates.coverage import (
    excerpt,
    past,
    rules,
    summary,
    targets,
)
from pytest_cockpit_gates.coverage.case import GATE, Case, Held
from pytest_cockpit_gates.coverage.measure import Known, Measurement, NotMeasured, measure
from pytest_cockpit_gates.coverage.past import Past
from pytest_cockpit_gates.coverage.settings import Settings
from pytest_cockpit_gates.coverage.tree import Tree, survey

_NO_TESTS = 5
"""pytest's exit code when it found none."""

_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py\Z")
"""What pytest takes for a file of tests where nothing else is set."""


def judge(context: Context) -> Report:
    """The gate's answer for the tree of `context`."""
    where = baselines.path_of(context.records, GATE)
    kept = baselines.load(context.root, context.records, GATE)
    if kept is None:
        return Report.judge("no baseline", checked=0, findings=[_no_baseline(where)])
    held = Held.of(kept, where)
    settings = Settings.of(context.settings)
    tree = survey(context)
    was = past.of(context, tree, kept)
    try:
        measured = measure(context, settings, tree, _known(context, settings, tree, was, held))
    except NotMeasured as error:
        return Report.judge("not measured", checked=0, findings=[_not_measured(error)])
    case = Case(context, settings, tree, measured, was, held)
    blocking = list(case.blocking())
    findings = [
        _shown(excerpt.with_source(finding, context.root, measured.files))
        for finding in case.findings(blocking)
    ]
    told = summary.Told(
        context=context,
        measured=measured,
        bounds=held.bounds,
        sources=was.sources,
        patch=case.patch,
        meta=kept.meta,
        findings=findings,
        compared=not blocking,
    )
    told.write()
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
    blocking = next(Case(context, settings, tree, measured, Past(), Held()).blocking(), None)
    if blocking is not None:
        raise CockpitError(f"{GATE}: no baseline, as {_shown(blocking).message}; {blocking.remedy}")
    tests = measured.tests
    run = {
        **measured.versions,
        **tests.tools,
        "base": context.commit or context.base,
        "command": [printable(argument) for argument in measured.command],
        "digest": _digest(measured),
    }
    return {
        "entries": {printable(path): now.entry() for path, now in measured.files.items()},
        "meta": {
            "failing_tests": sorted(map(printable, tests.failures)),
            "measured": [run],
            "parser": measured.parser,
            "passed": tests.counts.get("passed", 0),
            "patterns": list(measured.patterns),
            "skipped": tests.counts.get("skipped", 0),
        },
    }


def has_tests(context: Context) -> bool:
    """Whether there are tests to run; a file called like one is taken for it unseen."""
    tree = survey(context)
    if any(_TEST.search(path) for path in tree.paths):
        return True
    try:
        measured = measure(context, Settings.of(context.settings), tree)
    except NotMeasured:
        return True
    return measured.tests.exit != _NO_TESTS


def _shown(finding: Finding) -> Finding:
    """The finding with a path that JSON can hold."""
    path = None if finding.path is None else printable(finding.path)
    return replace(finding, path=path)


def _known(context: Context, settings: Settings, tree: Tree, was: Past, held: Held) -> Known:
    """What is known beforehand, and what of it spares parsing.

    A file of this batch, one that differs, and one with a target to reach are parsed.
    """
    touched = {*context.changed, *was.changed, *(move.target for move in context.moves)}
    goals = targets.configured(settings, context.lane)
    files = {}
    for path in tree.sources:
        bound = held.bounds.get(printable(path))
        if bound is None or not bound.source or path in touched or targets.parsed(path, goals):
            continue
        files[path] = {"source": bound.source, "counts": bound.counts}
    patterns = held.kept.meta.get("patterns")
    return Known(
        parser=str(held.kept.meta.get("parser", "")),
        files=files,
        patterns=tuple(map(str, patterns)) if isinstance(patterns, list) else None,
        changed=was.changed,
    )


def _digest(measured: Measurement) -> str:
    """One digest over the contents of all that was measured."""
    rows = sorted(f"{printable(path)} {now.sha256}\n" for path, now in measured.files.items())
    return sha256("".join(rows).encode())


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
