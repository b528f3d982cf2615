"""A night: kernels x platforms x sizes beside NumPy's OpenBLAS and CLBlast, in the same minutes.

Each benchmark has a worker of its own, as the gate starts them. Its rounds are pairs: ours and each
peer take turns as to which comes first. pytest-benchmark's statistics are of rounds of ours, with
the way to the worker and back; the times that count are those that the worker takes, in
`extra_info` with the machine, the device, and the pairs. Ratios are by the clock: a night's machine
has nothing else to do, and processor time of threads is too old by some ms for small sizes.

What was measured is added to a history, and held against the nights before it; the trend and the
plots lie beside it. Variables: `COCKPIT_GEMM_SIZES`, `COCKPIT_GEMM_PLATFORMS`,
`COCKPIT_GEMM_KERNELS`, `COCKPIT_GEMM_PAIRS`, `COCKPIT_GEMM_HISTORY`.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pytest_benchmark.utils import get_commit_info

pytest.importorskip("numpy", reason="numpy is not installed (the extra gemm)")
pytest.importorskip("pyopencl", reason="pyopencl is not installed (the extra gemm)")

from benchmarks import gemm_history, gemm_peers
from benchmarks.gemm_history import Night
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.gemm.closing import plots
from pytest_cockpit_gates.gemm.closing.plots import Ceiling
from pytest_cockpit_gates.gemm.closing.results import Line, Ratio
from pytest_cockpit_gates.gemm.workers import platforms
from pytest_cockpit_gates.gemm.workers.client import Worker

SEED = 13011
TIMEOUT_S = 600.0
OVERHEAD_PAIRS = 8
MAX_OVERHEAD = 1.0
TITLE = "gemm: the night"


def _words(name: str, default: str) -> list[str]:
    return os.environ.get(f"COCKPIT_GEMM_{name}", default).split()


SIZES = [int(size) for size in _words("SIZES", "512 1024")]
KERNELS = _words("KERNELS", "static auto_t3_controlled auto_t5_guarded")
PLATFORMS = _words("PLATFORMS", " ".join(platforms.KNOWN))
PAIRS = int(_words("PAIRS", "8")[0])
MOST_REPEATS = 100
"""Of ours in one round, which is their mean as it is the peer's: on a busy machine short looks with
pauses between them meet fewer interruptions than a long one."""


@dataclass
class Results:
    """What this run has measured so far."""

    folder: Path
    at: str
    commit: str
    nights: list[Night] = field(default_factory=list)
    peers: dict[tuple[str, str, int], list[float]] = field(default_factory=dict)
    costs: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    ceilings: dict[str, Ceiling] = field(default_factory=dict)


@pytest.fixture(scope="module")
def results() -> Results:
    commit = get_commit_info()
    return Results(
        gemm_history.place(),
        datetime.now(UTC).isoformat(timespec="seconds"),
        gemm_history.commit_of(commit),
    )


@contextlib.contextmanager
def _peers(platform: str, variables: Mapping[str, str]) -> Iterator[dict[str, gemm_peers.Peer]]:
    with contextlib.ExitStack() as stack:
        started = ["openblas"]
        # On Mesa it takes minutes where it does not abort.
        if platform == "pocl" and gemm_peers.clblast() is not None:
            started.append("clblast")
        yield {
            name: stack.enter_context(gemm_peers.peer(name, platform, environment=variables))
            for name in started
        }


@pytest.mark.parametrize(
    ("platform", "size", "kernel"), list(itertools.product(PLATFORMS, SIZES, KERNELS))
)
def test_a_kernel_beside_its_peers(platform, size, kernel, benchmark, results, tmp_path):
    why = platforms.missing(platform)
    if why is not None:
        pytest.skip(why)
    benchmark.group = f"{platform} {size}"
    variables = platforms.environment(platform, tmp_path)
    ours: list[list[dict[str, float]]] = []
    theirs: dict[str, list[dict[str, float]]] = {}
    chance = random.Random(f"{platform} {size} {kernel}")
    first = [chance.random() < 0.5 for _ in range(PAIRS)]
    with (
        Worker(platform, tmp_path, timeout_s=TIMEOUT_S) as worker,
        _peers(platform, variables) as peers,
    ):
        told = worker.ask("describe")
        # One session judges the results of this kernel; nothing wrong is timed.
        judged = worker.ask(
            "session", kernel=kernel, m=size, n=size, k=size, seed=SEED, iterations=1
        )
        assert judged["ok"], judged
        worker.ask("sample", size=size, seed=SEED, kernel=kernel)
        for peer in peers.values():
            peer.sample(size)

        def beside(*, before: bool) -> None:
            """The peers of this pair, where its coin says that this is their turn."""
            if first[len(ours) - (not before)] is before:
                for name, peer in peers.items():
                    theirs.setdefault(name, []).append(peer.sample(size))

        def mine() -> None:
            asked = {"size": size, "seed": SEED, "kernel": kernel}
            times = min(MOST_REPEATS, gemm_peers.turns(size))
            ours.append([worker.ask("sample", **asked) for _ in range(times)])

        benchmark.pedantic(
            mine,
            setup=lambda: beside(before=True),
            teardown=lambda: beside(before=False),
            rounds=PAIRS,
            iterations=1,
        )
    night = _night(results, told, (platform, kernel, size), ours, theirs, judged)
    results.nights.append(night)
    for name, rows in theirs.items():
        results.peers.setdefault((platform, name, size), []).extend(row["wall_s"] for row in rows)
    benchmark.extra_info |= {
        "machine": told["machine"],
        "software": told["software"],
        "info": told["info"],
        "variant": judged.get("variant"),
        "max_error": judged["max_error"],
        "error_bound": judged["error_bound"],
        "gflops": night.gflops,
        "samples": ours,
        "peers": theirs,
        "ours_first": [not it for it in first],
    }


def _night(
    results: Results,
    told: Mapping[str, Any],
    what: tuple[str, str, int],
    ours: list[list[dict[str, float]]],
    theirs: Mapping[str, list[dict[str, float]]],
    judged: Mapping[str, Any],
) -> Night:
    platform, kernel, size = what
    info = told["info"]
    rounds = [statistics.fmean(row["wall_s"] for row in rows) for rows in ours]
    ratios = {
        name: gemm_history.ratio(list(zip(rounds, (it["wall_s"] for it in rows), strict=True)))
        for name, rows in theirs.items()
    }
    every = [row for rows in ours for row in rows]
    return Night(
        at=results.at,
        commit=results.commit,
        machine=told["machine"]["fingerprint"],
        platform=platform,
        version=str(info["platform_version"]),
        device=str(info["device"]),
        kernel=kernel,
        variant=str((judged.get("variant") or {}).get("id") or ""),
        size=size,
        pairs=len(ours),
        wall_s=statistics.median(rounds),
        cpu_s=statistics.median(row["cpu_s"] for row in every),
        best_s=min(row["wall_s"] for row in every),
        openblas=ratios.get("openblas"),
        clblast=ratios.get("clblast"),
    )


@pytest.mark.parametrize(("platform", "size"), list(itertools.product(PLATFORMS, SIZES)))
def test_what_fault_detection_costs(platform, size, benchmark, results, tmp_path):
    why = platforms.missing(platform)
    if why is not None:
        pytest.skip(why)
    asked = {"size": size, "pairs": OVERHEAD_PAIRS, "seed": SEED}
    with Worker(platform, tmp_path, timeout_s=TIMEOUT_S) as worker:
        found = benchmark.pedantic(
            worker.ask, args=("overhead",), kwargs=asked, rounds=1, iterations=1
        )
    results.costs[platform, size] = [
        (pair["guarded_s"] / pair["plain_s"] - 1) * 100 for pair in found["pairs"]
    ]
    benchmark.extra_info |= found


@pytest.mark.parametrize("platform", PLATFORMS)
def test_the_ceiling_of_a_device(platform, benchmark, results, tmp_path):
    why = platforms.missing(platform)
    if why is not None:
        pytest.skip(why)
    with Worker(platform, tmp_path, timeout_s=TIMEOUT_S) as worker:
        found = benchmark.pedantic(worker.ask, args=("ceilings",), rounds=1, iterations=1)
    benchmark.extra_info |= found
    results.ceilings[platform] = Ceiling(found["peak_gflops"], found["bandwidth_gbs"])


def test_nothing_is_slower_than_in_the_nights_before(results, tell):
    if not results.nights:
        pytest.skip("nothing was measured: no OpenCL platform is here")
    past = gemm_history.read(results.folder)
    said = gemm_history.judged(results.nights, past)
    gemm_history.write(results.folder, [*past, *results.nights])
    names = _draw(results)
    tell(TITLE, "\n".join([*_table(said), "", f"In `{results.folder}`: {', '.join(names)}"]))
    slower = [it for it in said if it.verdict == "slower"]
    assert not slower, [(it.night.kernel, it.night.size, it.words) for it in slower]


def _table(said: list[gemm_history.Said]) -> Iterator[str]:
    yield "| platform | kernel | size | GFLOPS | of OpenBLAS | of CLBlast | to nights before |"
    yield "|---|---|---:|---:|---|---|---|"
    for it in said:
        row = it.night
        cells = [
            f"{told[0]:.3f} ({told[1]:.3f} to {told[2]:.3f})" if told else ""
            for told in (row.openblas, row.clblast)
        ]
        yield (
            f"| {row.platform} | {row.kernel} | {row.size} | {row.gflops:.1f} | {cells[0]} "
            f"| {cells[1]} | {it.verdict}: {it.words} |"
        )


def _draw(results: Results) -> list[str]:
    """The plots of this run; their names."""
    lines = [
        _line(row.kernel, row.size, row.platform, row.gflops, 2 * row.size**3 / row.best_s / 1e9)
        for row in results.nights
    ]
    guarded = [
        _line("auto_t5_guarded", size, platform, None, None, tuple(costs))
        for (platform, size), costs in results.costs.items()
    ]
    beside = [
        _line(
            name, size, platform, _gflops(size, statistics.median(times)), _gflops(size, min(times))
        )
        for (platform, name, size), times in results.peers.items()
    ]
    drawn = {"gflops": plots.throughput([*lines, *beside])}
    for name in {row.platform for row in results.nights}:
        rows = [
            Ratio(row.kernel, row.size, row.pairs, gemm_history.interval(row.openblas), "")
            for row in results.nights
            if row.platform == name and row.openblas
        ]
        if rows:
            drawn[f"{name}_openblas"] = plots.ratio(rows, 1.0, (name, "OpenBLAS"))
    if guarded:
        drawn["overhead"] = plots.overhead(guarded, MAX_OVERHEAD)
    if results.ceilings:
        # A device is capable of what a kernel did, whatever came between the other one's rounds.
        roofs = {
            name: Ceiling(
                max([it.peak_gflops, *(row.peak or 0.0 for row in lines if row.platform == name)]),
                it.bandwidth_gbs,
            )
            for name, it in results.ceilings.items()
        }
        drawn["roofline"] = plots.roofline(lines, roofs)
    for name, content in drawn.items():
        artifacts.write_bytes(results.folder / f"{name}.svg", content)
    return [gemm_history.NAME, gemm_history.TREND, *(f"{name}.svg" for name in sorted(drawn))]


def _gflops(size: int, seconds: float) -> float:
    return 2 * size**3 / seconds / 1e9


def _line(
    kernel: str,
    size: int,
    platform: str,
    average: float | None,
    peak: float | None,
    costs: tuple[float, ...] = (),
) -> Line:
    return Line(
        kernel, size, platform, 1, 0, average, peak, None, None, None, None,
        max(costs, default=None), costs,
    )  # fmt: skip
