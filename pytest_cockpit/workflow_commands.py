"""Findings as workflow commands of GitHub, which shows them beside the lines of a change."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from pytest_cockpit.api import Finding, Report, Severity
from pytest_cockpit.records import limits
from pytest_cockpit.records.text import one_line, printable

_LEVELS = {
    Severity.ERROR: "error",
    Severity.UNKNOWN: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}
_ORDER = tuple(_LEVELS)
_TITLE, _MESSAGE = 200, 2_000


def commands(
    reports: Mapping[str, Report],
    *,
    rest: str,
    here: Mapping[str, str] | None = None,
    changed: Container[str] = (),
) -> Iterator[str]:
    """Workflow commands for findings, the worst first, and in words how many there are more.

    Parameters
    ----------
    rest: where the others are, in words.
    here: the path that a file of the judged tree has in the one that people see, where another.
    changed: the files in which a finding without bearing is worth a notice.
    """
    found = [
        each
        for _, report in sorted(reports.items())
        for each in report.findings
        if each.severity is not Severity.INFO or each.path in changed
    ]
    found.sort(key=lambda each: (_ORDER.index(each.severity), each.path is None))
    for level in dict.fromkeys(_LEVELS.values()):
        of_level = [each for each in found if _LEVELS[each.severity] == level]
        for finding in of_level[: limits.ANNOTATIONS]:
            yield _command(level, finding, here or {})
        more = len(of_level) - limits.ANNOTATIONS
        if more > 0:
            said = f"{level} is" if more == 1 else f"{level}s are"
            yield f"cockpit: {more} more {said} not annotated: {rest}"


def _command(level: str, finding: Finding, here: Mapping[str, str]) -> str:
    path = None if finding.path is None else here.get(finding.path, finding.path)
    properties = {
        "file": None if path is None else one_line(printable(path)),
        "line": finding.line if path else None,
        "title": limits.short(one_line(finding.rule), _TITLE),
    }
    told = ",".join(
        f"{name}={_escaped(str(value), ':,')}" for name, value in properties.items() if value
    )
    lines = [one_line(printable(finding.message))]
    if finding.remedy:
        lines.append(f"Remedy: {one_line(printable(finding.remedy))}")
    text = limits.short("\n".join(lines), _MESSAGE)
    return f"::{level} {told}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """Text as data of a workflow command, in which no further command can begin."""
    for char in ("%", "\r", "\n", *more):
        text = text.replace(char, f"%{ord(char):02X}")
    return text


def inert(text: str) -> str:
    """One line in which the older spelling of a command, found anywhere in a line, is none."""
    return one_line(text).replace("##[", "##\\[")
