"""The policy's own unit tests: rules whose names begin with `test_`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Case, Finding, Severity, Verdict
from pytest_cockpit.records.schema import shown
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.deciding import said
from pytest_cockpit_gates.matriz.policy.engine import Answer
from pytest_cockpit_gates.matriz.policy.lints.shadowed import is_test
from pytest_cockpit_gates.matriz.policy.syntax import Module


@dataclass(frozen=True, slots=True)
class UnitTest:
    """One test, where it is written first."""

    package: str
    rule: str
    path: str
    line: int

    @property
    def name(self) -> str:
        """Of the check."""
        return f"policy:{self.package}.{self.rule}"

    @property
    def entry(self) -> str:
        """The rule's path."""
        return f"{self.package.replace('.', '/')}/{self.rule}"


def collect(modules: Iterable[Module]) -> list[UnitTest]:
    """All unit tests, each name once."""
    found: dict[str, UnitTest] = {}
    for module in modules:
        for clause in filter(is_test, module.clauses):
            test = UnitTest(module.package, clause.name, module.path, clause.line)
            found.setdefault(test.name, test)
    return list(found.values())


def judged(
    tests: Sequence[UnitTest], answers: Sequence[Answer], why: str
) -> tuple[list[Finding], list[Case]]:
    """Findings and cases; without answers every test is unknown, because of `why`."""
    if not answers:
        return [], [Case(test.name, Verdict.UNKNOWN, why) for test in tests]
    cases = [_case(test, answer) for test, answer in zip(tests, answers, strict=True)]
    return list(_findings(tests, answers, cases)), cases


def _case(test: UnitTest, answer: Answer) -> Case:
    match answer.state:
        case "value" if answer.value is not False:
            return Case(test.name, Verdict.PASS)
        case "value" | "undefined":
            told = shown(answer.value) if answer.state == "value" else "undefined"
            return Case(test.name, Verdict.FAIL, f"{test.rule} is {told}")
        case "error":
            return Case(test.name, Verdict.FAIL, f"{test.rule} ends in an error: {said(answer)}")
        case _:
            return Case(test.name, Verdict.UNKNOWN, f"{test.rule}: {said(answer)}")


def _findings(
    tests: Sequence[UnitTest], answers: Sequence[Answer], cases: Sequence[Case]
) -> Iterator[Finding]:
    for test, answer, case in zip(tests, answers, cases, strict=True):
        if case.verdict is Verdict.PASS:
            continue
        unknown = case.verdict is Verdict.UNKNOWN
        yield Finding(
            rules.ENGINE if unknown else rules.TEST,
            case.message,
            severity=Severity.UNKNOWN if unknown else Severity.ERROR,
            path=test.path,
            line=test.line,
            remedy="make the test simpler" if unknown else "correct the policy or the test",
            evidence={"case": case.name, "state": answer.state},
        )
