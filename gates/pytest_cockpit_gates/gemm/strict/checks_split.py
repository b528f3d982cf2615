"""Whether the candidate keeps up with the fallback platform."""

from __future__ import annotations

from collections.abc import Iterator

from pytest_cockpit_gates.gemm.strict import levels, needed
from pytest_cockpit_gates.gemm.strict.model import grouped, paired
from pytest_cockpit_gates.gemm.strict.ratios import Comparison, compare
from pytest_cockpit_gates.gemm.strict.subject import (
    UNKNOWN,
    Subject,
    as_json,
    check,
    gathered,
    spelled,
)
from pytest_cockpit_gates.gemm.verdicts import Check


def checks(subject: Subject) -> Iterator[Check]:
    """All of this module; none for a replay, or where one platform alone was to be measured."""
    artifact, demands = subject.artifact, subject.demands
    planned = artifact.parameters.get("platforms", ())
    alone = artifact.kind == "gate" and len(planned) < 2  # noqa: PLR2004 - a pair takes two
    if artifact.kind == "replay" or alone:
        return
    present = {run.platform for run in artifact.good}
    wanted = (demands.candidate, demands.fallback)
    yield gathered(
        "platform_split_present",
        f"{' and '.join(wanted)} were measured",
        failed=[f"{name}: no run came to its end" for name in wanted if name not in present],
        remedy=(
            f"measure both: --cockpit-gemm-platforms {' '.join(wanted)}, or platforms in"
            " [tool.cockpit.gate.gemm]"
            if planned and not set(wanted) <= set(planned)
            else "install the platform, or see why its runs failed"
        ),
    )
    yield _required(subject, wanted)
    pairs = paired(artifact.pairs, *wanted)
    rows = sorted(
        {run.row for run in artifact.good if run.platform in wanted and run.size} | set(pairs)
    )
    if not rows:
        yield check(
            "rusticl_ratio_vs_clover",
            UNKNOWN,
            "nothing was measured on both platforms",
            remedy=f"measure both: --cockpit-split --cockpit-gemm-platforms {' '.join(wanted)}",
        )
    for row in rows:
        found = compare(pairs.get(row, ()), demands.min_ratio, attempt=subject.attempt)
        yield _ratio(row, found, subject)


def _required(subject: Subject, wanted: tuple[str, str]) -> Check:
    measured = grouped(subject.artifact.good)
    sizes = subject.demands.required_sizes or tuple(subject.artifact.parameters.get("sizes", ()))
    missing = [
        key
        for kernel in subject.demands.kernels
        for size in sizes
        for name in wanted
        if (key := f"{kernel}:{size}@{name}") not in measured
    ]
    return gathered(
        "required_sizes_present_on_split",
        f"all kernels at sizes {', '.join(map(str, sizes))} on both platforms",
        failed=[f"{key}: no run" for key in missing],
        remedy=(
            "measure all on both platforms: --cockpit-gemm-kernels"
            f" {' '.join(subject.demands.kernels)} --cockpit-gemm-sizes {' '.join(map(str, sizes))}"
        ),
        observed={"missing": missing},
    )


def _ratio(row: str, found: Comparison, subject: Subject) -> Check:
    demands = subject.demands
    said = spelled(found.ratio) if found.ratio else "no ratio"
    message = (
        f"{said} of at least {demands.min_ratio:g} by {found.clock} time, {found.pairs} pairs from"
        f" {found.processes} sessions"
    )
    return check(
        "rusticl_ratio_vs_clover",
        found.verdict,
        f"{message}: {found.reason}" if found.reason else message,
        key=f"{row}@{demands.candidate}/{demands.fallback}",
        remedy=_remedy(found, subject),
        observed={
            "ratio": as_json(found.ratio),
            "ratio_by_wall_time": as_json(found.wall),
            "clock": found.clock,
            "pairs": found.pairs,
            "sessions": found.processes,
            "level": found.level,
            "bound": demands.min_ratio,
        },
    )


def _remedy(found: Comparison, subject: Subject) -> str:
    demands = subject.demands
    if found.verdict is not UNKNOWN:
        return f"go back to {demands.fallback}: --cockpit-gemm-rollback=plan"
    if found.ratio is None:
        wanted = needed.pairs(subject.attempt)
    elif found.ratio.at_least(demands.min_ratio) is None:
        wanted = needed.enough(found.ratio, demands.min_ratio, found.pairs)
    else:
        return f"{found.reason}: measure again with --cockpit-split, while nothing else runs"
    if wanted is not None and wanted <= subject.artifact.parameters.get("pairs", 0):
        return "fewer pairs were measured than planned: find out what ended it, and measure again"
    if wanted is None or wanted > levels.MOST_PAIRS or found.pairs >= levels.MOST_PAIRS:
        return (
            f"no number of pairs up to {levels.MOST_PAIRS}, the most that count, decides it:"
            " measure while nothing else runs, or ask for another ratio with"
            " --cockpit-gemm-min-ratio or min_ratio in [tool.cockpit.gate.gemm]"
        )
    return f"measure {wanted} pairs: pairs = {wanted} in [tool.cockpit.gate.gemm]"
