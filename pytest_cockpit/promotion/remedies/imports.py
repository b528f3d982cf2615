"""Actions for what the imports gate finds."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from pytest_cockpit.analysis.shim import moved_to
from pytest_cockpit.promotion.remedies import data, declaring, diffs, names
from pytest_cockpit.promotion.remedies.model import (
    CODE,
    COMMAND,
    LINE,
    READY,
    Action,
    Facts,
    Remedy,
    Seen,
)
from pytest_cockpit.promotion.rewriter import rewrite

_LONGEST = 160


def _fails(seen: Seen, facts: Facts) -> Action | None:
    """An import that raises: what it misses, or else the one line that all who fail lead to."""
    finding = seen.finding
    cause = finding.evidence.get("cause")
    told = cause if isinstance(cause, Mapping) else {}
    path, line = told.get("path", finding.path), told.get("line", finding.line)
    lost = names.lost_in(finding.message)
    action = names.served(lost, facts) if lost else data.left_behind(finding.message, facts)
    file = facts.here(path if isinstance(path, str) else finding.path)
    where = line if isinstance(line, int) else None
    if action is not None and action.file is None:
        return dataclasses.replace(action, file=file, line=where)
    if action is not None:
        return action
    error = finding.message.partition(": ")[2]
    if told:
        error = error.partition(": ")[2] or error
    return Action("mend", f"let its import not raise {error[:_LONGEST]}", CODE, file, where)


def _unresolved(seen: Seen, facts: Facts) -> Action | None:
    """A name of the repository that no file serves."""
    name = seen.told("name")
    action = names.served(name, facts) if name else None
    if action is None or action.file is not None:
        return action
    return dataclasses.replace(action, file=facts.here(seen.finding.path), line=seen.finding.line)


def _through_lane(seen: Seen, facts: Facts) -> Action | None:
    """An import of production through the lane: the new name, or the file promoted."""
    name, new = seen.told("name"), seen.told("moved_to")
    file = facts.here(seen.finding.path)
    if not name or file is None:
        return None
    if not new:
        return names.served(name, facts)
    diff = _redirected(file, name, new, facts)
    return Action(
        "redirect-import",
        f"import {new} instead of {name}",
        READY if diff else LINE,
        file,
        seen.finding.line,
        diff=diff,
    )


def _redirected(file: str, name: str, new: str, facts: Facts) -> str | None:
    """The file as a batch would have rewritten it."""
    before, old = facts.read(file), _shim_of(name, new, facts)
    if before is None or old is None:
        return None
    module = facts.layout.module_of(file)
    after = rewrite(
        before,
        path=file,
        module=module,
        new_module=module,
        is_package=facts.layout.is_package(file),
        moved={old: new},
    )
    # What was seen and left alone may be the very line that the finding is about.
    return diffs.between(file, before, after.content) if not after.reported else None


def _shim_of(name: str, new: str, facts: Facts) -> str | None:
    """The dotted name of the shim that serves `name`: itself, or the module it is taken from."""
    for module in (name, name.rpartition(".")[0]):
        path = facts.modules.get(module)
        if path and moved_to(facts.read(path) or b"") == new:
            return module
    return None


def _circle(seen: Seen, facts: Facts) -> Action | None:
    """A circle of imports: the edge that closes it."""
    files, finding = seen.finding.evidence.get("files"), seen.finding
    if not isinstance(files, list) or len(files) < 2 or finding.line is None:  # noqa: PLR2004 - a circle has two ends
        return None
    first, second = str(files[0]), str(files[1])
    detail = (
        f"break the circle of {len(set(map(str, files)))} files between {first} and {second} at "
        f"{finding.where}: import inside the function that needs it"
    )
    return Action("cut-edge", detail, CODE, facts.here(finding.path), finding.line)


def _contract(seen: Seen, facts: Facts) -> Action | None:
    """An import that a contract forbids."""
    chain, contract = seen.told("chain"), seen.told("contract")
    if not chain or seen.finding.line is None:
        return None
    first, _, rest = chain.partition(" -> ")
    detail = f"remove the import of {rest.partition(' -> ')[0]} from {first} ({contract})"
    return Action("cut-edge", detail, CODE, facts.here(seen.finding.path), seen.finding.line)


def _shim_missing(seen: Seen, facts: Facts) -> Action | None:
    """An old path without a shim, or with something else in its place."""
    old, new = seen.finding.path, facts.modules.get(seen.told("same_as"))
    if old is None or new is None:
        return None
    standing = facts.read(old)
    action = names.add_shim(old, new, facts)
    if action is None or standing is None or moved_to(standing) is not None:
        return action
    # Somebody's own code stands there: what becomes of it is not for a patch to say.
    return dataclasses.replace(action, diff=None, effort=CODE)


def _loosened(seen: Seen, facts: Facts) -> Action | None:
    """A baseline that permits more than before."""
    detail = "take the baseline back from the base commit, and mend what it was to permit"
    return Action("restore", detail, LINE, seen.finding.path)


def _stale(seen: Seen, facts: Facts) -> Action | None:
    """Files of one name."""
    detail = "rename it: its name is taken"
    return Action("rename", detail, CODE, facts.here(seen.finding.path))


def _reinstall(seen: Seen, facts: Facts) -> Action | None:
    """A copy of a module outside the tree."""
    module = seen.told("module").partition(".")[0]
    # Part of a command that somebody may type.
    if not module.isidentifier():
        return None
    detail = f"find the copy of {module} outside the tree and uninstall it, or rename the module"
    return Action(
        "uninstall",
        detail,
        COMMAND,
        facts.here(seen.finding.path),
        command=f"python -c 'import {module}; print({module}.__file__)'",
    )


REMEDIES: Mapping[str, Remedy] = {
    "imports.import-fails": _fails,
    "imports.syntax-error": _fails,
    "imports.third-party-missing": declaring.missing,
    "imports.undeclared-dependency": declaring.undeclared,
    "imports.unresolved-first-party": _unresolved,
    "imports.lane-import": _through_lane,
    "imports.new-cycle": _circle,
    "imports.contract-broken": _contract,
    "imports.shim-missing": _shim_missing,
    "imports.shim-not-same": _shim_missing,
    "imports.loosened-baseline": _loosened,
    "imports.shadows-stdlib": _stale,
    "imports.outside-tree": _reinstall,
}
