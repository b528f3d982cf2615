"""Artifacts of the gate `gemm` made up here: what a campaign on a quiet machine would write."""

from __future__ import annotations

import copy
import random
from typing import Any

from pytest_cockpit_gates.gemm.compat.rows import T3, T5
from pytest_cockpit_gates.gemm.strict.model import Session, figures

GFLOPS = {"rusticl": 26.0, "clover": 16.0, "pocl": 160.0}
CALLED = {"rusticl": "rusticl", "clover": "Clover", "pocl": "Portable Computing Language"}
DEVICE = "llvmpipe (LLVM 15.0.6, 256 bits)"
DIGEST = "0123456789abcdef" * 4


def weekly_policy(platform: str = "rusticl", sizes: tuple[int, ...] = (1400, 2048)) -> Any:
    """A policy that `replay()` keeps with some room."""
    return {
        "policy_id": "weekly-1",
        "scope": {"platform": platform, "sizes": list(sizes), "kernels": [T3, T5]},
        "weekly_slo": {
            "global_guardrails": {
                "minimum_snapshots": 6,
                "max_correctness_error": 0.001,
                "max_t3_fallback_rate": 0.08,
                "max_t5_disable_events_total": 0,
                "max_t5_overhead_percent": 3.0,
                "max_abs_throughput_drift_percent": 3.0,
                "max_p95_drift_percent": 8.0,
            },
            "per_kernel_size": {
                f"{kernel}:{size}": {
                    "min_avg_gflops": 0.9 * GFLOPS[platform],
                    "max_p95_time_ms": 1.15 * 2e-6 * size**3 / GFLOPS[platform],
                }
                for kernel in (T3, T5)
                for size in sizes
            },
        },
    }


def replay(
    *,
    platforms: tuple[str, ...] = ("rusticl",),
    sizes: tuple[int, ...] = (1400, 2048),
    snapshots: int = 8,
    sessions: int = 2,
    iterations: int = 8,
    noise: float = 0.004,
    seed: int = 1,
) -> Any:
    """A replay in which everything is as it should be."""
    rng = random.Random(seed)
    document = _document("replay", platforms, sizes, sessions, iterations)
    parameters = document["metadata"]["parameters"]
    parameters |= {"snapshots": snapshots, "pressure_pulses": 1}
    document["metadata"]["executed_snapshots"] = snapshots
    for snapshot in range(1, snapshots + 1):
        document["snapshots"].append(
            {
                "snapshot": snapshot,
                "started": "2026-03-02T03:04:05Z",
                "finished": "2026-03-02T03:14:05Z",
                "decision": "continue",
                "failed": [],
            }
        )
        document["pressure"] += [
            {
                "snapshot": snapshot,
                "pulse": 0,
                "platform": platform,
                "size": 896,
                "seed": snapshot,
                "status": "ok",
                "wall_s": 0.2,
                "iterations": 3,
                "error": None,
            }
            for platform in platforms
        ]
        for platform in platforms:
            for kernel in (T3, T5):
                for size in sizes:
                    row = _row(rng, platform, kernel, size, sessions, iterations, noise)
                    document["runs"].append(row | {"snapshot": snapshot, "seed": 1000 * snapshot})
    return document


def split(
    *,
    ratio: float = 1.6,
    sizes: tuple[int, ...] = (1400,),
    seeds: tuple[int, ...] = (412, 512),
    sessions: int = 2,
    iterations: int = 20,
    pairs: int = 8,
    noise: float = 0.004,
    seed: int = 2,
) -> Any:
    """A split in which the candidate's throughput is `ratio` times that of the fallback."""
    rng = random.Random(seed)
    document = _document("split", ("rusticl", "clover"), sizes, sessions, iterations)
    document["metadata"]["parameters"] |= {"seeds": list(seeds), "pairs": pairs}
    for turn in seeds:
        for kernel in (T3, T5):
            for size in sizes:
                for platform in ("rusticl", "clover"):
                    row = _row(rng, platform, kernel, size, sessions, iterations, noise)
                    document["runs"].append(row | {"snapshot": None, "seed": turn})
                for pair in range(pairs):
                    base = 2e-9 * size**3 / GFLOPS["clover"]
                    slow, fast = (base * _noise(rng, noise), base / ratio * _noise(rng, noise))
                    document["pairs"].append(
                        {
                            "kernel": kernel,
                            "size": size,
                            "seed": turn,
                            "pair": pair,
                            "session": pair // 2,
                            "order": "ab" if pair % 2 else "ba",
                            "rusticl": _timed(fast),
                            "clover": _timed(slow),
                        }
                    )
    return document


