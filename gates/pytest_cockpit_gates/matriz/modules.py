"""The modules that contracts name: there, moved away, or named twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from pytest_cockpit.analysis.layout import Layout, is_name
from pytest_cockpit.analysis.shim import moved_to
from pytest_cockpit.api import JSON, Context, Finding, Lane, Proof, Rule, Severity
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.part import Part

MISSING = "matriz.module-missing"
STALE = "matriz.stale-module"
DUPLICATE = "matriz.duplicate-module"

RULES = (
    Rule(MISSING, "A contract names a module of the tree."),
    Rule(STALE, "A contract follows the module it names when that moves."),
    Rule(DUPLICATE, "A module has one contract."),
)
SETTINGS: Mapping[str, JSON] = {"module_missing": {"enum": ["error", "warning", "info"]}}

_SUFFIXES = (".py", ".pyi", ".pyx", ".so")


def judge(context: Context, contracts: Contracts) -> Part:
    """All findings about the modules that the contracts name."""
    missing = Severity(context.settings.get("module_missing", Severity.WARNING))
    return Part(len(contracts), tuple(_findings(contracts, context, missing)))


def proofs() -> Iterable[Proof]:
    """Trees for every rule of this part."""
    from pytest_cockpit_gates.matriz.proving import of_modules

    return of_modules()


def _findings(
    contracts: Iterable[Contract], context: Context, missing: Severity
) -> Iterator[Finding]:
    moved = _moved(context)
    first: dict[str, str] = {}
    for contract in contracts:
        module = contract.module
        if module is None or not all(map(is_name, module.split("."))):
            continue  # the schema's affair
        if module in first:
            yield _duplicate(contract, module, first[module])
        first.setdefault(module, contract.path)
        if module in moved:
            yield _stale(contract, module, moved[module], Severity.ERROR)
            continue
        found = resolve(context.root, context.lane, module)
        if found is None:
            yield _missing(contract, module, missing)
        elif (target := shim_target(found)) is not None:
            yield _stale(contract, module, target, Severity.WARNING)


def _moved(context: Context) -> Mapping[str, str]:
    """Old to new dotted name of the modules that this batch moves."""
    layout = Layout(context.lane)
    names = (
        (layout.module_of(move.source), layout.module_of(move.target)) for move in context.moves
    )
    return {old: new for old, new in names if old and new}


def resolve(root: Path, lane: Lane, module: str) -> Path | None:
    """The file or folder that an import of `module` finds in the tree."""
    for name in _names(lane, module):
        for source in lane.source_roots:
            place = root / source / name.replace(".", "/")
            if (place / "__init__.py").is_file():
                return place / "__init__.py"
            files = (place.with_name(place.name + suffix) for suffix in _SUFFIXES)
            file = next((file for file in files if file.is_file()), None)
            if file is not None:
                return file
            if place.is_dir():
                return place
    return None


def _names(lane: Lane, module: str) -> list[str]:
    """`module`, and what serves it where its prefix is an alias."""
    names = [module]
    for prefix, servers in lane.aliases.items():
        if module == prefix or module.startswith(f"{prefix}."):
            rest = module[len(prefix) + 1 :]
            names += [".".join(filter(None, (server, rest))) for server in servers]
    return [name for name in names if name]


def shim_target(file: Path) -> str | None:
    """The new name of the module that the shim at `file` stands for."""
    return moved_to(file.read_bytes()) if file.is_file() else None


def _missing(contract: Contract, module: str, severity: Severity) -> Finding:
    return Finding(
        MISSING,
        f"names {module}, which is no module of this tree",
        severity=severity,
        path=contract.path,
        line=contract.line("module"),
        pointer="/module",
        remedy='correct "module", or remove the contract of a module that is gone',
    )


def _stale(contract: Contract, module: str, target: str, severity: Severity) -> Finding:
    return Finding(
        STALE,
        f"names {module}, which has moved to {target}",
        severity=severity,
        path=contract.path,
        line=contract.line("module"),
        pointer="/module",
        remedy=f'set "module" to "{target}"',
        evidence={"module": module, "moved_to": target},
    )


def _duplicate(contract: Contract, module: str, other: str) -> Finding:
    return Finding(
        DUPLICATE,
        f"is a second contract for {module}, beside {other}",
        path=contract.path,
        line=contract.line("module"),
        pointer="/module",
        remedy="merge the two, or correct the module that one of them names",
        evidence={"module": module, "other": other},
    )
