"""Inputs that the tree's own files tell: contract, imports, documentation."""

from __future__ import annotations

from pytest_cockpit.config import Config
from pytest_cockpit.records.text import count, parse, printable
from pytest_cockpit.registry.health import files
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.health.inputs import Input, known, not_applicable, unknown
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.scaffolding import marks

_NAMED = 3


def contract(ground: Ground, module: Module) -> Input:
    """Whether the contracts that the manifest declares are tracked and can be read."""
    reason = _out_of_force(ground.place.settings, "matriz")
    if reason:
        return not_applicable(reason)
    declared = files.contracts(module)
    if module.unreadable:
        said = f"{printable(module.manifest)} cannot be read"
        return unknown(said, ground.file(module.manifest), remedy="repair the manifest")
    if not declared:
        if not module.python:
            return not_applicable("no Python code, and no contract is declared")
        return known(
            0,
            "the manifest declares no contract",
            ground.file(module.manifest),
            remedy=f"write one and name it in matrix.contract of {printable(module.manifest)}",
        )
    faults = {path: _contract_fault(ground, module, path) for path in declared}
    broken = [f"{printable(path)} {fault}" for path, fault in faults.items() if fault]
    held = len(declared) - len(broken)
    said = f"{held} of {count(len(declared), 'declared contract')} can be read"
    return known(
        held / len(declared),
        f"{said}; {_some(broken)}" if broken else said,
        *(ground.file(files.tracked(ground.place, module, path) or path) for path in declared),
        remedy="repair or track what is named here, or take it out of the manifest",
    )


def imports(ground: Ground, module: Module) -> Input:
    """Which share of its Python files is not known to fail to import."""
    reason = _out_of_force(ground.place.settings, "imports")
    if reason:
        return not_applicable(reason)
    if not module.python:
        return not_applicable("no Python code")
    found = ground.imports
    if isinstance(found, str):
        return unknown(found, remedy="measure it: pytest --cockpit-init, then commit the baseline")
    failing = [path for path in module.python if printable(path) in found]
    total = len(module.python)
    said = f"{total - len(failing)} of {count(total, 'Python file')} not known to fail to import"
    return known(
        1 - len(failing) / total,
        f"{said}; known: {_some(failing)}" if failing else said,
        ground.file(ground.imports_path),
        remedy="repair these, then tighten the baseline: pytest --cockpit-ratchet=tighten",
    )


def documentation(ground: Ground, module: Module) -> Input:
    """Which of a readme, a changelog and a folder of documents have been written."""
    parts = {
        "README": files.named(module, "readme"),
        "CHANGELOG": files.named(module, "changelog"),
        "docs/": files.below_docs(module),
    }
    written = {name: _written(ground, paths) for name, paths in parts.items()}
    unwritten = {
        name: "empty or an untouched scaffold" if paths else "missing"
        for name, paths in parts.items()
    }
    told = [f"{name} {'written' if path else unwritten[name]}" for name, path in written.items()]
    lacking = [name for name, path in written.items() if not path]
    return known(
        1 - len(lacking) / len(parts),
        ", ".join(told),
        *(ground.file(path) for path in written.values() if path),
        remedy=f"write {' and '.join(lacking)}",
    )


def _out_of_force(settings: Config, gate: str) -> str:
    """Why the gate that an input belongs to is not in use here; empty where it is."""
    reason = settings.skip(gate)
    if reason is not None:
        return f"the gate {gate} is declared not applicable: {reason}"
    return "" if gate in settings.gates else f"the gate {gate} is not among the configured gates"


def _contract_fault(ground: Ground, module: Module, path: str) -> str:
    tracked = files.tracked(ground.place, module, path)
    if tracked is None:
        return "is not tracked"
    content = ground.contents.get(tracked)
    if content is None:
        return "is no file"
    try:
        value = parse(content)
    except ValueError as error:
        return f"is not JSON ({error})"
    return "" if isinstance(value, dict) else "is no object"


def _written(ground: Ground, paths: list[str]) -> str | None:
    """The first of these files that people wrote something in."""
    for path in paths:
        content = ground.contents.get(path, b"")
        if content.strip() and not marks.is_scaffold(content):
            return path
    return None


def _some(paths: list[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(map(printable, paths[:_NAMED])) + more
