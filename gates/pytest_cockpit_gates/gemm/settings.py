"""The settings of the gate: `[tool.cockpit.gate.gemm]`."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

from pytest_cockpit.api import JSON

KERNELS = ("auto_t3_controlled", "auto_t5_guarded")
KNOWN = (*KERNELS, "static", "naive")
MOST_PAIRS = 48

_PATH: JSON = {
    "title": "path below the repository's root",
    "type": "string",
    "not": {"pattern": r"^/|(^|/)\.\.(/|$)|[\x00-\x1f]"},
}
_PLATFORM: JSON = {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,31}$"}
_SIZES: JSON = {
    "type": "array",
    "items": {"type": "integer", "minimum": 1, "maximum": 32768},
    "minItems": 1,
}
SCHEMA: JSON = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "properties": {
        "platforms": {"type": "array", "items": _PLATFORM, "minItems": 1},
        "candidate": _PLATFORM,
        "fallback": _PLATFORM,
        "min_ratio": {"type": "number", "exclusiveMinimum": 0, "maximum": 100},
        "profile": {"enum": ["ci", "nightly"]},
        "live": {"type": "boolean"},
        "sizes": _SIZES,
        "pairs": {"type": "integer", "minimum": 8, "maximum": MOST_PAIRS},
        "policy": _PATH,
        "t3_policy": _PATH,
        "t5_policy": _PATH,
        "sla": _PATH,
        "escalation": _PATH,
        "baseline": _PATH,
        "artifacts": {"type": "array", "items": _PATH},
        "max_age_days": {"type": "integer", "minimum": 1, "maximum": 3650},
        "timeout_s": {"type": "number", "exclusiveMinimum": 0, "maximum": 86400},
    },
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the gate and its campaigns work by.

    Parameters
    ----------
    platforms: those that are measured.
    candidate, fallback: the platform under judgement, and the one it is held against, which a
        rollback goes back to.
    min_ratio: throughput of the candidate over that of the fallback, at least.
    profile: what `-m gemm_slo` measures: a few pairs in at most a minute, or all sizes.
    live: measure here; False judges `artifacts` alone.
    sizes: N of N x N matrices that `-m gemm_slo` measures; those of the profile where empty.
    pairs: pairs of runs that a comparison begins with.
    policy, t3_policy, t5_policy, sla, escalation, baseline: paths of JSON files; none where empty.
    artifacts: globs of archived artifacts that `-m gemm_slo` judges by the policy.
    max_age_days: age in days beyond which an archived artifact is no evidence.
    timeout_s: seconds that one answer of a worker may take.
    """

    platforms: tuple[str, ...] = ("rusticl", "clover")
    candidate: str = "rusticl"
    fallback: str = "clover"
    min_ratio: float = 0.85
    profile: str = "ci"
    live: bool = True
    sizes: tuple[int, ...] = ()
    pairs: int = 8
    policy: str = ""
    t3_policy: str = ""
    t5_policy: str = ""
    sla: str = ""
    escalation: str = ""
    baseline: str = ""
    artifacts: tuple[str, ...] = ()
    max_age_days: int = 7
    timeout_s: float = 120.0

    @classmethod
    def of(cls, table: JSON) -> Self:
        """The settings of a table that answers to `SCHEMA`."""
        names = {item.name for item in dataclasses.fields(cls)}
        read = {key: value for key, value in table.items() if key in names}
        given: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in read.items()}
        return cls(**given)


def contradictions(table: JSON) -> list[str]:
    """What settings that answer to `SCHEMA` say against each other, by key, with a remedy."""
    made = Settings.of(table)
    named = ", ".join(made.platforms)
    alone = len(made.platforms) == 1 and not {"candidate", "fallback"} & set(table)
    if alone and made.live:
        said = f"platforms: {named} alone is compared with nothing"
        return [f"{said}; name candidate and fallback among them, or set live to false"]
    if alone:
        return []
    found = [
        f"{key}: {value!r}{'' if key in table else ', the default,'} is not among platforms"
        f" ({named}); name one of them, or add it there"
        for key, value in (("candidate", made.candidate), ("fallback", made.fallback))
        if value not in made.platforms
    ]
    if made.candidate == made.fallback:
        found.append(f"fallback: {made.fallback!r} is the candidate too; name another platform")
    return found
