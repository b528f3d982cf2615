"""The table `[tool.cockpit.gate.matriz.policy]`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from pytest_cockpit.api import JSON

_PATH = {
    "title": "path below the repository's root",
    "type": "string",
    "minLength": 1,
    "not": {"pattern": r"^/|(^|/)\.\.(/|$)|\x00"},
}
_SHARE = {"type": "number", "minimum": 0, "maximum": 1}
_NAME = "[A-Za-z_][A-Za-z0-9_]*"

SCHEMA: JSON = {
    "type": "object",
    "properties": {
        "bundle": _PATH,
        "cases": {"type": "array", "minItems": 1, "items": _PATH},
        "query": {
            "title": "a reference such as data.matriz.authz.allow",
            "type": "string",
            "pattern": rf"^data(\.{_NAME})+$",
        },
        "contract": {"title": "a name", "type": "string", "pattern": f"^{_NAME}$"},
        "input": {"type": "object"},
        "now": {
            "title": "a time such as 2026-01-31T12:00:00Z",
            "type": "string",
            "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$",
        },
        "bundle_sha256": _PATH,
        "opa": {"title": "a program's name", "type": "string", "pattern": r"^[\w][\w.+-]*$"},
        "rule_coverage": _SHARE,
        "decision_coverage": _SHARE,
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 600},
    },
    "additionalProperties": False,
}

BUNDLES = ("policies", "policy")
CASES = ("**/*_authz.yaml", "**/*_authz.yml")
TIMEOUT_S = 5.0
TIERS: Mapping[str, int] = {
    "guest": 0,
    "visitor": 1,
    "friend": 2,
    "trusted": 3,
    "inner_circle": 4,
    "root_dev": 5,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What a repository says of its policy.

    Parameters
    ----------
    bundle: folder of the policy; None to look for one.
    cases: globs of files of AuthZ cases.
    query: the decision; None to look for the one `allow`.
    contract: the key of the input under which a case finds its module's contract.
    input: what every case's input holds where the case itself says nothing.
    now: nanoseconds since 1970 at which `time.now_ns()` stands still; None for the real time.
    bundle_sha256: the file that the bundle's digests are held against.
    opa: the program that decides a second time, and then has to; None for `opa` where it is there.
    rule_coverage, decision_coverage: least shares that have to be exercised.
    timeout_s: seconds that one evaluation may take.
    tiers: tier to its number; the gate's own setting.
    """

    bundle: str | None = None
    cases: tuple[str, ...] = CASES
    query: str | None = None
    contract: str = "contract"
    input: JSON = field(default_factory=dict)
    now: int | None = None
    bundle_sha256: str | None = None
    opa: str | None = None
    rule_coverage: float | None = None
    decision_coverage: float | None = None
    timeout_s: float = TIMEOUT_S
    tiers: Mapping[str, int] = field(default_factory=lambda: TIERS)

    @classmethod
    def of(cls, gate: Mapping[str, Any]) -> Settings:
        """From the gate's own table, which has been validated."""
        table = dict(gate.get("policy", {}))
        if "cases" in table:
            table["cases"] = tuple(table["cases"])
        if "now" in table:
            table["now"] = nanoseconds(table["now"])
        return cls(**table, tiers=gate.get("tiers", TIERS))


def nanoseconds(text: str) -> int:
    """The time of an RFC 3339 text in UTC.

    Raises
    ------
    ValueError: there is no such day or hour.
    """
    moment = datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return int(moment.timestamp()) * 1_000_000_000
