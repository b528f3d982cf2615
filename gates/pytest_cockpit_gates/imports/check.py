"""One run of the gate, and one measurement of its baseline."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records import artifacts, baselines, promotions
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.imports import (
    circles,
    contracts,
    document,
    effects,
    facts,
    judge,
    ratchet,
    rules,
    static,
    watch,
)
from pytest_cockpit_gates.imports.classify import SYNTAX, classify
from pytest_cockpit_gates.imports.contracts import Contracts
from pytest_cockpit_gates.imports.effects import Effect
from pytest_cockpit_gates.imports.facts import Facts
from pytest_cockpit_gates.imports.judge import Judged
from pytest_cockpit_gates.imports.pool import Pool
from pytest_cockpit_gates.imports.selection import Job, Selection, Tree, select, select_all
from pytest_cockpit_gates.imports.settings import Settings

GATE = "imports"


@dataclass(frozen=True, slots=True)
class _Seen:
    """All that was observed of a tree."""

    modules: Sequence[Judged]
    shims: Sequence[Judged]
    effects: Sequence[Effect]
    facts: Facts
    contracts: Contracts
    written: Sequence[Finding]


def check(context: Context) -> Report:
    """Judge `context.root`."""
    settings, tree = Settings.read(context.settings), Tree(context)
    baseline = baselines.load(context.root, context.records, GATE) or Baseline(GATE)
    selection = select(context, settings, tree)
    seen = _look(context, settings, tree, selection)
    entries, unparsed = baseline.entries, _unparsed(seen.modules)
    findings = [
        *_dynamic_findings(context, settings, tree, selection, seen, entries),
        *seen.written,
        *facts.findings(seen.facts, entries, context.moves, skip=unparsed),
        *circles.findings(
            seen.facts.circular, entries, tree.layout, context.changed, seen.facts.judged
        ),
        *seen.contracts.findings(),
        *_loosened(context, tree.layout, baseline),
    ]
    findings = [_eased(finding, context, tree) for finding in findings]
    artifacts.write(
        context.scratch / "artifacts" / "import_failures.json",
        document.failures(
            seen.modules,
            facts.counts(seen.facts, unparsed),
            entries,
            frozenset(map(artifacts.printable, tree.paths)),
            whole=not context.moves,
        ),
        "import_failures",
    )
    return Report.judge(
        _summary(seen.modules, seen.shims, findings),
        checked=len(seen.modules) + len(seen.shims),
        findings=findings,
        evidence=_evidence(selection, seen),
        cases=seen.contracts.cases(findings),
    )


def _eased(finding: Finding, context: Context, tree: Tree) -> Finding:
    """The finding as a note, where a batch or a rollback brings about what it is about."""
    if finding.rule == rules.SLACK and context.moves:
        # A batch mends imports by what it rewrites: that the bounds are loose now is no warning.
        return replace(finding, severity=Severity.INFO)
    back = any(tree.layout.is_lane(move.target) for move in context.moves)
    if finding.rule == rules.LANE_IMPORT and back and finding.path in context.changed:
        return replace(finding, severity=Severity.INFO)
    return finding


def measure(context: Context) -> Baseline:
    """What fails today: the lane's modules under their old names, and those of production."""
    settings, tree = Settings.read(context.settings), Tree(context)
    seen = _look(context, settings, tree, select_all(settings, tree))
    for finding in seen.written:
        raise CockpitError(f"imports: {finding.message}; {finding.remedy}")
    failures = {
        artifacts.printable(one.failure.path): judge.entry_of(one.failure)
        for one in seen.modules
        if one.failure is not None
    }
    entries = ratchet.entries(
        failures,
        facts.counts(seen.facts, _unparsed(seen.modules)),
        circles.permitted(static.read_circles(settings, tree), tree.layout),
        effects.kinds(seen.effects),
    )
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return Baseline(GATE, entries, {"modules": len(seen.modules), "python": python})


def _look(context: Context, settings: Settings, tree: Tree, selection: Selection) -> _Seen:
    before = watch.stamps(tree)
    judged, found = _examine(context, settings, tree, selection)
    count = len(selection.jobs)
    read = static.read(context, settings, tree)
    checked = Contracts()
    if settings.contracts:
        checked = contracts.check(context, {name: path for path, name in tree.modules.items()})
    return _Seen(
        judged[:count],
        judged[count:],
        found,
        replace(read, found=(*read.found, *checked.broken)),
        checked,
        list(watch.findings(tree, before, [it.outcome for it in judged])),
    )


def _examine(
    context: Context, settings: Settings, tree: Tree, selection: Selection
) -> tuple[list[Judged], list[Effect]]:
    jobs = [*selection.jobs, *selection.shims]
    if not jobs:
        return [], []
    pool = Pool(context, settings, tree)
    judged = [Judged(it, classify(it, tree, settings.growth_mb)) for it in pool.probe(jobs)]
    modules = judged[: len(selection.jobs)]
    found = effects.found(modules, tree)
    if settings.together:
        sound = [it.outcome.job for it in modules if it.failure is None]
        lane = [job for job in sound if tree.layout.is_lane(job.path)]
        # The lane keeps its own company: what waits there must not decide what production is.
        for group in (lane, [job for job in sound if job not in lane]):
            if len(group) > 1:
                tours = pool.tour(_orders(group))
                found += effects.of_tours(tours, {job.module: job.path for job in group})
    return judged, found


def _orders(jobs: Iterable[Job]) -> list[list[Job]]:
    """Sorted and reversed: of any two modules, each comes before the other once."""
    ordered = sorted(jobs, key=lambda job: job.module)
    return [ordered, ordered[::-1]]


def _dynamic_findings(
    context: Context,
    settings: Settings,
    tree: Tree,
    selection: Selection,
    seen: _Seen,
    entries: Mapping[str, Any],
) -> Iterable[Finding]:
    healthy = frozenset(it.outcome.job.module for it in seen.modules if it.failure is None)
    yield from judge.import_findings(seen.modules, entries, settings)
    # In a batch the company is another than when the baseline was measured.
    company = settings.together and not context.moves
    yield from effects.findings(seen.effects, entries, settings, seen.modules, company=company)
    yield from judge.shim_findings(seen.shims, healthy)
    yield from judge.unshimmed_findings(selection.unshimmed)
    if not context.moves:
        present = frozenset(map(artifacts.printable, tree.paths))
        yield from judge.gone_findings(entries, present)


def _loosened(context: Context, layout: Layout, baseline: Baseline) -> Iterable[Finding]:
    """What the baseline permits beyond that of the base commit, where there is one."""
    base = promotions.baseline_at_base(context, GATE)
    if base is None:
        return
    where = baselines.path_of(context.records, GATE)
    entries = ratchet.returned(base.entries, baseline.entries, layout)
    former = {"entries": entries, "meta": base.meta}
    yield from ratchet.loosened(former, {"entries": baseline.entries, "meta": baseline.meta}, where)


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


def _evidence(selection: Selection, seen: _Seen) -> list[Evidence]:
    classes = {it.outcome.job.path: _class(it) for it in seen.modules}
    outcomes = [it.outcome for it in (*seen.modules, *seen.shims)]
    read = seen.facts.read
    return [
        Evidence("selection", {"left_out": dict(selection.left_out), "read": read}),
        Evidence("classes", dict(Counter(classes.values()))),
        Evidence("effects", dict(Counter(it.kind for it in seen.effects))),
        Evidence("declared", {"files": list(seen.facts.declared)}),
        Evidence("modules", classes),
        Evidence("shims", {it.outcome.job.path: _likeness(it) for it in seen.shims}),
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
