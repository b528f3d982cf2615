"""The gate as the engine sees it; everything heavy is imported when it is asked to work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_cockpit.api import JSON, Context, Proof, Report, Rule
from pytest_cockpit_gates.quarantine import rules, settings


class QuarantineGate:
    """The set of quarantined tests, held to a baseline, and each of them to its marker."""

    name = "quarantine"
    summary = "tests in quarantine only get fewer, and none passes or outstays its last day"
    rules: Sequence[Rule] = rules.RULES
    settings_schema: JSON = settings.SCHEMA

    def check(self, context: Context) -> Report:
        """Collect the tests of `context.root`, and run those in quarantine."""
        from pytest_cockpit_gates.quarantine import check

        return check.check(context)

    def baseline(self, context: Context) -> dict[str, Any]:
        """The tests in quarantine today; none is a baseline too.

        Raises
        ------
        CockpitError: the tests cannot be collected.
        """
        from pytest_cockpit_gates.quarantine import check

        return check.measure(context)

    def join(self, mine: JSON, theirs: JSON) -> dict[str, Any]:
        """The least baseline that is at least as tight as both.

        Raises
        ------
        CockpitError: one of them is malformed.
        """
        from pytest_cockpit_gates.quarantine import ratchet

        return ratchet.join(mine, theirs)

    def bounds(self, document: JSON) -> dict[str, Any]:
        """What of a baseline binds: which tests it permits, whatever their issues."""
        from pytest_cockpit_gates.quarantine import ratchet

        return {
            path: sorted(place.name for place in ratchet.places({path: entry}, "quarantine"))
            for path, entry in document["entries"].items()
        }

    def proofs(self) -> Iterable[Proof]:
        """A tree for each rule, and trees the gate accepts."""
        from pytest_cockpit_gates.quarantine.proofs import proofs

        return proofs()


gate = QuarantineGate()
