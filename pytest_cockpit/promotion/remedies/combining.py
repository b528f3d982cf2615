"""The patches of a plan as one."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.remedies.model import Action


def combined(actions: Iterable[Action], repository: Repository) -> bytes:
    """One patch of all those that `git apply` takes one after the other; empty where none is.

    Each was made for the tree as it is, so that two of one file may stand in each other's way: the
    first one counts then.
    """
    whole = b""
    for action in actions:
        longer = whole + (action.diff or "").encode()
        if longer == whole:
            continue
        told = repository.run("apply", "--check", "-", input=longer, check=False)
        whole = whole if told.returncode else longer
    return whole
