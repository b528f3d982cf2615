"""What a campaign measures: the options of the command line over the settings over the defaults."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

from pytest_cockpit.api import JSON, CockpitError
from pytest_cockpit_gates.gemm.settings import KERNELS, KNOWN, Settings

SIZES = (1400, 2048, 3072)
SEEDS = (412, 512)
REPLAY, SPLIT, GATE = "replay", "split", "gate"
_MOST = {
    "snapshots": 1000,
    "sessions": 100,
    "iterations": 10_000,
    "pressure_size": 32768,
    "pressure_iterations": 1000,
    "pressure_pulses": 100,
}
_NONE_IS_FINE = ("pressure_iterations", "pressure_pulses")
_LARGEST = 32768
_SEED = 2**31
_NAME = "abcdefghijklmnopqrstuvwxyz0123456789_-"


@dataclass(frozen=True, slots=True)
class Plan:
    """What a campaign measures, and by what it is judged.

    Parameters
    ----------
    kind: `replay`, `split` or `gate`.
    place: `local` or `ci`.
    platforms: those that are measured, the one under judgement first.
    candidate, fallback, min_ratio: as in the settings.
    kernels, sizes: a row for each of them and each platform.
    required_sizes: sizes that a split must have.
    seeds: of a split.
    snapshots: of a replay.
    sessions: fresh processes that make one row.
    iterations: timed multiplications in each.
    pressure_size, pressure_iterations, pressure_pulses: of the load beside them.
    seed: all inputs of a replay follow from it.
    pairs: pairs of runs that a comparison begins with.
    policy, t3_policy, t5_policy, baseline, sla: paths below the root, empty where there is none.
    timeout_s: seconds that one answer of a worker may take.
    """

    kind: str
    place: str = "local"
    platforms: tuple[str, ...] = ("rusticl", "clover")
    candidate: str = "rusticl"
    fallback: str = "clover"
    min_ratio: float = 0.85
    kernels: tuple[str, ...] = KERNELS
    sizes: tuple[int, ...] = SIZES
    required_sizes: tuple[int, ...] = ()
    seeds: tuple[int, ...] = SEEDS
    snapshots: int = 8
    sessions: int = 2
    iterations: int = 8
    pressure_size: int = 896
    pressure_iterations: int = 3
    pressure_pulses: int = 3
    seed: int = 13011
    pairs: int = 8
    policy: str = ""
    t3_policy: str = ""
    t5_policy: str = ""
    baseline: str = ""
    sla: str = ""
    timeout_s: float = 120.0

    @classmethod
    def of(cls, kind: str, options: JSON, settings: Settings) -> Self:
        """The plan of a session.

        Raises
        ------
        CockpitError: an option is of no use; the text names it.
        """
        given: dict[str, Any] = {}
        for name in ("place", *_MOST, "seed", "policy", "t3_policy", "t5_policy", "baseline"):
            if options.get(name) is not None:
                given[name] = options[name]
        for name in ("policy", "t3_policy", "t5_policy", "baseline", "sla"):
            given[name] = options.get(name) or getattr(settings, name)
        for name in ("platforms", "kernels", "sizes", "seeds", "required_sizes"):
            if options.get(name):
                given[name] = tuple(dict.fromkeys(options[name]))
        given.setdefault("platforms", settings.platforms)
        if settings.sizes:
            given.setdefault("sizes", settings.sizes)
        if kind == SPLIT:
            given.setdefault("sessions", 1)
        made = cls(
            kind=kind,
            candidate=settings.candidate,
            fallback=settings.fallback,
            min_ratio=_ratio(options.get("min_ratio"), settings.min_ratio),
            pairs=settings.pairs,
            timeout_s=settings.timeout_s,
            **given,
        )
        made.demand()
        return made

    def demand(self) -> None:
        """Raise `CockpitError` for the first option that is of no use."""
        for name, most in _MOST.items():
            least = 0 if name in _NONE_IS_FINE else 1
            _within(name, getattr(self, name), least, most)
        _within("seed", self.seed, 0, _SEED)
        for name in ("sizes", "required_sizes"):
            for size in getattr(self, name):
                _within(name, size, 1, _LARGEST)
        for seed in self.seeds:
            _within("seeds", seed, 0, _SEED)
        for kernel in self.kernels:
            if kernel not in KNOWN:
                raise _useless("kernels", kernel, f"choose among {', '.join(KNOWN)}")
        for platform in self.platforms:
            if not platform[:1].isalpha() or not set(platform) <= set(_NAME):
                raise _useless("platforms", platform, "a name such as rusticl, clover or pocl")
        if self.kind == SPLIT:
            missing = {self.candidate, self.fallback} - set(self.platforms)
            if missing:
                lacks = f"a split needs {self.candidate} and {self.fallback}"
                raise _useless("platforms", " ".join(self.platforms), lacks)

    @property
    def times(self) -> int:
        """How often the product of one kernel at one size is timed on one platform."""
        rows = self.snapshots if self.kind == REPLAY else len(self.seeds)
        return rows * self.sessions * self.iterations

    @property
    def parameters(self) -> dict[str, Any]:
        """As the artifact of a run has them."""
        shared = ("sessions", "iterations", "seed")
        pressure = ("pressure_size", "pressure_iterations", "pressure_pulses")
        names = [*shared, *pressure, *(["snapshots"] if self.kind == REPLAY else ["pairs"])]
        lists = ["platforms", "kernels", "sizes", *(["seeds"] if self.kind == SPLIT else [])]
        return {
            **{name: getattr(self, name) for name in names},
            **{name: list(getattr(self, name)) for name in lists},
        }


def _within(name: str, value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise _useless(name, value, f"a number of {least} to {most}")


def _ratio(given: float | None, setting: float) -> float:
    if given is None:
        return setting
    if not 0 < given <= 100:  # noqa: PLR2004 - as the setting's schema says
        raise _useless("min_ratio", given, "a number above 0, at most 100")
    return given


def _useless(name: str, value: object, remedy: str) -> CockpitError:
    flag = f"--cockpit-gemm-{name.replace('_', '-')}"
    return CockpitError(f"{flag}: {str(value)[:60]} is of no use; {remedy}")
