"""What the static pass finds in files, and how it is held to the baseline."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import Finding, Move, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.cycles import Edges
from pytest_cockpit_gates.imports.judge import slack


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing a file says that breaks a rule; `evidence` says of which part of it."""

    rule: str
    path: str
    line: int | None
    message: str
    remedy: str
    severity: Severity = Severity.ERROR
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Facts:
    """What was found in the judged files.

    Parameters
    ----------
    read: how many files were read.
    elsewhere: old paths in files that the batch leaves alone.
    circular: the imports that lie on circles.
    judged: the files that were held to all rules.
    declared: the files that declare dependencies.
    """

    found: tuple[Fact, ...]
    read: int
    elsewhere: int = 0
    circular: Edges = field(default_factory=dict)
    judged: frozenset[str] = frozenset()
    declared: tuple[str, ...] = ()


def counts(facts: Facts, skip: Container[str] = ()) -> dict[str, dict[str, int]]:
    """How many imports of each file break each rule, as a baseline permits them.

    Files in `skip` have a syntax error as their failure.
    """
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for fact in facts.found:
        if not (fact.rule == rules.SYNTAX and fact.path in skip):
            counted[printable(fact.path)][fact.rule] += 1
    return {path: dict(found) for path, found in counted.items()}


def findings(
    facts: Facts, entries: Mapping[str, Any], moves: Sequence[Move], *, skip: frozenset[str]
) -> Iterator[Finding]:
    """The facts as findings; those within the baseline's counts are tolerated."""
    grouped: dict[tuple[str, str], list[Fact]] = defaultdict(list)
    for fact in facts.found:
        if not (fact.rule == rules.SYNTAX and fact.path in skip):
            grouped[fact.rule, fact.path].append(fact)
    former = {move.target: move.source for move in moves}
    for (rule, path), group in grouped.items():
        entry = _entry(entries, path, former)
        allowed = _allowed(entry, rule)
        tolerated = len(group) <= allowed
        yield from (_finding(fact, tolerated=tolerated) for fact in group)
        if len(group) < allowed:
            yield _unused(path, rule, allowed, len(group))
    if facts.elsewhere:
        yield Finding(
            rules.LANE_IMPORT,
            f"{facts.elsewhere} more imports go through the lane in files this batch leaves alone",
            severity=Severity.INFO,
            evidence={"count": facts.elsewhere},
        )
    for path in sorted(facts.judged):
        for rule, allowed in _entry(entries, path, former).get("edges", {}).items():
            if allowed and (rule, path) not in grouped:
                yield _unused(path, rule, allowed, 0)


def _unused(path: str, rule: str, allowed: int, count: int) -> Finding:
    why = f"breaks {rule} {count} times, not {allowed}"
    return slack(path, why, {"rule": rule, "permitted": allowed, "count": count})


def _entry(entries: Mapping[str, Any], path: str, former: Mapping[str, str]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = entries.get(printable(path), {})
    return found or entries.get(printable(former.get(path, path)), {})


def _allowed(entry: Mapping[str, Any], rule: str) -> int:
    permitted = int(entry.get("edges", {}).get(rule, 0))
    return permitted or int(rule == rules.SYNTAX and entry.get("class") == "syntax")


def _finding(fact: Fact, *, tolerated: bool) -> Finding:
    return Finding(
        fact.rule,
        fact.message + (" (tolerated by the baseline)" if tolerated else ""),
        severity=Severity.INFO if tolerated else fact.severity,
        path=fact.path,
        line=fact.line,
        remedy=fact.remedy,
        evidence=fact.evidence,
    )
