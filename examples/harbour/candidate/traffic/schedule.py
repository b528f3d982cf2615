"""An order of passages without conflicts."""

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

from candidate.traffic import separation

if TYPE_CHECKING:
    from candidate.traffic.fairway import Passage

STEP = 5
"""Minutes by which a passage is put off."""


def order(passages: "Iterable[Passage]") -> dict[str, int]:
    """Start of each passage by the name of its ship; earlier wishes go first."""
    fixed: list[Passage] = []
    for passage in sorted(passages, key=lambda wish: (wish.start, wish.vessel.name)):
        while not all(separation.clear(passage, other) for other in fixed):
            passage = replace(passage, start=passage.start + STEP)
        fixed.append(passage)
    return {passage.vessel.name: passage.start for passage in fixed}
