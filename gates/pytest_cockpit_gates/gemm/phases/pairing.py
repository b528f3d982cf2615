"""Interleaved pairs of two platforms: as many as decide, and never more than count."""

from __future__ import annotations

import time
from typing import Any

from pytest_cockpit.api import Finding, Verdict
from pytest_cockpit_gates.gemm import findings
from pytest_cockpit_gates.gemm.phases.measuring import Crew
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.strict import model, ratios
from pytest_cockpit_gates.gemm.strict.ratios import Comparison
from pytest_cockpit_gates.gemm.workers.client import Worker, WorkerError

_PORTIONS = 2
"""Sessions that a portion of pairs comes from: processes differ, and few of them tell little."""
_KEPT = ("wall_s", "cpu_s", "max_error", "error_bound")


class Pairing:
    """Pairs of candidate and fallback at each kernel and size.

    Parameters
    ----------
    pairs: where they go, as the artifact has them.
    attempt: the how manieth run of its plan they belong to.
    until: moment of the monotonic clock after which no second portion is begun.
    findings: workers that failed.
    """

    def __init__(
        self, crew: Crew, pairs: list[dict[str, Any]], attempt: int, until: float | None = None
    ) -> None:
        self.findings: list[Finding] = []
        self._crew, self._pairs, self._attempt, self._until = crew, pairs, attempt, until
        self._session = 0

    def measure(self) -> None:
        """A first portion of every key, then portions of those that do not decide yet."""
        plan = self._crew.plan
        wanted = {(kernel, size): plan.pairs for size in plan.sizes for kernel in plan.kernels}
        while wanted and not self.findings:
            for part in range(_PORTIONS):
                share = {key: _share(count, part) for key, count in wanted.items()}
                self._session += 1
                self._portion({key: count for key, count in share.items() if count})
                if self.findings:
                    return
            for kernel, size in wanted:
                self._tell(kernel, size)
            if self._until is not None and time.monotonic() > self._until:
                return
            wanted = {
                (kernel, size): more
                for kernel, size in wanted
                if (more := self.compared(kernel, size).more)
            }

    def compared(self, kernel: str, size: int) -> Comparison:
        """What the pairs of a key say so far."""
        plan = self._crew.plan
        mine = [pair for pair in self._pairs if (pair["kernel"], pair["size"]) == (kernel, size)]
        pairs = model.paired(mine, plan.candidate, plan.fallback).get(f"{kernel}:{size}", [])
        return ratios.compare(pairs, plan.min_ratio, attempt=self._attempt)

    @property
    def told(self) -> dict[str, Any]:
        """Each key's ratio with its interval, and its verdict."""
        keys = dict.fromkeys((pair["kernel"], pair["size"]) for pair in self._pairs)
        told = {}
        for kernel, size in keys:
            made = self.compared(kernel, size)
            ratio = made.ratio
            told[f"{kernel}:{size}"] = {
                "verdict": made.verdict.value,
                "pairs": made.pairs,
                "clock": made.clock,
                "ratio": None if ratio is None else [ratio.low, ratio.estimate, ratio.high],
                "reason": made.reason,
            }
        return told

    @property
    def words(self) -> str:
        """How many keys keep up, in words."""
        verdicts = [row["verdict"] for row in self.told.values()]
        plan = self._crew.plan
        kept = verdicts.count(Verdict.PASS.value)
        return (
            f"{plan.candidate} has {plan.min_ratio:g} of {plan.fallback} at {kept} of "
            f"{len(verdicts)} kernels and sizes"
            if verdicts
            else ""
        )

    def _portion(self, wanted: dict[tuple[str, int], int]) -> None:
        """Pairs of each key by two fresh workers, in the orders ab, ba, ba, ab and so on."""
        plan, crew = self._crew.plan, self._crew
        seed = plan.seeds[(self._session - 1) % len(plan.seeds)]
        names = plan.candidate, plan.fallback
        try:
            with crew.worker(names[0]) as candidate, crew.worker(names[1]) as fallback:
                workers = dict(zip(names, (candidate, fallback), strict=True))
                for (kernel, size), count in wanted.items():
                    self._key(workers, kernel, size, seed, count)
        except WorkerError as error:
            crew.state.say(error.message)
            blamed = next((name for name in names if error.message.startswith(name)), names[0])
            self.findings.append(findings.of_worker(error, blamed))

    def _key(
        self, workers: dict[str, Worker], kernel: str, size: int, seed: int, count: int
    ) -> None:
        done = sum((pair["kernel"], pair["size"]) == (kernel, size) for pair in self._pairs)
        arguments: dict[str, Any] = {"kernel": kernel, "size": size, "seed": seed + size}
        if kernel == KERNELS[1]:
            arguments["t5_policy"] = self._crew.t5_policy
        for worker in workers.values():
            # Prepares, warms up and verifies; no part of any pair.
            worker.ask("sample", **arguments)
        candidate, fallback = workers
        for number in range(done, done + count):
            ab = number % 4 in (0, 3)
            order = (candidate, fallback) if ab else (fallback, candidate)
            answers: dict[str, dict[str, Any]] = {}
            for name in order:
                answers[name] = workers[name].ask("sample", **arguments)
                if answers[name].get("ok") is not True:
                    break
            pair = {
                "kernel": kernel,
                "size": size,
                "seed": seed,
                "pair": number,
                "session": self._session,
                "order": "ab" if ab else "ba",
                **{name: {key: it[key] for key in _KEPT} for name, it in answers.items()},
            }
            # One with a wrong result is kept, too: by that the split is judged.
            self._pairs.append(pair)
            self._crew.state.log("pair", pair)
            for name, answer in answers.items():
                findings.demand_right(name, answer)

    def _tell(self, kernel: str, size: int) -> None:
        made, plan = self.compared(kernel, size), self._crew.plan
        if made.ratio is not None:
            self._crew.state.say(
                f"{kernel}:{size}: {plan.candidate} over {plan.fallback} {made.ratio.estimate:.3f} "
                f"({made.ratio.low:.3f} to {made.ratio.high:.3f}) by {made.pairs} pairs: "
                f"{made.verdict}"
            )


def _share(count: int, part: int) -> int:
    """The part of a portion; all parts together are the portion."""
    return count // _PORTIONS + (part < count % _PORTIONS)
