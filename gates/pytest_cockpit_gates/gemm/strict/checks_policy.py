"""Whether results are right, and as fast as the weekly policy asks."""

from __future__ import annotations

import math
from collections.abc import Iterator

from pytest_cockpit.estimation.intervals import Interval, quantile_ends, values_needed
from pytest_cockpit_gates.gemm.settings import KNOWN
from pytest_cockpit_gates.gemm.strict import levels, needed
from pytest_cockpit_gates.gemm.strict.model import (
    FLOPS,
    P95,
    Artifact,
    Run,
    grouped,
    sessions_of,
    sides,
)
from pytest_cockpit_gates.gemm.strict.policies import Row, Weekly
from pytest_cockpit_gates.gemm.strict.subject import (
    UNKNOWN,
    Subject,
    as_json,
    check,
    gathered,
    spelled,
    verdict_of,
)
from pytest_cockpit_gates.gemm.verdicts import Check

_MAX_ERROR = 1e-3
"""Absolute error that is tolerated where no policy names another."""
FEWEST = 59
"""Times whose largest is above the 95th percentile with 95 %."""
_SURE = 0.05
_BESIDE = ("split", "gate")
"""What compares platforms; that a row keeps to its bounds is for the replay to show."""
_SLOWER = "find what became slower, or calibrate the policy again: --cockpit-recalibrate"


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module, in their order."""
    yield _correctness(subject)
    weekly = subject.policies.weekly
    if weekly is None:
        if subject.artifact.kind == "replay":
            yield check(
                "policy_given",
                UNKNOWN,
                "there is no weekly policy to hold this replay to",
                remedy="name one: --cockpit-gemm-policy, or policy in [tool.cockpit.gate.gemm]",
            )
        return
    if subject.artifact.kind == "replay":
        yield _snapshots(subject, weekly)
    yield _required(subject, weekly)
    yield from _rows(subject, weekly)


def _correctness(subject: Subject) -> Check:
    artifact, policies = subject.artifact, subject.policies
    limits = [bound.max_error for bound in (policies.t3, policies.t5) if bound]
    limit = policies.weekly.max_correctness_error if policies.weekly else _MAX_ERROR
    limit = min(limit, *limits) if limits else limit
    wrong: list[str] = []
    missing: list[str] = []
    worst = 0.0
    for where, error, bound in _results(artifact):
        if bound is None:
            missing.append(f"{where}: no rounding bound")
        if error is None:
            wrong.append(f"{where}: an error that is not finite")
            continue
        worst = max(worst, error)
        if error > limit:
            wrong.append(f"{where}: error {error:.3g} above the policy's {limit:.3g}")
        if bound is not None and error > bound:
            wrong.append(f"{where}: error {error:.3g} above its rounding bound {bound:.3g}")
    return gathered(
        "correctness_error_bound",
        f"largest error {worst:.3g}, within {limit:.3g} and its rounding bounds",
        failed=dict.fromkeys(wrong),
        unknown=dict.fromkeys(missing) if artifact.good else ["no run came to its end"],
        remedy=(
            "take the kernel out of use: results are wrong, whatever its speed"
            if wrong
            else "measure again: without an error and its bound there is no evidence"
        ),
        observed={"max_correctness_error": worst, "limit": limit},
    )


def _results(artifact: Artifact) -> Iterator[tuple[str, float | None, float | None]]:
    """Where each result is of, its error, None where that is not finite, and its bound."""
    for run in artifact.runs:
        # A run that failed after it had results is judged by these, too.
        if run.sessions:
            yield from ((run.key, each.max_error, each.error_bound) for each in run.sessions)
        elif run.ok:
            # Archived ones say nothing of bounds; of an error that is absent nothing is known.
            yield run.key, run.metrics.get("max_error_max", 0.0), None
    for pair in artifact.pairs:
        for name, side in sides(pair).items():
            where = f"{pair['kernel']}:{pair['size']}@{name} in pair {pair['pair']}"
            yield where, side["max_error"], side["error_bound"]


def _snapshots(subject: Subject, weekly: Weekly) -> Check:
    done, wanted = subject.artifact.executed, weekly.minimum_snapshots
    lacking = [f"{done} of at least {wanted} snapshots"] if done < wanted else []
    return gathered(
        "minimum_snapshots",
        f"{done} snapshots, at least {wanted}",
        unknown=lacking,
        remedy=f"measure again with --cockpit-gemm-snapshots {wanted}",
        observed={"executed_snapshots": done},
    )


def _required(subject: Subject, weekly: Weekly) -> Check:
    demands = subject.demands
    wanted = [f"{kernel}:{size}" for kernel in demands.kernels for size in demands.required_sizes]
    lacking = [
        f"{weekly.path}: /weekly_slo/per_kernel_size/{row}: missing"
        for row in wanted
        if row not in weekly.rows
    ]
    planned = subject.artifact.parameters.get("sizes", ())
    if subject.artifact.kind == "gate":
        # Its profile may have sizes that the policy leaves alone: that is told, and not owed.
        planned = [size for size in planned if _has_size(weekly, size)]
    unjudged = [
        f"{row}: measured, and no row of {weekly.path} judges it"
        for kernel in subject.artifact.parameters.get("kernels", ())
        for size in planned
        if (row := f"{kernel}:{size}") not in weekly.rows and row not in wanted
    ]
    if not weekly.rows:
        lacking.append(f"{weekly.path}: /weekly_slo/per_kernel_size: there is no row at all")
    apart = [name for name in _measured_on(subject) if weekly.platform not in ("", name)]
    of = f" on {weekly.platform}" * bool(apart)
    told = f"; its scope leaves out {', '.join(apart)}" * bool(apart)
    at = f" at {', '.join(map(str, planned))}" if planned else ""
    return gathered(
        "policy_rows_for_required_sizes",
        f"the policy has rows for all that is required and measured{at}{of}, {len(weekly.rows)} in"
        f" all{told}",
        failed=lacking,
        unknown=unjudged,
        remedy="add the rows; --cockpit-recalibrate proposes them",
    )


def _has_size(weekly: Weekly, size: int) -> bool:
    return any(name.rpartition(":")[2] == str(size) for name in weekly.rows)


def _measured_on(subject: Subject) -> list[str]:
    return sorted({run.platform for run in subject.artifact.good})


def _owed(subject: Subject, weekly: Weekly) -> list[str]:
    """Rows of the policy that have to be there: of a gate's run those of what it measures."""
    planned = subject.artifact.parameters
    if subject.artifact.kind != "gate":
        return list(weekly.rows)
    if weekly.platform not in ("", *planned["platforms"]):
        return []
    return [
        name
        for name in weekly.rows
        for kernel, _, size in [name.partition(":")]
        if int(size) in planned["sizes"] and (kernel in planned["kernels"] or kernel not in KNOWN)
    ]


