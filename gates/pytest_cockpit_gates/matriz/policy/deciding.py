"""Hold what the policy decided against what each AuthZ case expects."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from pytest_cockpit.api import Case, Finding, Severity, Verdict
from pytest_cockpit.records.schema import shown
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.casefiles import AuthzCase
from pytest_cockpit_gates.matriz.policy.engine import Answer

_LONGEST = 300


@dataclass(frozen=True, slots=True)
class Decided:
    """A case with what came of it; no answer where it was not asked, and why."""

    case: AuthzCase
    answer: Answer | None
    why: str = ""
    contract: str | None = None

    @property
    def allowed(self) -> bool | None:
        """What was decided, where that is a yes or a no."""
        return self.answer.value if self.answer is not None and self.answer.decided else None


def finding(decided: Decided) -> Finding | None:
    """What is wrong with a decision; None where it is as expected or was not asked for."""
    case, answer = decided.case, decided.answer
    if answer is None or decided.allowed is case.expected:
        return None
    rule, message, severity, remedy = _fault(case, answer)
    return Finding(
        rule,
        f"{case.title}: {message}",
        severity=severity,
        path=case.path,
        line=case.line,
        pointer=case.pointer,
        remedy=remedy,
        evidence={
            "case": case.name,
            "contract": decided.contract,
            "expected": case.expected,
            "state": answer.state,
            "decided": answer.value if answer.state == "value" else None,
        },
    )


def _fault(case: AuthzCase, answer: Answer) -> tuple[str, str, Severity, str]:
    expected = shown(case.expected)
    match answer.state:
        case "undefined":
            message = f"expected {expected}, the policy decides nothing: undefined is not false"
            remedy = "give the decision a default: default allow := false"
            return rules.UNDEFINED, message, Severity.ERROR, remedy
        case "error":
            message = f"expected {expected}, evaluation ends in an error: {said(answer)}"
            return rules.EVALUATION, message, Severity.ERROR, "correct the policy"
        case "lost" | "unasked":
            message = f"expected {expected}, not decided: {said(answer)}"
            return rules.ENGINE, message, Severity.UNKNOWN, "make the policy simpler for this input"
        case _ if not answer.decided:
            message = f"expected {expected}, the policy decides {shown(answer.value)}"
            return rules.EVALUATION, message, Severity.ERROR, "let the decision be true or false"
        case _:
            message = f"expected {expected}, the policy decides {shown(answer.value)}"
            remedy = "correct the policy, the contract's identity, or what is expected"
            return rules.DECISION, message, Severity.ERROR, remedy


def said(answer: Answer) -> str:
    """The reason for having no value, in one line."""
    text = str(answer.value or "an earlier question kept the evaluator from being asked")
    found = _message(text)
    return one_line(" ".join((found or text).split()))[:_LONGEST]


def _message(text: str) -> str | None:
    """What stands in `(errormsg 12:a short text)`."""
    _, mark, rest = text.partition("(errormsg ")
    length, colon, message = rest.partition(":")
    return message[: int(length)] if mark and colon and length.isdigit() else None


def outcome(decided: Decided) -> Case:
    """The case as a check of its own."""
    case, answer = decided.case, decided.answer
    hindrance = [fault for fault in case.faults if fault.severity is Severity.ERROR]
    if hindrance:
        return Case(case.name, Verdict.FAIL, "\n".join(fault.message for fault in hindrance))
    if answer is None:
        return Case(case.name, Verdict.UNKNOWN, decided.why)
    fault = finding(decided)
    if fault is None:
        return Case(case.name, Verdict.PASS, f"decided {shown(case.expected)}, as expected")
    verdict = Verdict.UNKNOWN if fault.severity is Severity.UNKNOWN else Verdict.FAIL
    reason = case.reason
    return Case(case.name, verdict, f"{fault.message}\n{reason}" if reason else fault.message)


def judged(decided: Iterable[Decided]) -> tuple[list[Finding], list[Case]]:
    """All findings and all cases."""
    found = list(decided)
    return list(_findings(found)), [outcome(one) for one in found]


def _findings(decided: Iterable[Decided]) -> Iterator[Finding]:
    for one in decided:
        yield from one.case.faults
        fault = finding(one)
        if fault is not None:
            yield fault
