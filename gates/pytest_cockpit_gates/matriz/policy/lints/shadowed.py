"""Unit tests that do not run, or that another one of the same name hides.

Two rules of one name are alternatives: if either holds, the test passes.
"""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.lints.subject import Subject
from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module

PREFIX = "test_"
LATER = "todo_test_"


def is_test(clause: Clause) -> bool:
    """Whether a clause is a unit test that runs."""
    return clause.name.startswith(PREFIX) and clause.arguments is None and not clause.key


def lint(subject: Subject) -> Iterator[Finding]:
    """Each test that proves nothing."""
    first: dict[tuple[str, str], Module] = {}
    for module in subject.modules:
        for clause in module.clauses:
            key = module.package, clause.name
            if clause.name.startswith(LATER):
                told = f"{clause.name} is put off and does not run"
                yield _finding(module, clause, told, f"name it {clause.name[5:]}", Severity.WARNING)
            elif clause.name.startswith(PREFIX) and not is_test(clause):
                told = f"{clause.name} has an argument or a key and does not run"
                yield _finding(module, clause, told, "make it a rule without")
            elif is_test(clause) and not clause.otherwise and key in first:
                told = f"{clause.name} is in {first[key].path}, too: it passes if either holds"
                yield _finding(module, clause, told, "rename one of them")
            elif is_test(clause):
                first.setdefault(key, module)


def _finding(
    module: Module, clause: Clause, message: str, remedy: str, severity: Severity = Severity.ERROR
) -> Finding:
    return Finding(
        rules.SHADOWED,
        message,
        severity=severity,
        path=module.path,
        line=clause.line,
        remedy=remedy,
    )
