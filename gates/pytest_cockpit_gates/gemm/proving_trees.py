"""Artifacts and policies of the gate's proofs: a replay and a split in which all is well."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from pytest_cockpit_gates.gemm.phases.plan import REPLAY, SPLIT
from pytest_cockpit_gates.gemm.settings import KERNELS
from pytest_cockpit_gates.gemm.strict import model
from pytest_cockpit_gates.gemm.strict.artifacts import SCHEMA

SIZE = 512
SNAPSHOTS = 8
_SESSIONS, _ITERATIONS, _PAIRS = 2, 8, 12
GFLOPS = 20.0
WALL = 2 * SIZE**3 / 1e9 / GFLOPS
_DIGEST = "5" * 64
_SEEDS = (412, 512)
_SPREAD = 0.003
_INFO = {
    "rusticl": ("rusticl", "OpenCL 3.0"),
    "clover": ("Clover", "OpenCL 1.1 Mesa 22.3.6"),
}
_SELECTOR = {"fallback_rate": 0.0, "vacuous": False, "policy_disabled": False, "arms": {}}

Table = dict[str, Any]


def replay(*, slower: float = 1.0) -> Table:
    """A replay on one platform, all of its times longer by a factor."""
    made = _document(REPLAY, ("rusticl",))
    made["metadata"]["executed_snapshots"] = SNAPSHOTS
    for number in range(1, SNAPSHOTS + 1):
        made["snapshots"].append(
            {
                "snapshot": number,
                "started": _at(minutes=number - 60),
                "finished": _at(minutes=number - 59),
                "decision": "continue",
                "failed": [],
            }
        )
        made["pressure"].append(_pulse(number))
        made["runs"] += [_run("rusticl", kernel, number, None, slower) for kernel in KERNELS]
    return made


def before(run: Table) -> Table:
    """A run as of an hour before, for another one to be held against."""
    run["metadata"] |= {
        "run_id": "proof-before",
        "started": _at(minutes=-120),
        "finished": _at(minutes=-61),
    }
    return run


def split(*, slower: float = 1.0) -> Table:
    """A split, the candidate's multiplications in pairs longer by a factor."""
    made = _document(SPLIT, ("rusticl", "clover"))
    for platform in ("rusticl", "clover"):
        for seed in _SEEDS:
            made["runs"] += [_run(platform, kernel, None, seed) for kernel in KERNELS]
    for kernel in KERNELS:
        for number in range(2 * _PAIRS):
            turn = len(made["pairs"])
            times = [WALL * slower * _noise(turn, 1), WALL * _noise(turn, 2)]
            right = {"max_error": 1e-5, "error_bound": 1e-3}
            timed = [{"wall_s": time, "cpu_s": 2 * time, **right} for time in times]
            made["pairs"].append(
                {
                    "kernel": kernel,
                    "size": SIZE,
                    "seed": _SEEDS[number % 2],
                    "pair": number,
                    "session": number // 2,
                    "order": "ab" if number % 4 in {0, 3} else "ba",
                    **dict(zip(("rusticl", "clover"), timed, strict=True)),
                }
            )
    return made


def text(data: Mapping[str, Any]) -> str:
    """A document as a file."""
    return json.dumps(data, indent=1)


def _document(kind: str, platforms: tuple[str, ...]) -> Table:
    parameters: Table = {
        "sizes": [SIZE],
        "kernels": list(KERNELS),
        "platforms": list(platforms),
        "sessions": _SESSIONS,
        "iterations": _ITERATIONS,
        "seed": 13011,
    }
    parameters |= {"snapshots": SNAPSHOTS} if kind == REPLAY else {"seeds": list(_SEEDS)}
    policy = {"path": "policy.json", "sha256": _DIGEST, "id": "proof-weekly"}
    return {
        "schema": SCHEMA,
        "kind": kind,
        "metadata": {
            "run_id": f"proof-{kind}",
            "started": _at(minutes=-60),
            "finished": _at(),
            "place": "local",
            "attempt": 1,
            "plan_sha256": _DIGEST,
            "base": "b" * 40,
            "policy": policy,
            "t3_policy": None,
            "t5_policy": None,
            "baseline": None,
            "parameters": parameters,
            "executed_snapshots": 0,
            "machine": {"fingerprint": "proof"},
            "software": {"numpy": "2.0"},
            "platforms": {name: _info(name) for name in platforms},
        },
        "snapshots": [],
        "pressure": [],
        "runs": [],
        "pairs": [],
        "recall": [
            {
                "platform": name,
                "size": SIZE,
                "injections": 2000,
                "detected": 2000,
                "critical_injections": 2000,
                "critical_detected": 2000,
            }
            for name in platforms
        ],
        "rollback_event": None,
        "evaluation": None,
    }


