"""The gate itself: its rules, and which module answers what is asked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from pytest_cockpit.api import JSON, Context, Gate, Preparation, Proof, Report, Rule
from pytest_cockpit_gates.gemm.settings import SCHEMA, contradictions


class Gemm:
    """GEMM: correct everywhere, and as fast as was agreed."""

    name = "gemm"
    summary = "float32 GEMM is correct on every platform and keeps its agreed throughput"
    rules: Sequence[Rule] = (
        Rule("gemm.policy", "Policies can be read, inherit from what is there, and are complete."),
        Rule("gemm.artifact", "An artifact can be read, and its rows are what they say."),
        Rule("gemm.platform-missing", "Every platform that is asked for has a device."),
        Rule("gemm.run-failed", "No run has crashed, hung or answered nonsense."),
        Rule("gemm.wrong-device", "What ran is the platform and the device it was asked of."),
        Rule("gemm.evidence-missing", "There is enough evidence, of this machine, and recent."),
        Rule("gemm.duplicate-run", "Each run is there once."),
        Rule("gemm.correctness", "Every result is finite and within its rounding bound."),
        Rule("gemm.throughput", "Each row of the policy has its throughput."),
        Rule("gemm.latency", "Each row of the policy keeps to its 95th percentile."),
        Rule("gemm.drift", "Throughput and latency do not drift within a campaign."),
        Rule("gemm.regression", "Nothing is slower than the baseline by more than was agreed."),
        Rule("gemm.ratio", "The candidate keeps up with the fallback platform."),
        Rule("gemm.pressure", "Pulses of pressure ran to their end."),
        Rule("gemm.fallback-rate", "The online selector falls back no more than was agreed."),
        Rule("gemm.guard-overhead", "Fault detection costs no more than was agreed."),
        Rule("gemm.guard-disabled", "Fault detection was on all the time, without false alarms."),
        Rule("gemm.guard-recall", "Fault detection finds the faults it is deployed for."),
        Rule("gemm.severity", "Every check has a severity, a deadline and an action."),
    )
    settings_schema = SCHEMA

    def check(self, context: Context) -> Report:
        """Judge archived artifacts, and what is measured here and now."""
        from pytest_cockpit_gates.gemm.judging import judge

        return judge(context)

    def contradictions(self, settings: JSON) -> list[str]:
        """What is wrong with settings that answer to the schema."""
        return contradictions(settings)

    def prepare(self, context: Context, options: JSON) -> Preparation:
        """What a campaign is about to do, or why it cannot."""
        from pytest_cockpit_gates.gemm.phases.preparing import prepare

        return prepare(context, options)

    def conduct(self, phase: str, context: Context, options: JSON) -> Report:
        """Do one phase of a campaign."""
        from pytest_cockpit_gates.gemm.phases import conduct

        return conduct(phase, context, options)

    def proofs(self) -> Iterable[Proof]:
        """Trees for every rule; none needs a device."""
        from pytest_cockpit_gates.gemm.proving import proofs

        return list(proofs())


gate: Gate = Gemm()
