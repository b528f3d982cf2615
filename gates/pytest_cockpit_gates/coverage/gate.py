"""The gate as the engine sees it; everything heavy is imported when it is asked to work."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from pytest_cockpit.api import JSON, Context, Proof, Report, Rule
from pytest_cockpit_gates.coverage import rules, settings


class CoverageGate:
    """Per file, no more statements and branches without a test than its baseline allows."""

    name = "coverage"
    summary = "no file loses coverage, and no test fails that did not fail before"
    rules: Sequence[Rule] = rules.RULES
    settings_schema: JSON = settings.SCHEMA

    def check(self, context: Context) -> Report:
        """Run the tests of `context.root` and hold every file to its bound."""
        from pytest_cockpit_gates.coverage import judging

        return judging.judge(context)

    def baseline(self, context: Context) -> dict[str, Any] | None:
        """Each file's counts and the tests that fail, as `entries` and `meta`; None without tests.

        Raises
        ------
        CockpitError: the tests do not run to their end, or run other code than the tree's.
        """
        from pytest_cockpit_gates.coverage import judging

        return judging.baseline(context)

    def not_applicable(self, context: Context) -> str | None:
        """Why this gate has nothing to judge in the tree; None when it has."""
        from pytest_cockpit_gates.coverage import judging

        return None if judging.has_tests(context) else "no tests in this repository"

    def join(self, mine: JSON, theirs: JSON) -> dict[str, Any]:
        """The least baseline that is at least as tight as both.

        Raises
        ------
        CockpitError: one of them is malformed.
        """
        from pytest_cockpit_gates.coverage import joining

        return joining.join(mine, theirs)

    def bounds(self, document: JSON) -> dict[str, Any]:
        """What of a baseline binds: counts of each file, tests known to fail, patterns."""
        from pytest_cockpit_gates.coverage import joining

        return joining.bounds(document)

    def proofs(self) -> Iterable[Proof]:
        """A failing tree for each rule, and trees the gate accepts."""
        from pytest_cockpit_gates.coverage.proofs import proofs

        return proofs()


gate = CoverageGate()
