"""The waivers that hold in a session: read where the change under judgement cannot write them."""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Context, Report, Verdict
from pytest_cockpit.records import waiver_ledger, waiving
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import one_line
from pytest_cockpit.records.waivers import Book, Situation

VARIABLE = "COCKPIT_LABELS"
"""Environment variable with labels, separated by commas."""


class Waiving:
    """The waivers of one session, applied to the reports of its gates.

    Parameters
    ----------
    root: where the repository is; not the private tree that a commit is judged in, which code
        under judgement can write to.

    Raises
    ------
    CockpitError: a label was given where the change under judgement could give it to itself.
    """

    def __init__(self, config: pytest.Config, root: Path) -> None:
        self._root = root
        self.labels = labels(config)
        # A worker is started by a process in which a conftest.py has been; it has no better ones.
        self._variables = os.environ if hasattr(config, "workerinput") else started_with()
        self.used: dict[str, list[dict[str, Any]]] = {}
        self._known: dict[str | None, tuple[Book, date]] = {}

    def over(self, gate: str, report: Report, context: Context, max_days: int) -> Report:
        """The report with what is waived as warnings; only a `FAIL` has anything to waive."""
        self.used.pop(gate, None)
        if report.verdict is not Verdict.FAIL:
            return waiving.without(report)
        if context.base not in self._known:
            # A commit under judgement is judged by the waivers of its base; a working tree's own
            # count, as they are part of what a reviewer sees.
            staged = context.commit is not None
            own = None if staged else waiver_ledger.content(self._root, context.ledger)
            self._known[context.base] = waiver_ledger.standing(
                self._root, context.ledger, context.base, own
            )
        book, today = self._known[context.base]
        clock = datetime.now(UTC).date()
        situation = Situation(today, self.labels, self._variables, max_days, clock)
        judged = waiving.apply(report, gate, book, situation)
        self.used[gate] = waiving.used(judged)
        return judged

    def rows(self) -> list[dict[str, Any]]:
        """What was waived, for the session's record."""
        return [{"gate": gate, **row} for gate, rows in sorted(self.used.items()) for row in rows]

    def lines(self) -> Iterator[str]:
        """What was waived, for the terminal."""
        for row in self.rows():
            count = f"{row['findings']} finding{'' if row['findings'] == 1 else 's'}"
            yield one_line(
                f"{row['gate']}: {count} waived by {row['id']} ({row['rule']}, {row['owner']}, "
                f"until {row['expires']}): {row['reason']}"
            )

    def learn(self, told: Mapping[str, list[dict[str, Any]]]) -> None:
        """Take over what a worker process has waived."""
        self.used.update(told)


def labels(config: pytest.Config) -> frozenset[str]:
    """The labels that whoever started this run has given it.

    A label from `addopts` would be one that a change gives to itself.
    """
    if hasattr(config, "workerinput"):
        return frozenset(config.workerinput.get(VARIABLE, ()))
    given: list[str] = config.option.cockpit_label
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--cockpit-label", action="append", default=[])
    typed = parser.parse_known_args([*map(str, config.invocation_params.args)])[0]
    strange = set(given) - set(typed.cockpit_label)
    if strange:
        raise CockpitError(
            f"--cockpit-label {printable(min(strange))}: is not from the command line; type "
            f"it there, or name it in {VARIABLE}"
        )
    named = [*given, *started_with().get(VARIABLE, "").split(",")]
    return frozenset(label.strip() for label in named if label.strip())


def started_with() -> Mapping[str, str]:
    """The variables that this process was started with, where the system says so.

    A conftest.py of the change, which runs in this process, could have set more of them since.
    """
    try:
        data = Path("/proc/self/environ").read_bytes()
    except OSError:
        return os.environ
    pairs = (os.fsdecode(row).partition("=") for row in data.split(b"\0") if row)
    return {name: value for name, _, value in pairs}
