"""What is wrong with an SLA beside a policy and the checks that are made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pytest_cockpit.api import Finding
from pytest_cockpit.api import Severity as Weight
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.closing.sla import Sla
from pytest_cockpit_gates.gemm.closing.triggers import Trigger

RULE = "gemm.severity"


def contradictions(sla: Sla, bounds: Mapping[str, Any]) -> Iterator[Finding]:
    """Where the SLA and the policy have different bounds for one number."""
    told: dict[str, list[Trigger]] = {}
    for _, trigger in sla.triggers:
        if trigger.metric and trigger.metric.guardrail:
            told.setdefault(trigger.metric.guardrail, []).append(trigger)
    for guardrail, among in told.items():
        bound = bounds.get(guardrail)
        if isinstance(bound, bool) or not isinstance(bound, int | float):
            continue
        # Of several triggers about one number, one has to begin where the policy ends.
        if all(trigger.bound != bound for trigger in among):
            words = " and ".join(trigger.text for trigger in among)
            of, where = f"the policy, whose {guardrail}", f"the policy's {guardrail}"
            if among[0].pair:
                of = "the least ratio that is asked for, which"
                where = "gate.gemm.min_ratio or --cockpit-gemm-min-ratio, whichever says so"
            yield Finding(
                RULE,
                f"{words} contradicts {of} is {bound:g}",
                Weight.WARNING,
                path=sla.path,
                pointer="/severity_levels",
                remedy=f"let one trigger say {bound:g}, or change {where}",
                evidence={"guardrail": guardrail, "policy": bound, "sla": among[0].bound},
            )


def other_pairs(sla: Sla, pair: tuple[str, str] | None) -> Iterator[Finding]:
    """Triggers about two platforms that are not the ones compared."""
    for level, trigger in sla.triggers:
        if pair and trigger.pair and trigger.pair != pair:
            yield Finding(
                RULE,
                f"{trigger.text} is not about {pair[0]} and {pair[1]}, which are compared",
                Weight.WARNING,
                path=sla.path,
                pointer=f"/severity_levels/{level.name}/triggers",
                remedy=f"write {pair[0]}_ratio_vs_{pair[1]}_lt_NUMBER",
            )


def unmeasured(sla: Sla, parameters: Mapping[str, Any]) -> Iterator[Finding]:
    """What the SLA says that it is about, and what was not measured.

    Parameters
    ----------
    parameters: of the run: `platforms`, `kernels`, `sizes`.
    """
    for key in ("platforms", "kernels", "sizes"):
        wanted, there = sla.scope.get(key), parameters.get(key)
        if not isinstance(wanted, list) or not isinstance(there, list | tuple):
            continue
        known = {str(it).casefold() for it in there}
        for number, it in enumerate(wanted):
            if str(it).casefold() not in known:
                yield Finding(
                    RULE,
                    f"{one_line(str(it))} is in the scope of the SLA and was not measured",
                    Weight.WARNING,
                    path=sla.path,
                    pointer=f"/scope/{key}/{number}",
                    remedy=f"measure it (--cockpit-gemm-{key}), or take it out of the scope",
                )


def without(name: str, sla: Sla, table: str = "checks") -> Finding:
    """The error that a check, or a state, has no severity."""
    wanted = sla.missing.get(name)
    why = f"; {wanted} is not among its levels" if wanted else ""
    return Finding(
        RULE,
        f"{name} has no severity{why}",
        path=sla.path,
        pointer=f"/{table}/{name}",
        remedy=f"say which level it has in {table}.{name}",
    )
