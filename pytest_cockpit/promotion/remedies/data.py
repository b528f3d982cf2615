"""Data that moved code looks for, and that stayed where the code was."""

from __future__ import annotations

import re
import shlex

from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.promotion.remedies.model import COMMAND, READY, Action, Facts
from pytest_cockpit.promotion.remedies.typed import folder_first

_ABSENT = re.compile(r"No such file or directory: '([^']+)'")


def left_behind(message: str, facts: Facts) -> Action | None:
    """A file of the lane, at the place that a moved module now looks for it at."""
    found = _ABSENT.search(message)
    if found is None:
        return None
    sought = found[1]
    name = sought.rpartition("/")[2]
    for path in sorted(facts.paths):
        if facts.layout.is_lane(path) and path.rpartition("/")[2] == name:
            target = facts.layout.target_of(path)
            if target not in facts.paths and f"/{sought}".endswith(f"/{target}"):
                return _copied(path, target, facts)
    return None


def _copied(path: str, target: str, facts: Facts) -> Action:
    """A batch moves modules alone, so what they read is put there beforehand."""
    old, new = shlex.quote(path), shlex.quote(target)
    content = facts.read(path)
    diff = None if content is None else diffs.between(target, None, content)
    return Action(
        "bring-along",
        f"put {path} at {target} too, before the batch: what moves looks for it there",
        READY if diff else COMMAND,
        file=target,
        command=f"{folder_first(target, facts)}cp -- {old} {new} && git add -- {new}",
        diff=diff,
    )
