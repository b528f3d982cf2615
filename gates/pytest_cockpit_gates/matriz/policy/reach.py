"""Which bodies of the policy's rules the cases and unit tests reach.

OPA can say which lines it evaluated; the evaluator that runs here cannot. So a copy of the policy
has a `print` of a number behind the last condition of every body, and a number that is printed
while cases and tests are asked means: all conditions of that body held at least once. That is
stricter than a line that was looked at. Bodies in comprehensions count with the rule they are in,
rules without conditions are not counted. Decisions are never taken from the copy.
"""

from __future__ import annotations

import dataclasses
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import engine, rules
from pytest_cockpit_gates.matriz.policy.rewriting import prepared, traceable
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module

_LOTS = (200, 2000, 20_000)
"""Cases are asked in growing lots, and no more of them once every body was reached."""


@dataclass(frozen=True, slots=True)
class Reach:
    """The bodies there are, the indexes of those that were reached, or why that is not known."""

    bodies: tuple[tuple[Module, Clause], ...]
    reached: frozenset[int] = frozenset()
    failure: str | None = None
    cpu_s: float = 0.0

    @property
    def share(self) -> float:
        """Of 1, how much was reached."""
        return len(self.reached) / len(self.bodies) if self.bodies else 1.0

    @property
    def missed(self) -> list[tuple[Module, Clause]]:
        """Bodies that nothing reached."""
        return [body for index, body in enumerate(self.bodies) if index not in self.reached]


def measure(modules: Sequence[Module], jobs: Sequence[engine.Job], scratch: Path) -> Reach:
    """Ask the jobs' questions, unit tests first, of a traced copy of the policy."""
    policies = [module for module in modules if not module.is_test]
    bodies = tuple(traceable(policies))
    mark = f"cockpit-{secrets.token_hex(8)}-"
    reached: set[int] = set()
    cpu_s = 0.0
    for job in _lots(jobs):
        if len(reached) == len(bodies):
            break
        asked = modules if job.unit_tests else policies
        traced = prepared(asked, unit_tests=job.unit_tests, traced=bodies, mark=mark)
        copy = dataclasses.replace(job, modules=traced)
        outcome = engine.evaluate(copy, scratch)
        cpu_s += outcome.cpu_s
        reached |= _numbers(outcome.output, mark)
        if outcome.failure or outcome.refused:
            failure = outcome.failure or "the evaluator does not take the traced copy"
            return Reach(bodies, frozenset(reached), failure, cpu_s)
    return Reach(bodies, frozenset(reached), None, cpu_s)


def judged(reach: Reach, least: float | None) -> Iterator[Finding]:
    """A finding for each body that was missed; an error where the least share is not reached."""
    if reach.failure is not None:
        severity = Severity.INFO if least is None else Severity.UNKNOWN
        message = f"which rules are reached could not be measured: {reach.failure}"
        yield Finding(rules.RULES_COVERED, message, severity=severity)
        return
    short = least is not None and reach.share < least
    for module, clause in reach.missed:
        yield Finding(
            rules.RULES_COVERED,
            f"no case and no unit test reaches this body of {clause.name}",
            severity=Severity.ERROR if short else Severity.INFO,
            path=module.path,
            line=clause.line,
            remedy="add a case or a unit test in which all its conditions hold",
            evidence={"share": round(reach.share, 4), "least": least},
        )


def _lots(jobs: Sequence[engine.Job]) -> Iterator[engine.Job]:
    for job in jobs:
        start = 0
        sizes = iter(_LOTS)
        while start < len(job.questions):
            stop = start + next(sizes, len(job.questions))
            yield dataclasses.replace(job, questions=job.questions[start:stop])
            start = stop


def _numbers(output: str, mark: str) -> set[int]:
    told = (line.removeprefix(mark) for line in output.splitlines() if line.startswith(mark))
    return {int(number) for number in told if number.isdecimal()}
