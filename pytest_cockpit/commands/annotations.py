"""Reports as workflow commands of GitHub, which shows them beside the lines of a change."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding, Report, Severity
from pytest_cockpit.records.text import one_line

_SHOWN = 10
"""GitHub shows so many annotations of each level from one step."""

_LEVEL = {
    Severity.ERROR: "error",
    Severity.UNKNOWN: "error",
    Severity.WARNING: "warning",
    Severity.INFO: "notice",
}


def text(gate: str, report: Report) -> str:
    """One command for each finding, then the headline."""
    lines = [*_commands(report), f"{gate}: {report.verdict.name}: {_quiet(report.summary)}"]
    return "".join(f"{line}\n" for line in lines)


def _commands(report: Report) -> Iterator[str]:
    for level in dict.fromkeys(_LEVEL.values()):
        found = [item for item in report.findings if _LEVEL[item.severity] == level]
        shown = found if len(found) <= _SHOWN else found[: _SHOWN - 1]
        yield from (_command(level, finding) for finding in shown)
        if len(found) > len(shown):
            yield f"::{level}::and {len(found) - len(shown)} more, told by --format text"


def _command(level: str, finding: Finding) -> str:
    properties = {"file": finding.path, "line": finding.line, "title": finding.rule}
    told = ",".join(
        f"{key}={_escaped(str(value)).replace(':', '%3A').replace(',', '%2C')}"
        for key, value in properties.items()
        if value is not None
    )
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return f"::{level} {told}::{_escaped(one_line(f'{finding.message}{remedy}'))}"


def _escaped(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _quiet(text: str) -> str:
    """A line in which the older spelling of a command is none."""
    return one_line(text).replace("##[", "##\\[")
