"""What GitHub lets a token do, and what it demands before a merge."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from pytest_cockpit.forge import reading
from pytest_cockpit.forge.api import Policy
from pytest_cockpit.forge.asking import PAGE
from pytest_cockpit.forge.github_client import Client
from pytest_cockpit.forge.wire import Denied, Missing

_UNPROTECTED = "Branch not protected"


def may_push(client: Client) -> bool | None:
    """Whether the token may push branches; None where GitHub does not say."""

    def read(data: Any) -> bool | None:
        reading.string(data, "full_name")
        allowed = reading.maybe(data, "permissions", "push")
        return allowed if isinstance(allowed, bool) else None

    try:
        return client.ask("rights", lambda: client.rest.repos.get(client.owner, client.repo), read)
    except Denied:
        return None


def policy(client: Client, branch: str) -> Policy | None:
    """Branch protection and rulesets taken together; None where either may not be seen."""
    try:
        protection = _protection(client, branch)
        rules = _rules(client, branch)
    except (Denied, Missing):
        return None
    of_kind = {kind: [row for row in rules if row.get("type") == kind] for kind in _KINDS}
    statuses = of_kind["required_status_checks"]
    checks = {*_contexts(protection), *_contexts_of_rules(statuses)}
    pulls = of_kind["pull_request"]
    reviews = [
        _count(protection, "required_pull_request_reviews", "required_approving_review_count")
    ]
    reviews += [_count(row, "parameters", "required_approving_review_count") for row in pulls]
    strict = reading.flag(protection, "required_status_checks", "strict") or any(
        reading.flag(row, "parameters", "strict_required_status_checks_policy") for row in statuses
    )
    by_protection = bool(
        reading.maybe(protection, "required_pull_request_reviews")
    ) and reading.flag(protection, "enforce_admins", "enabled")
    return Policy(
        checks=tuple(sorted(checks)),
        reviews=max(reviews),
        up_to_date=strict or bool(of_kind["merge_queue"]),
        pushes=not (by_protection or pulls),
        force_pushes=not of_kind["non_fast_forward"]
        and (not protection or reading.flag(protection, "allow_force_pushes", "enabled")),
    )


_KINDS = ("required_status_checks", "pull_request", "merge_queue", "non_fast_forward")


def _protection(client: Client, branch: str) -> dict[str, Any]:
    """The classic protection of a branch; empty where there is none."""
    try:
        return client.ask(
            f"protection of {branch}",
            lambda: client.rest.repos.get_branch_protection(
                client.owner, client.repo, quote(branch, safe="")
            ),
            lambda data: reading.table(data, "protection"),
        )
    except Missing as missing:
        if _UNPROTECTED in str(missing):
            return {}
        raise


def _rules(client: Client, branch: str) -> list[dict[str, Any]]:
    return client.rows(
        f"rules of {branch}",
        lambda page: client.rest.repos.get_branch_rules(
            client.owner, client.repo, quote(branch, safe=""), per_page=PAGE, page=page
        ),
    )


def _contexts(protection: dict[str, Any]) -> Iterable[str]:
    listed = reading.maybe(protection, "required_status_checks", "contexts") or []
    return [name for name in listed if isinstance(name, str)] if isinstance(listed, list) else []


def _contexts_of_rules(rules: Iterable[dict[str, Any]]) -> Iterable[str]:
    for rule in rules:
        listed = reading.maybe(rule, "parameters", "required_status_checks")
        for check in listed if isinstance(listed, list) else []:
            name = reading.maybe(check, "context")
            if isinstance(name, str):
                yield name


def _count(data: Any, *keys: str) -> int:
    value = reading.maybe(data, *keys)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0
