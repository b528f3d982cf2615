"""The bounds that contracts set for measured values of their modules, held against evidence."""

from __future__ import annotations

import fnmatch
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Proof, Rule, Severity
from pytest_cockpit.records.wording import shown
from pytest_cockpit_gates.matriz import sources, units
from pytest_cockpit_gates.matriz.bounds import CONDITION, VACUOUS, Condition, read, spanned
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.faults import Fault, located
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.samples import (
    Sample,
    Source,
    Target,
    Tree,
    approximate,
    split,
)
from pytest_cockpit_gates.matriz.targets import Targets

BROKEN = "matriz.gate-broken"
EVIDENCE = "matriz.gate-evidence"

RULES = (
    Rule(CONDITION, "A gate of a contract is a condition that some measured value can meet."),
    Rule(VACUOUS, "A gate of a contract is a condition that some measured value can break."),
    Rule(BROKEN, "What was measured of a module keeps the gates of its contract."),
    Rule(EVIDENCE, "For each gate of a contract there is evidence from the tree under judgement."),
    Rule(sources.INVALID, "A file that is named as evidence can be read as what it should be."),
)
SETTINGS: Mapping[str, JSON] = {"evidence": sources.SCHEMA}


def judge(context: Context, contracts: Contracts) -> Part:
    """Which gates are no conditions; which are broken, and which cannot be judged."""
    chosen = context.settings.get("severity", {})
    settings = context.settings.get("evidence")
    judged = None if settings is None else _Judged.of(context, contracts, settings)
    findings: list[Finding] = list(judged.sources.findings) if judged else []
    count: Counter[str] = Counter()
    for contract in contracts:
        faults, conditions = read(contract)
        wanted = [it for it in conditions if judged is not None and judged.wants(it.metric)]
        count["left"] += len(conditions) - len(wanted)
        if judged is not None and wanted:
            faults += judged.faults(contract, wanted, count)
        findings += located(contract, faults, chosen)
    if count["left"]:
        findings.append(_left(count["left"], settings is not None))
    evidence = [] if judged is None else [Evidence("measurements", dict(judged.sources.digests))]
    return Part(count["kept"] + count["broken"], tuple(findings), (), tuple(evidence), _told(count))


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.proving_conditions import proofs as of_conditions

    return of_conditions()


@dataclass(frozen=True, slots=True)
class _Judged:
    """What conditions are judged by, where evidence is configured."""

    sources: sources.Sources
    targets: Targets
    tree: Tree
    metrics: Sequence[str]

    @classmethod
    def of(cls, context: Context, contracts: Contracts, settings: Mapping[str, Any]) -> _Judged:
        days = settings.get("max_age_days")
        return cls(
            sources.load(context.root, settings, contracts.paths),
            Targets.of(context, contracts.paths, settings.get("exclude", sources.EXCLUDED)),
            Tree(
                context.commit,
                context.base,
                frozenset(context.changed),
                datetime.now(UTC),
                None if days is None else timedelta(days=days),
            ),
            settings.get("judged", ["*"]),
        )

    def wants(self, metric: str) -> bool:
        """Whether the metric is among those to be judged."""
        return any(fnmatch.fnmatchcase(metric, pattern) for pattern in self.metrics)

    def faults(
        self, contract: Contract, conditions: Iterable[Condition], count: Counter[str]
    ) -> Iterator[Fault]:
        target = None if contract.module is None else self.targets.about(contract.module)
        for condition in conditions:
            outcome = (
                "names no module of this tree"
                if target is None
                else measured(condition, target, self.sources.read, self.tree)
            )
            if isinstance(outcome, str):
                count["unknown"] += 1
                yield _unjudged(condition, outcome)
            elif not holds(condition, outcome):
                count["broken"] += 1
                yield _broken(condition, outcome)
            else:
                count["kept"] += 1


def measured(
    condition: Condition, target: Target, read: Iterable[Source], tree: Tree
) -> Sample | str:
    """The one value that all evidence agrees on, in the metric's unit, or why there is none."""
    samples, doubts = split(it for source in read for it in source.about(target, condition.metric))
    why = [f"{doubt.source} {doubt.why}" for doubt in doubts]
    usable: list[Sample] = []
    for sample in samples:
        doubt = tree.doubt(sample.binding, target)
        value = _comparable(sample, condition) if doubt is None else doubt
        if isinstance(value, str):
            why.append(f"{sample.source} {value}")
        else:
            usable.append(Sample(value.value, sample.source, sample.binding, value.unit))
    if not usable:
        return "; ".join(why) or "nothing was measured"
    first = usable[0]
    other = next((it for it in usable if not _same(it.value, first.value)), None)
    if other is not None:
        return f"{first.source} has {_shown(first.value)}, {other.source} has {_shown(other.value)}"
    return first


def holds(condition: Condition, sample: Sample) -> bool:
    """Whether a value that is comparable meets the condition."""
    bound = units.number(condition.value)
    wanted = condition.value if bound is None else bound
    return units.OPERATORS[condition.op](sample.value, wanted)


def _comparable(sample: Sample, condition: Condition) -> Sample | str:
    """The sample in the metric's unit, or why it cannot be compared with the bound."""
    metric, bound = condition.metric, units.number(condition.value)
    value = units.number(sample.value)
    if bound is None or value is None:
        if type(sample.value) is type(condition.value):
            return sample
        return f"has {_shown(sample.value)}, which cannot be compared with {shown(condition.value)}"
    if units.unit_of(metric) == "percent" and 0 < bound <= 1 and condition.op in {">", ">="}:
        return f"is in percent, and {shown(condition.value)} may be a ratio"
    exact = units.converted(value, sample.unit, metric)
    if isinstance(exact, str):
        return exact
    if not units.within(exact, metric):
        return f"has {_shown(exact)}, though {spanned(metric)}"
    return Sample(exact, sample.source, sample.binding, units.unit_of(metric))


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and one == other


def _shown(value: Any) -> str:
    """A value in decimals, without rounding it across a bound."""
    if not isinstance(value, Fraction):
        return shown(value)
    near = approximate(value)
    text = f"{near:.6g}"
    return text if Fraction(text) == value else repr(near)


def _broken(condition: Condition, sample: Sample) -> Fault:
    return Fault(
        BROKEN,
        ("gates", condition.index),
        f"{condition} is broken: {sample.source} has {_shown(sample.value)}",
        f"make {condition.metric} {condition.op} {shown(condition.value)} again",
        {"metric": condition.metric, **sample.to_json()},
    )


def _unjudged(condition: Condition, why: str) -> Fault:
    return Fault(
        EVIDENCE,
        ("gates", condition.index),
        f"{condition} cannot be judged: {why}",
        f"measure {condition.metric} of this tree into a file that evidence names",
        {"metric": condition.metric},
    )


def _left(count: int, configured: bool) -> Finding:
    key = "tool.cockpit.gate.matriz.evidence"
    return Finding(
        EVIDENCE,
        f"{count} gates of contracts are not judged",
        severity=Severity.INFO,
        remedy=f"widen {key}.judged" if configured else f"name measurements in {key}",
        evidence={"not_judged": count},
    )


def _told(count: Mapping[str, int]) -> str:
    words = {
        "kept": "kept",
        "broken": "broken",
        "unknown": "without evidence",
        "left": "not judged",
    }
    told = ", ".join(f"{count[key]} {word}" for key, word in words.items() if count[key])
    return f"gates of contracts: {told}" if told else ""
