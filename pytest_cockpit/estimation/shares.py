"""What can be said of a share from how often something was found."""

from __future__ import annotations

from pytest_cockpit.estimation.intervals import LEVEL, Interval, binomial

_STEPS = 60


def share(found: int, of: int, level: float = LEVEL) -> Interval:
    """The share of independent trials that succeed.

    Clopper and Pearson (1934): the ends are the shares at which so many or more, and so few or
    fewer, successes have a chance of half the level.

    Parameters
    ----------
    found: at most `of`, which is at least one.
    """
    return Interval(1 - _most(of - found, of, level / 2), found / of, _most(found, of, level / 2))


def _most(found: int, of: int, chance: float) -> float:
    """The largest share that gives `found` or fewer with this chance."""
    if found >= of:
        return 1.0
    low, high = found / of, 1.0
    for _ in range(_STEPS):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(found, of, middle) > chance else (low, middle)
    return high


def _at_most(found: int, of: int, share: float) -> float:
    """The chance of so many or fewer successes."""
    if share >= 1:
        return 0.0
    # From the likeliest term downwards, until terms no longer count.
    term = binomial(of, share, found)
    total, odds = 0.0, (1 - share) / share
    for count in range(found, -1, -1):
        total += term
        term *= count / (of - count + 1) * odds
        if term <= total * 1e-17:
            break
    return total