def _rows(subject: Subject, weekly: Weekly) -> Iterator[Check]:
    held = [
        run for run in subject.artifact.good if weekly.platform in ("", run.platform) and run.size
    ]
    groups: dict[str, list[tuple[str, list[Run]]]] = {}
    for key, runs in grouped(held).items():
        groups.setdefault(runs[0].row, []).append((key, runs))
    owed = _owed(subject, weekly)
    missing = [name for name in owed if name not in groups]
    yield gathered(
        "all_policy_rows_present",
        f"{len(owed)} of {len(weekly.rows)} rows of the policy were measured",
        failed=[
            f"{name}: no run{f' on {weekly.platform}' * bool(weekly.platform)}" for name in missing
        ],
        remedy=_measure_all(subject, weekly),
        observed={"missing_rows": missing},
    )
    for name, bound in weekly.rows.items():
        for key, runs in groups.get(name, ()):
            yield from _throughput(subject, key, runs, bound)
            yield from _p95(subject, key, runs, bound)


def _measure_all(subject: Subject, weekly: Weekly) -> str:
    """A remedy for rows without a run; no option takes a kernel that there is not."""
    names = dict.fromkeys(name.partition(":")[0] for name in weekly.rows)
    unknown = [name for name in names if name not in KNOWN]
    if unknown:
        return (
            f"correct {weekly.path}: /weekly_slo/per_kernel_size: no kernel is called"
            f" {' or '.join(unknown)}; there are {', '.join(KNOWN)}"
        )
    return (
        f"measure all of the policy: --cockpit-gemm-kernels {' '.join(names)}"
        f" --cockpit-gemm-sizes {_sizes(weekly)}{_platforms(subject, weekly)}"
    )


def _platforms(subject: Subject, weekly: Weekly) -> str:
    """The option that adds the policy's platform; nothing where it was among those planned."""
    planned = subject.artifact.parameters.get("platforms", ())
    if not weekly.platform or weekly.platform in planned:
        return ""
    return f" --cockpit-gemm-platforms {' '.join([*planned, weekly.platform])}"


