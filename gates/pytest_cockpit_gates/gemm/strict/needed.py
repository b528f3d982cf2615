"""How much has to be measured for a verdict, and which option asks for it."""

from __future__ import annotations

import math
from functools import cache

from pytest_cockpit.estimation.intervals import Interval, shift, values_needed
from pytest_cockpit.estimation.slopes import slope
from pytest_cockpit_gates.gemm.strict import levels
from pytest_cockpit_gates.gemm.strict.model import Artifact

_TIMES = 16
"""More than so many times what there is, nobody measures."""
_MOST_SNAPSHOTS, _MOST_SESSIONS, _MOST_ITERATIONS = 1000, 100, 10_000
"""As the options take them."""
_SEARCHED = 40
_SEEDS = 2
"""Of a split where nobody names others."""


def enough(found: Interval, bound: float, there: int, *, beside: int | None = None) -> int | None:
    """How many values decide about a bound, should the estimate stay where it is.

    The square of an interval's width falls with their number; of two samples it is made of a part
    of each.

    Parameters
    ----------
    there: values that the interval was made of.
    beside: those of a second sample, which stays as it is; None where there is none.

    Returns
    -------
    None where the estimate is so near the bound that nobody measures as many.
    """
    distance = abs(found.estimate - bound)
    half = abs(found.estimate - (found.low if found.estimate > bound else found.high))
    if not distance or not math.isfinite(half):
        return None
    stays = 1 / beside if beside else 0.0
    part = (1 / there + stays) * (distance / half) ** 2 - stays if half else math.inf
    if part * there * _TIMES < 1:
        return None
    return max(there + 1, math.ceil(1 / part))


@cache
def snapshots_for_drift(sessions: int, level: float) -> int:
    """Snapshots of so many sessions each that a drift can be seen in at this level."""
    for snapshots in range(2, _SEARCHED):
        places = levels.batches([at for at in range(snapshots) for _ in range(sessions)])
        if slope(places, [0.0] * len(places), level) is not None:
            return snapshots
    return _SEARCHED


@cache
def sessions_to_compare(others: int, level: float) -> int | None:
    """Sessions that can be compared with so many others; None where there are too few of these."""
    for sessions in range(1, _SEARCHED + 1):
        if shift([0.0] * others, [0.0] * sessions, level) is not None:
            return sessions
    return None


def pairs(attempt: int) -> int | None:
    """Pairs that a ratio can be seen in at all; None where as many as count are too few."""
    numbers = range(1, levels.MOST_PAIRS + 1)
    return next((n for n in numbers if n >= values_needed(levels.of_pairs(n, attempt))), None)


def times_for_quantile(share: float, above: float) -> int:
    """Times whose largest is above a quantile but for this chance."""
    return math.ceil(math.log(above) / math.log(share))


def more_sessions(artifact: Artifact, wanted: int | None, bound: str = "") -> str:
    """A remedy: so many sessions of a row in all; None says that no number of them decides.

    Parameters
    ----------
    bound: the key of the policy that sets the bound; empty where none does.
    """
    if wanted is None:
        return _too_near(bound)
    if artifact.kind == "replay":
        return more_snapshots(math.ceil(wanted / artifact.parameters.get("sessions", 1)), bound)
    # Of a gate's run nobody can ask for more; a split measures the same.
    gate = artifact.kind == "gate"
    seeds = len(artifact.parameters.get("seeds", ())) or _SEEDS
    number = math.ceil(wanted / seeds)
    if number > _MOST_SESSIONS:
        return _too_near(bound)
    return (
        f"measure {number} sessions for each seed:{' --cockpit-split' * gate}"
        f" --cockpit-gemm-sessions {number}"
    )


def more_snapshots(wanted: int | None, bound: str) -> str:
    """A remedy: so many snapshots in all; None says that no number of them decides."""
    if wanted is None or wanted > _MOST_SNAPSHOTS:
        return _too_near(bound)
    return f"measure {wanted} snapshots: --cockpit-gemm-snapshots {wanted}"


def more_iterations(artifact: Artifact, wanted: int | None, bound: str) -> str:
    """A remedy: so many times of a row in all; None says that no number decides."""
    if wanted is None:
        return _too_near(bound)
    replay = artifact.kind == "replay"
    turns = len(artifact.snapshots if replay else artifact.parameters.get("seeds", ())) or 1
    number = math.ceil(wanted / (turns * artifact.parameters.get("sessions", 1)))
    if number > _MOST_ITERATIONS:
        return _too_near(bound)
    return f"measure {number} iterations in each session: --cockpit-gemm-iterations {number}"


def _too_near(bound: str) -> str:
    return (
        "more of the same decides nothing, as the estimate is too near the bound for its spread:"
        f" measure while nothing else runs{f', or set another bound: {bound}' if bound else ''}"
    )
