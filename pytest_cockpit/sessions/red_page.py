"""What a session found, for people: Markdown of a red one's document, and of any record."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.markdown import code, fenced, plain

_ROWS = 200
_EMPTY = ("", "[]", "{}", "null")

Document = Mapping[str, Any]


def page(document: Document, *, run: str | None = None) -> str:
    """A red session: the gates that are shut, what to do, what they saw."""
    lines = [f"## {title(document)}", ""]
    lines += [*_verdicts(document), "", *_plan(document)]
    for gate in document["gates"]:
        lines += ["", *_excerpt(gate)]
    if run:
        lines += ["", f"[The run that says so]({run})"]
    return "\n".join(lines) + "\n"


def title(document: Document) -> str:
    """What is red, in one line."""
    what = _subject(document["mode"], document["batch_id"])
    shut = [gate["gate"] for gate in document["gates"]]
    if not shut:
        return f"{what} stopped at {plain(document['steps'][0]['name'])}"
    return f"{what} is red: {', '.join(shut)}"


def green(record: Mapping[str, Any], *, run: str | None = None) -> str:
    """A session that is green again."""
    what = _subject(record["mode"], record["batch_id"])
    lines = [f"## {what} is green again", "", *_table(record)]
    if run:
        lines += ["", f"[The run that says so]({run})"]
    return "\n".join(lines) + "\n"


def summary(record: Mapping[str, Any], document: Document | None) -> str:
    """Any session: its gates, its totals, and below that why it is red."""
    verdict = _verdict(record)
    what = _subject(record["mode"], record["batch_id"])
    lines = [f"## {what}: {verdict}", "", *_table(record), "", _totals(record)]
    lines += _waivers(record)
    if document is not None:
        lines += ["", *_steps(document), *_plan(document)]
        for gate in document["gates"]:
            lines += ["", *_excerpt(gate)]
    artifacts = [row["path"] for row in record["artifacts"]][:_ROWS]
    if artifacts:
        lines += ["", f"Artifacts: {', '.join(map(code, artifacts))}"]
    return "\n".join(lines) + "\n"


def _subject(mode: str, batch_id: str | None) -> str:
    if mode == "gates":
        return "The working tree"
    return mode.capitalize() + (f" {code(batch_id)}" if batch_id else "")


def _verdict(record: Mapping[str, Any]) -> str:
    totals = record["totals"]
    found = [Verdict(name) for name, number in totals.items() if number]
    worst = Verdict.worst(found)
    if worst.opens and record["exit_status"]:
        return Verdict.FAIL.value
    return worst.value


def _table(record: Mapping[str, Any]) -> Iterator[str]:
    rows = [row for row in record["items"] if row["kind"] == "gate"]
    if not rows:
        return
    yield "| gate | verdict | |"
    yield "|---|---|---|"
    for row in rows[:_ROWS]:
        name = str(row["name"]).replace("gate:", "")
        yield f"| {plain(name)} | {row['verdict']} | {plain(row['summary'])} |"
    if len(rows) > _ROWS:
        yield f"| {len(rows) - _ROWS} more | | |"


def _totals(record: Mapping[str, Any]) -> str:
    """Every verdict with its number: an unknown or a skip is never left unsaid."""
    totals = record["totals"]
    told = ", ".join(f"{totals[verdict.value]} {verdict.value}" for verdict in Verdict)
    ran = sum(totals.values())
    rest = record["planned"] - ran
    return f"{ran} of {record['planned']} steps: {told}" + (f"; {rest} did not run" if rest else "")


def _waivers(record: Mapping[str, Any]) -> Iterator[str]:
    for row in record["waivers"][:_ROWS]:
        yield ""
        yield (
            f"Waived in {plain(row['gate'])}: {row['findings']} of {code(row['rule'])} by "
            f"{code(row['id'])} until {plain(row['expires'])}: {plain(row['reason'])}"
        )


def _verdicts(document: Document) -> Iterator[str]:
    if document["gates"]:
        yield "| gate | verdict | |"
        yield "|---|---|---|"
    for gate in document["gates"]:
        yield f"| {gate['gate']} | {gate['verdict']} | {plain(gate['summary'])} |"
    if document["steps"]:
        yield ""
    yield from _steps(document)


def _steps(document: Document) -> Iterator[str]:
    for step in document["steps"]:
        yield f"- {plain(step['name'])}: {step['verdict']}: {plain(step['message'])}"


def _plan(document: Document) -> Iterator[str]:
    actions: Sequence[Document] = document["actions"]
    if not actions:
        return
    number, covered = document["findings"], document["covered"]
    yield "### What to do"
    yield ""
    yield f"{covered} of {number} findings answered; the least effort for the most findings first."
    yield ""
    for place, action in enumerate(actions, 1):
        yield from _action(place, action)
    if document["actions_left_out"]:
        yield ""
        yield f"{document['actions_left_out']} more actions are not listed."
    if document["patch"]:
        yield ""
        yield "The patches that go together, at once:"
        yield ""
        yield fenced(f"git apply {shlex.quote(document['patch'])}", "console")


def _action(place: int, action: Document) -> Iterator[str]:
    where = action["file"]
    at = f"{where}:{action['line']}" if where and action["line"] else where
    named = f"{code(at)}: " if at else ""
    ids = ", ".join(action["because"][:3]) + (", …" if action["covers"] > 3 else "")  # noqa: PLR2004 - the first three
    many = f"{action['covers']} findings" if action["covers"] > 1 else "1 finding"
    remedy = "" if action["computed"] else " (the finding's own remedy)"
    yield f"{place}. {named}{plain(action['detail'])}{remedy} ({many}: {ids})"
    if action["command"]:
        yield ""
        yield from _indented(fenced(action["command"], "console"))
    if action["diff"]:
        yield ""
        yield from _indented(fenced(action["diff"].rstrip("\n"), "diff"))
    if action["command"] or action["diff"]:
        yield ""


def _indented(block: str) -> Iterator[str]:
    # Within an item of a list that is counted to at most two digits.
    return (f"    {line}" for line in block.split("\n"))


def _excerpt(gate: Document) -> Iterator[str]:
    if not gate["excerpt"]:
        return
    yield f"### What {gate['gate']} saw"
    yield ""
    for row in gate["excerpt"]:
        yield from _finding(row)
    rest = f"{gate['left_out']} more in " if gate["left_out"] else "All of it: "
    if gate["artifact"]:
        yield ""
        yield f"{rest}{code(gate['artifact'])}"


def _finding(row: Document) -> Iterator[str]:
    at = row["path"]
    if at and row["line"]:
        at = f"{at}:{row['line']}"
    elif at and row["pointer"]:
        at = f"{at}#{row['pointer']}"
    named = f"{code(at)}: " if at else ""
    mark = "" if row["severity"] == "error" else f"{row['severity']}: "
    yield f"- {row['id']} {mark}{named}{plain(row['message'])} ({code(row['rule'])})"
    told = [
        f"{plain(key)}: {code(value)}"
        for key, value in row["evidence"].items()
        if value not in _EMPTY
    ]
    if told:
        yield f"  <br>{'; '.join(told)}"
