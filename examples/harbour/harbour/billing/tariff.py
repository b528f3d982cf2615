"""Harbour dues by gross tonnage."""

from harbour.vessel import Vessel

# Up to this tonnage, so many cents for each ton of the bracket.
BRACKETS = ((5_000, 14), (20_000, 11), (60_000, 8), (10**9, 5))


def harbour_dues(vessel: Vessel) -> int:
    """Cents for one call: every bracket is charged for its own tons alone."""
    dues = 0
    floor = 0
    for ceiling, rate in BRACKETS:
        tons = max(0, min(vessel.gross_tonnage, ceiling) - floor)
        dues += tons * rate
        floor = ceiling
    return dues


def frequent_caller(dues: int, calls_this_year: int) -> int:
    """Dues less two percent for every fifth call, fifth part at most."""
    rebate = min(20, calls_this_year // 5 * 2)
    return dues - dues * rebate // 100
