"""What a branch's history says of the migration: when batches were merged, how large the lane was.

Only what survives a clone counts: the ledger's rows, the commits of the first-parent line that
brought them, and the trees of those commits. A batch counts from the day on which it reached this
line, however it was merged.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.sealed import PROMOTION, ROLLBACK
from pytest_cockpit.records import ledger

_LINE = ("log", "--first-parent", "-m", "--no-renames", "--no-ext-diff", "--format=%x01%ct")
_GITLINK, _REGULAR = "160000", ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Landing:
    """A batch on its day; `files` left the lane with it, fewer than none came back."""

    batch_id: str
    at: datetime
    files: int


@dataclass(frozen=True, slots=True)
class Size:
    """How many files waited in the lane after a commit."""

    at: datetime
    files: int


def landings(repository: Repository, commit: str, path: str, lane: Lane) -> tuple[Landing, ...]:
    """Batches and rollbacks of the ledger at `path`, oldest first.

    Raises
    ------
    CockpitError: the ledger is broken, or the history that would date its rows is cut off.
    """
    rows = ledger.rows(repository.blob(commit, path) or b"")
    kinds = {PROMOTION: 1, ROLLBACK: -1}
    batches = [row for row in rows if row["kind"] in kinds]
    if not batches:
        return ()
    _demand_whole(repository)
    days = dict(_entered(repository, commit, path))
    undated = [row["batch_id"] for row in batches if row["batch_id"] not in days]
    if undated:
        raise CockpitError(
            f"{path}: no commit of the first-parent line brought batch {undated[0]}; restore the "
            "ledger from git"
        )
    layout = Layout(lane)
    found = [
        Landing(
            row["batch_id"],
            days[row["batch_id"]],
            sum(_leaves(layout, move) for move in row["moves"]),
        )
        for row in batches
    ]
    return tuple(sorted(found, key=lambda one: one.at))


def sizes(repository: Repository, commit: str, lane: Lane) -> tuple[Size, ...]:
    """The lane's waiting files after each commit that changed it, oldest first.

    Raises
    ------
    CockpitError: the history is cut off.
    """
    _demand_whole(repository)
    changes = list(_changes(repository, commit, lane))
    marker = f"{lane.path}/{INIT}"
    shims = _shims(repository, changes)
    found: list[Size] = []
    files = waiting(repository, commit, lane)
    for at, sides in changes:
        found.append(Size(at, files))
        for path, before, after in sides:
            held = (_waits(path, side, marker, shims) for side in (before, after))
            files += next(held) - next(held)
    return tuple(reversed(found))


def waiting(repository: Repository, commit: str, lane: Lane) -> int:
    """How many files wait in the lane at a commit, as a plan counts them."""
    entries = repository.entries(commit, lane.path)
    sides = [(entry.path, (entry.mode, entry.oid)) for entry in entries]
    shims = _of_shims(repository, {oid for path, (mode, oid) in sides if _readable(path, mode)})
    return sum(_waits(path, side, f"{lane.path}/{INIT}", shims) for path, side in sides)


_Side = tuple[str, str]
_Sides = list[tuple[str, _Side, _Side]]


def _leaves(layout: Layout, move: dict[str, str]) -> int:
    return layout.is_lane(move["source"]) - layout.is_lane(move["target"])


def _demand_whole(repository: Repository) -> None:
    if repository.is_shallow():
        raise CockpitError("the history is cut off here; git fetch --unshallow")


def _entered(repository: Repository, commit: str, path: str) -> Iterator[tuple[str, datetime]]:
    """Each batch with the commit's time that brought its row; of several, the oldest comes last."""
    options = ("-p", "-U0", "--text", "--no-textconv", "--no-color")
    shown = repository.run("--literal-pathspecs", *_LINE, *options, commit, "--", path).stdout
    at = datetime.fromtimestamp(0, UTC)
    for line in shown.split(b"\n"):
        if line.startswith(b"\x01"):
            at = datetime.fromtimestamp(int(line[1:]), UTC)
        elif line.startswith(b"+{"):
            # What is no row any more stands in no ledger that was verified.
            try:
                row = json.loads(line[1:])
            except (ValueError, RecursionError):
                continue
            batch_id = row.get("batch_id")
            if isinstance(batch_id, str):
                yield batch_id, at


def _changes(repository: Repository, commit: str, lane: Lane) -> Iterator[tuple[datetime, _Sides]]:
    """What each commit changed below the lane, newest commit first."""
    options = ("--raw", "-z", "--no-abbrev")
    shown = repository.run("--literal-pathspecs", *_LINE, *options, commit, "--", lane.path).stdout
    fields = iter(shown.split(b"\0"))
    at, sides = None, _Sides()
    for field in fields:
        head = field.lstrip(b"\n")
        if head.startswith(b"\x01"):
            if at is not None:
                yield at, sides
            at, sides = datetime.fromtimestamp(int(head[1:]), UTC), []
        elif head.startswith(b":"):
            old_mode, new_mode, old, new, _ = head[1:].decode("ascii").split(" ")
            path = os.fsdecode(next(fields))
            sides.append((path, (old_mode, old), (new_mode, new)))
    if at is not None:
        yield at, sides


def _shims(repository: Repository, changes: list[tuple[datetime, _Sides]]) -> frozenset[str]:
    """Those of the blobs that were ever in the lane which are shims."""
    wanted = {
        oid
        for _, sides in changes
        for path, *both in sides
        for mode, oid in both
        if _readable(path, mode)
    }
    return _of_shims(repository, wanted)


def _of_shims(repository: Repository, oids: set[str]) -> frozenset[str]:
    read = repository.blobs(sorted(oids))
    return frozenset(oid for oid, content in read if content is not None and is_shim(content))


def _readable(path: str, mode: str) -> bool:
    return path.endswith(".py") and mode in _REGULAR


def _waits(path: str, side: _Side, marker: str, shims: frozenset[str]) -> bool:
    mode, oid = side
    if not mode.strip("0"):
        return False
    if mode == _GITLINK:
        return True
    return path.endswith(".py") and path != marker and oid not in shims
