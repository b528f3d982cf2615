"""A runbook's report for people to read; what it says is computed elsewhere."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit.records.text import count

_LISTED = 20
_UNKNOWN = "unknown"


def of(report: Mapping[str, Any]) -> str:
    """`RUNBOOK_REPORT.md`."""
    return "\n".join(_lines(report)).rstrip() + "\n"


def _lines(report: Mapping[str, Any]) -> Iterator[str]:
    yield f"# Runbook {report['runbook_id']}"
    yield ""
    yield f"From {code(report['base'])}, by the settings {code(report['settings_sha256'])}."
    if report["missing"]:
        yield f"It is not complete: {', '.join(map(code, report['missing']))} did not end."
    yield ""
    yield from _phases(report)
    yield from _verdicts(report)
    yield from _metrics(report["metrics"])
    yield from _tags(report["tags"])
    yield from _files("Created", report["created"])
    yield from _files("Modified", report["modified"])


def _phases(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## Phases"
    yield ""
    yield "| phase | verdict | what it found | seconds | CPU seconds | files | commit |"
    yield "|---|---|---|---|---|---|---|"
    for row in report["phases"]:
        files = f"+{row['created']} ~{row['modified']}"
        yield (
            f"| {code(row['phase'])} | {row['verdict']} | {plain(row['summary'])} | "
            f"{_seconds(row['wall_s'])} | {_seconds(row['cpu_s'])} | {files} | "
            f"{code(row['commit'][:12])} |"
        )
    times = [row["wall_s"] for row in report["phases"]]
    if times and None not in times:
        yield ""
        begun, ended = (report["phases"][index]["at"] for index in (0, -1))
        spent = f"{sum(times):.1f} seconds in these phases"
        yield f"{spent}, the first begun at {begun}, the last at {ended}."
    yield ""


def _verdicts(report: Mapping[str, Any]) -> Iterator[str]:
    yield "## Verdicts"
    yield ""
    yield f"Phases and gates: {_totals(report['totals'])}."
    for name, counts in report["checks"].items():
        yield f"Checkpoint {name}: {_totals(counts)}."
    yield ""
    if report["gates"]:
        yield "| gate | verdict |"
        yield "|---|---|"
        for name, verdict in report["gates"].items():
            yield f"| {code(name)} | {verdict} |"
        yield ""


def _metrics(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Before and after"
    yield ""
    yield "| figure | before | after | change |"
    yield "|---|---|---|---|"
    for row in rows:
        before, after = row["before"], row["after"]
        change = _UNKNOWN if None in (before, after) else _signed(after - before)
        yield f"| {plain(row['name'])} | {_number(before)} | {_number(after)} | {change} |"
    yield ""


def _tags(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    yield "## Tags"
    yield ""
    yield "| tag | freeze | commit |"
    yield "|---|---|---|"
    for row in rows:
        commit = code(row["commit"]) if row["commit"] else "none"
        yield f"| {code(row['tag'])} | {row['freeze']} | {commit} |"
    yield ""


def _files(title: str, paths: Sequence[str]) -> Iterator[str]:
    """The first of some files, and in which folders the others are."""
    yield f"## {title}"
    yield ""
    yield f"{count(len(paths), 'file')}."
    yield ""
    for path in paths[:_LISTED]:
        yield f"- {code(path)}"
    rest = Counter(path.partition("/")[0] for path in paths[_LISTED:])
    if rest:
        named = ", ".join(f"{number:,} in {code(top)}" for top, number in sorted(rest.items()))
        yield f"- and {rest.total():,} more, which the JSON lists: {named}"
    if paths:
        yield ""


def _totals(counts: Mapping[str, int]) -> str:
    return ", ".join(
        f"{counts[verdict]} {verdict}"
        for verdict in Verdict
        if counts[verdict] or verdict in (Verdict.SKIP, Verdict.UNKNOWN)
    )


def _seconds(value: float | None) -> str:
    return "" if value is None else f"{value:.1f}"


def _number(value: float | None) -> str:
    if value is None:
        return _UNKNOWN
    return f"{value:,}" if isinstance(value, int) else f"{value:,.2f}"


def _signed(value: float) -> str:
    if not value:
        return "0"
    return f"{value:+,}" if isinstance(value, int) else f"{value:+,.2f}"
