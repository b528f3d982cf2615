"""Where the tree comes from: old paths of its files, what changed, and the base's baseline."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.api import CockpitError, Context
from pytest_cockpit.records import baselines, promotions
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.coverage.history import History, Spans, Unknown
from pytest_cockpit_gates.coverage.joining import measurements
from pytest_cockpit_gates.coverage.tree import Tree

_GATE = "coverage"


@dataclass(frozen=True, slots=True)
class Past:
    """What the tree was before.

    Parameters
    ----------
    sources: the old path of each file that was moved or renamed, by its new one.
    changed: the lines that differ from the base commit, by path.
    base: the commit compared with; None where there is none, or git cannot tell.
    unknown: why git could not say what changed.
    baseline: the base commit's baseline.
    unread: why that could not be read.
    """

    sources: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, Spans] = field(default_factory=dict)
    base: str | None = None
    unknown: str | None = None
    baseline: Baseline | None = None
    unread: str | None = None


def of(context: Context, tree: Tree, kept: Baseline) -> Past:
    """Ask git about the tree of `context`, whose own baseline is `kept`."""
    made = (*context.moves, *promotions.since_base(context))
    moves = {move.target: move.source for move in made}
    work = context.scratch / "history"
    work.mkdir(exist_ok=True)
    history = History(tree.root, work)
    if context.base is None or not history.present:
        return Past(sources=moves)
    baseline, unread = _baseline_at(history, context, context.base)
    try:
        since = history.since(context.base)
        lines = {**since.lines, **dict(_moved_lines(history, context))}
    except Unknown as error:
        return Past(sources=moves, unknown=str(error), baseline=baseline, unread=unread)
    renames = [since.renames, *_renamed_since(history, context.base, tree, kept)]
    return Past(
        sources=_sources(moves, renames, tree, kept),
        changed=lines,
        base=context.base,
        baseline=baseline,
        unread=unread,
    )


def _baseline_at(
    history: History, context: Context, base: str
) -> tuple[Baseline | None, str | None]:
    """The baseline that `base` holds, or why it is not known."""
    where = baselines.path_of(context.records, _GATE)
    try:
        data = history.content(base, where)
        return (None if data is None else baselines.parse(data, f"{base[:12]}:{where}")), None
    except CockpitError as error:
        return None, str(error).partition("\n")[0]


def _moved_lines(history: History, context: Context) -> Iterator[tuple[str, Spans]]:
    """What a batch changed in the files that it moved.

    Their old paths hold shims now, so that to git they are copies at most.
    """
    if context.commit is not None:
        for move in context.moves:
            old, new = f"{context.base}:{move.source}", f"{context.commit}:{move.target}"
            yield move.target, history.between(old, new)


def _renamed_since(
    history: History, base: str, tree: Tree, kept: Baseline
) -> Iterator[Mapping[str, str]]:
    """Renames since the commits that the baseline was measured at, if any file lacks an entry."""
    if all(printable(path) in kept.entries for path in tree.sources):
        return
    commits = dict.fromkeys(str(run.get("base")) for run in measurements(kept.meta))
    for commit in commits:
        if commit != base and history.knows(commit):
            try:
                yield history.since(commit).renames
            except Unknown:
                continue


def _sources(
    moves: Mapping[str, str],
    renames: Sequence[Mapping[str, str]],
    tree: Tree,
    kept: Baseline,
) -> dict[str, str]:
    """One old path for each file that has one: a move's, else that of a rename with a bound.

    A file that is still there was copied or split, not renamed: its bound stays with it.
    """
    found = dict(moves)
    for renamed in renames:
        for new, old in renamed.items():
            gone = old not in tree.paths and old not in found.values()
            if gone and printable(found.get(new, "")) not in kept.entries:
                found[new] = old
    return {**found, **moves}
