"""Paths of the input that no case provides: misspelt, or never tried."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.schema import meant
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.syntax import Module
from pytest_cockpit_gates.matriz.policy.terms import Reference, references


def lint(subject: Subject) -> Iterator[Finding]:
    """Each such path, where it is read first."""
    if not subject.samples.inputs:
        return
    seen: set[tuple[str, ...]] = set()
    for module in subject.policies:
        for read in input_reads(module):
            missing = _missing(subject, read.path)
            if missing and missing not in seen:
                seen.add(missing)
                yield _finding(subject, module, read, missing)


def input_reads(module: Module) -> Iterator[Reference]:
    """Where a module reads its input; `with input as …` writes it."""
    for read in references(module.words):
        if read.root == "input" and not (read.before and read.before.is_("with")):
            yield read


def _missing(subject: Subject, path: tuple[str, ...]) -> tuple[str, ...]:
    """The shortest beginning of a path that no case has; empty where all of it is there."""
    for length in range(1, len(path) + 1):
        if not subject.samples.kinds(path[:length]):
            return path[:length]
    return ()


def _finding(
    subject: Subject, module: Module, read: Reference, missing: tuple[str, ...]
) -> Finding:
    hint = meant(missing[-1], sorted(subject.samples.keys(missing[:-1])))
    name = ".".join(("input", *missing))
    return Finding(
        rules.INPUT,
        f"no case provides {name}{hint}",
        severity=Severity.WARNING if hint else Severity.INFO,
        path=module.path,
        line=read.line,
        remedy="correct the name, or add a case that provides it",
        evidence={"path": list(missing)},
    )
