"""Which variant is taken next: pure, values in and values out.

An arm is a variant that is not the table's choice. What is known of it comes from pairs alone: the
same product by the arm and by the static choice, one right after the other, in alternating order.
Its reward is the logarithm of how much faster it was, and nobody else is credited with it. An arm
is *tried* beside the static choice, whose result counts, until it is faster beyond doubt by what
the policy demands; only then it is *served*. An arm that is slower beyond doubt by more than the
policy's limit, or wrong once, is dropped for good.

What is believed of an arm's reward is normal: before any pair that there is nothing to gain, with
the weight that the policy gives it. Thompson (1933): the arm whose draw is highest is next.
"""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from pytest_cockpit_gates.gemm.control.policy import T3Policy

# Deviation of a pair's log-ratio, as it is on a machine that does other things too.
_NOISE = 0.05
# A belief counts as beyond doubt when it is so many of its deviations away: one in a hundred.
_DOUBT = 2.326
# Share of served products that are held against the static choice.
_HELD = 0.25
_PERCENT = 100.0


@dataclass(frozen=True, slots=True)
class Arm:
    """What is known of one variant.

    Parameters
    ----------
    pairs: how often it was held against the static choice.
    mean, spread: mean of its rewards, and the sum of their squared distances from it.
    dropped: why it is never taken again; None while it may be.
    """

    pairs: int = 0
    mean: float = 0.0
    spread: float = 0.0
    dropped: str | None = None

    def credited(self, reward: float) -> Arm:
        """With one more pair (Welford 1962)."""
        pairs = self.pairs + 1
        mean = self.mean + (reward - self.mean) / pairs
        spread = self.spread + (reward - self.mean) * (reward - mean)
        return replace(self, pairs=pairs, mean=mean, spread=spread)

    def deviation(self, weight: float) -> float:
        """How uncertain the mean is; `weight` pairs of the usual noise are believed in advance."""
        variance = (weight * _NOISE**2 + self.spread) / (weight + max(self.pairs - 1, 0))
        return math.sqrt(variance / max(self.pairs, 1))

    def draw(self, chooser: random.Random, weight: float) -> float:
        """A reward as believed: pairs, and `weight` of them that showed no gain."""
        believed = self.mean * self.pairs / (self.pairs + weight)
        return chooser.gauss(believed, self.deviation(weight))

    def beyond(self, bound: float, weight: float) -> bool:
        """Whether it is faster than that, beyond doubt."""
        return self.pairs > 0 and self.mean - _DOUBT * self.deviation(weight) > bound

    def below(self, bound: float, weight: float) -> bool:
        """Whether it is slower than that, beyond doubt."""
        return self.pairs > 0 and self.mean + _DOUBT * self.deviation(weight) < bound


@dataclass(frozen=True, slots=True)
class Choice:
    """What is done next.

    Parameters
    ----------
    arm: the variant that is tried or served; empty for the static choice alone.
    served: whether the arm's result counts, or that of the static choice.
    paired: whether both multiply.
    """

    arm: str = ""
    served: bool = False
    paired: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What is known for one size on one device.

    Parameters
    ----------
    arms: by id of the variant.
    decisions: products so far.
    served: those at which an arm was to be served.
    fallbacks: those of them at which it was wrong or too slow, and the static result counted.
    disabled: why the selector is off; None while it is on.
    """

    arms: Mapping[str, Arm] = field(default_factory=dict)
    decisions: int = 0
    served: int = 0
    fallbacks: int = 0
    disabled: str | None = None

    @property
    def live(self) -> tuple[str, ...]:
        """Arms that may be taken."""
        return tuple(name for name, arm in self.arms.items() if arm.dropped is None)

    @property
    def fallback_rate(self) -> float | None:
        """Share of products that fell back; None where nothing was decided."""
        return self.fallbacks / self.decisions if self.decisions else None

    def choose(self, policy: T3Policy, chooser: random.Random, *, trials: bool = True) -> Choice:
        """What is done next; without `trials` only an arm that is proven is taken."""
        proven = self._proven(policy)
        served = Choice(proven, served=bool(proven))
        if self.disabled is not None:
            return Choice() if policy.force_static else served
        if not trials or not self.live:
            return served
        arm = self._next(policy, chooser)
        if arm == proven:
            # A served arm is held against the static choice from time to time, or drift would
            # never show.
            return replace(served, paired=bool(proven) and chooser.random() < _HELD)
        return Choice(arm, paired=True) if arm else served

    def learned(
        self, choice: Choice, reward: float | None, wrong: str, policy: T3Policy
    ) -> Context:
        """After a product: `reward` of a pair, and in which way the arm was wrong, if it was."""
        now = replace(self, decisions=self.decisions + 1)
        if not choice.arm:
            return now
        arm = self.arms[choice.arm]
        late = False
        if reward is not None and not wrong:
            arm = arm.credited(reward)
            limit = -math.log1p(policy.regression_limit)
            late = reward < limit
            if arm.below(limit, policy.prior_weight):
                slower = _PERCENT * math.expm1(-arm.mean)
                arm = replace(arm, dropped=f"slower by {slower:.1f} % in {arm.pairs} pairs")
        if wrong:
            arm = replace(arm, dropped=wrong)
        fell = choice.served and (bool(wrong) or late)
        now = replace(
            now,
            arms={**self.arms, choice.arm: arm},
            served=now.served + choice.served,
            fallbacks=now.fallbacks + fell,
        )
        return replace(now, disabled=now.disabled or _breach(now, choice, wrong, policy))

    def _proven(self, policy: T3Policy) -> str:
        """The arm that is best by its mean among those faster beyond doubt; "" where none is."""
        gain = math.log1p(policy.min_gain_percent / _PERCENT)
        proven = [it for it in self.live if self.arms[it].beyond(gain, policy.prior_weight)]
        return max(proven, key=lambda name: self.arms[name].mean, default="")

    def _next(self, policy: T3Policy, chooser: random.Random) -> str:
        """The arm to take; "" where the static choice is believed to be the best."""
        live = self.live
        waiting = [name for name in live if self.arms[name].pairs < policy.warmup]
        if waiting:
            return waiting[0]
        if chooser.random() < policy.epsilon:
            return chooser.choice(live)
        draws = {name: self.arms[name].draw(chooser, policy.prior_weight) for name in live}
        best = max(live, key=lambda name: draws[name])
        return best if draws[best] > 0 else ""


def _breach(known: Context, choice: Choice, wrong: str, policy: T3Policy) -> str | None:
    if wrong and choice.served and policy.disable_on_correctness:
        return f"correctness: {choice.arm} {wrong}"
    rate = known.fallback_rate
    if rate is not None and rate > policy.max_fallback_rate and policy.disable_on_fallback:
        return f"fallback: rate {rate:.3f} above {policy.max_fallback_rate:g}"
    return None
