"""Rows of a run's artifact, made of what the workers of their sessions answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from pytest_cockpit_gates.gemm.strict import model
from pytest_cockpit_gates.gemm.strict.guard_costs import added_percent
from pytest_cockpit_gates.gemm.workers.client import WorkerError

_LONGEST_ERROR, _LONGEST_STDERR = 4000, 32_000
_LONGEST_REASON = 2000
_TIMES = ("guarded_s", "plain_s", "guarded_cpu_s", "plain_cpu_s")


@dataclass(frozen=True, slots=True)
class Task:
    """One row to be measured: a kernel at a size on a platform, in a snapshot or for a seed.

    Parameters
    ----------
    seed: as the artifact has it.
    inputs: seed that the inputs of its sessions follow from.
    """

    platform: str
    kernel: str
    size: int
    seed: int
    snapshot: int | None
    inputs: int

    @property
    def key(self) -> str:
        """As checks name it."""
        return f"{self.kernel}:{self.size}@{self.platform}"


@dataclass(slots=True)
class Row:
    """A row while it is measured.

    Parameters
    ----------
    answers: of the sessions that came to their end, each with its number and seed.
    failure: of the first that did not.
    """

    task: Task
    answers: list[dict[str, Any]] = field(default_factory=list)
    failure: WorkerError | None = None
    info: Mapping[str, Any] = field(default_factory=dict)

    def add(self, session: int, seed: int, answer: Mapping[str, Any]) -> dict[str, Any]:
        """Take in what the worker of a session answered; the session as the artifact has it."""
        made = {
            "session": session,
            "seed": seed,
            **{key: answer[key] for key in ("wall_s", "cpu_s", "max_error", "error_bound")},
        }
        self.answers.append({**made, **{key: answer.get(key) for key in ("variant", "t3", "t5")}})
        return made

    def to_json(self) -> dict[str, Any]:
        """The row as the artifact has it."""
        task, failure = self.task, self.failure
        last = self.answers[-1] if self.answers else {}
        variant = last.get("variant") or {}
        return {
            "status": "failed" if failure else "ok",
            "returncode": failure.returncode if failure else 0,
            "platform_selector": task.platform,
            "kernel": task.kernel,
            "size": task.size,
            "seed": task.seed,
            "snapshot": task.snapshot,
            "error": failure.message[:_LONGEST_ERROR] if failure else None,
            "stderr": failure.stderr[-_LONGEST_STDERR:] if failure else None,
            "variant": {key: variant[key] for key in ("id", "source_sha256")} if variant else None,
            "sessions": [_session(answer) for answer in self.answers],
            "metrics": self._metrics() if self.answers else None,
        }

    def _metrics(self) -> dict[str, Any]:
        sessions = [
            model.Session(
                it["session"],
                tuple(it["wall_s"]),
                tuple(it["cpu_s"]),
                it["max_error"],
                it["error_bound"],
            )
            for it in self.answers
        ]
        return {
            "platform": self.info.get("platform_name", ""),
            "device": self.info.get("device", ""),
            "driver": self.info.get("driver", ""),
            **model.figures(self.task.size, sessions),
            **_selector([it["t3"] for it in self.answers if it["t3"]]),
            **_guard([it["t5"] for it in self.answers if it["t5"]]),
        }


def _session(answer: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("session", "seed", "wall_s", "cpu_s", "max_error", "error_bound")
    return {key: answer[key] for key in keys}


def _selector(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What the online selector says of itself over all sessions; nothing of other kernels."""
    if not told:
        return {}
    rates = _numbers(told, "fallback_rate")
    reasons = [str(it["disable_reason"]) for it in told if it.get("disable_reason")]
    return {
        "t3_fallback_rate": fmean(rates) if rates else None,
        "t3_decisions": sum(int(it.get("decisions") or 0) for it in told),
        "t3_fallbacks": sum(int(it.get("fallbacks") or 0) for it in told),
        "t3_disable_reason": reasons[-1][:_LONGEST_REASON] if reasons else None,
        "t3_vacuous": all(it.get("vacuous") is True for it in told),
        "t3_policy_disabled": any(it.get("policy_disabled") is True for it in told),
        "t3_arms": told[-1].get("arms"),
    }


def _guard(told: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What fault detection says of itself over all sessions; nothing of other kernels."""
    if not told:
        return {}
    pairs = [timed(pair) for it in told for pair in it.get("pairs") or ()]
    period = max(int(it.get("sampling_period") or 1) for it in told)
    rates = _numbers(told, "false_positive_rate")
    reasons = [str(it["disable_reason"]) for it in told if it.get("disable_reason")]
    return {
        "t5_overhead_percent": added_percent(pairs, period),
        "t5_sampling_period": period,
        "t5_false_positive_rate": max(rates) if rates else None,
        "t5_disable_events": sum(int(it.get("disable_events") or 0) for it in told),
        "t5_disable_reason": reasons[0][:_LONGEST_REASON] if reasons else None,
        "t5_checked": sum(int(it.get("checked") or 0) for it in told),
        "t5_detections": sum(int(it.get("detections") or 0) for it in told),
        "t5_corrections": sum(int(it.get("corrections") or 0) for it in told),
        "t5_pairs": pairs,
    }


def timed(pair: Mapping[str, Any]) -> dict[str, float]:
    """A pair with and without the guard as the artifact has it."""
    return {key: pair[key] for key in _TIMES if key in pair}


def _numbers(told: Sequence[Mapping[str, Any]], key: str) -> list[float]:
    return [float(value) for it in told if isinstance(value := it.get(key), int | float)]


def pace(rows: Sequence[Row]) -> str:
    """GFLOPS by kernel, in the order of sizes."""
    by_kernel: dict[str, list[str]] = {}
    for row in rows:
        metrics = row.to_json()["metrics"] or {}
        value = metrics.get("avg_mean_gflops")
        shown = "failed" if row.failure or value is None else f"{value:.4g}"
        by_kernel.setdefault(row.task.kernel, []).append(shown)
    sizes = "/".join(str(size) for size in dict.fromkeys(row.task.size for row in rows))
    told = ", ".join(f"{kernel} {'/'.join(shown)}" for kernel, shown in by_kernel.items())
    return f"{told} GFLOPS at {sizes}"
