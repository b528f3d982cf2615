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

from pytest_cockpit.estimation.shares import share
from pytest_cockpit_gates.gemm.control.policy import T3Policy

# Deviation of a pair's log-ratio, as it is on a machine that does other things too.
_NOISE = 0.05
# Beyond doubt is one in a hundred: so many deviations of a normal distribution, and of Student's
# with 1, 2 and so on degrees of freedom. One pair alone has none.
_DOUBT = 2.326
_STUDENT = (31.821, 6.965, 4.541, 3.747, 3.365, 3.143, 2.998, 2.896, 2.821, 2.764)
# Chance that a selector which falls back no more than it may is switched off at one of its
# products: it is looked at after each of them.
_SURE = 0.001
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
        return self.mean - self._doubt(weight) > bound

    def below(self, bound: float, weight: float) -> bool:
        """Whether it is slower than that, beyond doubt."""
        return self.mean + self._doubt(weight) < bound

    def late(self, reward: float, bound: float, weight: float) -> bool:
        """Whether a pair is worse than that by more than pairs of this arm scatter."""
        return reward + self._doubt(weight) * math.sqrt(max(self.pairs, 1)) < bound

    def _doubt(self, weight: float) -> float:
        """How far off the mean may be: by the usual noise, and by that of the pairs themselves."""
        freedom = self.pairs - 1
        if freedom < 1:
            return math.inf
        student = _STUDENT[freedom - 1] if freedom <= len(_STUDENT) else _tail(freedom)
        own = student * math.sqrt(self.spread / freedom / self.pairs)
        return max(own, _DOUBT * self.deviation(weight))


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
    fallbacks: those of them at which it was too slow, or wrong, and the static result counted.
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
            limit = -math.log1p(policy.regression_limit)
            late = arm.late(reward, limit, policy.prior_weight)
            arm = arm.credited(reward)
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
        found = share(known.fallbacks, known.decisions, _SURE)
        if found.low > policy.max_fallback_rate:
            return (
                f"fallback: {known.fallbacks} of {known.decisions} products fell back, surely more"
                f" than {found.low:.3f} of them, {policy.max_fallback_rate:g} allowed"
            )
    return None


def _tail(freedom: int) -> float:
    """Student's quantile by that of the normal distribution (Cornish and Fisher)."""
    z = _DOUBT
    first, second = z**3 + z, 5 * z**5 + 16 * z**3 + 3 * z
    return z + first / (4 * freedom) + second / (96 * freedom**2)
