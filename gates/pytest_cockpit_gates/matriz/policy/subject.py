"""What a tree holds for this part: a policy, AuthZ cases, and the decision that is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_cockpit.api import CockpitError, Context, Finding, Severity
from pytest_cockpit_gates.matriz import files
from pytest_cockpit_gates.matriz.policy import bundle, casefiles, rules, unittests
from pytest_cockpit_gates.matriz.policy.settings import BUNDLES, Settings

if TYPE_CHECKING:
    from pytest_cockpit_gates.matriz.contracts import Contracts
    from pytest_cockpit_gates.matriz.policy.syntax import Clause, Module

_KEY = "tool.cockpit.gate.matriz.policy"


@dataclass(frozen=True, slots=True)
class Paths:
    """Where things are, before anything is read."""

    settings: Settings
    bundle: str | None
    cases: tuple[str, ...]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing to judge."""
        return self.bundle is None and not self.cases and self.settings.bundle is None


@dataclass(frozen=True, slots=True)
class Subject:
    """What was read."""

    settings: Settings
    bundle: bundle.Bundle | None
    files: casefiles.CaseFiles
    tests: tuple[unittests.UnitTest, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """The rule that decides."""

    package: str
    rule: str

    @property
    def query(self) -> str:
        """As Rego refers to it."""
        return f"data.{self.package}.{self.rule}"

    @property
    def entry(self) -> str:
        """As a path."""
        return f"{self.package.replace('.', '/')}/{self.rule}"


def locate(context: Context, contracts: Contracts) -> Paths:
    """Find the policy's folder and the files of cases."""
    try:
        settings = Settings.of(context.settings)
    except ValueError as error:
        raise CockpitError(
            f"{_KEY}.now: {error}; write a time such as 2026-01-31T12:00:00Z"
        ) from error
    wanted = files.matcher(settings.cases)
    cases = tuple(path for path in contracts.paths if wanted.fullmatch(path))
    folders = BUNDLES if settings.bundle is None else (settings.bundle.strip("/"),)
    rego = [path for path in contracts.paths if path.endswith(".rego")]
    found = (folder for folder in folders if any(path.startswith(f"{folder}/") for path in rego))
    return Paths(settings, next(found, None), cases)


def read(context: Context, paths: Paths) -> Subject:
    """Read all of it."""
    found = None
    if paths.bundle is not None:
        found = bundle.read(context.root, paths.bundle, paths.settings.bundle_sha256)
    tests = unittests.collect(found.modules if found is not None else ())
    cases = casefiles.read_all(context.root, paths.cases, paths.settings.tiers)
    return Subject(paths.settings, found, cases, tuple(tests))


def missing(paths: Paths) -> Iterator[Finding]:
    """That there is no policy, where there should be one."""
    if paths.bundle is not None:
        return
    if paths.settings.bundle is not None:
        message = f"no .rego file lies below {paths.settings.bundle}"
        yield Finding(rules.MISSING, message, remedy=f"correct {_KEY}.bundle")
    else:
        yield Finding(
            rules.MISSING,
            f"no policy decides the AuthZ cases: no .rego file lies below {' or '.join(BUNDLES)}",
            severity=Severity.UNKNOWN,
            path=paths.cases[0],
            remedy=f"add the policy, or name its folder in {_KEY}.bundle",
        )


def decision(subject: Subject, modules: Sequence[Module]) -> Decision | Finding | None:
    """The rule that decides; a finding where it cannot be told, None where nothing is asked."""
    query = subject.settings.query
    if query is not None:
        package, _, rule = query.removeprefix("data.").rpartition(".")
        if _clauses(modules, package, rule):
            return Decision(package, rule)
        message = f"no rule of the policy is {query}"
        return Finding(rules.QUERY, message, path=modules[0].path, remedy=f"correct {_KEY}.query")
    found = sorted(
        {module.package for module in modules if _clauses([module], module.package, "allow")}
    )
    if len(found) == 1:
        return Decision(found[0], "allow")
    if not subject.files.cases:
        return None
    told = "no package has" if not found else f"{len(found)} packages have"
    return Finding(
        rules.QUERY,
        f"{told} a rule allow; which rule decides is not known",
        severity=Severity.UNKNOWN,
        path=modules[0].path,
        remedy=f"name it in {_KEY}.query",
        evidence={"packages": found},
    )


def default_faults(modules: Sequence[Module], decided: Decision) -> Iterator[Finding]:
    """A decision without a default, or with one that lets everybody in."""
    clauses = _clauses(modules, decided.package, decided.rule)
    defaults = [(path, clause) for path, clause in clauses if clause.default]
    remedy = f"write default {decided.rule} := false"
    if not defaults:
        path, clause = clauses[0]
        message = f"{decided.rule} has no default: where no body holds it is undefined, not false"
        yield Finding(rules.DEFAULT, message, path=path, line=clause.line, remedy=remedy)
    for path, clause in defaults:
        if [word.text for word in clause.value] != ["false"]:
            message = f"the default of {decided.rule} is not false: what no body decides is let in"
            yield Finding(rules.DEFAULT, message, path=path, line=clause.line, remedy=remedy)


def _clauses(modules: Sequence[Module], package: str, rule: str) -> list[tuple[str, Clause]]:
    return [
        (module.path, clause)
        for module in modules
        if module.package == package
        for clause in module.clauses
        if clause.name == rule and clause.arguments is None and not clause.key
    ]
