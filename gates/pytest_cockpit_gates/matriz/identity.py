"""Who may call a module: tiers, scopes, subjects, WebAuthn and tokens, each against the others."""

from __future__ import annotations

import fnmatch
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import JSON, Context, Proof, Rule
from pytest_cockpit.records.wording import meant, shown
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.faults import SEVERITY, SHAPE, Fault, Section, located
from pytest_cockpit_gates.matriz.part import Part

MISSING = "matriz.identity-missing"
TIER = "matriz.tier-unknown"
NUMBERS = "matriz.tier-numbers"
EMPTY = "matriz.tiers-empty"
SCOPES = "matriz.scopes-missing"
SUBJECT = "matriz.subject"
WEBAUTHN = "matriz.webauthn-missing"
NETWORK = "matriz.tokenization-network"

RULES = (
    Rule(SHAPE, "What the rules of contracts read has the shape they can read."),
    Rule(MISSING, "A contract says who may call its module."),
    Rule(TIER, "A required tier is one of the known tiers."),
    Rule(NUMBERS, "The numbers of tiers are those of their names, in the same order."),
    Rule(EMPTY, "At least one tier is required."),
    Rule(SCOPES, "A module that requires authentication names its scopes."),
    Rule(SUBJECT, "An accepted subject starts with a known prefix and names somebody."),
    Rule(WEBAUTHN, "WebAuthn is required of critical modules and of high tiers."),
    Rule(NETWORK, "Tokenization that is enabled names its network."),
)

TIERS = {"guest": 0, "visitor": 1, "friend": 2, "trusted": 3, "inner_circle": 4, "root_dev": 5}
PREFIXES = ("lukhas:user:", "lukhas:svc:")
HIGH = ("inner_circle", "root_dev")

_LONGEST = 60

_TEXTS = {"type": "array", "items": {"type": "string", "minLength": 1}}
_POINTER = {"pattern": "^(/([^~/]|~[01])*)+$"}

SETTINGS: Mapping[str, JSON] = {
    "tiers": {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"type": "integer", "minimum": 0},
    },
    "subject_prefixes": {**_TEXTS, "minItems": 1},
    "webauthn_tiers": _TEXTS,
    "critical": _TEXTS,
    "critical_fields": {
        "type": "object",
        "propertyNames": _POINTER,
        "additionalProperties": {"type": "array", "minItems": 1},
    },
    "severity": SEVERITY,
}


@dataclass(frozen=True, slots=True)
class Policy:
    """What a repository holds the identity of its modules to; see the settings."""

    tiers: Mapping[str, int]
    prefixes: Sequence[str]
    high: frozenset[str]
    critical: Sequence[str]
    fields: Mapping[str, Sequence[Any]]

    @classmethod
    def of(cls, settings: Mapping[str, Any]) -> Policy:
        """The policy that the settings describe."""
        return cls(
            tiers=settings.get("tiers", TIERS),
            prefixes=tuple(settings.get("subject_prefixes", PREFIXES)),
            high=frozenset(settings.get("webauthn_tiers", HIGH)),
            critical=tuple(settings.get("critical", ())),
            fields=settings.get("critical_fields", {}),
        )


def judge(context: Context, contracts: Contracts) -> Part:
    """Every contradiction in what the contracts say of identity."""
    policy = Policy.of(context.settings)
    severity = context.settings.get("severity", {})
    findings = tuple(
        finding
        for contract in contracts
        for finding in located(contract, faults(contract, policy), severity)
    )
    return Part(checked=len(contracts), findings=findings)


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.proving_identity import proofs as of_identity

    return of_identity()


def faults(contract: Contract, policy: Policy) -> list[Fault]:
    """What is wrong with the identity and the tokens of one contract."""
    if not isinstance(contract.value, dict):
        return []  # the schema's affair
    top = Section(contract.value, ())
    token = top.section("tokenization")
    found = [*_identity(contract, top, policy), *_network(token)]
    return [*top.faults, *token.faults, *found]


def _identity(contract: Contract, top: Section, policy: Policy) -> Iterator[Fault]:
    if not isinstance(top.value.get("identity"), dict):
        place = ("identity",) if "identity" in top else ()
        remedy = 'add "identity" with requires_auth, required_tiers and required_tiers_numeric'
        yield Fault(MISSING, place, "says nothing of who may call the module", remedy)
        return
    identity = top.section("identity")
    yield from _tiers(identity, policy)
    yield from _scopes(identity)
    yield from _subjects(identity, policy.prefixes)
    yield from _webauthn(contract, identity, policy)
    yield from identity.faults


def _tiers(identity: Section, policy: Policy) -> Iterator[Fault]:
    names = identity.texts("required_tiers")
    for index, name in names:
        if name not in policy.tiers:
            known = ", ".join(policy.tiers)
            hint = meant(name, list(policy.tiers))
            message = f"tier {shown(name)} is not one of {known}{hint}"
            yield Fault(TIER, ("identity", "required_tiers", index), message, f"use one of {known}")
    if not identity.items("required_tiers"):
        if not isinstance(identity.value.get("required_tiers", []), list):
            return  # its shape is told
        place = ("identity", "required_tiers") if "required_tiers" in identity else ("identity",)
        remedy = f'name the tiers in "required_tiers", such as {shown(next(iter(policy.tiers)))}'
        yield Fault(EMPTY, place, "requires no tier", remedy)
        return
    yield from _numbers(identity, [name for _, name in names], policy.tiers)


