"""A file is refused for all that is wrong with it at once, in a line for each fault."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cockpit.api import CockpitError

_SHOWN = 20


def refuse(lines: Iterable[str]) -> None:
    """Refuse a file; one that nothing is wrong with is none.

    Parameters
    ----------
    lines: a fault each, `PATH: KEY: what; remedy`; the same one twice is one.

    Raises
    ------
    CockpitError: there is one; the text has the first few, and how many more there are.
    """
    found = list(dict.fromkeys(lines))
    if found:
        more = len(found) - _SHOWN
        path = found[0].partition(": ")[0]
        rest = [f"{path}: {more} more like these; correct them too"] if more > 0 else []
        raise CockpitError("\n".join([*found[:_SHOWN], *rest]))
