"""The uncovered lines that matter, with their source: changed ones first, then newly missing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from pytest_cockpit.api import Finding
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.model import FileCoverage, spans

_WIDTH = 120
_IN_A_LINE = 60
_TOLD = {
    rules.MORE_LINES,
    rules.MORE_BRANCHES,
    rules.MORE_EXCLUDED,
    rules.NEW_FILE,
    rules.PATCH,
    rules.BELOW_TARGET,
}


def numbers(finding: Finding, now: FileCoverage) -> list[int]:
    """The lines that a finding about coverage is about, the most telling first."""
    if finding.rule not in _TOLD:
        return []
    told = finding.evidence
    shown = told.get("newly_uncovered") or told.get("uncovered") or told.get("by") or ""
    listed = {line for first, last in spans(shown) for line in range(first, last + 1)}
    counted = {*now.missing, *now.escapes}
    about = [line for line in sorted(listed) if line in counted]
    if not about:
        about = [line for line, _ in now.untaken]
    changed = set(now.patch)
    return sorted(about, key=lambda line: (line not in changed, line))


def source(root: Path, path: str) -> list[str]:
    """The lines of a file of the tree; none where it cannot be read."""
    try:
        text = (root / path).read_bytes().decode("utf-8", "replace")
    except OSError:
        return []
    return text.splitlines()


def rows(lines: list[str], wanted: list[int], changed: tuple[int, ...]) -> Iterator[str]:
    """Number and text of each wanted line; a plus marks those that changed."""
    for number in wanted:
        if 0 < number <= len(lines):
            mark = "+" if number in changed else " "
            yield f"{mark}{number:6}  {one_line(lines[number - 1].expandtabs())[:_WIDTH]}".rstrip()


def with_source(finding: Finding, root: Path, files: Mapping[str, FileCoverage]) -> Finding:
    """The finding with the most telling of its lines in the message, and its number as `line`."""
    now = files.get(finding.path or "")
    wanted = numbers(finding, now) if now is not None else []
    text = source(root, finding.path or "") if wanted else []
    if not wanted or wanted[0] > len(text):
        return finding
    shown = one_line(text[wanted[0] - 1].strip())
    if len(shown) > _IN_A_LINE:
        shown = f"{shown[:_IN_A_LINE]}…"
    return replace(
        finding,
        line=wanted[0],
        message=f"{finding.message}; line {wanted[0]}: {shown}",
    )
