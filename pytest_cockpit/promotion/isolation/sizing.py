"""How large the next batch should be, from how many files of past batches were to blame.

A batch is judged as a whole first, and only when it is red the nested plan goes on. The size is
looked for among those at which the plan, too, would begin with the whole batch: beyond, the first
session is spent on what is all but known to be red. Among these it is the one with the fewest
expected sessions per promoted file, `H(n) / (n (1 - p))` for `n` files of risk `p` each; small
batches spend a session on few files. The batch is then green a little more often than not.

The risk is estimated with a Beta posterior: every file of a past batch is one trial. Before there
is a history it has the mean 1/40, as if half a file out of 20 had been to blame. The posterior
mean gives the size, the ends of its central 90 % the sizes shown beside it. More culprits among
the same files never give a larger size, more files with the same culprits never a smaller one.
"""

from __future__ import annotations

from bisect import bisect
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, takewhile
from math import exp, log, log1p

from pytest_cockpit.api import CockpitError
from pytest_cockpit.promotion.isolation.nested import bounded, nested

MOST = 400
"""No larger batch is proposed, whatever the cap."""

PRIOR_BLAMED, PRIOR_GOOD = 0.5, 19.5
_TAIL = 0.05
_POINTS = 4000


@dataclass(frozen=True, slots=True)
class Past:
    """One batch that was judged: how many files it had, and how many of them were to blame."""

    files: int
    blamed: int

    def __post_init__(self) -> None:
        if not 0 <= self.blamed <= self.files:
            raise CockpitError(
                f"past batch of {self.files} files, {self.blamed} to blame: expected none to all"
            )


@dataclass(frozen=True, slots=True)
class Proposal:
    """A batch size with its reasons.

    Parameters
    ----------
    size: files to take next, at most the cap.
    sizes: the sizes for the most and the least risk that the history allows for.
    risk, risks: the estimated risk of a file, and the central 90 % of its posterior.
    sessions: expected sessions per promoted file at `size`, without those that confirm.
    trials: how many files of past batches all that is from.
    why: all that in a line.
    """

    size: int
    sizes: tuple[int, int]
    risk: float
    risks: tuple[float, float]
    sessions: float
    trials: int
    why: str


def proposed_size(history: Iterable[Past], cap: int) -> Proposal:
    """The size that takes the fewest sessions per promoted file.

    Parameters
    ----------
    history: past batches; those that did not come to an end are no trials.
    cap: the most files that a batch may have.
    """
    if cap < 1:
        raise CockpitError(f"batch size {cap}: expected at least 1")
    batches = list(history)
    files, blamed = sum(past.files for past in batches), sum(past.blamed for past in batches)
    a, b = PRIOR_BLAMED + blamed, PRIOR_GOOD + files - blamed
    mean, (low, high) = a / (a + b), _central(a, b)
    size, sessions = best_size(mean, cap)
    sizes = best_size(high, cap)[0], best_size(low, cap)[0]
    known = f"{blamed} of {files} files to blame so far" if files else "no history"
    return Proposal(
        size=size,
        sizes=sizes,
        risk=mean,
        risks=(low, high),
        sessions=sessions,
        trials=files,
        why=(
            f"{size} files ({sizes[0]} to {sizes[1]}, at most {cap}): {known}, "
            f"risk {mean:.2%} ({low:.2%} to {high:.2%}), "
            f"{sessions:.3f} sessions expected per promoted file"
        ),
    )


def best_size(risk: float, cap: int) -> tuple[int, float]:
    """The size up to `cap` with the fewest sessions per promoted file, and how many those are."""
    cap = min(cap, MOST)
    plan = nested((bounded(risk),) * cap)
    sizes = takewhile(lambda size: plan.group(cap - size) == size, range(1, cap + 1))
    size = min(sizes, key=lambda size: plan.expected(cap - size) / size)
    return size, plan.expected(cap - size) / size / (1 - plan.risks[0])


def _central(a: float, b: float) -> tuple[float, float]:
    """The central 90 % of a Beta distribution, by summing its density over even log-odds."""
    spread = 12 * (1 / a + 1 / b) ** 0.5 + 6
    odds = [log(a / b) + spread * (2 * step / _POINTS - 1) for step in range(_POINTS + 1)]
    # Over log-odds the density is share ** a * (1 - share) ** b, which has no pole anywhere.
    logs = [-a * log1p(exp(-each)) - b * log1p(exp(each)) for each in odds]
    top = max(logs)
    below = list(accumulate(exp(each - top) for each in logs))
    low, high = (bisect(below, tail * below[-1]) for tail in (_TAIL, 1 - _TAIL))
    return 1 / (1 + exp(-odds[low])), 1 / (1 + exp(-odds[high]))
