"""One session of `auto_t3_controlled`: products, each by the variant that the selector takes."""

from __future__ import annotations

import hashlib
import math
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.control import state as keeping
from pytest_cockpit_gates.gemm.control.policy import STRICT, T3Policy
from pytest_cockpit_gates.gemm.control.selector import Choice, Context
from pytest_cockpit_gates.gemm.control.trial import Done, Trial
from pytest_cockpit_gates.gemm.kernels import families
from pytest_cockpit_gates.gemm.kernels.gemm import Gemm

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.device import Device
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands
    from pytest_cockpit_gates.gemm.kernels.table import Table
    from pytest_cockpit_gates.gemm.kernels.variants import Variant

_PERCENT = 100.0
# A session spends at most every so many-th product on trying something.
_TRIALS = 4
_SHOWN = 200
_UNFINISHED = "did not come back from its first product"


@dataclass(frozen=True, slots=True)
class T3Result:
    """What a session of the selector was.

    Parameters
    ----------
    wall_s, cpu_s: of each product whose result counted.
    variant: the one that served most of them.
    vacuous: why there was nothing to explore; None where there was.
    known: what is known now of this size.
    decisions, fallbacks: of this session.
    feedback_s: seconds of the products that were only held against others.
    state: where the knowledge came from.
    """

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    variant: Variant
    static: Variant
    policy: T3Policy
    vacuous: str | None
    known: Context
    decisions: int
    fallbacks: int
    feedback_s: float
    state: str

    def to_json(self) -> dict[str, Any]:
        """The session as JSON; where there was nothing to explore the rate is null."""
        explored = self.vacuous is None
        return {
            "policy": self.policy.name,
            "vacuous": not explored,
            "vacuous_reason": self.vacuous,
            "fallback_rate": self.fallbacks / self.decisions if explored else None,
            "policy_disabled": self.known.disabled is not None,
            "disable_reason": self.known.disabled,
            "decisions": self.decisions,
            "fallbacks": self.fallbacks,
            "static": self.static.id,
            "variant": {"id": self.variant.id, "source_sha256": self.variant.sha256},
            "arms": [
                {
                    "id": name,
                    "pairs": arm.pairs,
                    "gain_percent": _PERCENT * math.expm1(arm.mean) if arm.pairs else None,
                    "dropped": arm.dropped,
                }
                for name, arm in self.known.arms.items()
            ],
            "feedback_s": self.feedback_s,
            "state": self.state,
        }


def run_session(
    device: Device,
    table: Table,
    operands: Operands,
    iterations: int,
    policy: T3Policy = STRICT,
    *,
    state_folder: Path,
    seed: int = 0,
    alpha: float = 1.0,
    beta: float = 0.0,
    before: Matrix | None = None,
    look: Callable[[], object] | None = None,
    make: Callable[[Variant], Gemm] | None = None,
) -> T3Result:
    """Multiply `iterations` times.

    Parameters
    ----------
    state_folder: where knowledge is kept, one file for each device.
    seed: of what is tried; the same seed and the same times take the same variants.
    before: C as it is before each product; demanded where beta is not 0.
    look: called after each product whose result counts, outside of its time.
    make: builds a variant; for tests.

    Raises
    ------
    CockpitError: the static choice cannot be built, or the state not be written.
    """
    m, n, k = operands.m, operands.n, operands.k
    static = table.best(device.info, max(m, 1), max(n, 1), max(k, 1))
    candidates = _candidates(device.platform, static)
    build = make or (lambda variant: Gemm(device, variant, m, n, k))
    trial = Trial(build, operands, alpha, beta, before, by_clock=device.is_gpu)
    kernels = {it.id: it.sha256 for it in candidates}
    with keeping.held(state_folder, device.info["fingerprint"], _digest(policy)) as state:
        known = state.context(f"{m}x{n}x{k}", static.id, kernels)
        run = _Run(
            {it.id: it for it in candidates},
            static,
            policy,
            trial,
            vacuous(policy, known, m, n, k),
            # Strings seed the same everywhere; a session goes on where the last one was.
            random.Random(f"{seed}:{known.decisions}"),  # noqa: S311 - chooses variants
            lambda context: state.save(f"{m}x{n}x{k}", static.id, kernels, context),
        )
        try:
            result = run.session(known, iterations, look)
        finally:
            trial.free()
        state.save(f"{m}x{n}x{k}", static.id, kernels, result.known)
        return replace(result, state=state.said)


def vacuous(policy: T3Policy, known: Context, *size: int) -> str | None:
    """Why there is nothing to explore; None where there is."""
    if set(size) & policy.frozen:
        return f"size {max(set(size) & policy.frozen)} is frozen by the policy"
    if not known.arms:
        return "there is one variant only"
    if known.disabled is not None:
        return f"switched off: {known.disabled}"
    return None if known.live else "all other variants were dropped"


@dataclass(frozen=True, slots=True)
class _Run:
    variants: dict[str, Variant]
    static: Variant
    policy: T3Policy
    trial: Trial
    vacuous: str | None
    chooser: random.Random
    save: Callable[[Context], None]

    def session(
        self, known: Context, iterations: int, look: Callable[[], object] | None
    ) -> T3Result:
        wall, cpu, feedback, served = [], [], 0.0, []
        begun, trials = known, max(1, iterations // _TRIALS)
        self.trial.warm(self.static)
        for _ in range(iterations):
            choice = Choice()
            if self.vacuous is None:
                choice = known.choose(self.policy, self.chooser, trials=trials > 0)
            trials -= choice.paired
            arm = self.variants.get(choice.arm)
            done = self._taken(known, choice, arm)
            known = known.learned(choice, done.reward, done.wrong, self.policy)
            wall.append(done.wall_s)
            cpu.append(done.cpu_s)
            feedback += done.feedback_s
            served.append(choice.arm if choice.served and not done.wrong else self.static.id)
            if look is not None:
                look()
        most = max(served, key=served.count, default=self.static.id)
        return T3Result(
            tuple(wall),
            tuple(cpu),
            self.variants[most],
            self.static,
            self.policy,
            self.vacuous,
            known,
            known.decisions - begun.decisions,
            known.fallbacks - begun.fallbacks,
            feedback,
            "",
        )

    def _taken(self, known: Context, choice: Choice, arm: Variant | None) -> Done:
        if arm is None:
            return self.trial.alone(self.static)
        if not known.arms[arm.id].pairs:
            # A driver may take the process along: then this is what the next one reads.
            fallen = replace(known.arms[arm.id], dropped=_UNFINISHED)
            self.save(replace(known, arms={**known.arms, arm.id: fallen}))
        try:
            self.trial.warm(arm)
        except CockpitError as error:
            return replace(self.trial.alone(self.static), wrong=one_line(str(error))[:_SHOWN])
        if not choice.paired:
            return self.trial.alone(arm)
        return self.trial.pair(
            self.static,
            arm,
            served=choice.served,
            arm_first=known.decisions % 2 == 1,
            max_error=self.policy.max_error,
        )


def _candidates(platform: str, static: Variant) -> list[Variant]:
    """The static choice and its family; others are of another kind of device, or for comparison."""
    same = [it for it in families.variants(platform) if it.family == static.family]
    return [static, *(it for it in same if it.id != static.id)]


def _digest(policy: T3Policy) -> str:
    told = {**asdict(policy), "frozen": sorted(policy.frozen)}
    return hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()
