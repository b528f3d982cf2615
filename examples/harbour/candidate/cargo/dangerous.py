"""Dangerous goods that must not stand together (after the IMDG segregation table)."""

from collections.abc import Iterable
from enum import IntEnum
from itertools import combinations


class Separation(IntEnum):
    """How far two classes are kept apart."""

    NONE = 0
    AWAY_FROM = 1
    SEPARATED = 2
    ANOTHER_HOLD = 3


_RULES = {
    frozenset({"2.1", "3"}): Separation.SEPARATED,
    frozenset({"2.1", "5.1"}): Separation.SEPARATED,
    frozenset({"3", "5.1"}): Separation.SEPARATED,
    frozenset({"3", "5.2"}): Separation.SEPARATED,
    frozenset({"4.3", "8"}): Separation.AWAY_FROM,
    frozenset({"5.1", "8"}): Separation.SEPARATED,
    frozenset({"1.1", "3"}): Separation.ANOTHER_HOLD,
    frozenset({"1.1", "5.1"}): Separation.ANOTHER_HOLD,
}


def separation(first: str, second: str) -> Separation:
    """What the table demands of two classes."""
    return _RULES.get(frozenset({first, second}), Separation.NONE)


def strictest(classes: Iterable[str]) -> Separation:
    """The demand of a whole hold."""
    pairs = combinations(sorted(set(classes)), 2)
    return max((separation(*pair) for pair in pairs), default=Separation.NONE)
