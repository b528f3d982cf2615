"""What a pull request says: a title, a page of Markdown, and one verdict for each gate."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit import rendering
from pytest_cockpit.api import Finding, Report, Severity, Verdict
from pytest_cockpit.forge.api import Annotation, Check, Level, State
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.burst import Progress
from pytest_cockpit.promotion.message import burst_body
from pytest_cockpit.records.markdown import code, fenced
from pytest_cockpit.records.text import one_line, printable

_TRAILER = re.compile(rf"Gate-([A-Za-z0-9_-]+): ({'|'.join(Verdict)})")
_STATE = {
    Verdict.PASS: State.SUCCESS,
    Verdict.WARN: State.SUCCESS,
    Verdict.SKIP: State.NEUTRAL,
}
_LEVEL = {
    Severity.ERROR: Level.FAILURE,
    Severity.UNKNOWN: Level.WARNING,
    Severity.WARNING: Level.WARNING,
    Severity.INFO: Level.NOTICE,
}
# Annotations of one gate; nobody reads more, and the artifact has them all.
_SHOWN = 200


@dataclass(frozen=True, slots=True)
class Said:
    """One gate's verdict in short, with the report where this session has it.

    `summary` is empty where only the verdict is known.
    """

    verdict: Verdict
    summary: str
    report: Report | None = None


@dataclass(frozen=True, slots=True)
class Letter:
    """What is to be told of a sealed commit.

    Parameters
    ----------
    body: Markdown.
    rest: where the whole body lies, for when the forge takes only a part of it.
    gates: what each gate said of the commit, by name.
    """

    title: str
    body: str
    rest: str
    gates: Mapping[str, Said]

    def checks(self, context: str, subject: str) -> tuple[Check, ...]:
        """One check for each gate, and one in all under the context's own name.

        The total comes last: whoever waits for it finds the others there.
        """
        made = [_check(f"{context}/{name}", said) for name, said in sorted(self.gates.items())]
        counts = Counter(said.verdict for said in self.gates.values())
        totals = ", ".join(f"{counts[verdict]} {verdict}" for verdict in Verdict if counts[verdict])
        green = bool(counts) and all(said.verdict in _STATE for said in self.gates.values())
        state = State.SUCCESS if green and counts[Verdict.SKIP] < counts.total() else State.FAILURE
        summary = f"{subject}: {totals or 'no gate judged it'}"
        return (*made, Check(context, state, summary))


def trailers(message: str) -> list[str]:
    """The lines of a commit message's last paragraph."""
    return message.rstrip().rpartition("\n\n")[2].split("\n")


def of_commit(
    repository: Repository, commit: str, reports: Mapping[str, Report], body: str | None, rest: Path
) -> Letter:
    """The letter of a commit that carries its verdicts in its trailers.

    Parameters
    ----------
    reports: what this session's gates said; empty when it only finishes what an earlier one began.
    body: None for what the earlier session wrote to `rest`, or else the commit's own message.
    """
    raw = repository.run("log", "-1", "--format=%B", commit).stdout.decode("utf-8", "replace")
    title, _, message = raw.strip().partition("\n")
    found = filter(None, map(_TRAILER.fullmatch, trailers(message)))
    gates = {each[1].lower(): Said(Verdict(each[2]), "") for each in found}
    gates |= {name: _said(report) for name, report in reports.items()}
    text = (
        body if body is not None else _kept(rest, message) or f"{fenced(message.strip(), 'text')}\n"
    )
    return Letter(title, text, code(rest.relative_to(repository.root).as_posix()), gates)


def of_burst(progress: Progress, pages: Mapping[str, str], rest: str, failure: str = "") -> Letter:
    """The letter of a burst as far as its checkpoints vouch for it.

    Parameters
    ----------
    failure: Markdown on why it went no further; empty where nothing stopped it.
    """
    last = progress.checkpoints[-1]
    gates = {
        name: Said(Verdict(verdict), last.summaries.get(name, ""))
        for name, verdict in last.verdicts.items()
    }
    halted = ", halted" if failure else ""
    files, batches = progress.files, len(progress.batches)
    title = (
        f"promote: {files} file{'' if files == 1 else 's'} in {batches} "
        f"batch{'' if batches == 1 else 'es'} (burst {progress.burst_id}{halted})"
    )
    body = burst_body(progress, pages).rstrip() + "\n"
    return Letter(title, f"{failure.strip()}\n\n{body}" if failure else body, rest, gates)


def _said(report: Report) -> Said:
    return Said(report.verdict, report.summary, report)


def _kept(path: Path, message: str) -> str | None:
    """What an earlier session wrote of the same subject."""
    found = re.search(r"^Batch-Id: (\S+)$", message, re.MULTILINE)
    if found is None or path.is_symlink() or not path.is_file():
        return None
    text = path.read_text(encoding="utf-8", errors="replace")
    return text if text.partition("\n")[0].endswith(f" {found[1]}") else None


def _check(name: str, said: Said) -> Check:
    state = _STATE.get(said.verdict, State.FAILURE)
    summary = f"{said.verdict}: {said.summary}" if said.report else said.summary
    report = said.report
    if report is None or not report.findings:
        return Check(name, state, printable(summary))
    text = fenced(rendering.report_text(name, report), "text")
    return Check(name, state, printable(summary), text, tuple(_annotations(report.findings)))


def _annotations(findings: Iterable[Finding]) -> list[Annotation]:
    return [
        Annotation(
            path=finding.path,
            line=finding.line or 1,
            level=_LEVEL[finding.severity],
            title=finding.rule,
            message=one_line(
                f"{finding.message}; {finding.remedy}" if finding.remedy else finding.message
            ),
        )
        for finding in findings
        # A name that is no UTF-8 has no form that a forge understands.
        if finding.path and printable(finding.path) == finding.path
    ][:_SHOWN]
