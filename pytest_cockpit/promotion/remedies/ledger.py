"""Actions for what the ledger gate finds: mostly one command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping

from pytest_cockpit.promotion.remedies.model import COMMAND, LINE, Action, Facts, Remedy, Seen

_COMMIT = re.compile(r"[0-9a-f]{7,64}")
_REF = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]*")


def _back(seen: Seen, facts: Facts) -> Action | None:
    """Rows that were there before: bring the ledger back to where it held them."""
    finding = seen.finding
    commit = seen.told("parent") or seen.told("before")
    if finding.path is None or not _COMMIT.fullmatch(commit):
        return None
    command = f"git checkout {commit[:12]} -- {shlex.quote(finding.path)}"
    return Action(
        "restore",
        "bring the rows back, then do again what came after",
        COMMAND,
        finding.path,
        command=command,
    )


def _from_head(seen: Seen, facts: Facts) -> Action | None:
    """A chain that does not hold in a file that git has whole, as far as is known."""
    finding = seen.finding
    if finding.path is None:
        return None
    command = f"git log --oneline -- {shlex.quote(finding.path)}"
    return Action(
        "restore",
        "find the last commit in which the chain holds, and take the ledger from it",
        LINE,
        finding.path,
        finding.line,
        command=command,
    )


def _record(seen: Seen, facts: Facts) -> Action | None:
    """A bound file that has changed, and no row says so."""
    path = seen.finding.path
    if path is None:
        return None
    command = f"cockpit ledger record {shlex.quote(path)}"
    return Action("record", "enter the change in the ledger", COMMAND, path, command=command)


def _tag(seen: Seen, facts: Facts) -> Action | None:
    """A tag that leads elsewhere."""
    recorded = seen.finding.evidence.get("recorded")
    found = re.search(r"git update-ref (\S+) ([0-9a-f]{40,64})", seen.finding.remedy or "")
    if not found or not isinstance(recorded, list) or found[2] not in recorded:
        return None
    if not _REF.fullmatch(found[1]):
        return None
    command = f"git update-ref {found[1]} {found[2]}"
    return Action("restore", "put the tag back", COMMAND, seen.finding.path, command=command)


def _promote_again(seen: Seen, facts: Facts) -> Action | None:
    """A batch whose tree is not what its row says."""
    detail = "discard the batch and promote again"
    return Action("promote-again", detail, COMMAND, command="pytest --cockpit-batch")


REMEDIES: Mapping[str, Remedy] = {
    "ledger.rewritten": _back,
    "ledger.force-pushed": _back,
    "ledger.chain": _from_head,
    "ledger.torn": _from_head,
    "ledger.row-schema": _from_head,
    "ledger.unbound-change": _record,
    "ledger.moved-tag": _tag,
    "ledger.batch-row-missing": _promote_again,
    "ledger.blob-mismatch": _promote_again,
}
