"""Which box goes on which: a bay of stacks, heavy at the bottom."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from harbour.cargo import Container


@dataclass
class Stack:
    """Boxes from the bottom up, of one size."""

    feet: int
    limit: int
    boxes: list[Container] = field(default_factory=list)

    @property
    def weight(self) -> int:
        """Kilograms on the hatch."""
        return sum(box.gross for box in self.boxes)

    def accepts(self, box: Container) -> bool:
        """Same size, within the limit, and no heavier than what it stands on."""
        light_enough = not self.boxes or box.gross <= self.boxes[-1].gross
        return box.feet == self.feet and light_enough and self.weight + box.gross <= self.limit


def stow(boxes: Iterable[Container], limit: int = 90_000) -> list[Stack]:
    """As few stacks as the first fit finds, for boxes sorted by weight."""
    stacks: list[Stack] = []
    for box in sorted(boxes, key=lambda b: (-b.gross, b.number)):
        if box.gross > limit:
            raise ValueError(f"{box.number}: {box.gross} kg exceed the limit of {limit} kg")
        stack = next((stack for stack in stacks if stack.accepts(box)), None)
        if stack is None:
            stack = Stack(box.feet, limit)
            stacks.append(stack)
        stack.boxes.append(box)
    return stacks
