"""What a contract declares of its module's telemetry, read from a block of any shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.text import pointer
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.telemetry.rules import DECLARATION

Keys = tuple[str | int, ...]

SMOKE = "x-telemetry-smoke"
"""The key under which a contract itself says what emits its module's telemetry."""

KINDS: Mapping[str, str] = {
    "counter": "counter",
    "gauge": "gauge",
    "histogram": "histogram",
    "observablecounter": "counter",
    "observablegauge": "gauge",
    "observableupdowncounter": "updowncounter",
    "updowncounter": "updowncounter",
}
"""What a contract may call an instrument, less case, blanks and underscores, to its kind."""


@dataclass(frozen=True, slots=True)
class Item:
    """A declared span or metric.

    Parameters
    ----------
    keys: those that lead to it in the contract.
    attributes: name to the keys that lead to it.
    unit, kind: of a metric, where the contract says; a kind is a value of `KINDS`.
    """

    name: str
    keys: Keys
    attributes: Mapping[str, Keys]
    unit: str | None = None
    kind: str | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """The telemetry block of one contract; `faults` are about what could not be read."""

    contract: Contract
    version: str | None
    spans: tuple[Item, ...]
    metrics: tuple[Item, ...]
    faults: tuple[Finding, ...]

    @property
    def module(self) -> str | None:
        """The module whose telemetry it is."""
        return self.contract.module

    @property
    def smoke(self) -> Any:
        """What the contract itself says of a smoke, of any shape; None where it says nothing."""
        value = self.contract.value
        return value.get(SMOKE) if isinstance(value, dict) else None

    @property
    def empty(self) -> bool:
        """Whether there is nothing to hold a module against."""
        return not (self.spans or self.metrics or self.faults or self.version)


def finding(
    contract: Contract,
    rule: str,
    message: str,
    keys: Sequence[str | int] = ("telemetry",),
    *,
    severity: Severity = Severity.ERROR,
    remedy: str | None = None,
    evidence: Mapping[str, Any] | None = None,
) -> Finding:
    """A finding about a place in a contract; its line is looked up once all findings are there."""
    return Finding(
        rule,
        message,
        severity=severity,
        path=contract.path,
        pointer=pointer(tuple(keys)),
        remedy=remedy,
        evidence=evidence or {},
    )


def read(contract: Contract) -> Declared:
    """What the contract declares; what it does not say is empty."""
    value = contract.value
    if not isinstance(value, dict) or "telemetry" not in value:
        return Declared(contract, None, (), (), ())
    return _Reader(contract).read(value["telemetry"])


class _Reader:
    """Reads one block; what it cannot read becomes a fault, since nothing is held against it."""

    def __init__(self, contract: Contract) -> None:
        self.contract = contract
        self.faults: list[Finding] = []

    def read(self, block: Any) -> Declared:
        if not isinstance(block, dict):
            self.fault(("telemetry",), "telemetry", "an object")
            block = {}
        version = block.get("opentelemetry_semconv_version")
        if version is not None and not isinstance(version, str):
            place = ("telemetry", "opentelemetry_semconv_version")
            self.fault(place, "the version", "text such as 1.37.0")
            version = None
        spans, metrics = (tuple(self.items(block, key)) for key in ("spans", "metrics"))
        return Declared(self.contract, version, spans, metrics, tuple(self.faults))

    def fault(self, keys: Keys, what: str, wanted: str) -> None:
        found = finding(
            self.contract,
            DECLARATION,
            f"{what} is not {wanted}, so nothing is held against it",
            keys,
            severity=Severity.UNKNOWN,
            remedy=f"write {wanted}",
        )
        self.faults.append(found)

    def items(self, block: Mapping[str, Any], key: str) -> Iterator[Item]:
        rows = block.get(key, [])
        if not isinstance(rows, list):
            self.fault(("telemetry", key), key, "a list")
            return
        for index, row in enumerate(rows):
            keys: Keys = ("telemetry", key, index)
            name = row.get("name") if isinstance(row, dict) else None
            if not (isinstance(name, str) and name):
                self.fault(keys, f"an entry of {key}", 'an object with a "name"')
                continue
            yield Item(
                name,
                keys,
                dict(self.attributes(row, keys)),
                self.text(row, "unit", keys),
                self.kind(row, keys) if key == "metrics" else None,
            )

    def attributes(self, row: Mapping[str, Any], keys: Keys) -> Iterator[tuple[str, Keys]]:
        names = row.get("attrs", [])
        if not isinstance(names, list):
            self.fault((*keys, "attrs"), "attrs", "a list")
            return
        for index, name in enumerate(names):
            place = (*keys, "attrs", index)
            if isinstance(name, str) and name:
                yield name, place
            else:
                self.fault(place, "an attribute", "a name")

    def text(self, row: Mapping[str, Any], key: str, keys: Keys) -> str | None:
        value = row.get(key)
        if value is None or isinstance(value, str):
            return value
        self.fault((*keys, key), key, "text")
        return None

    def kind(self, row: Mapping[str, Any], keys: Keys) -> str | None:
        text = self.text(row, "type", keys)
        if text is None:
            return None
        kind = KINDS.get(text.casefold().replace("_", "").replace(" ", ""))
        if kind is None:
            self.fault((*keys, "type"), "type", "counter, updowncounter, gauge or histogram")
        return kind
