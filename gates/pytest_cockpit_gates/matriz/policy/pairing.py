"""Which contract a file of cases is about, and where the two speak of different things."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.casefiles import AuthzCase

_SHOWN = 5


class Contract(Protocol):
    """What is needed of a contract."""

    @property
    def path(self) -> str:
        """Where it stands."""

    @property
    def module(self) -> str | None:
        """The module it names."""

    @property
    def value(self) -> Any:
        """Its content."""


@dataclass(frozen=True, slots=True)
class Pairing:
    """Cases with their contracts.

    `contracts` maps the module that a case names to its contract, for those that have one.
    """

    contracts: Mapping[str, Contract]
    findings: tuple[Finding, ...]


def pair(cases: Sequence[AuthzCase], contracts: Iterable[Contract]) -> Pairing:
    """Find each module's contract: under its name, or under one with a prefix of one part."""
    whole: dict[str, list[Contract]] = {}
    bare: dict[str, list[Contract]] = {}
    for contract in contracts:
        if contract.module is not None:
            whole.setdefault(contract.module, []).append(contract)
            bare.setdefault(contract.module.partition(".")[2], []).append(contract)
    found: dict[str, Contract] = {}
    findings: list[Finding] = []
    for case in _firsts(cases):
        module = case.module
        exact, near = whole.get(module, []), bare.get(module, [])
        if len(exact) == 1 or (not exact and len(near) == 1):
            found[module] = (exact or near)[0]
        if module not in found or module not in whole:
            findings.append(_naming(case, exact or near))
    return Pairing(found, tuple(findings))


def consistency(cases: Iterable[AuthzCase], pairing: Pairing) -> Iterator[Finding]:
    """Where cases speak of what the contract does not have: one finding for each file and kind."""
    seen: dict[tuple[str, str], list[tuple[AuthzCase, str]]] = {}
    for case in cases:
        contract = pairing.contracts.get(case.module)
        if contract is not None:
            for kind, what in _oddities(case, contract.value):
                seen.setdefault((case.path, kind), []).append((case, what))
    for (path, kind), told in seen.items():
        yield _odd(path, kind, told, pairing.contracts[told[0][0].module])


def identity(contract: Any) -> Mapping[str, Any]:
    """A contract's identity block; empty where it has none."""
    block = contract.get("identity") if isinstance(contract, dict) else None
    return block if isinstance(block, dict) else {}


def functions(contract: Any) -> list[str]:
    """The names of a contract's public functions."""
    interface = contract.get("interface") if isinstance(contract, dict) else None
    rows = interface.get("public_api") if isinstance(interface, dict) else None
    names = (
        [row.get("fn") for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )
    return [name.partition("(")[0].strip() for name in names if isinstance(name, str)]


def texts(value: Any) -> list[str]:
    """The texts of a list; none of anything else."""
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


_REMEDIES = {
    "scopes": "correct the case, or add the scope to the contract's identity.scopes",
    "action": "name a function of the contract's interface.public_api",
    "tier": "expect false, or add the tier to the contract's identity.required_tiers",
}
_SENTENCES = {
    "scopes": "a scope that the contract has not",
    "action": "an action that is no function of the contract",
    "tier": "true expected for a tier that the contract does not let in",
}


def _oddities(case: AuthzCase, contract: Any) -> Iterator[tuple[str, str]]:
    block = identity(contract)
    for scope in texts(case.input.get("scopes")):
        if "scopes" in block and scope not in texts(block["scopes"]):
            yield "scopes", scope
    if case.action is not None and case.action not in functions(contract):
        yield "action", case.action
    tier, tiers = case.input.get("tier"), texts(block.get("required_tiers"))
    if case.expected and isinstance(tier, str) and tiers and tier not in tiers:
        yield "tier", tier


def _odd(
    path: str, kind: str, told: Sequence[tuple[AuthzCase, str]], contract: Contract
) -> Finding:
    names = list(dict.fromkeys(what for _, what in told))
    some = ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
    count = len({case.index for case, _ in told})
    return Finding(
        rules.CONTRACT,
        f"{count} {'case' if count == 1 else 'cases'}: {_SENTENCES[kind]}: {some}",
        severity=Severity.INFO if kind == "action" else Severity.WARNING,
        path=path,
        line=told[0][0].line,
        pointer=told[0][0].pointer,
        remedy=_REMEDIES[kind],
        evidence={"contract": contract.path, "cases": count, kind: names},
    )


def _firsts(cases: Iterable[AuthzCase]) -> Iterator[AuthzCase]:
    seen: set[tuple[str, str]] = set()
    for case in cases:
        if (case.path, case.module) not in seen:
            seen.add((case.path, case.module))
            yield case


def _naming(case: AuthzCase, near: Sequence[Contract]) -> Finding:
    if len(near) == 1:
        name = near[0].module
        message = f"calls the module {case.module}, its contract calls it {name}"
        severity, remedy = Severity.INFO, f"write module: {name}"
    elif near:
        message = f"{case.module} could be any of {', '.join(str(one.module) for one in near)}"
        severity, remedy = Severity.ERROR, "write the whole name of the module"
    else:
        message = f"no contract is of the module {case.module}"
        severity, remedy = Severity.ERROR, "add its contract, or remove the cases"
    return Finding(
        rules.MODULE,
        message,
        severity=severity,
        path=case.path,
        line=1,
        pointer="/module",
        remedy=remedy,
        evidence={"module": case.module},
    )
