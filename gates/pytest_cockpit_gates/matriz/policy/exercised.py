"""Which decisions the cases show: functions allowed and denied, tiers let in or kept out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.policy import rules
from pytest_cockpit_gates.matriz.policy.deciding import Decided
from pytest_cockpit_gates.matriz.policy.pairing import Contract, functions, identity, texts
from pytest_cockpit_gates.matriz.policy.settings import TIERS

Unit = tuple[str, str, bool]
"""`function` or `tier`, its name, and whether it was allowed."""

_SHOWN = 6


@dataclass(frozen=True, slots=True)
class Exercised:
    """What there is to be seen of one contract, and what of it was."""

    contract: Contract
    units: frozenset[Unit]
    seen: frozenset[Unit]

    @property
    def missed(self) -> list[Unit]:
        """What no case shows."""
        return sorted(self.units - self.seen)

    @property
    def shown(self) -> int:
        """How much of it some case shows."""
        return len(self.units & self.seen)


def exercised(
    decided: Iterable[Decided], contracts: Iterable[Contract], tiers: Iterable[str] = TIERS
) -> list[Exercised]:
    """For each contract that demands authentication or has cases."""
    known = tuple(tiers)
    seen: dict[str, set[Unit]] = {}
    for one in decided:
        if one.contract is None or one.allowed is None:
            continue
        units = seen.setdefault(one.contract, set())
        tier = one.case.input.get("tier")
        if one.case.action is not None:
            units.add(("function", one.case.action, one.allowed))
        if isinstance(tier, str):
            units.add(("tier", tier, one.allowed))
    return [
        Exercised(
            contract, frozenset(_units(contract, known)), frozenset(seen.get(contract.path, ()))
        )
        for contract in contracts
        if contract.path in seen or identity(contract.value).get("requires_auth") is True
    ]


def share(found: Sequence[Exercised]) -> float:
    """Of 1, how much of all there is was seen."""
    total = sum(len(one.units) for one in found)
    return sum(one.shown for one in found) / total if total else 1.0


def judged(found: Sequence[Exercised], least: float | None) -> Iterator[Finding]:
    """A finding for each contract with something unseen."""
    part = share(found)
    short = least is not None and part < least
    for one in found:
        if not one.missed:
            continue
        yield Finding(
            rules.DECISIONS_COVERED,
            f"cases show {one.shown} of {len(one.units)} decisions: {_told(one)}",
            severity=Severity.ERROR if short else Severity.INFO,
            path=one.contract.path,
            line=None,
            pointer="/identity",
            remedy="add cases that show them",
            evidence={
                "missed": [list(unit) for unit in one.missed],
                "share": round(part, 4),
                "least": least,
            },
        )


def _units(contract: Contract, tiers: Iterable[str]) -> Iterator[Unit]:
    for name in functions(contract.value):
        yield "function", name, True
        yield "function", name, False
    let_in = texts(identity(contract.value).get("required_tiers"))
    for tier in tiers:
        if let_in:
            yield "tier", tier, tier in let_in


def _told(one: Exercised) -> str:
    words = [
        f"{name} never {'allowed' if allowed else 'denied'}" for _, name, allowed in one.missed
    ]
    more = ", …" if len(words) > _SHOWN else ""
    return ", ".join(words[:_SHOWN]) + more
