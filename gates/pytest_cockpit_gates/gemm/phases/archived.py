"""The phase `evaluate`: archived artifacts, judged strictly or as they once were."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from pytest_cockpit.api import (
    JSON,
    Case,
    CockpitError,
    Context,
    Evidence,
    Finding,
    Report,
    Severity,
    Verdict,
)
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.compat import ours, telling
from pytest_cockpit_gates.gemm.phases.reading import content, load, within
from pytest_cockpit_gates.gemm.phases.state import State
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import documents, inheritance, policies
from pytest_cockpit_gates.gemm.strict.demands import Demands
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies

__all__ = ["content", "given", "load", "run"]

_FEW = 3
"""Decisions that a summary names one by one."""
_COMPAT = "this is the decision as it was once made; it says nothing of what is sound"


@dataclass(slots=True)
class Judged:
    """What came out so far.

    Parameters
    ----------
    words: an artifact's decision and what stands against it.
    decisions: of each artifact the decision alone, or that it is unreadable.
    """

    words: list[str] = field(default_factory=list)
    decisions: list[str] = field(default_factory=list)
    checked: int = 0
    findings: list[Finding] = field(default_factory=list)
    cases: list[Case] = field(default_factory=list)
    documents: dict[str, Any] = field(default_factory=dict)

    def unreadable(self, name: str, wrong: str, path: str | None) -> None:
        """Take down what nothing can be said of."""
        self.words.append(f"{name}: unreadable")
        self.decisions.append("unreadable")
        self.findings.append(Finding("gemm.artifact", wrong, path=path))
        self.cases.append(Case(f"{name}::readable", Verdict.FAIL, wrong))


def run(phase: str, context: Context, options: JSON) -> Report:
    """Judge every artifact that is named; one that cannot be read fails, and the next is judged.

    Raises
    ------
    CockpitError: a policy or the baseline cannot be read.
    """
    settings = Settings.of(context.settings)
    compat = options.get("evaluate_mode") == "compat"
    judged = Judged()
    judge = _compat(context, options, settings) if compat else _strict(context, options, settings)
    for path, times in _named(context.root, options["artifacts"], judged).items():
        where = one_line(path)
        if times > 1:
            twice = f"named {times} times, and judged once"
            judged.findings.append(Finding("gemm.artifact", twice, Severity.INFO, path=where))
        try:
            judge(judged, where, load(context.root, path))
        except CockpitError as error:
            judged.unreadable(where, one_line(str(error)).removeprefix(f"{where}: "), where)
    state = State.of(context, options)
    for number, (name, document) in enumerate(judged.documents.items(), 1):
        stem = (
            f"{number:02}_{PurePosixPath(name).stem}" if len(judged.documents) > 1 else "evaluation"
        )
        artifacts.write(state.artifact_path(f"{stem}.json"), {"artifact": name, **document})
    return Report.judge(
        _summary(judged),
        checked=judged.checked,
        findings=judged.findings,
        evidence=[Evidence(name, document) for name, document in judged.documents.items()],
        cases=judged.cases,
    )


def _named(root: Path, paths: Iterable[str], judged: Judged) -> Counter[str]:
    """How often each path of the tree is named; others are taken down as of no use."""
    counts: Counter[str] = Counter()
    for path in paths:
        try:
            counts[within(root, path)] += 1
        except CockpitError as error:
            judged.unreadable(one_line(path), one_line(str(error)), None)
    return counts


def _summary(judged: Judged) -> str:
    """Each artifact where there are few; otherwise how many have which decision."""
    if len(judged.decisions) <= _FEW:
        return "; ".join(judged.words)
    counts = Counter(judged.decisions).items()
    told = ", ".join(f"{number} {decision}" for decision, number in counts)
    return f"{len(judged.decisions)} decisions: {told}"


def given(options: JSON, settings: Settings) -> dict[str, str]:
    """Paths by the command line over the settings."""
    names = ("policy", "t3_policy", "t5_policy", "baseline")
    return {name: options.get(name) or getattr(settings, name) for name in names}


def _strict(context: Context, options: JSON, settings: Settings) -> Any:
    paths = given(options, settings)
    read: Policies = policies.read(
        context.root, weekly=paths["policy"], t3=paths["t3_policy"], t5=paths["t5_policy"]
    )
    baseline = load(context.root, paths["baseline"]) if paths["baseline"] else None
    demands = Demands(
        candidate=settings.candidate,
        fallback=settings.fallback,
        min_ratio=options.get("min_ratio") or settings.min_ratio,
        required_sizes=tuple(options.get("required_sizes") or ()),
        place=options.get("place") or "local",
    )

    def judge(judged: Judged, path: str, document: Any) -> None:
        found = evaluate(document, read, baseline=baseline, demands=demands)
        judged.words.append(f"{path}: {documents.summary(found)}")
        judged.decisions.append(found.decision)
        judged.checked += len(found.checks)
        judged.findings += documents.findings(found, path)
        judged.cases += documents.cases(found, f"{path}::")
        judged.documents[path] = documents.to_json(found)

    return judge


def _compat(context: Context, options: JSON, settings: Settings) -> Any:
    paths = given(options, settings)
    policy = inheritance.load(context.root, paths["policy"]) if paths["policy"] else None
    baseline = load(context.root, paths["baseline"]) if paths["baseline"] else None
    sizes = options.get("required_sizes")

    def judge(judged: Judged, path: str, document: Any) -> None:
        try:
            made = ours.decisions(
                document,
                policy,
                baseline,
                min_ratio=options.get("min_ratio") or settings.min_ratio,
                required_sizes=sizes,
            )
        except CockpitError as error:
            raise CockpitError(f"{path}: {error}") from error
        if not judged.documents:
            judged.findings.append(Finding("gemm.artifact", _COMPAT, Severity.INFO))
        for name, found in made.items():
            judged.words.append(f"{path}: {name}: {found.decision}")
            judged.decisions.append(found.decision)
            judged.checked += len(found.checks)
            judged.findings += telling.findings(name, found, path)
            judged.cases += [
                Case(
                    f"{path}::{name}::{check.name}",
                    Verdict.PASS if check.passed else Verdict.FAIL,
                    telling.seen(check),
                )
                for check in found.checks
            ]
        judged.documents[path] = {
            name: {
                "decision": found.decision,
                "failed_checks": found.failed,
                "checks": {check.name: check.passed for check in found.checks},
                "seen": {check.name: dict(check.observed) for check in found.checks},
                "observed": dict(found.observed),
            }
            for name, found in made.items()
        }

    return judge
