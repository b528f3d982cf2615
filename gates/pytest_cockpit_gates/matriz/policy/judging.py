"""Judge a tree's policy: read it, lint it, test it, ask it, and say what was asked."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import Case, Context, Evidence, Finding, Severity, Verdict
from pytest_cockpit.records.text import canonical_line, sha256
from pytest_cockpit_gates.matriz.part import Part
from pytest_cockpit_gates.matriz.policy import (
    bundle,
    deciding,
    engine,
    exercised,
    lints,
    pairing,
    reach,
    rules,
    unittests,
)
from pytest_cockpit_gates.matriz.policy.asking import Asked, Asker
from pytest_cockpit_gates.matriz.policy.deciding import Decided
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject as Linted
from pytest_cockpit_gates.matriz.policy.samples import Samples
from pytest_cockpit_gates.matriz.policy.subject import (
    Decision,
    Paths,
    Subject,
    decision,
    default_faults,
    locate,
    missing,
    read,
)

if TYPE_CHECKING:
    from pytest_cockpit_gates.matriz.contracts import Contracts


def judge(context: Context, contracts: Contracts) -> Part:
    """The part's share of the report."""
    paths = locate(context, contracts)
    if paths.nothing:
        return Part(checked=0)
    absent = engine.missing()
    if absent:
        return Part(checked=1, findings=(_not_installed(paths, absent),))
    subject = read(context, paths)
    pairs = pairing.pair(subject.files.cases, contracts)
    findings = [
        *missing(paths),
        *subject.files.findings,
        *pairs.findings,
        *pairing.consistency(subject.files.cases, pairs),
    ]
    if subject.bundle is None:
        return _part(subject, findings, _unasked(subject, "there is no policy"), [])
    findings += subject.bundle.findings
    if subject.settings.bundle_sha256 is not None:
        findings += bundle.checksum_faults(
            context.root, subject.bundle, subject.settings.bundle_sha256
        )
    return _judged(context, contracts, subject, subject.bundle, pairs, findings)


def names(context: Context, contracts: Contracts) -> Iterator[str]:
    """The names of the cases that `judge` reports, without asking anything."""
    paths = locate(context, contracts)
    if paths.nothing or engine.missing():
        return
    subject = read(context, paths)
    yield from (test.name for test in subject.tests)
    yield from (case.name for case in subject.files.cases)


def _judged(
    context: Context,
    contracts: Contracts,
    subject: Subject,
    found: bundle.Bundle,
    pairs: pairing.Pairing,
    findings: list[Finding],
) -> Part:
    decided_by = decision(subject, found.policies) if found.policies else None
    if isinstance(decided_by, Finding):
        findings.append(decided_by)
        decided_by = None
    elif decided_by is not None:
        findings += default_faults(found.policies, decided_by)
    findings += lints.lint(_linted(subject, found, pairs))
    asker = Asker(found, subject.settings, context.scratch)
    tests = _tests(asker, subject, found)
    asked, decided = _cases(asker, subject, found, pairs, decided_by)
    findings += [*tests.findings, *asked.findings]
    second, compared = asker.second([one for one in (tests, asked) if one.outcome.answers])
    reached = reach.measure(
        found.modules,
        [one.job for one in (tests, asked) if one.outcome.answers],
        context.scratch,
    )
    shown = (
        exercised.exercised(decided, contracts, subject.settings.tiers)
        if subject.files.cases
        else []
    )
    findings += [
        *second,
        *reach.judged(reached, subject.settings.rule_coverage),
        *exercised.judged(shown, subject.settings.decision_coverage),
    ]
    if found.policies and not (subject.tests or subject.files.cases):
        findings.append(_nothing_asked(found))
    test_findings, test_cases = unittests.judged(subject.tests, tests.outcome.answers, tests.why)
    case_findings, cases = deciding.judged(decided)
    evidence = [
        _evidence(subject, found, decided_by),
        Evidence("policy-opa", compared),
        Evidence("policy-coverage", _coverage(reached, shown)),
    ]
    everything = [*findings, *test_findings, *case_findings]
    return _part(subject, everything, [*test_cases, *cases], evidence)


def _linted(subject: Subject, found: bundle.Bundle, pairs: pairing.Pairing) -> Linted:
    inputs = []
    for case in subject.files.cases:
        contract = pairs.contracts.get(case.module)
        given = {**subject.settings.input, **case.input}
        if contract is not None:
            given[subject.settings.contract] = contract.value
        inputs.append(given)
    fixed = subject.settings.now is not None
    return Linted(found.modules, Samples(inputs), subject.settings.contract, fixed)


