"""What campaigns before have left: kept where it does not mix with what the next one leaves."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable
from pathlib import Path

from pytest_cockpit import runner
from pytest_cockpit.api import Context
from pytest_cockpit.records import artifacts


def salvage(
    own: Path, begin: str, place: Path, context: Callable[[Path], Context]
) -> list[str] | None:
    """Keep the artifacts of campaigns that were killed; their names, None where none was.

    Parameters
    ----------
    own: the scratch folder of this campaign; those of others lie beside it.
    begin: what the names of those begin with.
    place: where they are kept.
    context: that of a scratch folder.
    """
    # The rest of a name has no such character: that of another mode may begin alike.
    killed = [
        left
        for left in own.parent.glob(f"{begin}*")
        if left != own and not left.is_symlink() and "-" not in left.name.removeprefix(begin)
    ]
    kept = []
    for left in killed:
        runner.mask_artifacts(context(left))
        kept += runner.artifacts_in(left)
    if kept:
        _empty(place)
    for path in kept:
        artifacts.write_bytes(place / path.name, path.read_bytes())
    for left in killed:
        shutil.rmtree(left, ignore_errors=True)
    return [path.name for path in kept] if killed else None


def put_aside(folder: Path, names: Iterable[str], place: Path) -> int:
    """Move files of these names into another folder, which then holds nothing else; how many."""
    found = [folder / name for name in names]
    old = [path for path in found if path.is_file() and not path.is_symlink()]
    if old:
        _empty(place)
    for path in old:
        artifacts.write_bytes(place / path.name, path.read_bytes())
        path.unlink()
    return len(old)


def _empty(place: Path) -> None:
    """Remove the files of a folder: what comes to it next is of one session alone."""
    if place.is_dir() and not place.is_symlink():
        for path in place.iterdir():
            if path.is_file() or path.is_symlink():
                path.unlink()
