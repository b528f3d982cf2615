"""A batch in words: what the terminal and the summary say of its plan and its tree."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit import rendering
from pytest_cockpit.git import Entry
from pytest_cockpit.promotion.batch import Staged
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.records import text
from pytest_cockpit.records.artifacts import printable

_SHOWN = 5

count = text.count


def header(plan: Plan) -> list[str]:
    """What is planned, and which gates judge it."""
    counts, head = plan.header.counts, plan.header
    gates = ", ".join(name if not skip else f"{name} (skipped)" for name, skip in plan.gates)
    planned = (
        f"cockpit: batch {head.batch_id} from {head.base[:12]}: {count(counts['moves'], 'move')}, "
        f"{count(counts['refusals'], 'refusal')}, {count(counts['lane'], 'file')} "
        f"in {head.lane['path']}"
    )
    return [planned, f"cockpit: gates {gates}"]


def plan_table(plan: Plan) -> list[str]:
    """The moves in order, with the reason for each and what there is to know about it."""
    if not plan.moves:
        return []
    rows = [("score", "from", "to", "because")]
    rows += [
        (
            f"{row.score:.3f}",
            printable(row.move.source),
            printable(row.move.target),
            printable("; ".join((row.because, *row.notes))),
        )
        for row in plan.moves
    ]
    return rendering.table(rows)


def refusals(plan: Plan, *, verbose: bool) -> list[str]:
    """What cannot move: numbers by rule, then files with the reason."""
    if not plan.refusals:
        return []
    by_rule = Counter(refusal.rule for refusal in plan.refusals).most_common()
    rules = ", ".join(f"{number} {rule}" for rule, number in by_rule)
    lines = [f"{count(len(plan.refusals), 'file')} refused: {rules}"]
    shown = plan.refusals if verbose else plan.refusals[:_SHOWN]
    lines += [f"  {printable(item.source)}: {item.message} [{item.rule}]" for item in shown]
    if len(shown) < len(plan.refusals):
        lines.append(f"  … {len(plan.refusals) - len(shown)} more; -v or the plan file show all")
    return lines


def nothing_to_move(plan: Plan) -> str:
    """Why a plan has no moves."""
    lane = plan.header.counts["lane"]
    if not lane:
        return "the lane is empty: nothing left to promote"
    return f"nothing can be promoted: {count(lane, 'file')} in the lane, none movable as asked"


def built(plan: Plan, staged: Staged) -> str:
    """What the batch's tree holds."""
    return (
        f"{count(len(plan.moves), 'file')} moved, {count(len(staged.edited), 'file')} rewritten, "
        f"{count(len(staged.shims), 'shim')}; git diff {staged.commit[:12]}^ {staged.commit[:12]}"
    )


def incomplete(lost: Sequence[Entry]) -> str:
    """Why a tree cannot be judged that is not all there."""
    paths = ", ".join(printable(entry.path) for entry in lost[:_SHOWN])
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return (
        f"the content of {count(len(lost), 'file')} is not in the object store: {paths}{more}; "
        "fetch what is missing (git fetch --refetch), or take these files out of the repository"
    )


def history(staged: Staged) -> list[str]:
    """Files whose past git cannot follow through the move."""
    lost = sorted(staged.unfollowed)
    if not lost:
        return []
    names = ", ".join(printable(path) for path in lost[:_SHOWN])
    more = f" and {len(lost) - _SHOWN} more" if len(lost) > _SHOWN else ""
    return [f"history: git log --follow ends at the move for {names}{more}"]


def mentions(staged: Staged, *, verbose: bool) -> list[str]:
    """Mentions of moved names that were left to a person."""
    if not staged.reported:
        return []
    shown = staged.reported if verbose else staged.reported[:_SHOWN]
    lines = [f"{count(len(staged.reported), 'mention')} left for you to judge:"]
    lines += [
        f"  {printable(item.path)}:{item.line}: {printable(item.why)}: {printable(item.text)}"
        for item in shown
    ]
    if len(shown) < len(staged.reported):
        lines.append("  … -v or promotion_batch.summary.json show all")
    return lines


def promoted(plan: Plan, sealed: Mapping[str, str]) -> str:
    """The last line of a sealed batch."""
    branch = sealed["branch"].removeprefix("refs/heads/")
    return f"{count(len(plan.moves), 'file')} promoted: {branch} is {sealed['commit'][:12]}"


def summary_of(plan: Plan, staged: Staged | None) -> dict[str, Any]:
    """The part of the summary artifact that follows from plan and tree."""
    reported = staged.reported if staged else ()
    return {
        "moves": [
            {
                "source": printable(row.move.source),
                "target": printable(row.move.target),
                "history": staged.history.get(row.move.target, (None, None))[1] if staged else None,
            }
            for row in plan.moves
        ],
        "refusals": dict(Counter(refusal.rule for refusal in plan.refusals)),
        "rewritten": len(staged.edited) if staged else 0,
        "reported": [
            {
                "path": printable(item.path),
                "line": item.line,
                "text": printable(item.text),
                "why": printable(item.why),
            }
            for item in reported
        ],
    }
