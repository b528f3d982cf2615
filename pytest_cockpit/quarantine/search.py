"""The smallest difference that makes a test pass, found by trying. Pure but for what it is given.

Every answer was seen: a difference is reported only after a run with it passed, and only when no
part of it does.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.quarantine.documents import Edit

Edits = tuple[Edit, ...]
_PAIRED = 16
_TOGETHER = 500
_SINGLES = 0.75


class Spent(Exception):
    """No run is left, or no time; `what` says which."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass(frozen=True, slots=True)
class Trials:
    """What the search may ask.

    Parameters
    ----------
    passes: whether the test passes with these edits; raises `Spent`.
    harms: what else goes wrong with them, in words; [] for nothing. Raises `Spent`.
    runs: how many runs there may be at all.
    """

    passes: Callable[[Edits], bool]
    harms: Callable[[Edits], list[str]]
    runs: int


@dataclass(slots=True)
class Found:
    """What came of a search.

    Parameters
    ----------
    edits: the difference; () when none was found.
    ended: `found`, `exhausted`, `runs` or `time`.
    harmful: differences that were turned down, with the reason.
    """

    edits: Edits = ()
    ended: str = "exhausted"
    singles: int = 0
    pairs: int = 0
    harmful: list[str] = field(default_factory=list)


def search(candidates: Sequence[Edit], trials: Trials) -> Found:
    """Try single edits, then all that may be added at once, then pairs, in the order given."""
    found = Found()
    limit = len(candidates)
    if limit > trials.runs:
        # Something is left for edits that need each other.
        limit = int(trials.runs * _SINGLES)
    try:
        for edits in _differences(candidates, limit, trials, found):
            small = minimal(narrowed(edits, trials.passes), trials.passes)
            harms = trials.harms(small)
            if not harms:
                found.edits, found.ended = small, "found"
                return found
            found.harmful += [f"{' and '.join(it.meaning for it in small)}: {why}" for why in harms]
    except Spent as spent:
        found.ended = spent.what
        return found
    if limit < len(candidates):
        found.ended = "runs"
    return found


def narrowed(edits: Edits, passes: Callable[[Edits], bool]) -> Edits:
    """A part of the edits that passes, small where one edit never spoils what others do.

    `edits` themselves have been seen to pass. One edit is found after the other, by halving: the
    last of the shortest beginning that passes with those found before.
    """
    needed: Edits = ()
    while edits:
        if needed and passes(needed):
            break
        low, high = 0, len(edits)
        while high - low > 1:
            middle = (low + high) // 2
            if passes((*needed, *edits[:middle])):
                high = middle
            else:
                low = middle
        needed, edits = (*needed, edits[high - 1]), edits[: high - 1]
    return needed


def minimal(edits: Edits, passes: Callable[[Edits], bool]) -> Edits:
    """A part of the edits that passes, and no longer does when any one of them is left out.

    Zeller's and Hildebrandt's ddmin; `edits` themselves have been seen to pass.
    """
    parts = 2
    while len(edits) > 1:
        size = -(-len(edits) // parts)
        chunks = [edits[at : at + size] for at in range(0, len(edits), size)]
        rests = [
            tuple(it for other in chunks if other is not chunk for it in other) for chunk in chunks
        ]
        smaller = next(
            (it for it in (*chunks, *rests) if len(it) < len(edits) and passes(it)), None
        )
        if smaller is not None:
            parts = 2 if smaller in chunks else max(2, parts - 1)
            edits = smaller
        elif size == 1:
            break
        else:
            parts = min(len(edits), parts * 2)
    return edits


def _differences(
    candidates: Sequence[Edit], limit: int, trials: Trials, found: Found
) -> Iterator[Edits]:
    """Differences that pass, the small and likely ones first."""
    for edit in candidates[:limit]:
        found.singles += 1
        if trials.passes((edit,)):
            yield (edit,)
    adds = (it for it in candidates if it.kind == "add")
    everything = compatible(itertools.islice(adds, _TOGETHER))
    if len(everything) > 1 and trials.passes(everything):
        yield everything
    for one, other in _pairs(candidates[:_PAIRED]):
        found.pairs += 1
        if trials.passes((one, other)):
            yield one, other


def compatible(edits: Iterable[Edit]) -> Edits:
    """Those that can be made together, the first of each place that others have too."""
    taken: list[Edit] = []
    for edit in edits:
        if all(not clash(edit, other) for other in taken):
            taken.append(edit)
    return tuple(taken)


def clash(one: Edit, other: Edit) -> bool:
    """Whether two edits are of the same characters."""
    if one.path != other.path or one.start == one.end == other.start == other.end:
        # An empty list is filled once: a second value would need a comma.
        return one.path == other.path and one.text.lstrip()[:1] not in (",", "-")
    return one.start < other.end and other.start < one.end


def _pairs(candidates: Sequence[Edit]) -> Iterator[tuple[Edit, Edit]]:
    indices = itertools.combinations(range(len(candidates)), 2)
    for first, second in sorted(indices, key=lambda pair: (sum(pair), pair)):
        if not clash(candidates[first], candidates[second]):
            yield candidates[first], candidates[second]