def earlier(document: Any) -> Any:
    """A copy of it as of a week before."""
    made = copy.deepcopy(document)
    made["metadata"] |= {
        "run_id": "run-0",
        "started": "2026-02-23T03:04:05Z",
        "finished": "2026-02-23T03:44:05Z",
    }
    return made


def retimed(document: Any, factor: Any) -> Any:
    """A copy with every time of a row multiplied by `factor(row, session, iteration)`."""
    changed = copy.deepcopy(document)
    for row in changed["runs"]:
        for session in row["sessions"]:
            session["wall_s"] = [
                wall * factor(row, session["session"], at)
                for at, wall in enumerate(session["wall_s"])
            ]
        refigured(row)
    return changed


def refigured(row: Any) -> None:
    """Work a row's figures out again from its samples."""
    sessions = [
        Session(
            each["session"],
            tuple(each["wall_s"]),
            tuple(each["cpu_s"]),
            each["max_error"],
            each["error_bound"],
        )
        for each in row["sessions"]
    ]
    row["metrics"] |= figures(row["size"], sessions)


def _document(
    kind: str, platforms: tuple[str, ...], sizes: tuple[int, ...], sessions: int, iterations: int
) -> Any:
    info = {"device": DEVICE, "driver": "22.3.6", "platform_version": "OpenCL 3.0"}
    return {
        "schema": "pytest-cockpit/gemm-run/1",
        "kind": kind,
        "metadata": {
            "run_id": "run-1",
            "started": "2026-03-02T03:04:05Z",
            "finished": "2026-03-02T03:44:05Z",
            "place": "local",
            "attempt": 1,
            "plan_sha256": DIGEST,
            "base": "a" * 40,
            "policy": {"path": "weekly.json", "sha256": DIGEST, "id": "weekly-1"},
            "t3_policy": None,
            "t5_policy": None,
            "baseline": None,
            "parameters": {
                "sizes": list(sizes),
                "kernels": [T3, T5],
                "platforms": list(platforms),
                "sessions": sessions,
                "iterations": iterations,
                "seed": 13011,
            },
            "executed_snapshots": 0,
            "machine": {"fingerprint": "f" * 64, "cpu": "made up", "cores": 2},
            "software": {"numpy": "2.3.0", "pyopencl": "2025.2"},
            "platforms": {name: info | {"platform_name": CALLED[name]} for name in platforms},
        },
        "snapshots": [],
        "pressure": [],
        "runs": [],
        "pairs": [],
        "recall": [
            {
                "platform": platform,
                "size": size,
                "injections": 2000,
                "detected": 2000,
                "critical_injections": 2000,
                "critical_detected": 2000,
            }
            for platform in platforms
            for size in sizes
        ],
        "rollback_event": None,
        "evaluation": None,
    }


def _row(
    rng: random.Random,
    platform: str,
    kernel: str,
    size: int,
    sessions: int,
    iterations: int,
    noise: float,
) -> Any:
    base = 2e-9 * size**3 / GFLOPS[platform]
    row: Any = {
        "status": "ok",
        "returncode": 0,
        "platform_selector": platform,
        "kernel": kernel,
        "size": size,
        "error": None,
        "stderr": "",
        "variant": {"id": f"{platform}-tile", "source_sha256": DIGEST},
        "sessions": [],
        "metrics": {"platform": CALLED[platform], "device": DEVICE, "driver": "22.3.6"},
    }
    for session in range(sessions):
        level = base * _noise(rng, noise)
        wall = [level * _noise(rng, noise) for _ in range(iterations)]
        row["sessions"].append(
            {
                "session": session,
                "seed": 1000 * session,
                "wall_s": wall,
                "cpu_s": [1.9 * each for each in wall],
                "max_error": 2e-4,
                "error_bound": 9e-4,
            }
        )
    refigured(row)
    guarded = [level * _noise(rng, noise) for _ in range(iterations)]
    row["metrics"] |= (
        {"t3_fallback_rate": None, "t3_vacuous": True, "t3_policy_disabled": False, "t3_arms": []}
        if kernel == T3
        else {
            "t5_overhead_percent": 0.5,
            "t5_sampling_period": 1,
            "t5_false_positive_rate": 0.0,
            "t5_disable_events": 0,
            "t5_disable_reason": None,
            "t5_checked": iterations,
            "t5_detections": 0,
            "t5_corrections": 0,
            "t5_pairs": [{"guarded_s": 1.005 * each, "plain_s": each} for each in guarded],
        }
    )
    return row


def _timed(wall: float) -> Any:
    return {"wall_s": wall, "cpu_s": 1.9 * wall, "max_error": 2e-4, "error_bound": 9e-4}


def _noise(rng: random.Random, spread: float) -> float:
    return 1 + rng.gauss(0, spread)
