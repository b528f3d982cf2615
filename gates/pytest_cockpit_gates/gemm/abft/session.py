"""One session of `auto_t5_guarded`: guarded products, and some beside them without the guard."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from pytest_cockpit_gates.gemm.abft.correction import Corrected
from pytest_cockpit_gates.gemm.abft.guard import Guard, Guarded
from pytest_cockpit_gates.gemm.abft.guardrails import Rails, Seen
from pytest_cockpit_gates.gemm.abft.policy import STRICT, T5Policy

if TYPE_CHECKING:
    from pytest_cockpit_gates.gemm.kernels.gemm import Gemm
    from pytest_cockpit_gates.gemm.kernels.operands import Matrix, Operands

PAIRS = 2
PAIRS_INSIDE = 4
"""Where the check is inside of the kernel, pairs alone tell what it costs."""


@dataclass(frozen=True, slots=True)
class Pair:
    """The same product with and without the guard, one right after the other."""

    guarded_s: float
    plain_s: float
    guarded_cpu_s: float
    plain_cpu_s: float
    order: str


@dataclass(frozen=True, slots=True)
class T5Result:
    """What a session of the guarded kernel was.

    Parameters
    ----------
    wall_s, cpu_s: of each product, the guard's work included.
    pairs: checked products, each beside the same one without the guard.
    rails: the guardrails' state at the end; its `reason` says why the guard was switched off.
    corrected: what became of all flagged rows.
    worst: the largest residual by its tolerance among rows that were right, at most.
    """

    wall_s: tuple[float, ...]
    cpu_s: tuple[float, ...]
    pairs: tuple[Pair, ...]
    rails: Rails
    corrected: Corrected
    worst: float

    def to_json(self) -> dict[str, Any]:
        """The session as JSON; a rate or an overhead that nothing was seen of is null."""
        rails = self.rails
        return {
            "policy": rails.policy.name,
            "sampling_period": rails.policy.sampling_period,
            "projections": rails.policy.projections,
            "replaced": list(rails.policy.replaced),
            "checked": rails.checks,
            "false_positive_rate": rails.false_positive_rate,
            "overhead_percent": rails.overhead_percent,
            "pairs": [asdict(it) for it in self.pairs],
            **asdict(self.corrected),
            "worst_residual": self.worst,
            "disable_events": int(rails.reason is not None),
            "disable_reason": rails.reason,
        }


def run_session(
    gemm: Gemm,
    operands: Operands,
    iterations: int,
    policy: T5Policy = STRICT,
    *,
    seed: int = 0,
    alpha: float = 1.0,
    beta: float = 0.0,
    before: Matrix | None = None,
    pairs: int | None = None,
    look: Callable[[], float | None] | None = None,
    fault: Callable[[Matrix], None] | None = None,
) -> T5Result:
    """Multiply `iterations` times with the guard, `pairs` that are checked beside one without.

    Parameters
    ----------
    before: C as it is before each product; demanded where beta is not 0.
    pairs: some by default, more where the check is inside of the kernel.
    look: called after each guarded product, outside of its time; the absolute error of the result.
    fault: done to C between product and check: injection, for tests and campaigns.

    Raises
    ------
    CockpitError: the device ran out of memory.
    """
    with Guard(gemm, policy, seed, fault=fault) as guard:
        if pairs is None:
            pairs = PAIRS if guard.fused is None else PAIRS_INSIDE
        run = _Run(guard, operands, alpha, beta, before)
        run.guarded()  # builds what the guard needs, and is no part of anything
        run.plain()
        guard.restart()
        rails, corrected, worst = Rails(policy), Corrected(), 0.0
        done: list[Guarded] = []
        beside: list[Pair] = []
        for count in range(iterations):
            on = rails.reason is None
            # A product that is not checked is the plain one: it says nothing of what a check costs.
            paired = len(beside) < pairs and count % policy.sampling_period == 0
            first = run.plain() if on and paired and len(beside) % 2 else None
            one = run.guarded() if on else run.plain()
            error = look() if look is not None else None
            done.append(one)
            other = first
            if on and paired:
                other = first or run.plain()
                beside.append(_pair(one, other, "ba" if first else "ab"))
            found = one.corrected or Corrected()
            corrected = corrected + found
            worst = max(worst, one.worst)
            rails = rails.after(_seen(one, found, other, error))
    return T5Result(
        tuple(it.wall_s for it in done),
        tuple(it.cpu_s for it in done),
        tuple(beside),
        rails,
        corrected,
        worst,
    )


@dataclass(frozen=True, slots=True)
class _Run:
    """One product at a time, each from the same beginning."""

    guard: Guard
    operands: Operands
    alpha: float
    beta: float
    before: Matrix | None

    def guarded(self) -> Guarded:
        self._begin()
        return self.guard.run(self.operands, self.alpha, self.beta)

    def plain(self) -> Guarded:
        self._begin()
        timing = self.guard.gemm.run(self.operands, self.alpha, self.beta)
        return Guarded(timing.wall_s, timing.cpu_s)

    def _begin(self) -> None:
        self.operands.renew(self.before if self.beta else None)


def _pair(guarded: Guarded, plain: Guarded, order: str) -> Pair:
    return Pair(guarded.wall_s, plain.wall_s, guarded.cpu_s, plain.cpu_s, order)


def _seen(one: Guarded, found: Corrected, plain: Guarded | None, error: float | None) -> Seen:
    added, product = one.added_cpu_s, one.cpu_s
    if added is not None:
        product -= added
    elif plain is not None:
        added, product = one.cpu_s - plain.cpu_s, plain.cpu_s
    # What a detection costs is not what the guard costs: it is charged to the fault.
    if found.flagged:
        added = None
    return Seen(one.checked, product, added, found.false_positives, error)
