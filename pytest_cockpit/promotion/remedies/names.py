"""What to do about a dotted name that nothing serves."""

from __future__ import annotations

import difflib
import re
import shlex
import sys

from pytest_cockpit.api import CockpitError
from pytest_cockpit.promotion import shims
from pytest_cockpit.promotion.remedies import declaring, diffs
from pytest_cockpit.promotion.remedies.model import CODE, COMMAND, LINE, READY, Action, Facts
from pytest_cockpit.records.text import sha256

_LOST = re.compile(r"No module named '([\w.]+)'")
_HEARD = re.compile(r"cannot import name '(\w+)' from '([\w.]+)'")


def lost_in(message: str) -> str | None:
    """The dotted name that an error message says is not there."""
    heard = _HEARD.search(message)
    if heard:
        return f"{heard[2]}.{heard[1]}"
    found = _LOST.search(message)
    return found[1] if found else None


def served(name: str, facts: Facts) -> Action | None:
    """What makes a name that nothing serves a name that something does."""
    return _shim(name, facts) or _promotion(name, facts) or _spelling(name, facts) or _package(name)


def promote(path: str, facts: Facts) -> Action:
    """Promote one file of the lane, with all that it needs."""
    if path in facts.refused:
        why = facts.refused[path]
        detail = f"make it movable, then promote it: {why}"
        return Action("promote", detail, CODE, file=path)
    inside = path.removeprefix(f"{facts.lane.path}/").removesuffix(".py").removesuffix("/__init__")
    command = f"pytest --cockpit-batch --cockpit-modules {shlex.quote(inside)}"
    return Action(
        "promote", "promote it, first or along with this change", COMMAND, path, command=command
    )


def add_shim(old: str, new: str, facts: Facts) -> Action | None:
    """A shim at a lane file's old path for the file that has left it."""
    source = facts.layout.module_of(old)
    target = facts.layout.module_of(new)
    if source is None or target is None or not facts.layout.leaves_shim(old):
        return None
    try:
        content = shims.render(
            source,
            target,
            old_path=old,
            new_path=new,
            is_package=old.endswith("/__init__.py"),
        )
    except CockpitError:
        return None
    # Its digest tells whether the shim that stands there is the one that is meant.
    detail = f"add a shim for {target} (sha256 {sha256(content)[:12]})"
    diff = diffs.between(old, facts.read(old), content)
    return Action("add-shim", detail, READY if diff else LINE, file=old, diff=diff)


def _shim(name: str, facts: Facts) -> Action | None:
    """The name of a lane file that has left without a shim."""
    for old in facts.files_of(name):
        if facts.layout.is_lane(old) and old not in facts.paths:
            new = facts.layout.target_of(old)
            if new in facts.paths and facts.lane.shims:
                return add_shim(old, new, facts)
    return None


def _promotion(name: str, facts: Facts) -> Action | None:
    """The name that a file of the lane has, or will have."""
    path = facts.waiting.get(name)
    return promote(path, facts) if path else None


def _spelling(name: str, facts: Facts) -> Action | None:
    """A name of the repository that differs by a letter or two."""
    parent, _, last = name.rpartition(".")
    first = name.partition(".")[0]
    if not any(known == first or known.startswith(f"{first}.") for known in facts.modules):
        return None
    alike = [
        module
        for module in facts.modules
        if parent == module.rpartition(".")[0] or last == module.rpartition(".")[2]
    ]
    close = difflib.get_close_matches(name, sorted(alike), n=1, cutoff=0.85)
    if close:
        return Action("correct-name", f"import {close[0]} instead of {name}", LINE)
    return Action("restore", f"restore {name}, or remove what imports it", CODE)


def _package(name: str) -> Action | None:
    first = name.partition(".")[0]
    return None if first in sys.stdlib_module_names else declaring.install(first)
