"""What a pipeline tells a session, and shows of it: the job summary, a code quality report."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import Finding, Report, Severity
from pytest_cockpit.records import limits
from pytest_cockpit.records.text import one_line, printable, sha256

_MESSAGE = 2_000
_EVENT = 16 * 1024 * 1024
_MERGE = re.compile(r"refs/pull/([1-9]\d{0,9})/(?:merge|head)")
_QUEUE = re.compile(r"/pr-([1-9]\d{0,9})-[0-9a-f]+\Z")
_NUMBER = re.compile(r"[1-9]\d{0,9}")
_RUN = re.compile(r"https://[A-Za-z0-9.:-]+/[\w.-]+/[\w.-]+/actions/runs/\d+")
_SEVERITIES = {
    Severity.ERROR: "major",
    Severity.UNKNOWN: "minor",
    Severity.WARNING: "minor",
    Severity.INFO: "info",
}

Variables = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Pipeline:
    """The pipeline that a session runs in, as far as its variables tell.

    Parameters
    ----------
    github: whether GitHub Actions reads what is printed.
    gitlab: whether it is one of GitLab.
    any: whether it is a pipeline at all.
    summary: the file of the job summary.
    run: the address of the run.
    """

    github: bool = False
    gitlab: bool = False
    any: bool = False
    summary: Path | None = None
    run: str | None = None

    @classmethod
    def of(cls, variables: Variables) -> Pipeline:
        """The pipeline of these variables."""
        named = variables.get("GITHUB_STEP_SUMMARY", "")
        address = "{GITHUB_SERVER_URL}/{GITHUB_REPOSITORY}/actions/runs/{GITHUB_RUN_ID}".format_map(
            _Known(variables)
        )
        gitlab = variables.get("GITLAB_CI") == "true"
        job = variables.get("CI_JOB_URL", "") if gitlab else address
        return cls(
            github=variables.get("GITHUB_ACTIONS") == "true",
            gitlab=gitlab,
            any=variables.get("CI", "").lower() in {"true", "1"},
            summary=Path(named) if named else None,
            run=job if _RUN.fullmatch(job) or (gitlab and _is_plain(job)) else None,
        )


class _Known(dict[str, str]):
    """Variables, of which those that are not set are empty."""

    def __missing__(self, key: str) -> str:
        return ""


def _is_plain(address: str) -> bool:
    return re.fullmatch(r"https?://[\w.:/-]+", address) is not None


def pull_request(variables: Variables) -> int | None:
    """The pull or merge request under test; None where there is none, or nobody says so."""
    found = _MERGE.fullmatch(variables.get("GITHUB_REF", ""))
    if found:
        return int(found[1])
    internal = variables.get("CI_MERGE_REQUEST_IID", "")
    if _NUMBER.fullmatch(internal):
        return int(internal)
    return _of_event(_event(variables.get("GITHUB_EVENT_PATH", "")))


def _event(name: str) -> Any:
    """The event that started the run; None where it cannot be read."""
    if not name:
        return None
    try:
        with Path(name).open("rb") as stream:
            return json.loads(stream.read(_EVENT))
    except (OSError, ValueError, RecursionError):
        return None


def _of_event(event: Any) -> int | None:
    if not isinstance(event, dict):
        return None
    request, queue = event.get("pull_request"), event.get("merge_group")
    number = request.get("number") if isinstance(request, dict) else None
    if isinstance(number, int) and not isinstance(number, bool) and number > 0:
        return number
    head = queue.get("head_ref") if isinstance(queue, dict) else None
    found = _QUEUE.search(head) if isinstance(head, str) else None
    return int(found[1]) if found else None


def add_summary(path: Path, text: str, rest: str) -> str | None:
    """Add Markdown to what the step has in its summary so far; why it is not all there, if so.

    A summary beyond its limit is not shown at all, so the text is cut to the room that is left.
    """
    try:
        there = path.stat().st_size if path.exists() else 0
        room = limits.SUMMARY - there
        kept = limits.cut(text, max(0, room), size=limits.octets, rest=rest)
        with path.open("ab") as stream:
            stream.write(kept.encode("utf-8", "replace"))
    except OSError as error:
        return f"the job summary was not written: {error.strerror}"
    if kept == text:
        return None
    return f"the job summary was cut to its limit of {limits.SUMMARY:,} bytes: {rest}"


def code_quality(reports: Mapping[str, Report], here: Mapping[str, str]) -> list[dict[str, Any]]:
    """The findings as GitLab's Code Quality report, which shows them in the merge request."""
    rows: list[dict[str, Any]] = []
    for gate, report in sorted(reports.items()):
        for finding in report.findings:
            path = finding.path and here.get(finding.path, finding.path)
            if path:
                rows.append(_quality(gate, finding, printable(path)))
    return _unique(rows)


def _quality(gate: str, finding: Finding, path: str) -> dict[str, Any]:
    said = limits.short(one_line(printable(finding.message)), _MESSAGE)
    named = "\0".join((gate, finding.rule, path, finding.pointer or "", said))
    return {
        "description": said,
        "check_name": finding.rule,
        "fingerprint": sha256(named.encode()),
        "severity": _SEVERITIES[finding.severity],
        "location": {"path": path, "lines": {"begin": finding.line or 1}},
    }


def _unique(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    return list({row["fingerprint"]: row for row in rows}.values())
