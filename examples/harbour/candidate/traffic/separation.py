"""Who may meet whom in the fairway."""

from candidate.traffic import fairway

TWO_WAY_BEAM = 0.45
"""Part of the width that two hulls may take together."""

HEADWAY = 20
"""Minutes between two ships of one direction."""


def may_meet(first: "fairway.Passage", second: "fairway.Passage") -> bool:
    """Whether two ships of opposite directions fit beside each other."""
    return first.vessel.beam + second.vessel.beam <= fairway.WIDTH * TWO_WAY_BEAM


def clear(first: "fairway.Passage", second: "fairway.Passage") -> bool:
    """Whether both passages can take place as they are."""
    if first.inbound == second.inbound:
        return abs(first.start - second.start) >= HEADWAY
    return may_meet(first, second) or not first.window.overlaps(second.window)
