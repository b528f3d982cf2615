"""What batches have moved, as the ledger of promotions records it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import CockpitError, Context, Move
from pytest_cockpit.records import baselines, ledger
from pytest_cockpit.records.baselines import Baseline


def since_base(context: Context) -> tuple[Move, ...]:
    """The moves of batches and rollbacks that were merged after the base commit.

    Only those count whose file is at its new place and, but for a shim, no longer at its old one:
    a row alone takes no bound from one file to another. None while a batch runs: its moves are
    the context's own.
    """
    if context.base is None or context.moves:
        return ()
    where = context.ledger
    argv = ["git", "show", f"{context.base}:{where}"]
    shown = process.run(argv, cwd=context.root, env=process.environment())
    try:
        now = (context.root / where).read_bytes()
        before = shown.stdout if shown.returncode == 0 else b""
        if not now.startswith(before):
            return ()
        rows = ledger.rows(now)[before.count(b"\n") :]
    except (OSError, CockpitError):
        # The ledger's own gate says what is wrong with it.
        return ()
    made = net(rows)
    return tuple(
        Move(source, target, "")
        for source, target in sorted(made.items())
        if (context.root / target).is_file() and _has_left(context.root / source)
    )


def baseline_at_base(context: Context, gate: str) -> Baseline | None:
    """A gate's baseline at the base commit, its entries where their files are now.

    None where there is no base, or it had none.

    Raises
    ------
    CockpitError: it cannot be read.
    """
    where = baselines.path_of(context.records, gate)
    if context.base is None:
        return None
    argv = ["git", "show", f"{context.base}:{where}"]
    shown = process.run(argv, cwd=context.root, env=process.environment())
    if shown.returncode:
        return None
    made = (*context.moves, *since_base(context))
    return baselines.renamed(baselines.parse(shown.stdout, where), made)


def net(rows: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Where each file of these rows was at first, and where it is after all of them."""
    origin: dict[str, str] = {}
    for row in rows:
        moves = row.get("moves", ()) if row["kind"] in ("promotion", "rollback") else ()
        for move in moves:
            source, target = str(move["source"]), str(move["target"])
            origin[target] = origin.pop(source, source)
    return {source: target for target, source in origin.items() if source != target}


def _has_left(path: Path) -> bool:
    try:
        return is_shim(path.read_bytes())
    except OSError:
        return True
