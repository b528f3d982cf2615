"""The words of a batch: its commit message and the body of its pull request."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from pytest_cockpit.api import Report
from pytest_cockpit.promotion import figures
from pytest_cockpit.promotion.batch import Staged
from pytest_cockpit.promotion.burst import Progress
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.records import limits, waiving
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.markdown import code, plain
from pytest_cockpit.records.text import count as _count
from pytest_cockpit.records.text import one_line

_LISTED = 100
_NAMED = 5
# Of one gate's page; a forge takes about four times as much of a whole text.
_PAGE = 16_000
_REST = "the gate's page among the session's artifacts has them"


def commit_message(plan: Plan, staged: Staged, reports: Mapping[str, Report]) -> str:
    """Subject, Problem / Solution / Impact, and trailers a machine can read back."""
    header, count = plan.header, len(plan.moves)
    lane = header.lane["path"]
    left = header.counts["lane"] - count
    root = header.lane["root"]
    followed = count - len(staged.unfollowed)
    solution = (
        f"Solution: move them to {'the top level' if root == '.' else root}, {followed} of {count} "
        f"with a history that git follows; {_files(len(staged.edited))} rewritten, "
        f"{_count(len(staged.shims), 'shim')} left at old paths, "
        f"{_count(len(staged.reported), 'mention')} reported and left alone."
    )
    old = "old import paths are gone."
    if staged.shims:
        seen = "imports" in reports and reports["imports"].verdict.opens
        old = f"old imports go through shims{', seen giving the same modules' if seen else ''}."
    body = [
        f"promote({_scope(plan)}): {_files(count)} out of {lane} (batch {header.batch_id})",
        "",
        f"Problem: {_files(count)} waited in {lane}/ and could be used only through it.",
        solution,
        f"Impact: {_files(left)} {_remain(left)} in the lane; {old}",
        "",
        f"Batch-Id: {header.batch_id}",
        f"Plan-Sha256: {plan.sha256}",
    ]
    body += [f"Gate-{name.title()}: {report.verdict}" for name, report in sorted(reports.items())]
    body += waiver_trailers(reports)
    return "\n".join(body) + "\n"


def waiver_trailers(reports: Mapping[str, Report]) -> list[str]:
    """One trailer for each waiver without which these reports would be red."""
    return [
        one_line(f"Waiver: {row['id']} ({row['owner']}, {row['expires']})")
        for row in sorted(
            {row["id"]: row for _, row in _waived(reports)}.values(), key=lambda row: str(row["id"])
        )
    ]


def pull_request_body(
    plan: Plan, staged: Staged, reports: Mapping[str, Report], pages: Mapping[str, str]
) -> str:
    """Markdown for the draft pull request: numbers from this session's artifacts only.

    `pages` is what gates say in Markdown of their own.
    """
    moves = "\n".join(
        f"| {code(move.source)} | {code(move.target)} | {plain(because)} |"
        for move, because in ((row.move, row.because) for row in plan.moves)
    )
    refused = Counter(refusal.rule for refusal in plan.refusals)
    files = {rule: [it.source for it in plan.refusals if it.rule == rule] for rule in refused}
    reasons = "\n".join(
        f"- {rule}: {number}, {_named(files[rule])}" for rule, number in refused.most_common()
    )
    return (
        f"## Batch {plan.header.batch_id}\n\n"
        f"{_files(len(plan.moves))} from {code(plan.header.lane['path'])}, planned from "
        f"{plan.header.base}; plan sha256 `{plan.sha256}`.\n\n"
        f"### Gates\n\n{gate_table(reports)}\n\n"
        f"{waiver_table(reports)}{_below(pages)}"
        f"### Moves\n\n| from | to | because |\n|---|---|---|\n{moves}\n\n"
        f"### Not moved\n\n{reasons or 'Nothing was refused.'}\n\n"
        f"### Mentions left for a person\n\n{_mentions(staged)}\n"
    )


def gate_table(reports: Mapping[str, Report]) -> str:
    """What each gate said."""
    rows = [
        f"| {name} | {report.verdict} | {report.checked} | {plain(report.summary)} |"
        for name, report in sorted(reports.items())
    ]
    return "\n".join(["| gate | verdict | checked | summary |", "|---|---|---|---|", *rows])


def waiver_table(reports: Mapping[str, Report]) -> str:
    """A section of Markdown on what was waived; empty where nothing was."""
    rows = [
        f"| {gate} | {code(row['rule'])} | {row['findings']} | {code(row['id'])} | "
        f"{plain(row['owner'])} | {row['expires']} | {plain(row['reason'])} |\n"
        for gate, row in _waived(reports)
    ]
    if not rows:
        return ""
    head = "| gate | rule | findings | waiver | owner | until | reason |"
    return f"### Waivers\n\n{head}\n{'|---' * 7}|\n{''.join(rows)}\n"


def _waived(reports: Mapping[str, Report]) -> list[tuple[str, dict[str, Any]]]:
    return [(name, row) for name, report in sorted(reports.items()) for row in waiving.used(report)]


def burst_body(progress: Progress, pages: Mapping[str, str]) -> str:
    """Markdown for the one pull request of a burst: its batches, and what each checkpoint saw.

    `pages` is what gates said in Markdown of their own at the last one.
    """
    options = progress.options
    batches = "\n".join(
        f"| {batch.number} | {batch.batch_id} | {batch.files} | {batch.commit[:12]} |"
        for batch in progress.batches
    )
    gates = sorted({name for point in progress.checkpoints for name in point.verdicts})
    head = "".join(f" {name} |" for name in gates)
    rows = "\n".join(
        f"| {point.number} | {point.files} | {point.commit[:12]} |"
        + "".join(f" {point.verdicts.get(name, 'not run')} |" for name in gates)
        for point in progress.checkpoints
    )
    changes = "\n".join(
        f"| {' | '.join(cells)} |" for cells in figures.rows(progress.checkpoints, progress.lane)
    )
    last = progress.checkpoints[-1]
    said = "\n".join(f"- {name}: {plain(text)}" for name, text in sorted(last.summaries.items()))
    return (
        f"## Burst {progress.burst_id}\n\n"
        f"{_files(progress.files)} of {options.target} in {_count(len(progress.batches), 'commit')}"
        f", from {progress.base}. {_files(progress.lane - progress.files)} of {progress.lane} "
        f"{_remain(progress.lane - progress.files)} in the lane.\n\n"
        f"### Batches\n\n| batch | id | files | commit |\n|---|---|---|---|\n{batches}\n\n"
        f"### Checkpoints\n\n| checkpoint | files | commit |{head}\n"
        f"|---|---|---|{'---|' * len(gates)}\n{rows}\n\n"
        f"At the last one:\n\n{said}\n\n"
        "### Changes\n\n"
        "| checkpoint | files in the lane | missing lines | contracts with errors "
        "| import failures |\n|---|---|---|---|---|\n"
        f"{changes}\n\n"
        "Missing lines are held against the baseline; imports are those that each checkpoint "
        f"tried.\n\n{_below(pages)}"
    )


def _below(pages: Mapping[str, str]) -> str:
    """The gates' own pages, their headings two levels down."""
    lowered = (_lowered(pages[name]).strip() for name in sorted(pages))
    kept = (limits.cut(page, _PAGE, size=limits.characters, rest=_REST) for page in lowered)
    return "".join(f"{page.strip()}\n\n" for page in kept)


