"""Virtual environments in a tree: folders of other people's code, unless git says otherwise."""

from __future__ import annotations

from pathlib import Path

from pytest_cockpit.records.ledger_git import Git, Unreadable

MARKS = ("pyvenv.cfg", "conda-meta")
"""What lies at the top of an environment."""


def is_environment(root: Path, folder: str) -> bool:
    """Whether a marked folder of the tree is no part of the repository.

    A file of this name that somebody adds to a folder of the repository hides nothing: where git
    tracks anything below the folder, it is the repository's own.
    """
    try:
        return not Git(root).tracked(f":(literal){folder}/")
    except Unreadable:
        # No repository, so nothing else tells the two apart.
        return True
