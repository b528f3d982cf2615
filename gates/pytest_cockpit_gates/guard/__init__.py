"""Guard: nothing comes into the lane, by whatever way."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Proof, Report, Rule
from pytest_cockpit_gates.guard import rules

_SETTINGS: JSON = {"type": "object", "properties": {}, "additionalProperties": False}


class Guard:
    """What a change would bring into the lane: files, copies, links, submodules, old code."""

    name = "guard"
    summary = "nothing is added to the lane, and what has left it does not come back"
    rules: Sequence[Rule] = rules.RULES
    settings_schema = _SETTINGS

    def check(self, context: Context) -> Report:
        """Compare the tree with its base, where it concerns the lane."""
        from pytest_cockpit_gates.guard.check import check

        return check(context)

    def proofs(self) -> Iterable[Proof]:
        """Changes for every rule."""
        from pytest_cockpit_gates.guard.proving import proofs

        return list(proofs())

    def not_applicable(self, context: Context) -> str | None:
        """A repository without a lane has nothing that could be guarded."""
        lane = context.lane.path
        return None if (context.root / lane).is_dir() else f"there is no folder {lane}"


gate: Gate = Guard()
