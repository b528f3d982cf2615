"""What can be tested apart, and in which order.

A file can only be judged in a tree that also has all that it needs, so a tested subset is closed
downwards: what its files need is in production or in the subset. Files that need each other in a
circle are one *unit*; units are numbered so that each comes after those it needs.

The nested plan tests the next few units of an order on top of the units known to be good. Every
prefix of an order in which needs come first is closed, and so is the union of two closed sets: it
is enough to keep such an order. When a unit is found guilty, the units that need it are held
back, so that no later prefix lacks anything.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.analysis.graph import components


@dataclass(frozen=True, slots=True)
class Units:
    """The units of a batch by number.

    `members` are a unit's files, `below` all units that it needs, directly or not, `number` the
    unit of each file.
    """

    members: tuple[tuple[str, ...], ...]
    below: tuple[frozenset[int], ...]
    number: Mapping[str, int]

    @classmethod
    def of(cls, needs: Mapping[str, Iterable[str]]) -> Units:
        """The units of files with what each needs; what is no key is in production already."""
        kept = {path: sorted(set(wanted) & needs.keys()) for path, wanted in needs.items()}
        members = tuple(components(kept))
        number = {path: unit for unit, paths in enumerate(members) for path in paths}
        below: list[frozenset[int]] = []
        for unit, paths in enumerate(members):
            direct = {number[wanted] for path in paths for wanted in kept[path]} - {unit}
            below.append(frozenset(direct).union(*(below[other] for other in direct)))
        return cls(members, tuple(below), number)

    @property
    def all(self) -> frozenset[int]:
        """Every unit."""
        return frozenset(range(len(self.members)))

    def alone(self, unit: int) -> frozenset[int]:
        """The least subset that a unit can be tested in."""
        return self.below[unit] | {unit}

    def needing(self, unit: int) -> frozenset[int]:
        """The units that need a unit, directly or not."""
        return frozenset(other for other, below in enumerate(self.below) if unit in below)

    def files(self, subset: Iterable[int]) -> tuple[str, ...]:
        """The files of a subset, each after those it needs."""
        return tuple(path for unit in sorted(subset) for path in self.members[unit])

    def order(self, chosen: Iterable[int], risks: Sequence[float]) -> list[int]:
        """The chosen units, the least suspect first, each after those that it needs.

        With what no evidence points at in one group, the first session parts it from the
        suspects; when it is green, as is likely, one suspect is left without a session of its
        own. A unit is taken to be as suspect as the worst that it needs, for it cannot come
        before that.
        """
        worst: dict[int, float] = {}
        for unit in sorted(chosen):
            needed = (worst[other] for other in self.below[unit] if other in worst)
            worst[unit] = max(risks[unit], max(needed, default=0.0))
        return sorted(worst, key=lambda unit: (worst[unit], unit))
