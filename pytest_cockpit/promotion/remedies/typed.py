"""Parts of commands that people are told to type."""

from __future__ import annotations

import shlex

from pytest_cockpit.promotion.remedies.model import Facts


def folder_first(path: str, facts: Facts) -> str:
    """What makes the folder that a file goes to, where it is new: `cp` and `git mv` make none."""
    folder = path.rpartition("/")[0]
    if not folder or any(known.startswith(f"{folder}/") for known in facts.paths):
        return ""
    return f"mkdir -p -- {shlex.quote(folder)} && "
