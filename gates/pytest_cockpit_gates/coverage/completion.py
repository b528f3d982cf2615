"""Whether the tests ran to their end; where they did not, why."""

from __future__ import annotations

import re
import shlex
import signal
from collections.abc import Sequence

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.measure import Measurement

_ERROR = re.compile(r"\AERROR: |: error: |\A(?:E +)?[\w.]*(?:Error|Exception|Interrupt|Warning): ")
_WHY = {
    2: "was interrupted",
    3: "met an internal error",
    4: "was used wrongly: an option or a path is not known",
    5: "found no test to run",
}


def trouble(measured: Measurement, timeout_s: float) -> Finding | None:
    """Why the run says nothing about coverage; None when it does.

    A test that takes the process down breaks the tree's own rule and is an error. Everything
    else may be the environment's doing: nothing is known.
    """
    tests, ended = measured.tests, measured.ended
    if ended.timed_out:
        return _finding(
            measured,
            f"the tests did not end within {timeout_s:g} s{_during(tests.running)}",
            "make that test end, or raise timeout_s",
        )
    if not tests.started:
        return _finding(
            measured,
            f"pytest did not start ({_left(ended.returncode)}): {_last(measured.tail)}",
            f"make it start by hand in the repository's root: {_command(measured)}",
        )
    if tests.exit is None or (tests.exit in {0, 1} and ended.returncode not in {0, 1}):
        return _finding(
            measured,
            f"the test process ended early ({_left(ended.returncode)}){_during(tests.running)}",
            "keep the tests from ending the process they run in",
            Severity.ERROR,
        )
    if tests.exit in _WHY:
        said = tests.internal[-1] if tests.internal else _last(measured.tail)
        return _finding(
            measured,
            f"pytest {_WHY[tests.exit]}: {said}",
            "correct the command, its paths or the repository's pytest settings",
        )
    if tests.exit not in {0, 1}:
        return _finding(
            measured,
            f"pytest ended with exit code {tests.exit}, which is none of its own",
            "keep plugins from changing the exit code in this run",
        )
    return None


def _finding(
    measured: Measurement, message: str, remedy: str, severity: Severity = Severity.UNKNOWN
) -> Finding:
    return Finding(
        rules.TESTS_DID_NOT_RUN,
        printable(message),
        severity,
        remedy=remedy,
        evidence={
            "command": _command(measured),
            "exit": measured.ended.returncode,
            "last_lines": [printable(line) for line in measured.tail],
        },
    )


def _command(measured: Measurement) -> str:
    return printable(shlex.join(["python", *measured.command]))


def _during(running: Sequence[str]) -> str:
    return f" during {', '.join(running)}" if running else ""


def _last(tail: Sequence[str]) -> str:
    errors = [line for line in tail if _ERROR.search(line)]
    return (errors or tail or ["it printed nothing"])[-1]


def _left(returncode: int) -> str:
    if returncode < 0:
        try:
            return f"killed by {signal.Signals(-returncode).name}"
        except ValueError:
            return f"killed by signal {-returncode}"
    return f"exit status {returncode}"