def _tests(asker: Asker, subject: Subject, found: bundle.Bundle) -> Asked:
    """Run the unit tests, unless a file is missing from what they would test."""
    if found.findings:
        return _not_asked(found.findings)
    return asker.unit_tests(subject.tests)


def _cases(
    asker: Asker,
    subject: Subject,
    found: bundle.Bundle,
    pairs: pairing.Pairing,
    decided_by: Decision | None,
) -> tuple[Asked, list[Decided]]:
    """Ask every case that can be asked."""
    broken = [one for one in found.findings if not str(one.path).endswith("_test.rego")]
    askable = [
        case for case in subject.files.cases if case.can_be_asked and case.module in pairs.contracts
    ]
    if broken or decided_by is None:
        asked = _not_asked(broken)
    else:
        asked = asker.cases(
            decided_by.entry, [(one, pairs.contracts[one.module]) for one in askable]
        )
    answers = dict(zip([one.name for one in askable], asked.outcome.answers, strict=False))
    why = asked.why or "which rule decides is not known"
    decided = []
    for case in subject.files.cases:
        contract = pairs.contracts.get(case.module)
        reason = why if contract is not None else f"no contract is of the module {case.module}"
        path = None if contract is None else contract.path
        decided.append(Decided(case, answers.get(case.name), reason, path))
    return asked, decided


def _not_asked(because: Sequence[Finding]) -> Asked:
    """Nothing is asked of half a policy; what is broken has been told already."""
    reasons = "; ".join(f"{one.path}: {one.message}" for one in because)
    failure = f"not asked, because a file could not be read: {reasons}" if because else None
    return Asked(engine.Job((), (), ()), engine.Outcome(failure=failure))


def _unasked(subject: Subject, why: str) -> list[Case]:
    tests = [Case(test.name, Verdict.UNKNOWN, why) for test in subject.tests]
    decided = [Decided(case, None, why) for case in subject.files.cases]
    return [*tests, *map(deciding.outcome, decided)]


def _not_installed(paths: Paths, absent: Sequence[str]) -> Finding:
    return Finding(
        rules.ENGINE,
        f"the policy cannot be evaluated: {' and '.join(absent)} not installed",
        severity=Severity.UNKNOWN,
        path=paths.bundle or (paths.cases[0] if paths.cases else None),
        remedy="pip install 'pytest-cockpit[policy]'",
        evidence={"missing": list(absent)},
    )


def _nothing_asked(found: bundle.Bundle) -> Finding:
    return Finding(
        rules.RULES_COVERED,
        "no case and no unit test asks the policy anything, so what it decides is not known",
        severity=Severity.UNKNOWN,
        path=found.folder,
        remedy="add a unit test, or AuthZ cases below tool.cockpit.gate.matriz.policy.cases",
    )


def _part(
    subject: Subject,
    findings: Sequence[Finding],
    cases: Sequence[Case],
    evidence: Sequence[Evidence],
) -> Part:
    checked = len(cases) + (len(subject.bundle.policies) if subject.bundle is not None else 0)
    passed = sum(case.verdict is Verdict.PASS for case in cases)
    summary = f"{passed} of {len(cases)} policy tests and AuthZ cases as expected" if cases else ""
    return Part(max(checked, 1), tuple(findings), tuple(cases), tuple(evidence), summary)


def _evidence(subject: Subject, found: bundle.Bundle, decided_by: Decision | None) -> Evidence:
    return Evidence(
        "policy",
        {
            "bundle": found.folder,
            "bundle_sha256": found.sha256,
            "files": len(found.digests),
            "query": decided_by.query if decided_by is not None else None,
            "now_ns": subject.settings.now,
            "cases": len(subject.files.cases),
            "case_files": len(subject.files.digests),
            "case_files_sha256": sha256(canonical_line(subject.files.digests)),
            "tests": len(subject.tests),
            "regopy": version("regopy"),
        },
    )


def _coverage(reached: reach.Reach, shown: Sequence[exercised.Exercised]) -> Mapping[str, Any]:
    return {
        "rules": {
            "bodies": len(reached.bodies),
            "reached": len(reached.reached),
            "share": round(reached.share, 4),
            "failure": reached.failure,
            "missed": [f"{module.path}:{clause.line}" for module, clause in reached.missed],
        },
        "decisions": {
            "contracts": len(shown),
            "units": sum(len(one.units) for one in shown),
            "seen": sum(one.shown for one in shown),
            "share": round(exercised.share(shown), 4),
        },
    }