def _lowered(page: str) -> str:
    # A fence may hold comments that look like headings.
    pieces = re.split(r"(^```.*?^```)", page, flags=re.MULTILINE | re.DOTALL)
    return "".join(
        piece if index % 2 else re.sub(r"^(#+ )", r"##\1", piece, flags=re.MULTILINE)
        for index, piece in enumerate(pieces)
    )


def _mentions(staged: Staged) -> str:
    lines = [
        f"- {code(f'{item.path}:{item.line}')} {plain(item.why)}"
        for item in staged.reported[:_LISTED]
    ]
    if len(staged.reported) > len(lines):
        lines.append(f"- and {len(staged.reported) - len(lines)} more in the summary artifact")
    return "\n".join(lines) or "None."


def _scope(plan: Plan) -> str:
    lane = PurePosixPath(plan.header.lane["path"])
    heads = Counter(
        PurePosixPath(row.move.source).relative_to(lane).parts[0].removesuffix(".py")
        for row in plan.moves
    )
    names = [printable(name) for name, _ in heads.most_common(3)]
    return ",".join(names) + (",…" if len(heads) > len(names) else "")


def _remain(number: int) -> str:
    return "remains" if number == 1 else "remain"


def _files(number: int) -> str:
    return _count(number, "file")


def _named(paths: Sequence[str]) -> str:
    more = f" and {len(paths) - _NAMED} more" if len(paths) > _NAMED else ""
    return ", ".join(map(code, paths[:_NAMED])) + more
