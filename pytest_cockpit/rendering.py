"""Reports as text; the checking lives elsewhere."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import Finding, Report, Severity, Verdict
from pytest_cockpit.records.text import one_line

_ORDER = (Severity.ERROR, Severity.UNKNOWN, Severity.WARNING, Severity.INFO)


def report_text(gate: str, report: Report, *, limit: int = 20) -> str:
    """A gate's report for a terminal: one headline, then its findings, worst first.

    Parameters
    ----------
    limit: findings shown; the number left out is said. The artifact holds them all.
    """
    lines = [f"{gate}: {report.verdict.name}: {report.summary}"]
    shown = [item for item in report.findings if item.severity is not Severity.INFO]
    shown.sort(key=lambda item: (_ORDER.index(item.severity), item.path or "", item.line or 0))
    for finding in shown[:limit]:
        lines += finding_lines(finding)
    if len(shown) > limit:
        lines.append(f"  … and {len(shown) - limit} more findings in the gate's artifact")
    if report.verdict is Verdict.ERROR:
        lines += [f"  {key}: {value}" for item in report.evidence for key, value in _plain(item)]
    return "\n".join(lines)


def finding_lines(finding: Finding) -> list[str]:
    """One finding: where, what, by which rule; then the remedy."""
    where = f"{one_line(_where(finding))}: " if finding.where else ""
    mark = "" if finding.severity is Severity.ERROR else f"{finding.severity}: "
    lines = [f"  {mark}{where}{one_line(finding.message)} [{finding.rule}]"]
    if finding.remedy:
        lines.append(f"      remedy: {one_line(finding.remedy)}")
    return lines


def _where(finding: Finding) -> str:
    """Where a finding is; the key of a document as well, which a line alone may not tell."""
    if finding.line is None or not finding.pointer:
        return finding.where
    return f"{finding.where} at {finding.pointer}"


def table(rows: Iterable[Sequence[str]]) -> list[str]:
    """Left-aligned columns, as wide as their widest cell."""
    grid = [tuple(row) for row in rows]
    widths = [max(len(cell) for cell in column) for column in zip(*grid, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in grid
    ]


def _plain(evidence: object) -> list[tuple[str, str]]:
    data = getattr(evidence, "data", {})
    return [(str(key), str(value)) for key, value in data.items() if key in ("stderr", "error")]
