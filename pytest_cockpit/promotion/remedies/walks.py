"""Ways along imports, so many steps and no more."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

_STEPS = 6


def nearest(
    starts: Iterable[str], needs: Mapping[str, Iterable[str]], wanted: Collection[str]
) -> list[str]:
    """The wanted files that are fewest steps away, by name; [] when none is in reach."""
    for level in _levels(starts, needs):
        found = sorted(path for path in level if path in wanted)
        if found:
            return found
    return []


def reach(start: str, needs: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """All that can be reached from a file, the nearest first."""
    for level in _levels([start], needs):
        yield from sorted(level)


def is_test(name: str) -> bool:
    """Whether pytest would take a file of this name for tests."""
    return name.endswith(".py") and (name.startswith("test_") or name.endswith("_test.py"))


def _levels(starts: Iterable[str], needs: Mapping[str, Iterable[str]]) -> Iterator[set[str]]:
    seen, level = set(starts), set(starts)
    for _ in range(_STEPS):
        level = {needed for path in level for needed in needs.get(path, ())} - seen
        if not level:
            return
        yield level
        seen |= level
