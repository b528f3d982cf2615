"""Tags that the ledger has recorded: each still leads where its row says."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit.records.ledger_kinds import TAG
from pytest_cockpit_gates.ledger.rows import Facts

RULE = "ledger.moved-tag"


def judge(facts: Facts, git: Git, path: str) -> Iterator[Finding]:
    """Findings about recorded tags that were moved, or are not in this clone."""
    seen: dict[str, int] = {}
    for line, row in facts.tags:
        if row["kind"] != TAG:
            continue
        name, told = row["tag"], (row["object"], row["commit"])
        if name in seen:
            message = f"tag {name} was recorded before, on line {seen[name]}; a tag is never moved"
            yield Finding(RULE, message, path=path, line=line, remedy="choose another name")
            continue
        seen[name] = line
        try:
            found = git.ref(f"refs/tags/{name}")
        except Unreadable as error:
            found, why = None, str(error)
        else:
            why = "is not in this clone"
        if found is None:
            yield Finding(
                RULE,
                f"tag {name} cannot be compared: {why}",
                severity=Severity.UNKNOWN,
                path=path,
                line=line,
                remedy="git fetch --tags; a deleted tag is made again at the recorded object:"
                f" git update-ref refs/tags/{name} {row['object']}",
            )
        elif found != told:
            yield Finding(
                RULE,
                f"tag {name} leads to {found[1][:12]}, it was recorded at {told[1][:12]}",
                path=path,
                line=line,
                remedy=f"put it back: git update-ref refs/tags/{name} {row['object']}",
                evidence={"recorded": list(told), "found": list(found)},
            )
