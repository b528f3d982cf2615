"""Hold every contract of a tree against its schema, and against the modules of the tree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records.artifacts import canonical_line, sha256
from pytest_cockpit_gates.matriz import files, modules, violations
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts, read_all
from pytest_cockpit_gates.matriz.schemas import Schema
from pytest_cockpit_gates.matriz.selection import Selection, select

NO_CONTRACTS = "matriz.no-contracts"

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


def judge(context: Context) -> Report:
    """The gate's report."""
    settings = context.settings
    paths = list(files.walk(context.root))
    contracts = read_all(context.root, _matching(settings, paths))
    chosen = select(context.root, settings, paths, contracts.read)
    missing = Severity(settings.get("module_missing", Severity.WARNING))
    findings = [
        *contracts.findings,
        *chosen.findings,
        *_violations(contracts.read, chosen),
        *modules.judge(contracts.read, context, missing),
        *_nothing(contracts, settings),
    ]
    count = len(contracts.digests)
    return Report.judge(
        _summary(contracts, chosen, findings),
        checked=count,
        findings=findings,
        evidence=_evidence(contracts, chosen),
    )


def has_contracts(context: Context) -> bool:
    """Whether the tree has a file that the settings call a contract."""
    return bool(_matching(context.settings, files.walk(context.root)))


def _matching(settings: Mapping[str, Any], paths: Iterable[str]) -> list[str]:
    wanted = files.matcher(settings.get("contracts", DEFAULT_CONTRACTS))
    unwanted = files.matcher([*DEFAULT_EXCLUDES, *settings.get("exclude", ())])
    schemas = {settings.get("schema"), *settings.get("schemas", {}).values()}
    return [
        path
        for path in paths
        if wanted.fullmatch(path) and not unwanted.fullmatch(path) and path not in schemas
    ]


def _violations(contracts: Iterable[Contract], chosen: Selection) -> Iterator[Finding]:
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


def _summary(contracts: Contracts, chosen: Selection, findings: Sequence[Finding]) -> str:
    count = len(contracts.digests) - len(contracts.schemas)
    held = ", ".join(schema.path for schema in chosen.schemas) or "no schema"
    bad = {f.path for f in findings if f.severity is Severity.ERROR}
    state = f"{len(bad)} with errors" if bad else "none with errors"
    return f"{count} {'contract' if count == 1 else 'contracts'} against {held}: {state}"


def _evidence(contracts: Contracts, chosen: Selection) -> list[Evidence]:
    digest = sha256(canonical_line(contracts.digests))
    used: list[Schema] = chosen.schemas
    return [
        Evidence(
            "contracts",
            {
                "count": len(contracts.read),
                "sha256_of_digests": digest,
                "schemas_among_them": list(contracts.schemas),
            },
        ),
        Evidence("schemas", {schema.path: schema.sha256 for schema in used}),
        Evidence("versions", {name: version(name) for name in ("jsonschema", "jsonschema-rs")}),
    ]
