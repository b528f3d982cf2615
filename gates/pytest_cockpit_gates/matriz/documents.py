"""Contracts as documents: found, strict JSON, and true to the schema of their version."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Proof, Rule, Severity
from pytest_cockpit.records.text import canonical_line, sha256
from pytest_cockpit_gates.matriz import files
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts, read_all
from pytest_cockpit_gates.matriz.part import Part

if TYPE_CHECKING:
    from pytest_cockpit_gates.matriz.selection import Selection

NAME = "matriz.contract-name"
NO_CONTRACTS = "matriz.no-contracts"

RULES = (
    Rule("matriz.invalid-json", "A contract is strict JSON in UTF-8: one value per key."),
    Rule("matriz.schema", "A contract keeps its schema."),
    Rule("matriz.schema-version", "A contract names a format version that a schema serves."),
    Rule("matriz.schema-invalid", "A schema is itself valid, and complete without a network."),
    Rule("matriz.schema-ambiguous", "One schema is found, or one is configured."),
    Rule(NAME, "No file is called as a contract is but for upper and lower case."),
    Rule(NO_CONTRACTS, "There are contracts to judge."),
)

_PATTERNS = {"type": "array", "minItems": 1, "items": files.PATH}

SETTINGS: Mapping[str, JSON] = {
    "contracts": _PATTERNS,
    "exclude": _PATTERNS,
    "schema": files.PATH,
    "schemas": {"type": "object", "minProperties": 1, "additionalProperties": files.PATH},
}

DEFAULT_CONTRACTS = (
    "contracts/**/matrix_*.json",
    "contracts/**/*.contract.json",
    "**/matrix_*.json",
)
DEFAULT_EXCLUDES = (
    "artifacts/",
    "**/*.schema.json",
    "**/*.schema.*.json",
    "**/schema.json",
)

_EXPLAINED = 200
"""So many failing contracts are explained in full; explaining is slow, and nobody reads more."""


def find(context: Context) -> Contracts:
    """Every file that the settings call a contract, read."""
    paths = tuple(files.walk(context.root))
    return read_all(context.root, matching(context.settings, paths), paths)


def matching(settings: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    """Those of `paths` that the settings call contracts."""
    wanted = files.matcher(settings.get("contracts", DEFAULT_CONTRACTS))
    unwanted = files.matcher([*DEFAULT_EXCLUDES, *settings.get("exclude", ())])
    schemas = {settings.get("schema"), *settings.get("schemas", {}).values()}
    return [
        path
        for path in paths
        if wanted.fullmatch(path) and not unwanted.fullmatch(path) and path not in schemas
    ]


def _misnamed(settings: Mapping[str, Any], contracts: Contracts) -> Iterator[Finding]:
    """Files that a glob would find on a system that does not tell the two cases apart."""
    wanted = settings.get("contracts", DEFAULT_CONTRACTS)
    unwanted = [*DEFAULT_EXCLUDES, *settings.get("exclude", ())]
    likely = files.matcher(wanted, any_case=True)
    no_contracts = files.matcher(unwanted, any_case=True)
    exactly = files.matcher(wanted)
    for path in contracts.paths:
        if likely.fullmatch(path) and not (exactly.fullmatch(path) or no_contracts.fullmatch(path)):
            yield Finding(
                NAME,
                "is called as a contract is but for upper and lower case, and is not judged",
                severity=Severity.WARNING,
                path=path,
                remedy="rename it as the globs in contracts spell it, or add it to exclude",
            )


def judge(context: Context, contracts: Contracts) -> Part:
    """What is wrong with the documents themselves."""
    from pytest_cockpit_gates.matriz.selection import select

    chosen = select(context.root, context.settings, contracts.paths, contracts.read)
    findings = (
        *contracts.findings,
        *chosen.findings,
        *_violations(contracts, chosen),
        *_misnamed(context.settings, contracts),
        *_nothing(contracts, context.settings),
    )
    held = ", ".join(schema.path for schema in chosen.schemas) or "no schema"
    count = len(contracts.digests) - len(contracts.schemas)
    return Part(
        checked=len(contracts.digests),
        findings=findings,
        evidence=_evidence(contracts, chosen),
        summary=f"{count} {'contract' if count == 1 else 'contracts'} against {held}",
    )


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.proving import of_documents

    return of_documents()


def _violations(contracts: Iterable[Contract], chosen: Selection) -> Iterator[Finding]:
    from pytest_cockpit_gates.matriz import violations

    explained = 0
    for contract in contracts:
        schema = chosen.serving(contract)
        if isinstance(schema, Finding):
            yield schema
        elif schema is not None and not schema.fast.is_valid(contract.value):
            tell = violations.explained if explained < _EXPLAINED else violations.summarised
            explained += 1
            yield from tell(contract, schema)


def _nothing(contracts: Contracts, settings: Mapping[str, Any]) -> Iterator[Finding]:
    if contracts.read or contracts.findings:
        return
    patterns = ", ".join(settings.get("contracts", DEFAULT_CONTRACTS))
    yield Finding(
        NO_CONTRACTS,
        f"no contract matches {patterns}",
        severity=Severity.UNKNOWN,
        remedy='set tool.cockpit.gate.matriz.contracts, or skip = "no contracts here"',
    )


def _evidence(contracts: Contracts, chosen: Selection) -> tuple[Evidence, ...]:
    count: JSON = {
        "count": len(contracts.read),
        "sha256_of_digests": sha256(canonical_line(contracts.digests)),
        "schemas_among_them": list(contracts.schemas),
    }
    libraries = {name: version(name) for name in ("jsonschema", "jsonschema-rs")}
    return (
        Evidence("contracts", count),
        Evidence("schemas", {schema.path: schema.sha256 for schema in chosen.schemas}),
        Evidence("versions", libraries),
    )
