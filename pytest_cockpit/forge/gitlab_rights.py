"""What GitLab lets a token do, and what it demands before a merge."""

from __future__ import annotations

import fnmatch
import re
from typing import TYPE_CHECKING, Any

from pytest_cockpit.forge import reading
from pytest_cockpit.forge.api import Policy
from pytest_cockpit.forge.wire import Denied, Missing

if TYPE_CHECKING:
    from pytest_cockpit.forge.gitlab import Client

_DEVELOPER = 30
PIPELINE = "pipeline"
"""The one check that GitLab itself can demand: that the pipeline succeeded."""


def may_push(client: Client) -> bool | None:
    """Whether the token may push branches; None where GitLab does not say."""
    try:
        rights = reading.maybe(_project(client), "permissions")
    except Denied:
        return None
    if not isinstance(rights, dict):
        return None
    levels = [
        reading.maybe(rights, place, "access_level") for place in ("project_access", "group_access")
    ]
    known = [level for level in levels if isinstance(level, int)]
    return max(known) >= _DEVELOPER if known else None


def policy(client: Client, branch: str) -> Policy | None:
    """Settings of the project and protection of the branch; None where either may not be seen."""
    try:
        project = _project(client)
        rows = client.all(f"protection of {branch}", "/protected_branches")
        reviews = _reviews(client)
    except (Denied, Missing):
        return None
    # Only members are told the settings; of anybody else nothing is known.
    if "only_allow_merge_if_pipeline_succeeds" not in project:
        return None
    ours = [row for row in rows if _covers(str(row.get("name")), branch)]
    return Policy(
        checks=(PIPELINE,) if project["only_allow_merge_if_pipeline_succeeds"] is True else (),
        reviews=reviews,
        up_to_date=project.get("merge_method") in ("ff", "rebase_merge")
        or reading.flag(project, "merge_trains_enabled"),
        # The most permissive rule counts.
        pushes=not ours or any(_somebody(row.get("push_access_levels")) for row in ours),
        force_pushes=not ours or any(reading.flag(row, "allow_force_push") for row in ours),
    )


def _project(client: Client) -> dict[str, Any]:
    def read(data: Any) -> dict[str, Any]:
        reading.string(data, "path_with_namespace")
        return reading.table(data, "project")

    return client.ask("rights", client.call("GET", ""), read)


def _reviews(client: Client) -> int:
    """Approvals that are needed; editions without approval rules need none."""
    try:
        rows = client.all("approval rules", "/approval_rules")
    except Missing:
        return 0
    counts = [row.get("approvals_required") for row in rows]
    return max((count for count in counts if isinstance(count, int)), default=0)


def _covers(pattern: str, branch: str) -> bool:
    """Whether a protected name, in which only `*` means something, is that of the branch."""
    plain = re.sub(r"([\[?])", r"[\1]", pattern)
    return fnmatch.fnmatchcase(branch, plain)


def _somebody(levels: Any) -> bool:
    return isinstance(levels, list) and any(
        reading.maybe(row, "access_level") != 0 or reading.maybe(row, "user_id") for row in levels
    )
