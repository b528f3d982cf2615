"""The findings and the uncovered lines that matter, for a pull request: short, and only text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit_gates.coverage import excerpt
from pytest_cockpit_gates.coverage.model import FileCoverage

LARGEST = 16_000
"""Characters of all of it: several gates share one comment."""

_LINES = 12
_FILES = 10


def text(
    headline: str,
    findings: Sequence[Finding],
    files: Mapping[str, FileCoverage],
    root: Path,
) -> str:
    """The whole report; what does not fit is counted."""
    telling = [found for found in findings if found.severity is not Severity.INFO]
    parts = [_finding(found, files, root) for found in telling]
    told = {found.path for found in telling}
    parts += _changed(files, told, root)
    shown, left = _fitting(parts)
    lines = ["# Coverage ratchet", "", f"{plain(headline)}.", *shown]
    if left:
        lines += ["", f"And {left} more of this kind in `coverage_ratchet.json`."]
    if not telling:
        lines += ["", "Nothing was lost."]
    return "\n".join(lines) + "\n"


def _fitting(parts: Iterable[list[str]]) -> tuple[list[str], int]:
    """As many whole parts as there is room for, and how many are left out."""
    shown: list[str] = []
    size = left = 0
    for part in parts:
        size += sum(len(line) + 1 for line in part)
        if size <= LARGEST:
            shown += part
        else:
            left += 1
    return shown, left


def _finding(found: Finding, files: Mapping[str, FileCoverage], root: Path) -> list[str]:
    title = code(found.where) if found.where else plain(found.rule)
    lines = ["", f"## {title}", "", f"{code(found.rule)}: {plain(found.message)}"]
    if found.remedy:
        lines += ["", f"Remedy: {plain(found.remedy)}."]
    now = files.get(found.path or "")
    if now is not None:
        lines += _block(root, found.path or "", excerpt.numbers(found, now), now)
    return lines


def _changed(
    files: Mapping[str, FileCoverage], told: Iterable[str | None], root: Path
) -> list[list[str]]:
    """The changed lines that no test executes, of files without a finding."""
    open_files = [
        path for path, now in sorted(files.items()) if now.patch_missing and path not in {*told}
    ]
    parts = []
    for path in open_files[:_FILES]:
        now = files[path]
        title = f"Changed, and executed by no test: {code(path)}"
        parts.append(["", f"## {title}", *_block(root, path, list(now.patch_missing), now)])
    if len(open_files) > _FILES:
        parts.append(["", f"And changed lines of {len(open_files) - _FILES} more files."])
    return parts


def _block(root: Path, path: str, wanted: list[int], now: FileCoverage) -> Iterator[str]:
    """The lines as a code block whose fence no line of it can close."""
    rows = list(excerpt.rows(excerpt.source(root, path), wanted[:_LINES], now.patch))
    if not rows:
        return
    longest = max((len(run) for row in rows for run in re.findall("`+", row)), default=0)
    fence = "`" * max(3, longest + 1)
    yield from ("", f"{fence}text", *rows)
    if len(wanted) > _LINES:
        yield f"   and {len(wanted) - _LINES} more lines"
    yield fence
