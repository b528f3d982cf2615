"""Hours of rest: ten in any twenty-four, six of them in one piece."""

from collections.abc import Iterable

from harbour.clock import Window, merged

DAY = Window(0, 24 * 60)
REST = 10 * 60
IN_ONE_PIECE = 6 * 60


def rests(work: Iterable[Window], day: Window = DAY) -> list[Window]:
    """What the work leaves of a day."""
    gaps = []
    start = day.start
    for window in merged(work):
        if window.start > start:
            gaps.append(Window(start, min(window.start, day.end)))
        start = max(start, window.end)
    if start < day.end:
        gaps.append(Window(start, day.end))
    return gaps


def rested(work: Iterable[Window]) -> bool:
    """Whether the rules are kept."""
    gaps = rests(work)
    total = sum(gap.minutes for gap in gaps)
    return total >= REST and any(gap.minutes >= IN_ONE_PIECE for gap in gaps)
