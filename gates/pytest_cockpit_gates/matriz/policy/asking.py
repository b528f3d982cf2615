"""Ask the policy: its unit tests, every AuthZ case, OPA where it is there, and what was reached."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.matriz.policy import engine, opa, rules
from pytest_cockpit_gates.matriz.policy.bundle import Bundle, unreadable
from pytest_cockpit_gates.matriz.policy.casefiles import AuthzCase
from pytest_cockpit_gates.matriz.policy.lints.impure import reaches_out
from pytest_cockpit_gates.matriz.policy.lints.inputs import input_reads
from pytest_cockpit_gates.matriz.policy.pairing import Contract
from pytest_cockpit_gates.matriz.policy.rewriting import CLOCK, prepared
from pytest_cockpit_gates.matriz.policy.settings import Settings
from pytest_cockpit_gates.matriz.policy.syntax import Module
from pytest_cockpit_gates.matriz.policy.unittests import UnitTest

_REFUSAL = re.compile(r"\(error [^|]*\|(\d+)\|\d+")
_REASON = re.compile(r"\(errormsg \d+:(.*)\)")
_SHOWN = 50


@dataclass(frozen=True, slots=True)
class Asked:
    """The answers to one job, and what was wrong with getting them."""

    job: engine.Job
    outcome: engine.Outcome
    findings: tuple[Finding, ...] = ()

    @property
    def why(self) -> str:
        """Why there are no answers."""
        told = "; ".join(finding.message for finding in self.findings)
        return told or self.outcome.failure or ""


@dataclass(slots=True)
class Asker:
    """Knows the policy and asks it."""

    bundle: Bundle
    settings: Settings
    scratch: Path
    data: Mapping[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        now = self.settings.now
        fixed = {CLOCK: {"now": time.time_ns() if now is None else now}}
        self.data = {**self.bundle.data, **fixed}

    def unit_tests(self, tests: Sequence[UnitTest]) -> Asked:
        """Run the policy's own tests."""
        questions = [engine.Question(test.entry, {}) for test in tests]
        entries = [test.entry for test in tests]
        sources = prepared(self.bundle.modules, unit_tests=True)
        return self._asked(self._job(sources, entries, questions, unit_tests=True))

    def cases(self, entry: str, pairs: Sequence[tuple[AuthzCase, Contract | None]]) -> Asked:
        """Ask for the decision of each case."""
        parts = contract_parts(self.bundle.policies, self.settings.contract)
        contracts: dict[str, int] = {}
        values: list[Any] = []
        questions = []
        for case, contract in pairs:
            place = None
            if contract is not None:
                place = contracts.setdefault(contract.path, len(values))
                if place == len(values):
                    values.append(_part(contract.value, parts))
            given = {**self.settings.input, **case.input}
            questions.append(engine.Question(entry, given, place))
        sources = prepared(self.bundle.policies)
        return self._asked(self._job(sources, [entry], questions, values))

    def second(self, asked: Sequence[Asked]) -> tuple[list[Finding], dict[str, Any]]:
        """Hold all answers against OPA's."""
        demanded = self.settings.opa
        program = opa.installed(demanded or "opa")
        if program is None:
            why = f"{demanded or 'opa'} is not on the path"
            silent = [] if demanded is None else [_silent(self.bundle, why)]
            return silent, {"compared": False, "why": why}
        if any(map(reaches_out, self.bundle.modules)):
            return [], {"compared": False, "why": "the policy would send something out"}
        classic = any(module.classic for module in self.bundle.modules)
        findings: list[Finding] = []
        compared, version = 0, ""
        for one in asked:
            said = opa.evaluate(program, one.job, self.scratch, classic=classic)
            version = version or said.version
            if said.failure is not None:
                findings.append(_silent(self.bundle, said.failure))
                continue
            compared += len(said.answers)
            findings += _differences(one, said.answers)
        evidence = {"compared": True, "version": version, "decisions": compared}
        return findings[:_SHOWN], {**evidence, "differences": len(findings)}

    def _job(
        self,
        sources: Sequence[engine.Source],
        entries: Sequence[str],
        questions: Sequence[engine.Question],
        contracts: Sequence[Any] = (),
        *,
        unit_tests: bool = False,
    ) -> engine.Job:
        return engine.Job(
            sources,
            entries,
            questions,
            self.data,
            contracts,
            self.settings.contract,
            self.settings.timeout_s,
            unit_tests,
        )

    def _asked(self, job: engine.Job) -> Asked:
        if not job.questions:
            return Asked(job, engine.Outcome())
        outcome = engine.evaluate(job, self.scratch)
        findings = list(_refusals(self.bundle, job, outcome))
        if outcome.failure is not None:
            findings.append(
                Finding(
                    rules.ENGINE,
                    f"the policy could not be compiled: {outcome.failure}",
                    severity=Severity.UNKNOWN,
                    path=self.bundle.folder,
                    remedy="find the rule that it stumbles over, and write that another way",
                )
            )
        return Asked(job, outcome, tuple(findings))


def contract_parts(modules: Sequence[Module], key: str) -> frozenset[str] | None:
    """The keys of the contract that the policy can read; None where it may read any.

    Contracts are large and policies read little of them: the rest is not put into the input.
    """
    parts: set[str] = set()
    for module in modules:
        for read in input_reads(module):
            if not read.path or (read.path[0] == key and len(read.path) == 1):
                return None
            if read.path[0] == key:
                parts.add(read.path[1])
    return frozenset(parts)


def _part(contract: Any, parts: frozenset[str] | None) -> Any:
    if parts is None or not isinstance(contract, dict):
        return contract
    return {key: value for key, value in contract.items() if key in parts}


def _refusals(bundle: Bundle, job: engine.Job, outcome: engine.Outcome) -> Iterator[Finding]:
    """The evaluator's own words for what it does not take."""
    texts = dict(job.modules)
    for path, told in outcome.refused:
        place, reason = _REFUSAL.search(told), _REASON.search(told)
        line = None
        if path is not None and place is not None:
            line = texts[path].encode().count(b"\n", 0, int(place[1])) + 1
        message = one_line(reason[1] if reason else " ".join(told.split()))[:300]
        yield unreadable(path or bundle.folder, f"regopy does not take it: {message}", line)


def _silent(bundle: Bundle, failure: str) -> Finding:
    return Finding(
        rules.OPA,
        f"what regopy decides was not compared: {failure}",
        severity=Severity.UNKNOWN,
        path=bundle.folder,
        remedy="install opa, and write the policy so that both take it",
    )


def _same(mine: engine.Answer, theirs: engine.Answer) -> bool:
    """Whether two answers agree; to Python 1 is true, to a policy it is not."""
    kinds = {isinstance(one.value, bool) for one in (mine, theirs)}
    return mine == theirs and len(kinds) == 1


def _differences(asked: Asked, second: Sequence[engine.Answer]) -> Iterator[Finding]:
    """Where both have an answer and the two are not the same."""
    pairs = zip(asked.job.questions, asked.outcome.answers, second, strict=False)
    for question, mine, theirs in pairs:
        if mine.state not in ("value", "undefined") or _same(mine, theirs):
            continue
        shown = [one.value if one.state == "value" else "undefined" for one in (mine, theirs)]
        yield Finding(
            rules.OPA,
            f"{question.entry}: regopy decides {shown[0]}, opa decides {shown[1]}",
            remedy="write the rule so that both agree; what is deployed is what opa decides",
            evidence={"entry": question.entry, "input": dict(question.input), "decided": shown},
        )
