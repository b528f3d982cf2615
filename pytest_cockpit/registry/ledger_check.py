"""What the gate `ledger` says of a place: the same judgement as in every other session."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from pytest_cockpit import runner
from pytest_cockpit.api import Context, Report, Verdict
from pytest_cockpit.phases import Place
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records.text import count

GATE = "ledger"

RunGate = Callable[[str, Context], Report]


def report(place: Place, run: RunGate = runner.run_gate) -> Report:
    """The gate's report on the work tree, or on the commit where that is what is looked at.

    Parameters
    ----------
    run: runs the gate, as a session with gates of its own does.
    """
    settings = place.settings
    # Below git's folder, by which the gate knows where the user's refs are.
    folder = place.repository.common_dir / "cockpit" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    temporary = tempfile.TemporaryDirectory(prefix=f"{GATE}-", dir=folder)
    with temporary as scratch, _root(place) as root:
        if isinstance(root, str):
            return Report(Verdict.UNKNOWN, root)
        context = Context(
            root=root,
            scratch=Path(scratch),
            settings=settings.gate.get(GATE, {}),
            lane=settings.lane,
            records=settings.records,
            ledger=settings.ledger,
            base=place.commit,
            commit=place.commit if _is_commit(place) else None,
            pass_environment=settings.pass_environment,
        )
        return run(GATE, context)


@contextlib.contextmanager
def _root(place: Place) -> Iterator[Path | str]:
    """A folder with the place's files, or why there is none."""
    if not _is_commit(place):
        yield place.repository.root
        return
    staged = StagedTree(place.repository)
    with staged.at(place.commit) as root:
        if staged.lost:
            yield f"{count(len(staged.lost), 'file')} of the commit cannot be had; fetch them"
        else:
            yield root


def _is_commit(place: Place) -> bool:
    """Whether a commit is looked at; any other tree is that of the work tree's files."""
    return place.tree == place.commit
