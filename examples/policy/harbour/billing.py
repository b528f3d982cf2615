"""What a ship owes."""

from __future__ import annotations


def harbour_dues(tonnage: int) -> int:
    """Cents that a ship owes for one call."""
    return 12 * tonnage


def bill(tonnage: int, duty: int) -> int:
    """Dues and duty of a call."""
    return harbour_dues(tonnage) + duty
