"""The words of a rollback's pull request."""

from __future__ import annotations

from collections.abc import Mapping

from pytest_cockpit.api import Report
from pytest_cockpit.promotion.message import gate_table, waiver_table
from pytest_cockpit.promotion.rollback import Rollback
from pytest_cockpit.records.markdown import code

HOW = {
    "exact": "as before the batch",
    "merged": "as before the batch, with what was edited since",
    "removed": "removed: the batch had added it",
}
"""What becomes of a path, by how it is put back."""


def rollback_body(rollback: Rollback, plan_sha256: str, reports: Mapping[str, Report]) -> str:
    """Markdown for the pull request that undoes a batch."""
    sealed, back = rollback.sealed, rollback.restorations
    paths = "\n".join(f"| {code(item.path)} | {HOW[item.how]} |" for item in back)
    count = f"{len(back)} path{'' if len(back) == 1 else 's'}"
    return (
        f"## Rollback {rollback.batch_id}\n\n"
        f"Undoes batch {sealed.batch_id}, sealed as {sealed.commit}: {count} put back on "
        f"{rollback.base}; plan sha256 `{plan_sha256}`.\n\n"
        f"### Gates\n\n{gate_table(reports)}\n\n"
        f"{waiver_table(reports)}"
        f"### Paths\n\n| path | is |\n|---|---|\n{paths}\n"
    )
