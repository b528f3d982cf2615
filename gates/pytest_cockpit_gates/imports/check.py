"""One run of the gate, and one measurement of its baseline."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence

from pytest_cockpit.api import CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records import artifacts, baselines
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.imports import judge, static, watch
from pytest_cockpit_gates.imports.classify import SYNTAX, classify
from pytest_cockpit_gates.imports.judge import Judged
from pytest_cockpit_gates.imports.pool import Pool
from pytest_cockpit_gates.imports.selection import Job, Selection, Tree, select, select_all
from pytest_cockpit_gates.imports.settings import Settings

GATE = "imports"


def check(context: Context) -> Report:
    """Judge `context.root`."""
    settings, tree = Settings.read(context.settings), Tree(context)
    baseline = baselines.load(context.root, context.records, GATE) or Baseline(GATE)
    selection = select(context, settings, tree)
    before = watch.stamps(tree)
    judged = _examine(context, settings, tree, [*selection.jobs, *selection.shims])
    modules, shims = judged[: len(selection.jobs)], judged[len(selection.jobs) :]
    facts = static.read(context, settings, tree)
    document = judge.failures_document(modules)
    artifacts.write(
        context.scratch / "artifacts" / "import_failures.json", document, "import_failures"
    )
    findings = [
        *_dynamic_findings(context, settings, tree, selection, modules, shims, baseline),
        *watch.findings(tree, before, [it.outcome for it in judged]),
        *static.findings(facts, baseline, context.moves, skip=_unparsed(modules)),
    ]
    return Report.judge(
        _summary(modules, shims, findings),
        checked=len(modules) + len(shims),
        findings=findings,
        evidence=_evidence(selection, modules, shims, facts),
    )


def measure(context: Context) -> Baseline:
    """What fails today: the lane's modules under their old names, and those of production."""
    settings, tree = Settings.read(context.settings), Tree(context)
    before = watch.stamps(tree)
    judged = _examine(context, settings, tree, select_all(settings, tree).jobs)
    for finding in watch.findings(tree, before, [it.outcome for it in judged]):
        raise CockpitError(f"imports: {finding.message}; {finding.remedy}")
    entries = {
        artifacts.printable(one.failure.path): judge.entry_of(one.failure)
        for one in judged
        if one.failure is not None
    }
    facts = static.read(context, settings, tree)
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    meta = {"modules": len(judged), "python": python, "static": static.counts(facts)}
    return Baseline(GATE, entries, meta)


def _examine(context: Context, settings: Settings, tree: Tree, jobs: Sequence[Job]) -> list[Judged]:
    if not jobs:
        return []
    outcomes = Pool(context, settings, tree).probe(jobs)
    return [Judged(outcome, classify(outcome, tree)) for outcome in outcomes]


def _dynamic_findings(
    context: Context,
    settings: Settings,
    tree: Tree,
    selection: Selection,
    modules: Sequence[Judged],
    shims: Sequence[Judged],
    baseline: Baseline,
) -> Iterable[Finding]:
    healthy = frozenset(it.outcome.job.module for it in modules if it.failure is None)
    yield from judge.import_findings(modules, baseline.entries, settings)
    yield from judge.shim_findings(shims, healthy)
    yield from judge.unshimmed_findings(selection.unshimmed)
    if not context.moves:
        present = frozenset(map(artifacts.printable, tree.paths))
        yield from judge.gone_findings(baseline.entries, present)


def _unparsed(judged: Sequence[Judged]) -> frozenset[str]:
    """Files whose syntax error the import has reported already."""
    return frozenset(it.failure.path for it in judged if it.failure and it.failure.kind == SYNTAX)


def _summary(
    modules: Sequence[Judged], shims: Sequence[Judged], findings: Sequence[Finding]
) -> str:
    if not modules:
        return "no module to import: nothing could be judged"
    healthy = sum(it.failure is None for it in modules)
    errors = sum(it.severity is Severity.ERROR for it in findings)
    text = f"{healthy} of {len(modules)} modules import"
    if shims:
        text += f", {_many(len(shims), 'old name')} tried"
    return f"{text}; {_many(errors, 'error')}" if errors else text


def _many(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _evidence(
    selection: Selection, modules: Sequence[Judged], shims: Sequence[Judged], facts: static.Facts
) -> list[Evidence]:
    classes = {it.outcome.job.path: _class(it) for it in modules}
    outcomes = [it.outcome for it in (*modules, *shims)]
    return [
        Evidence("selection", {"left_out": dict(selection.left_out), "read": facts.read}),
        Evidence("classes", dict(Counter(classes.values()))),
        Evidence("modules", classes),
        Evidence("shims", {it.outcome.job.path: _likeness(it) for it in shims}),
        Evidence(
            "cost",
            {
                "cpu_ms": round(sum(it.cpu_ms for it in outcomes), 3),
                "slowest_ms": max((it.wall_ms for it in outcomes), default=0.0),
            },
        ),
    ]


def _class(judged: Judged) -> str:
    return judged.failure.kind if judged.failure else "healthy"


def _likeness(judged: Judged) -> str:
    same = (judged.outcome.report or {}).get("same")
    if same is None:
        return _class(judged)
    return "same" if same["object"] and same["attribute"] else "not-same"
