"""What contradicts itself within one contract, with its place in the document."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from pytest_cockpit.api import JSON, Finding, Severity
from pytest_cockpit.records.text import one_line, pointer
from pytest_cockpit.records.wording import shown
from pytest_cockpit_gates.matriz.contracts import Contract

SHAPE = "matriz.shape"

DEFAULTS: Mapping[str, Severity] = {
    "identity-missing": Severity.ERROR,
    "tier-unknown": Severity.ERROR,
    "tier-numbers": Severity.ERROR,
    "tiers-empty": Severity.ERROR,
    "scopes-missing": Severity.ERROR,
    "subject": Severity.ERROR,
    "webauthn-missing": Severity.ERROR,
    "tokenization-network": Severity.ERROR,
    "policy-function": Severity.ERROR,
    "function-missing": Severity.ERROR,
    "function-unknown": Severity.UNKNOWN,
    "gate-condition": Severity.ERROR,
    "gate-vacuous": Severity.WARNING,
    "gate-broken": Severity.ERROR,
}
"""Rules whose severity a repository may choose, without the gate's prefix."""

_FIXED: Mapping[str, Severity] = {
    "shape": Severity.ERROR,
    "gate-evidence": Severity.UNKNOWN,
}

SEVERITY: JSON = {
    "type": "object",
    "properties": {
        name: {"enum": ["error", "warning", "unknown" if usual is Severity.UNKNOWN else "info"]}
        for name, usual in DEFAULTS.items()
    },
    "additionalProperties": False,
}
"""The JSON Schema of the setting `severity`."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One contradiction: the keys that lead to it, and what would mend it."""

    rule: str
    keys: tuple[str | int, ...]
    message: str
    remedy: str | None = None
    evidence: JSON = field(default_factory=dict)


def located(
    contract: Contract, faults: Sequence[Fault], chosen: Mapping[str, str]
) -> Iterator[Finding]:
    """The findings for the faults of one contract, as severe as the settings say."""
    if not faults:
        return
    where = contract.positions()
    for fault in faults:
        place = pointer(fault.keys)
        name = fault.rule.partition(".")[2]
        yield Finding(
            fault.rule,
            one_line(fault.message),
            severity=_FIXED.get(name) or Severity(chosen.get(name, DEFAULTS[name])),
            path=contract.path,
            line=where.line(place),
            pointer=place,
            remedy=None if fault.remedy is None else one_line(fault.remedy),
            evidence=fault.evidence,
        )


class Section:
    """An object of a contract, whose members are taken only in the shape they should have.

    A member of another shape counts as absent, and is a fault of its own.
    """

    def __init__(self, value: Mapping[str, Any], keys: tuple[str | int, ...]) -> None:
        """Read `value`, which stands at `keys`."""
        self.value = value
        self.keys = keys
        self._odd: dict[tuple[str | int, ...], Fault] = {}

    @property
    def faults(self) -> list[Fault]:
        """Members that were asked for and have another shape, each once."""
        return list(self._odd.values())

    def __contains__(self, key: str) -> bool:
        return key in self.value

    def section(self, key: str) -> Section:
        """The object at `key`; an empty one where there is none."""
        return Section(self._taken(key, dict, "an object") or {}, (*self.keys, key))

    def flag(self, key: str, *, default: bool) -> bool:
        """The truth value at `key`."""
        found = self._taken(key, bool, "true or false")
        return default if found is None else bool(found)

    def items(self, key: str) -> list[Any]:
        """The array at `key`."""
        return self._taken(key, list, "an array") or []

    def texts(self, key: str) -> list[tuple[int, str]]:
        """The texts of the array at `key`, with their indices."""
        return list(self._each(key, str, "text"))

    def tables(self, key: str) -> list[tuple[int, Mapping[str, Any]]]:
        """The objects of the array at `key`, with their indices."""
        return list(self._each(key, dict, "an object"))

    def odd(self, keys: Iterable[str | int], value: Any, expected: str) -> None:
        """Note a value that has not the shape it should have."""
        message = f"expected {expected}, got {shown(value)}"
        place = (*self.keys, *keys)
        self._odd.setdefault(place, Fault(SHAPE, place, message, f"write {expected}"))

    def _each(self, key: str, kind: type, expected: str) -> Iterator[tuple[int, Any]]:
        for index, item in enumerate(self.items(key)):
            if isinstance(item, kind):
                yield index, item
            else:
                self.odd((key, index), item, expected)

    def _taken(self, key: str, kind: type, expected: str) -> Any:
        if key not in self.value:
            return None
        value = self.value[key]
        if isinstance(value, kind):
            return value
        self.odd((key,), value, expected)
        return None
