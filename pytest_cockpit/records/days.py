"""Days and time zones as a configuration spells them."""

from __future__ import annotations

from datetime import UTC, date, tzinfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Names of the days, in the order of `date.weekday`."""


def zone(name: str) -> tzinfo | None:
    """The time zone of this name; None where the system knows no such zone."""
    # The one zone that needs no database.
    if name == "UTC":
        return UTC
    from zoneinfo import ZoneInfo

    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return None


def day(text: str) -> date | None:
    """The day that `2026-12-25` stands for; None where there is no such day."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
