"""What contracts offer: functions that are there, and policies for functions that are offered."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_cockpit.api import JSON, Context, Finding, Proof, Rule
from pytest_cockpit.records.text import count
from pytest_cockpit.records.wording import meant, shown
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.faults import Fault, Section, located
from pytest_cockpit_gates.matriz.lookup import Answer, Lookup
from pytest_cockpit_gates.matriz.part import Part

POLICY = "matriz.policy-function"
MISSING = "matriz.function-missing"
UNKNOWN = "matriz.function-unknown"

RULES = (
    Rule(POLICY, "The function of a policy is one that the contract offers."),
    Rule(MISSING, "A function that a contract offers is in its module."),
    Rule(UNKNOWN, "It can be told from the source whether a function is there."),
)
SETTINGS: Mapping[str, JSON] = {}

_CALL = re.compile(
    r"\s*(?:async\s+)?(?:def\s+)?(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)\s*"
    r"(?:\(.*\)\s*)?(?:->.*)?",
    re.DOTALL,
)


def judge(context: Context, contracts: Contracts) -> Part:
    """Functions that are missing, and policies for functions that are not offered."""
    lookup = Lookup(context.root, context.lane)
    severity = context.settings.get("severity", {})
    findings: list[Finding] = []
    judged = left = 0
    for contract in contracts:
        faults, offered = offers(contract)
        if contract.module is not None and lookup.has_module(contract.module):
            judged += len(offered)
            faults += _absent(contract.module, offered, lookup)
        else:
            left += len(offered)
        findings += located(contract, faults, severity)
    told = f"{count(left, 'public function')} of modules that are not here left out" if left else ""
    return Part(checked=judged, findings=tuple(findings), summary=told)


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.proving_interface import proofs as of_interface

    return of_interface()


def called(text: str, module: str | None = None) -> str | None:
    """The name in a text such as `get(id: str) -> dict`, counted from the module; else None."""
    match = _CALL.fullmatch(text)
    if match is None:
        return None
    return match["name"].removeprefix(f"{module}.")


def offers(contract: Contract) -> tuple[list[Fault], dict[int, str]]:
    """What is wrong with the lists of functions, and the public ones by index."""
    if not isinstance(contract.value, dict):
        return [], {}
    top = Section(contract.value, ())
    interface, identity = top.section("interface"), top.section("identity")
    offered = dict(_named(interface, "public_api", contract.module))
    known = sorted(set(offered.values()))
    faults = [
        Fault(
            POLICY,
            ("identity", "api_policies", index, "fn"),
            f"a policy for {shown(name)}, which is not in public_api{meant(name, known)}",
            "offer the function in interface.public_api, or remove the policy",
        )
        for index, name in _named(identity, "api_policies", contract.module)
        if name not in known
    ]
    # That the sections themselves are odd is told with the identity.
    told = [fault for section in (interface, identity) for fault in section.faults]
    return [
        *told,
        *(fault for fault in top.faults if fault.keys == ("interface",)),
        *faults,
    ], offered


def _named(section: Section, key: str, module: str | None) -> Iterator[tuple[int, str]]:
    for index, item in section.tables(key):
        text: Any = item.get("fn")
        name = called(text, module) if isinstance(text, str) else None
        if name is None:
            place = (key, index, "fn") if "fn" in item else (key, index)
            section.odd(place, text, "a function's name")
        else:
            yield index, name


def _absent(module: str, offered: Mapping[int, str], lookup: Lookup) -> Iterator[Fault]:
    for index, name in offered.items():
        outcome = lookup.function(module, name)
        if outcome.answer is Answer.FOUND:
            continue
        place = ("interface", "public_api", index, "fn")
        evidence = {"module": module, "function": name, "why": outcome.why}
        if outcome.answer is Answer.UNKNOWN:
            message = f"whether {name} is in {module} cannot be told: {outcome.why}"
            yield Fault(
                UNKNOWN, place, message, f"bind {name} in {module} by a statement", evidence
            )
            continue
        plain = outcome.why == f"{module} has no {name}"
        why = meant(name, lookup.names(module)) if plain else f": {outcome.why}"
        yield Fault(
            MISSING,
            place,
            f"{module} has no function {name}{why}",
            f"define {name} in {module}, correct the name, or take it out of the contract",
            evidence,
        )
