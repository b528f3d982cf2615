"""Which schema judges which contract."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz import schemas
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.files import matcher
from pytest_cockpit_gates.matriz.schemas import Schema

AMBIGUOUS = "matriz.schema-ambiguous"
VERSION = "matriz.schema-version"


@dataclass(frozen=True, slots=True)
class Selection:
    """The schemas of a tree.

    Parameters
    ----------
    by_version: schemas by the `schema_version` they serve; None where one cannot be used.
    fallback: the schema of all other contracts.
    judges: whether contracts that no schema serves are at fault; they are not where the schema
        that would serve them cannot be used or is in doubt.
    findings: about the schemas themselves.
    """

    by_version: Mapping[str, Schema | None]
    fallback: Schema | None
    judges: bool
    findings: tuple[Finding, ...] = ()

    @property
    def schemas(self) -> list[Schema]:
        """Every schema in use, once."""
        used = (*self.by_version.values(), self.fallback)
        return list({schema.path: schema for schema in used if schema is not None}.values())

    def serving(self, contract: Contract) -> Schema | Finding | None:
        """The schema for a contract, the finding that none serves it, or None if that is open."""
        version = contract.version
        if version is not None and version in self.by_version:
            return self.by_version[version]
        if self.fallback is not None or not self.judges:
            return self.fallback
        claim = f'"{version}"' if version is not None else "none"
        known = ", ".join(self.by_version)
        return Finding(
            VERSION,
            f"schema_version is {claim}, served are {known}",
            path=contract.path,
            line=contract.line("schema_version"),
            pointer="/schema_version",
            remedy=f"write one of {known}, or add the version to tool.cockpit.gate.matriz.schemas",
        )


def select(
    root: Path, settings: Mapping[str, Any], paths: Iterable[str], contracts: Sequence[Contract]
) -> Selection:
    """The configured schemas, else the one found in the tree, else the shipped one."""
    if "schema" in settings or "schemas" in settings:
        return _configured(root, settings)
    pattern = matcher(schemas.DEFAULT_SCHEMAS)
    found = schemas.discover(root, filter(pattern.fullmatch, paths))
    if not found:
        return Selection({}, schemas.shipped(), judges=True)
    loaded = [schemas.load(root, path, found) for path in found]
    usable = [schema for schema in loaded if isinstance(schema, Schema)]
    faults = tuple(item for schema in loaded if isinstance(schema, list) for item in schema)
    if faults or not _differ(usable, contracts):
        return Selection({}, None if faults else usable[0], not faults, faults)
    versions = _versions(usable, contracts)
    if versions:
        return Selection(versions, None, judges=True)
    return Selection({}, None, judges=False, findings=(_ambiguous(usable, contracts),))


def _versions(found: Sequence[Schema], contracts: Sequence[Contract]) -> dict[str, Schema | None]:
    """Schemas by the version that they alone take; nothing where two take the same one."""
    served: dict[str, Schema | None] = {}
    for version in sorted({contract.version or "" for contract in contracts}):
        takers = [schema for schema in found if _takes(schema, version)]
        if len(takers) > 1:
            return {}
        if takers:
            served[version] = takers[0]
    return served


def _takes(schema: Schema, version: str) -> bool:
    """Whether a schema takes contracts of a version, as far as it says so itself."""
    import jsonschema_rs

    properties = schema.document.get("properties", {})
    rule = properties.get("schema_version") if isinstance(properties, dict) else None
    if not isinstance(rule, dict) or "$ref" in rule:
        return rule is not False
    return jsonschema_rs.validator_for(rule).is_valid(version)


def _configured(root: Path, settings: Mapping[str, Any]) -> Selection:
    versions: Mapping[str, str] = settings.get("schemas", {})
    fallback: str | None = settings.get("schema")
    paths = dict.fromkeys([*versions.values(), *([fallback] if fallback else [])])
    loaded = {path: schemas.load(root, path, paths) for path in paths}
    usable = {path: item for path, item in loaded.items() if isinstance(item, Schema)}
    return Selection(
        {version: usable.get(path) for version, path in versions.items()},
        usable.get(fallback) if fallback else None,
        judges=fallback is None,
        findings=tuple(it for item in loaded.values() if isinstance(item, list) for it in item),
    )


def _differ(found: Sequence[Schema], contracts: Sequence[Contract]) -> bool:
    """Whether the choice between the schemas changes the verdict on any contract."""
    return len({tuple(_accepted(schema, contracts)) for schema in found}) > 1


def _accepted(schema: Schema, contracts: Sequence[Contract]) -> list[bool]:
    return [schema.fast.is_valid(contract.value) for contract in contracts]


def _ambiguous(found: Sequence[Schema], contracts: Sequence[Contract]) -> Finding:
    counts = {schema.path: sum(_accepted(schema, contracts)) for schema in found}
    told = ", ".join(f"{path} accepts {count}" for path, count in counts.items())
    best = max(counts, key=lambda path: counts[path])
    return Finding(
        AMBIGUOUS,
        f"{len(found)} schemas disagree on {len(contracts)} contracts: {told}",
        severity=Severity.UNKNOWN,
        path=found[0].path,
        remedy=f'choose one, such as tool.cockpit.gate.matriz.schema = "{best}"',
        evidence={"accepted": counts, "contracts": len(contracts)},
    )
