"""Proofs: for each rule a tree with an artifact that breaks it, and trees in which all is well.

None of them needs a device: they are judged by what was measured elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit_gates.gemm import proving_policies as policies
from pytest_cockpit_gates.gemm import proving_trees as trees
from pytest_cockpit_gates.gemm.proving_trees import SIZE, Table
from pytest_cockpit_gates.gemm.settings import KERNELS

_SETTINGS: dict[str, Any] = {"live": False, "artifacts": ["runs/*.json"]}
_WEEKLY = {**_SETTINGS, "policy": "policy.json"}


def proofs() -> Iterator[Proof]:
    """All of them."""
    good = policies.weekly()
    yield _proof("replay", trees.replay(), policy=good)
    yield _proof("split", trees.split())
    yield Proof("policy", {"policy.json": '{"weekly": 1}'}, Verdict.FAIL, "gemm.policy", _WEEKLY)
    torn = {"runs/a.json": trees.text(trees.replay())[:-40]}
    yield Proof("artifact", torn, Verdict.FAIL, "gemm.artifact", _SETTINGS)
    unknown = {"sla.json": '{"sla_id": "proof", "severity_levels": {}}'}
    settings = {**_SETTINGS, "sla": "sla.json"}
    files = {**unknown, "runs/a.json": trees.text(trees.split())}
    yield Proof("severity", files, Verdict.FAIL, "gemm.severity", settings)
    yield from _broken()
    yield from _slow()
    yield from _guards()
    yield Proof("no-artifact", {"a": ""}, Verdict.UNKNOWN, "gemm.evidence-missing", {**_SETTINGS})


def _broken() -> Iterator[Proof]:
    """Artifacts that are not what they should be."""

    def crashed(run: Table) -> None:
        run["runs"][3].update(status="failed", returncode=-6, error="died of SIGABRT", sessions=[])

    def alone(run: Table) -> None:
        run["runs"] = [it for it in run["runs"] if it["platform_selector"] == "rusticl"]
        run["pairs"] = []

    def stranger(run: Table) -> None:
        run["runs"][0]["metrics"]["platform"] = "Clover"

    def short(run: Table) -> None:
        run["runs"][0]["sessions"].pop()

    def twice(run: Table) -> None:
        run["runs"].append(run["runs"][0])

    def infinite(run: Table) -> None:
        run["runs"][0]["sessions"][0]["max_error"] = None
        run["runs"][0]["metrics"]["max_error_max"] = None

    def stalled(run: Table) -> None:
        run["pressure"][0].update(status="failed", error="no answer in 120 s")

    for name, rule, change in (
        ("crash", "gemm.run-failed", crashed),
        ("device", "gemm.wrong-device", stranger),
        ("sample", "gemm.evidence-missing", short),
        ("duplicate", "gemm.duplicate-run", twice),
        ("not-finite", "gemm.correctness", infinite),
        ("pressure", "gemm.pressure", stalled),
    ):
        yield _proof(name, _changed(trees.replay(), change), rule, policy=policies.weekly())
    yield _proof("one-platform", _changed(trees.split(), alone), "gemm.platform-missing")


def _slow() -> Iterator[Proof]:
    """Artifacts that are too slow, or become so."""
    yield _proof(
        "throughput", trees.replay(), "gemm.throughput", policy=policies.weekly(min_avg_gflops=1e4)
    )
    yield _proof(
        "latency", trees.replay(), "gemm.latency", policy=policies.weekly(max_p95_time_ms=1e-3)
    )
    yield _proof("drift", _drifting(), "gemm.drift", policy=policies.weekly())
    yield _proof(
        "regression",
        trees.replay(slower=1.5),
        "gemm.regression",
        policy=policies.weekly(min_avg_gflops=1.0, max_p95_time_ms=1e3),
        baseline=trees.before(trees.replay()),
    )
    yield _proof("ratio", trees.split(slower=1.6), "gemm.ratio")


def _guards() -> Iterator[Proof]:
    """Selector and fault detection at work against their limits."""

    def fallen(run: Table) -> None:
        _metrics(run, KERNELS[0]).update(t3_fallback_rate=0.5)

    def costly(run: Table) -> None:
        for row in run["runs"]:
            for pair in row["metrics"].get("t5_pairs", ()):
                pair["guarded_s"] *= 1.2

    def off(run: Table) -> None:
        _metrics(run, KERNELS[1]).update(t5_disable_events=1, t5_disable_reason="overhead")

    def blind(run: Table) -> None:
        run["recall"][0].update(detected=1000)

    for name, rule, change in (
        ("fallback", "gemm.fallback-rate", fallen),
        ("overhead", "gemm.guard-overhead", costly),
        ("disabled", "gemm.guard-disabled", off),
        ("recall", "gemm.guard-recall", blind),
    ):
        made = _changed(trees.replay(), change)
        yield _proof(name, made, rule, policy=policies.weekly(), guard=policies.guard())


def _drifting() -> Table:
    """A replay whose multiplications take 2 % longer with each snapshot."""
    made = trees.replay()
    made["runs"] = [
        row
        for number in range(1, trees.SNAPSHOTS + 1)
        for row in trees.replay(slower=1 + number / 50)["runs"]
        if row["snapshot"] == number
    ]
    return made


def _metrics(run: Table, kernel: str) -> Table:
    found: Table = next(
        row["metrics"] for row in run["runs"] if (row["kernel"], row["size"]) == (kernel, SIZE)
    )
    return found


def _changed(run: Table, change: Callable[[Table], None]) -> Table:
    change(run)
    return run


def _proof(
    name: str,
    run: Table,
    rule: str | None = None,
    *,
    policy: Table | None = None,
    guard: Table | None = None,
    baseline: Table | None = None,
) -> Proof:
    documents = {"policy": policy, "t5_policy": guard, "baseline": baseline}
    files = {f"{key}.json": trees.text(data) for key, data in documents.items() if data}
    return Proof(
        name,
        {**files, "runs/a.json": trees.text(run)},
        Verdict.FAIL if rule else Verdict.PASS,
        rule,
        {**_SETTINGS, **{key: f"{key}.json" for key, data in documents.items() if data}},
    )
