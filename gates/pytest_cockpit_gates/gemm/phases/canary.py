"""The replay's measurement: snapshots of all rows under pressure, each judged before the next."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping
from typing import Any

from pytest_cockpit.api import JSON, Context, Evidence, Finding, Report, Severity
from pytest_cockpit_gates.gemm.phases import baselines, beside, document, snapshots
from pytest_cockpit_gates.gemm.phases.document import Measured
from pytest_cockpit_gates.gemm.phases.measuring import Crew, pulses, rows_of
from pytest_cockpit_gates.gemm.phases.plan import REPLAY
from pytest_cockpit_gates.gemm.phases.pressure import Pressure
from pytest_cockpit_gates.gemm.phases.rows import Row, pace
from pytest_cockpit_gates.gemm.phases.snapshots import ROLLBACK, WARN, Limits, Watch
from pytest_cockpit_gates.gemm.phases.state import State, now
from pytest_cockpit_gates.gemm.strict import policies
from pytest_cockpit_gates.gemm.strict.policies import Policies

_BETWEEN_SNAPSHOTS = 1000
"""How far the seeds of two snapshots are apart."""
_UNDO = "pytest --cockpit-gemm-rollback=plan"


def run(phase: str, context: Context, options: JSON) -> Report:
    """Measure snapshot after snapshot, until one stops the campaign."""
    state = State.of(context, options)
    plan = state.plan()
    read = policies.read(context.root, weekly=plan.policy, t3=plan.t3_policy, t5=plan.t5_policy)
    crew = Crew.of(plan, state, read)
    campaign = Campaign(crew, read)
    try:
        campaign.measure()
        if not campaign.made.rollback_event:
            campaign.others += beside.measure(crew, campaign.made)
    finally:
        # An interrupted campaign leaves an artifact too, of what there is by then.
        sources = state.kept("sources") or {}
        made = document.artifact(campaign.made, plan, crew.seen, sources, context, options)
        content = state.keep_run(made)
    state.forget_log()
    return _report(campaign, plan.snapshots, content)


class Campaign:
    """The snapshots of one replay.

    Parameters
    ----------
    made: what was measured so far.
    against: of the snapshot that stopped the campaign, what speaks against it by check.
    others: what was found beside the snapshots.
    """

    def __init__(self, crew: Crew, read: Policies) -> None:
        self.made = Measured(REPLAY, now())
        self.against: Mapping[str, list[str]] = {}
        self.others: list[Finding] = []
        self._crew, self._read = crew, read
        self._begun = time.monotonic()
        self._watch: Watch | None = None

    def measure(self) -> None:
        """Measure all snapshots, or those up to the one that is stopped at."""
        plan = self._crew.plan
        with contextlib.ExitStack() as stack:
            pressures = {
                name: stack.enter_context(Pressure(plan, self._crew.state, name))
                for name in plan.platforms
            }
            for number in range(1, plan.snapshots + 1):
                if not self._snapshot(number, pressures):
                    return

    def _snapshot(self, number: int, pressures: Mapping[str, Pressure]) -> bool:
        """Whether another one may follow."""
        plan, begun = self._crew.plan, now()
        seed = plan.seed + _BETWEEN_SNAPSHOTS * number
        rows = {name: rows_of(plan, name, seed, number) for name in plan.platforms}
        for session in range(1, plan.sessions + 1):
            for name, mine in rows.items():
                begin = pulses(pressures[name], plan, len(mine), session, (number, seed))
                self._crew.session(session, mine, begin)
        for pressure in pressures.values():
            pressure.settle()
        made = [row.to_json() for mine in rows.values() for row in mine]
        beside = [it for pressure in pressures.values() for it in pressure.rows]
        self.made.runs += made
        self.made.pressure += beside
        for pressure in pressures.values():
            pressure.rows.clear()
        decision, against = self._judge(made, beside)
        self.made.snapshots.append(
            {
                "snapshot": number,
                "started": begun,
                "finished": now(),
                "decision": decision,
                "failed": list(against),
            }
        )
        self._tell(number, rows, decision, against)
        if decision == ROLLBACK:
            self.against = against
            self.made.rollback_event = {
                "snapshot": number,
                "at": now(),
                "failed": list(against),
                "reasons": [line for lines in against.values() for line in lines][:50],
                "checks": {name: lines[:20] for name, lines in against.items()},
                "next": _UNDO,
            }
        return decision != ROLLBACK

    def _judge(
        self, rows: list[dict[str, Any]], pressure: list[dict[str, Any]]
    ) -> tuple[str, dict[str, list[str]]]:
        if self._watch is None:
            machine = str(self._crew.seen.machine.get("fingerprint", ""))
            known = baselines.levels(self._crew.state.kept("baseline"), machine)
            self._watch = Watch(Limits.of(self._read), known)
        return self._watch.judge(rows, pressure)

    def _tell(
        self,
        number: int,
        rows: Mapping[str, list[Row]],
        decision: str,
        against: Mapping[str, list[str]],
    ) -> None:
        say, plan = self._crew.state.say, self._crew.plan
        for name, mine in rows.items():
            say(f"snapshot {number} of {plan.snapshots}: {name}: {pace(mine)}")
        for lines in against.values():
            say(f"snapshot {number}: {lines[0]}" + _and_more(lines))
        spent = time.monotonic() - self._begun
        left = spent / number * (plan.snapshots - number)
        say(
            f"snapshot {number} of {plan.snapshots}: {decision}; {_time(spent)}, {_time(left)} left"
        )


def _report(campaign: Campaign, planned: int, content: bytes) -> Report:
    made, against = campaign.made, campaign.against
    found = [
        Finding(
            snapshots.RULES[name],
            line,
            Severity.ERROR,
            remedy=f"look at the run's artifact; {_UNDO} shows the way back",
            evidence={"check": name, "snapshot": made.snapshots[-1]["snapshot"]},
        )
        for name, lines in against.items()
        for line in lines
    ]
    found += [
        Finding(
            snapshots.RULES[snapshots.SOFT],
            f"snapshot {row['snapshot']} was warned of: {', '.join(row['failed'])}",
            Severity.WARNING,
            remedy="see what fault detection costs in the report",
        )
        for row in made.snapshots
        if row["decision"] == WARN
    ]
    done = len(made.snapshots)
    failed = sum(row["status"] != "ok" for row in made.runs)
    summary = f"{done} of {planned} snapshots, {len(made.runs)} rows, {failed} of them failed"
    if made.rollback_event:
        summary += f"; stopped at snapshot {made.rollback_event['snapshot']}: {', '.join(against)}"
    return Report.judge(
        summary,
        checked=len(made.runs),
        findings=[*found, *campaign.others],
        evidence=[Evidence("run", document.digest(content))],
    )


def _and_more(lines: list[str]) -> str:
    return f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
