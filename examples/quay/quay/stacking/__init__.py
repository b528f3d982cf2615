"""Where a container is put down, so that few have to be moved to reach it again."""

from __future__ import annotations

from collections.abc import Sequence

HEIGHT = 5


def place(stacks: Sequence[Sequence[int]], leaves: int) -> int | None:
    """The stack for a container that leaves on a day; None where all are full.

    Best on top of what leaves later, and there on what leaves soonest; else on the stack whose
    first departure is the latest.
    """
    free = [index for index, stack in enumerate(stacks) if len(stack) < HEIGHT]
    if not free:
        return None
    over = [index for index in free if leaves <= first(stacks[index])]
    if over:
        return min(over, key=lambda index: (first(stacks[index]), index))
    return max(free, key=lambda index: (first(stacks[index]), -index))


def first(stack: Sequence[int]) -> float:
    """The day on which a stack is first reached into; never, where it is empty."""
    return min(stack, default=float("inf"))


def digs(stacks: Sequence[Sequence[int]]) -> int:
    """How many containers have to be moved out of the way of one below that leaves before."""
    return sum(
        any(below < container for below in stack[:level])
        for stack in stacks
        for level, container in enumerate(stack)
    )


def stow(stacks: int, days: Sequence[int]) -> list[list[int]]:
    """The stacks after these arrivals.

    Raises
    ------
    ValueError: the yard is full.
    """
    yard: list[list[int]] = [[] for _ in range(stacks)]
    for day in days:
        chosen = place(yard, day)
        if chosen is None:
            raise ValueError("the yard is full")
        yard[chosen].append(day)
    return yard
