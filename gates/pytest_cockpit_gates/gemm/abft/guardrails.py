"""When a guard is switched off: a state machine over what it did, one product after the other."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import median

from pytest_cockpit.estimation.intervals import location
from pytest_cockpit_gates.gemm.abft.policy import T5Policy

_PERCENT = 100.0
# Of shorter products the launches of the check are the larger part, whatever is done.
_SHORTEST_S = 0.01
# Of fewer checks nobody can be sure what they cost; of more than these the last ones tell.
_FEWEST, _MOST = 8, 64


@dataclass(frozen=True, slots=True)
class Seen:
    """One product, as the guardrails see it.

    Parameters
    ----------
    checked: whether the guard looked at it.
    product_s, added_s: CPU seconds of the product and of the guard; what was added is None where
        nobody could tell.
    false_positives: rows that were flagged without cause.
    error: absolute error of the result, None where nobody looked.
    """

    checked: bool
    product_s: float
    added_s: float | None
    false_positives: int = 0
    error: float | None = None


@dataclass(frozen=True, slots=True)
class Rails:
    """What has been seen so far.

    Parameters
    ----------
    checks, alarms: products that were checked, and those of them with a false alarm.
    products: all that were seen.
    shares: the guard's CPU time by the product's, of the last checks.
    alarm_streak, overhead_streak: checks in a row at which a limit was broken.
    reason: why the guard is off; None while it is on.
    """

    policy: T5Policy
    checks: int = 0
    alarms: int = 0
    products: int = 0
    shares: tuple[float, ...] = ()
    alarm_streak: int = 0
    overhead_streak: int = 0
    reason: str | None = None

    @property
    def false_positive_rate(self) -> float | None:
        """Share of checks that were false alarms; None without a check."""
        return self.alarms / self.checks if self.checks else None

    @property
    def overhead_percent(self) -> float | None:
        """The guard's CPU time by that of the products, unchecked ones too; None without a check.

        By the median check: one that the machine held up says nothing of the others.
        """
        if not self.shares:
            return None
        return _PERCENT * median(self.shares) * self.checks / self.products

    @property
    def surely_percent(self) -> float:
        """What the guard costs at least, beyond doubt; nothing of too few checks to say so."""
        found = location(self.shares) if len(self.shares) >= _FEWEST else None
        return _PERCENT * found.low * self.checks / self.products if found else 0.0

    def after(self, seen: Seen) -> Rails:
        """The state after one more product; a guard that is off stays so."""
        if self.reason is not None:
            return self
        share: tuple[float, ...] = ()
        if seen.checked and seen.added_s is not None and seen.product_s:
            share = (seen.added_s / seen.product_s,)
        now = replace(
            self,
            checks=self.checks + seen.checked,
            alarms=self.alarms + (seen.checked and seen.false_positives > 0),
            products=self.products + 1,
            shares=(self.shares + share)[-_MOST:],
        )
        policy = self.policy
        rate = now.false_positive_rate
        alarmed = seen.checked and rate is not None and rate > policy.max_false_positive_rate
        surely = now.surely_percent if seen.product_s >= _SHORTEST_S and share else 0.0
        above, far = (
            surely > limit for limit in (policy.max_overhead_percent, policy.hard_overhead_percent)
        )
        # Products that were not checked say nothing of what a check finds, or what it costs.
        alarms = self.alarm_streak
        if seen.checked:
            alarms = alarms + 1 if alarmed else 0
        streak = self.overhead_streak
        if share:
            streak = streak + 1 if above else 0
        now = replace(
            now,
            alarm_streak=alarms,
            overhead_streak=streak,
        )
        return replace(now, reason=now.why(seen.error, far=far))

    def why(self, error: float | None, *, far: bool) -> str | None:
        """The limit that is broken for good, in words; None where none is."""
        policy = self.policy
        # Written so that an error that is no number breaks the limit.
        if error is not None and not error <= policy.max_error:
            return f"correctness: error {error:g} above {policy.max_error:g}"
        if self.alarm_streak >= (policy.false_positive_violations if policy.hysteresis else 1):
            return (
                f"false_positives: rate {self.false_positive_rate:g} above"
                f" {policy.max_false_positive_rate:g}"
            )
        needed = policy.overhead_violations if policy.hysteresis else 1
        if far or self.overhead_streak >= needed:
            limit = policy.hard_overhead_percent if far else policy.max_overhead_percent
            return (
                f"overhead: {self.overhead_percent:.2f} %, surely more than"
                f" {self.surely_percent:.2f} %, by {len(self.shares)} checks; {limit:g} % allowed"
            )
        return None