def _sizes(weekly: Weekly) -> str:
    """Sizes of a policy's rows, as options take them."""
    return " ".join(dict.fromkeys(name.partition(":")[2] for name in weekly.rows))


def _throughput(subject: Subject, key: str, runs: list[Run], bound: Row) -> Iterator[Check]:
    """Whether a row has its throughput; of a gate's few times what they show beyond doubt."""
    gate = subject.artifact.kind == "gate"
    sessions = sessions_of(runs)
    work = math.log(FLOPS * runs[0].size ** 3 / 1e9)
    unit = [[work - math.log(wall) for wall in session.wall] for session in sessions]
    found = levels.centre(unit, subject.level, levels.SESSION_SPREAD)
    least = bound.min_avg_gflops
    if found is None:
        if gate and sessions:
            return
        yield check(
            "per_kernel_size_slo",
            UNKNOWN,
            f"{_told(runs, 'avg_mean_gflops', 'GFLOPS')}; {len(sessions)} sessions of raw times"
            f" are too few to test it against {least:.6g}",
            key=key,
            remedy=needed.more_sessions(subject.artifact, values_needed(subject.level)),
        )
        return
    speed = levels.exponential(found)
    enough = needed.enough(speed, least, len(sessions))
    more = subject.artifact, enough, f"{runs[0].row}: min_avg_gflops"
    verdict = verdict_of(speed.at_least(least))
    if gate and verdict is UNKNOWN:
        return
    yield check(
        "per_kernel_size_slo",
        verdict,
        f"{spelled(speed, 'GFLOPS')} of at least {least:.6g}, {len(sessions)} sessions",
        key=key,
        remedy=_SLOWER if verdict is not UNKNOWN else needed.more_sessions(*more),
        observed={"gflops": as_json(speed), "bound": least, "sessions": len(sessions)},
    )


def _p95(subject: Subject, key: str, runs: list[Run], bound: Row) -> Iterator[Check]:
    """Whether a row keeps to its 95th percentile.

    A split and a gate compare platforms: of too few times to say more they are judged by what is
    beyond doubt too slow, and owe nothing else. That the row keeps to it is for the replay to show.
    """
    sessions = sessions_of(runs)
    times = [1e3 * wall for session in sessions for wall in session.wall]
    most, bound_key = bound.max_p95_time_ms, f"{runs[0].row}: max_p95_time_ms"
    least = needed.times_for_quantile(P95, levels.of_attempt(subject.attempt, _SURE))
    remedy = needed.more_iterations(subject.artifact, least, bound_key)
    few = len(times) < FEWEST
    if few and (subject.artifact.kind not in _BESIDE or not times):
        yield check(
            "per_kernel_size_p95",
            UNKNOWN,
            f"{_told(runs, 'p95_time_ms', 'ms')}; {len(times)} raw times are too few for a"
            f" 95th percentile, which takes {least}",
            key=key,
            remedy=remedy,
        )
        return
    found = p95(times, len(sessions), subject.attempt)
    if few and found.low <= most:
        return
    if len(times) >= least:
        enough = needed.enough(found, most, len(sessions))
        remedy = needed.more_sessions(subject.artifact, enough, bound_key)
    verdict = verdict_of(found.at_most(most))
    yield check(
        "per_kernel_size_p95",
        verdict,
        f"95th percentile {spelled(found, 'ms')} of at most {most:.6g}, {len(times)} times",
        key=key,
        remedy=_SLOWER if verdict is not UNKNOWN else remedy,
        observed={"p95_ms": as_json(found), "bound": most, "times": len(times)},
    )


def p95(times: list[float], sessions: int, attempt: int) -> Interval:
    """The 95th percentile by order statistics.

    Its lower end, by which it fails, is as sure as any other verdict; its upper one, by which it
    passes, is so with 95 %, which 59 times are enough for.
    """
    below, above = levels.of_attempt(attempt) / 2, levels.of_attempt(attempt, _SURE)
    found = quantile_ends([math.log(time) for time in times], P95, below, above)
    wide = levels.widened(found, sessions, levels.SESSION_SPREAD, below=below, above=above)
    return levels.exponential(wide)


def _told(runs: list[Run], metric: str, unit: str) -> str:
    values = [run.metrics[metric] for run in runs if run.metrics.get(metric) is not None]
    return f"on record: {sum(values) / len(values):.6g} {unit}" if values else "nothing on record"