def _numbers(identity: Section, names: Sequence[str], tiers: Mapping[str, int]) -> Iterator[Fault]:
    """Names and numbers say the same, item by item; unknown names are another rule's."""
    given = identity.items("required_tiers_numeric")
    if len(names) != len(identity.items("required_tiers")) or any(it not in tiers for it in names):
        return
    expected = [tiers[name] for name in names]
    if [_number(item) for item in given] == expected:
        return
    key = "required_tiers_numeric"
    place = ("identity", key) if key in identity else ("identity", "required_tiers")
    said = f"are numbered {_listed(given)}" if key in identity else "have no numbers"
    yield Fault(
        NUMBERS,
        place,
        f"tiers {', '.join(names)} {said}, expected {expected}",
        f'write "{key}": {expected}',
        {"tiers": list(names), "expected": expected},
    )


def _number(item: Any) -> int | None:
    """The integer that an item is; JSON may write 3.0 for 3, and true is none."""
    if isinstance(item, bool) or not isinstance(item, int | float) or item != int(item):
        return None
    return int(item)


def _listed(items: Sequence[Any]) -> str:
    text = ", ".join(map(shown, items))
    return f"[{text if len(text) <= _LONGEST else f'{text[:_LONGEST]}…'}]"


def _scopes(identity: Section) -> Iterator[Fault]:
    needed = identity.flag("requires_auth", default=True)
    if not needed or any(_is_name(scope) for _, scope in identity.texts("scopes")):
        return
    place = ("identity", "scopes") if "scopes" in identity else ("identity",)
    message = "requires authentication and names no scope"
    yield Fault(
        SCOPES, place, message, 'name the scopes in "scopes", or set requires_auth to false'
    )


def _subjects(identity: Section, prefixes: Sequence[str]) -> Iterator[Fault]:
    for index, subject in identity.texts("accepted_subjects"):
        prefix = next((item for item in prefixes if subject.startswith(item)), None)
        rest = "" if prefix is None else subject[len(prefix) :]
        if rest and all(map(_is_seen, rest)):
            continue
        place = ("identity", "accepted_subjects", index)
        known = " or ".join(map(shown, prefixes))
        if prefix is None:
            message = f"subject {shown(subject)} does not start with {known}"
            yield Fault(SUBJECT, place, message, f"start it with {known}")
        else:
            message = f"subject {shown(subject)} names nobody behind {shown(prefix)}"
            yield Fault(SUBJECT, place, message, f'write a name or "*" behind {shown(prefix)}')


def _webauthn(contract: Contract, identity: Section, policy: Policy) -> Iterator[Fault]:
    if identity.flag("webauthn_required", default=False):
        return
    why = [*_high(identity, policy), *_critical(contract, policy)]
    if why:
        key = "webauthn_required"
        yield Fault(
            WEBAUTHN,
            ("identity", key) if key in identity else ("identity",),
            f"does not require WebAuthn, though {' and '.join(why)}",
            f'set "{key}" to true',
            {"because": why},
        )


def _high(identity: Section, policy: Policy) -> Iterator[str]:
    """The high tiers that are required, by name or by number."""
    names = {name for _, name in identity.texts("required_tiers")}
    numbers = {_number(item) for item in identity.items("required_tiers_numeric")}
    names |= {name for name, number in policy.tiers.items() if number in numbers}
    for name in sorted(policy.high & names, key=lambda name: (policy.tiers.get(name, 0), name)):
        yield f"tier {name} is required"


def _critical(contract: Contract, policy: Policy) -> Iterator[str]:
    module = contract.module or ""
    if any(fnmatch.fnmatchcase(module, pattern) for pattern in policy.critical):
        yield f"{module} is critical"
    for place, values in policy.fields.items():
        value = _at(contract.value, place)
        if any(type(value) is type(item) and value == item for item in values):
            yield f"{place} is {shown(value)}"


def _at(value: Any, place: str) -> Any:
    """The value that a JSON pointer leads to; None where it leads nowhere."""
    for token in place.split("/")[1:]:
        key = token.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and key.isdecimal() and int(key) < len(value):
            value = value[int(key)]
        elif isinstance(value, dict):
            value = value.get(key)
        else:
            return None
    return value


def _network(token: Section) -> Iterator[Fault]:
    if not token.flag("enabled", default=False):
        return
    network = token.value.get("network")
    if isinstance(network, str) and _is_name(network):
        return
    place = ("tokenization", "network") if "network" in token else ("tokenization",)
    yield Fault(NETWORK, place, "tokenization is enabled without a network", 'name the "network"')


def _is_name(text: str) -> bool:
    return any(map(_is_seen, text))


def _is_seen(char: str) -> bool:
    """Whether a reader sees the character: it is no space and has a width."""
    return char.isprintable() and not char.isspace()
