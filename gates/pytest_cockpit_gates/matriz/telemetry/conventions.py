"""Names against the semantic conventions, at the version that a contract declares."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.telemetry import semconv
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, Item, Keys, finding
from pytest_cockpit_gates.matriz.telemetry.naming import short
from pytest_cockpit_gates.matriz.telemetry.rules import CONVENTION, DEPRECATED, NAME, VERSION
from pytest_cockpit_gates.matriz.telemetry.semconv import Conventions, Version, shown

_RESERVED = "otel."
_KEYS: Keys = ("telemetry", "opentelemetry_semconv_version")
_EXTRA = "pip install 'pytest-cockpit[telemetry]'"


@dataclass(frozen=True, slots=True)
class Held:
    """A contract and the conventions that it can be held against."""

    declared: Declared
    version: Version
    conventions: Conventions
    deprecated: Severity

    def name(self, kind: str, name: str, keys: Keys, emitted: str = "") -> Iterator[Finding]:
        """What the conventions have against a name, `emitted` saying where it was seen."""
        known = self.conventions.attribute(name) if kind == "attribute" else name
        said = self.conventions.deprecated.get((kind, known))
        if said is not None:
            yield self._given_up(kind, name, known, said, keys, emitted)
        elif kind == "attribute" and self._reserved(known):
            yield finding(
                self.declared.contract,
                NAME,
                f"{emitted or 'declares'} {short(name)}; names below otel. are OpenTelemetry's own",
                keys,
                remedy="choose a namespace of your own",
            )

    def metric(self, item: Item) -> Iterator[Finding]:
        """Where a declared metric of the conventions is another than theirs."""
        known = self.conventions.metrics.get(item.name)
        if known is None or ("metric", item.name) in self.conventions.deprecated:
            return
        exact = self.version == self.conventions.version
        for key, declared, wanted in (
            ("unit", item.unit, known.unit),
            ("type", item.kind, known.kind),
        ):
            if declared is not None and wanted and declared != wanted:
                yield finding(
                    self.declared.contract,
                    CONVENTION,
                    f"{short(item.name)} has {key} {short(declared)}, by the semantic conventions "
                    f"{shown(self.conventions.version)} it has {short(wanted)}",
                    (*item.keys, key),
                    severity=Severity.ERROR if exact else Severity.WARNING,
                    remedy=f'write "{wanted}", or choose a name of your own',
                )

    def _given_up(
        self, kind: str, name: str, known: str, said: str, keys: Keys, emitted: str
    ) -> Finding:
        since = semconv.first_deprecated().get((kind, known))
        later = since is not None and since > self.version
        when = shown(since if since is not None else self.conventions.version)
        return finding(
            self.declared.contract,
            DEPRECATED,
            f"{emitted or 'declares'} {kind} {short(name)}, deprecated in {when}"
            + (f", after the declared {shown(self.version)}" if later else ""),
            keys,
            severity=Severity.INFO if later else self.deprecated,
            remedy=said,
            evidence={
                "name": name,
                "deprecated_in": None if since is None else when,
                "declared_version": shown(self.version),
                "package": f"{semconv.PACKAGE} {self.conventions.package}",
            },
        )

    def _reserved(self, name: str) -> bool:
        return name.startswith(_RESERVED) and name not in self.conventions.attributes


def hold(
    declared: Declared, conventions: Conventions, deprecated: Severity
) -> Held | Finding | None:
    """The contract with its conventions; why there are none; None where it declares none."""
    text = declared.version
    if text is None:
        return None
    version, latest = semconv.parsed(text), conventions.version
    if version is None:
        return _unheld(declared, f"{short(text)} is no version", f'write "{shown(latest)}"')
    if version > latest:
        message = f"{shown(version)} is newer than {shown(latest)}, which is installed here"
        return _unheld(declared, message, f"pip install --upgrade {semconv.PACKAGE}")
    if version not in conventions.versions:
        nearest = min(
            conventions.versions,
            key=lambda known: [abs(a - b) for a, b in zip(known, version, strict=True)],
        )
        message = f"{shown(version)} is no version that {semconv.PACKAGE} knows"
        return _unheld(declared, message, f'write "{shown(nearest)}"')
    return Held(declared, version, conventions, deprecated)


def judge(held: Held) -> Iterator[Finding]:
    """What the conventions have against what a contract declares."""
    for item in (*held.declared.spans, *held.declared.metrics):
        for name, keys in item.attributes.items():
            yield from held.name("attribute", name, keys)
    for item in held.declared.metrics:
        yield from held.name("metric", item.name, (*item.keys, "name"))
        yield from held.metric(item)


def missing(declared: Declared, others: int) -> Finding:
    """There is something to judge, and nothing to judge it by."""
    more = f", and so do {others} more contracts" if others else ""
    return finding(
        declared.contract,
        VERSION,
        f"declares a version of the semantic conventions{more}; {semconv.PACKAGE} is not installed",
        _KEYS,
        severity=Severity.UNKNOWN,
        remedy=_EXTRA,
        evidence={"contracts": others + 1},
    )


def other_version(held: Held, scope: str, url: str) -> Iterator[Finding]:
    """An instrumentation that says it follows another version than the contract."""
    version = semconv.version_of_url(url)
    if version is not None and version != held.version:
        yield finding(
            held.declared.contract,
            VERSION,
            f"scope {short(scope)} emits by conventions {shown(version)}, "
            f"declared is {shown(held.version)}",
            _KEYS,
            severity=Severity.WARNING,
            remedy="make the two agree",
            evidence={"scope": scope, "schema_url": url},
        )


def _unheld(declared: Declared, message: str, remedy: str) -> Finding:
    return finding(
        declared.contract,
        VERSION,
        f"{message}, so names are held against no conventions",
        _KEYS,
        severity=Severity.UNKNOWN,
        remedy=remedy,
    )
