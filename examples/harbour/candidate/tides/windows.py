"""When a ship can pass the bar."""

from harbour.clock import Window
from harbour.tides.harmonic import Station

from .clearance import under_keel

STEP = 5
"""Minutes between two looks at the water."""


def tidal_windows(
    station: Station,
    *,
    depth: float,
    draught: float,
    margin: float = 0.6,
    knots: float = 6.0,
    until: int = 24 * 60,
) -> list[Window]:
    """Windows with at least `margin` metres under the keel."""
    opened = None
    windows = []
    for minute in range(0, until + STEP, STEP):
        clearance = under_keel(station, minute, depth=depth, draught=draught, knots=knots)
        if clearance >= margin and minute < until:
            opened = minute if opened is None else opened
        elif opened is not None:
            windows.append(Window(opened, min(minute, until)))
            opened = None
    return windows


def longest(windows: list[Window]) -> Window | None:
    """The most comfortable one."""
    return max(windows, key=lambda window: (window.minutes, -window.start), default=None)
