"""Judge the ledger: by itself, against the base commit, and against the running batch."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pytest_cockpit.api import SHIM_MARK, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.records import ledger
from pytest_cockpit.records.artifacts import sha256
from pytest_cockpit_gates.ledger import batch, history, rows

RULE = "ledger.missing"
NAME = "promotions.ndjson"


def judge(context: Context) -> Report:
    """The gate's report."""
    path = str(context.settings.get("path") or f"{context.records}/{NAME}")
    base = history.at_base(context.root, context.base, path) if context.base else None
    data = _read(context.root / path)
    if isinstance(data, Finding) or not data:
        return _without(context, path, data, base)
    found = rows.whole_rows(data)
    findings = [
        *rows.breaks(data, path),
        *rows.misfits(found, path),
        *(history.growth(data, base, path, context.base) if context.base else ()),
        *(batch.judge(found, context, path) if context.batch_id is not None else ()),
    ]
    promotions = sum(row.kind == rows.PROMOTION for row in found)
    state = f"findings: {len(findings)}" if findings else "whole"
    return Report.judge(
        f"{path}: rows: {len(found)}, of promotions: {promotions}, {state}",
        checked=data.count(b"\n") + (not data.endswith(b"\n")),
        findings=findings,
        evidence=_evidence(data, base, context),
    )


def _read(path: Path) -> bytes | Finding | None:
    """The ledger's bytes; None where there is none, a finding where it cannot be read."""
    if path.is_symlink():
        return Finding(RULE, "is a link; the ledger is a file of its own")
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        return Finding(RULE, f"cannot be read: {error.strerror or type(error).__name__}")


def _without(
    context: Context,
    path: str,
    data: bytes | Finding | None,
    base: bytes | history.Unreadable | None,
) -> Report:
    """The report on a tree whose ledger is missing, empty or unreadable."""
    fault = data.message if isinstance(data, Finding) else _promoted(context, base)
    state = "is not there" if data is None else "is empty"
    if fault:
        message = fault if isinstance(data, Finding) else f"{state}, but {fault}"
        finding = Finding(
            RULE, message, path=path, remedy="restore the ledger from git; rows are only ever added"
        )
    else:
        finding = Finding(
            RULE,
            f"{state}: nothing was promoted yet",
            severity=Severity.UNKNOWN,
            path=path,
            remedy='promote a batch, or skip = "nothing is promoted here"',
        )
    return Report.judge(f"{path}: {finding.message}", checked=0, findings=(finding,))


def _promoted(context: Context, base: bytes | history.Unreadable | None) -> str | None:
    """Why there should be a ledger, or None."""
    if context.batch_id is not None:
        return f"batch {context.batch_id} must have a row in it"
    if base and isinstance(base, bytes):
        return f"commit {str(context.base)[:12]} has one"
    shim = next(_shims(context), None)
    return f"{shim} is the shim of a promoted module" if shim else None


def _shims(context: Context) -> Iterator[str]:
    """Files of the lane that stand for promoted modules."""
    mark = SHIM_MARK.encode()
    for folder, _, names in os.walk(context.root / context.lane.path):
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file():
                with path.open("rb") as stream:
                    if stream.read(len(mark)) == mark:
                        yield path.relative_to(context.root).as_posix()


def _evidence(
    data: bytes, base: bytes | history.Unreadable | None, context: Context
) -> list[Evidence]:
    own = {"sha256": sha256(data), "bytes": len(data), "head": ledger.head(data)}
    evidence = [Evidence("ledger", own)]
    if isinstance(base, bytes):
        facts = {"commit": context.base, "sha256": sha256(base), "bytes": len(base)}
        evidence.append(Evidence("ledger-at-base", facts))
    return evidence
