"""What an artifact is held to beside its policies."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pytest_cockpit_gates.gemm.settings import KERNELS


@dataclass(frozen=True, slots=True)
class Demands:
    """What is asked of an artifact.

    Parameters
    ----------
    candidate, fallback: the platform under judgement, and the one it is held against.
    min_ratio: throughput of the candidate over that of the fallback, at least.
    required_sizes: sizes that the policy and both platforms of a split have to have for each of
        `kernels`; where empty, a split has to have those planned.
    attempt: the how manieth run of the same plan is judged; the later, the stricter.
    place: `ci` asks for a baseline of the same machine and platforms.
    now, max_age_days: the artifact may be so old; None asks nothing of its age.
    """

    candidate: str = "rusticl"
    fallback: str = "clover"
    min_ratio: float = 0.85
    required_sizes: tuple[int, ...] = ()
    kernels: tuple[str, ...] = KERNELS
    attempt: int = 1
    place: str = "local"
    now: datetime | None = None
    max_age_days: int | None = None