def _info(platform: str) -> Table:
    name, version = _INFO[platform]
    return {
        "platform": platform,
        "platform_name": name,
        "platform_version": version,
        "device": "llvmpipe",
        "driver": "22.3.6",
    }


def _run(
    platform: str, kernel: str, snapshot: int | None, seed: int | None, slower: float = 1.0
) -> Table:
    where = (len(platform), len(kernel), snapshot or 0, seed or 0)
    sessions = [_session(number, where, slower) for number in range(1, _SESSIONS + 1)]
    timed = [
        model.Session(it["session"], tuple(it["wall_s"]), tuple(it["cpu_s"]), 1e-5, 1e-3)
        for it in sessions
    ]
    info = _info(platform)
    metrics = {
        "platform": info["platform_name"],
        **{key: info[key] for key in ("device", "driver")},
        **model.figures(SIZE, timed),
        **(_selector() if kernel == KERNELS[0] else _guard(where)),
    }
    return {
        "status": "ok",
        "returncode": 0,
        "platform_selector": platform,
        "kernel": kernel,
        "size": SIZE,
        "seed": seed if seed is not None else 13011 + 1000 * (snapshot or 0) + SIZE,
        "snapshot": snapshot,
        "error": None,
        "stderr": None,
        "variant": {"id": "proof-8x8", "source_sha256": _DIGEST},
        "sessions": sessions,
        "metrics": metrics,
    }


def _session(number: int, where: tuple[int, ...], slower: float) -> Table:
    wall = [WALL * slower * _noise(*where, number, at) for at in range(_ITERATIONS)]
    return {
        "session": number,
        "seed": 13011 + 1000 * number,
        "wall_s": wall,
        "cpu_s": [2 * time for time in wall],
        "max_error": 1e-5,
        "error_bound": 1e-3,
    }


def _selector() -> Table:
    return {f"t3_{key}": value for key, value in _SELECTOR.items()}


def _guard(where: tuple[int, ...]) -> Table:
    pairs = [
        {
            "guarded_s": 1.005 * WALL * _noise(*where, 3, at),
            "plain_s": WALL * _noise(*where, 4, at),
        }
        for at in range(_PAIRS)
    ]
    return {
        "t5_overhead_percent": 0.5,
        "t5_sampling_period": 1,
        "t5_false_positive_rate": 0.0,
        "t5_disable_events": 0,
        "t5_disable_reason": None,
        "t5_checked": _SESSIONS * _ITERATIONS,
        "t5_detections": 0,
        "t5_corrections": 0,
        "t5_pairs": pairs,
    }


def _pulse(snapshot: int) -> Table:
    return {
        "snapshot": snapshot,
        "pulse": 1,
        "platform": "rusticl",
        "size": SIZE,
        "seed": 13028 + 1000 * snapshot,
        "status": "ok",
        "wall_s": 1.0,
        "iterations": 3,
        "error": None,
    }


def _noise(*where: int) -> float:
    """A factor near 1, another one for each place and the same in every run."""
    phase = sum(
        part * weight
        for part, weight in zip(where, (12.9898, 78.233, 37.719, 4.581, 91.17, 53.3), strict=False)
    )
    return 1 + _SPREAD * math.sin(43758.5453 * math.sin(phase))


def _at(minutes: int = 0) -> str:
    """A moment before now: proofs are as recent as the day they are run on."""
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%Y-%m-%dT%H:%M:%SZ")
