"""What is told of a ledger that was judged: the report, and the state for those who read on."""

from __future__ import annotations

from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding, Report
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.ledger_git import Blob
from pytest_cockpit_gates.ledger.checkpoints import Vouched
from pytest_cockpit_gates.ledger.held import Held
from pytest_cockpit_gates.ledger.history import Walk
from pytest_cockpit_gates.ledger.scanning import Scan

STATE = "ledger_state.json"


def report(
    path: str,
    found: Held,
    read: Scan,
    vouched: Vouched,
    findings: list[Finding],
    at_base: tuple[str, Blob] | None,
) -> Report:
    """The gate's report; `at_base` is the base commit and what it has, where it has a ledger."""
    kinds = read.reader.facts.kinds
    rows, promotions = sum(kinds.values()), kinds["promotion"]
    state = f"findings: {len(findings)}" if findings else "whole"
    own = {
        "bytes": found.size,
        "rows": rows,
        "head": read.chain.head,
        "root": read.tree.root().hex(),
        "resumed": read.resumed,
    }
    evidence = [Evidence("ledger", own)]
    if at_base is not None:
        commit, blob = at_base
        facts = {"commit": commit, "blob": blob.oid, "bytes": blob.size}
        evidence.append(Evidence("ledger-at-base", facts))
    return Report.judge(
        f"{path}: rows: {rows}, of promotions: {promotions}, {_said(vouched)}, {state}",
        checked=read.chain.lines + (not found.ends()),
        findings=findings,
        evidence=evidence,
    )


def _said(vouched: Vouched) -> str:
    if vouched.checkpoint is None:
        return "no checkpoint"
    by = "its signatures not verified" if vouched.signed else "unsigned"
    if vouched.signed_by:
        by = f"signed by {', '.join(vouched.signed_by)}"
    return f"checkpoint at {vouched.checkpoint.size}, {by}"


def keep_state(
    context: Context, path: str, found: Held, read: Scan, vouched: Vouched, walked: Walk
) -> None:
    """Write the artifact."""
    point = vouched.checkpoint
    state: dict[str, Any] = {
        "schema": "pytest-cockpit/ledger-state/1",
        "ledger": path,
        "rows": read.chain.lines,
        "bytes": found.size,
        "head": read.chain.head,
        "root": read.tree.root().hex(),
        "kinds": dict(read.reader.facts.kinds),
        "resumed": read.resumed,
        "checkpoint": point
        and {
            "origin": point.origin,
            "size": point.size,
            "root": point.root.hex(),
            "signed_by": vouched.signed_by,
        },
        "history": {"commits": len(walked.commits), "since": context.settings.get("since")}
        if context.base is not None
        else None,
    }
    artifacts.write(context.scratch / "artifacts" / STATE, state, "ledger-state")
