"""Which truck may come in, and when."""

from __future__ import annotations

from collections.abc import Mapping

SLOT_MINUTES = 30


def slot(minute: int) -> int:
    """The number of the slot that a minute of the day is in."""
    return minute // SLOT_MINUTES


def admits(booked: Mapping[int, int], minute: int, *, limit: int) -> bool:
    """Whether the slot has room for one more truck."""
    return booked.get(slot(minute), 0) < limit


def next_free(booked: Mapping[int, int], minute: int, *, limit: int) -> int | None:
    """The first minute from which a truck is admitted today; None where there is none."""
    for number in range(slot(minute), 24 * 60 // SLOT_MINUTES):
        if booked.get(number, 0) < limit:
            return max(minute, number * SLOT_MINUTES)
    return None
