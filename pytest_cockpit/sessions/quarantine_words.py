"""The sweep of quarantined tests in words: for the terminal, and as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_cockpit.records.markdown import code, fenced, plain
from pytest_cockpit.records.text import one_line

_REMOTE = re.compile(
    r"(?:https?://(?:[^@/\s]*@)?|(?:ssh://)?[\w.-]+@)(?P<host>[\w.-]+)(?::\d+)?[:/]"
    r"(?P<path>[\w./~-]+?)(?:\.git)?/?\Z"
)
_LINK = re.compile(r"https?://[^\s<>|]+")
_ENDED = {
    "exhausted": "all of them were tried",
    "runs": "no run was left",
    "time": "its time was up",
    "no documents": "the test reads no contract or policy",
}
REVIEW = (
    "A difference is a finding to review: widening a policy is a decision about security. "
    "Nothing was applied."
)


def issue_url(issue: str, remote: str | None) -> str | None:
    """A link to the issue; of `#12`, below the repository that the remote names."""
    if _LINK.fullmatch(issue):
        return issue
    found = _REMOTE.match(remote or "")
    if found is None or not issue.startswith("#"):
        return None
    middle = "/-/issues/" if "gitlab" in found["host"] else "/issues/"
    return f"https://{found['host']}/{found['path'].lstrip('/')}{middle}{issue[1:]}"


def tests(count: int) -> str:
    """So many tests."""
    return f"{count} test{'' if count == 1 else 's'}"


def lines(row: Mapping[str, Any]) -> Iterator[str]:
    """A row of the sweep for the terminal."""
    yield row["summary"]
    yield f"  issue {row['issue_url'] or row['issue'] or 'none'}, owner {row['owner'] or 'none'}"
    yield f"  {_time(row)}"
    if row["message"]:
        yield f"  {row['outcome']}: {row['message']}"
    yield from (f"  {line}" for line in _findings(row))
    difference = row["difference"]
    for text in filter(None, (difference["diff"] if difference else "", row["removal"])):
        # A patch is shown as it is, but for what a terminal would obey.
        yield from (f"    {one_line(line.expandtabs())}" for line in text.rstrip("\n").split("\n"))


def markdown(document: Mapping[str, Any]) -> str:
    """The whole sweep."""
    rows = document["tests"]
    told = f"{tests(len(rows))} at {code(document['commit'][:12])}, on {document['day']} (UTC)."
    parts = ["# Tests in quarantine", "", f"{told} {REVIEW}", ""]
    if rows:
        parts += [
            "| test | issue | owner | since | days left | outcome | difference |",
            "|---|---|---|---|---|---|---|",
            *(_row(row) for row in rows),
        ]
    for node_id, message in sorted(document["lost"].items()):
        parts += [f"- {code(node_id)} could not be collected: {plain(message)}"]
    for row in rows:
        parts += _section(row)
    return "\n".join(parts).rstrip("\n") + "\n"


def searched(row: Mapping[str, Any]) -> str:
    """What was searched through without finding anything."""
    search = row["search"]
    ended = _ENDED.get(search["ended"], search["ended"])
    return (
        f"nothing within the bounds makes it pass: {search['singles']} of "
        f"{search['candidates']} single edits and {search['pairs']} pairs tried in "
        f"{search['runs']} runs, {search['wall_s']:.0f} s; {ended}"
    )


def _findings(row: Mapping[str, Any]) -> Iterable[str]:
    difference, search = row["difference"], row["search"]
    if difference:
        told = "; ".join(edit["meaning"] for edit in difference["edits"])
        yield f"it would pass with: {told}"
        others = difference["others"]
        if others:
            counts = ", ".join(f"{count} {word}" for word, count in sorted(others.items()))
            yield f"the rest of its file with that: {counts}; no test that passed fails"
        yield f"found in {search['runs']} runs; to review, not applied"
    elif search:
        yield searched(row)
    if search:
        yield from (f"turned down: {text}" for text in search["harmful"])


def _time(row: Mapping[str, Any]) -> str:
    since = f"since {row['since']}" if row["since"] else "since when, git cannot tell"
    if row["since"]:
        since += f" ({row['commit'][:12]})" if row["commit"] else " (not committed)"
        since += f", {row['age_days']} days"
    left = row["days_left"]
    if left is None:
        return since
    return f"{since}; until {row['expires']}, {_left(left)}"


def _left(left: int) -> str:
    if left < 0:
        return f"expired {-left} day{'s' * (left != -1)} ago"
    return f"{left} day{'s' * (left != 1)} left"


def _row(row: Mapping[str, Any]) -> str:
    issue = plain(row["issue"])
    if row["issue_url"]:
        issue = f"[{issue}](<{row['issue_url']}>)"
    left = "" if row["days_left"] is None else str(row["days_left"])
    difference = row["difference"]
    told = "; ".join(plain(edit["meaning"]) for edit in difference["edits"]) if difference else ""
    if row["removal"] or row["outcome"] == "passed":
        told = "remove the marker"
    cells = (
        code(row["id"]),
        issue,
        plain(row["owner"] or ""),
        row["since"] or "",
        left,
        row["outcome"],
        told or ("none found" if row["search"] else "not searched"),
    )
    return f"| {' | '.join(cells)} |"


def _section(row: Mapping[str, Any]) -> list[str]:
    parts = ["", f"## {code(row['id'])}", "", plain(f"{row['verdict']}: {row['summary']}."), ""]
    parts += [f"- {plain(_time(row))}"]
    if row["message"]:
        parts += [f"- {row['outcome']}: {code(row['message'])}"]
    parts += [f"- {plain(text)}" for text in _findings(row)]
    difference = row["difference"]
    for text in (difference["diff"] if difference else "", row["removal"] or ""):
        if text:
            parts += ["", fenced(text.rstrip("\n"), "diff")]
    return parts
