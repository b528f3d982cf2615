"""Which plots a report has, and why it lacks the others."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.gemm.closing import plots, results
from pytest_cockpit_gates.gemm.closing.account import Account
from pytest_cockpit_gates.gemm.closing.plots import Ceiling
from pytest_cockpit_gates.gemm.closing.results import Line, Ratio


@dataclass(frozen=True, slots=True)
class Plot:
    """One plot.

    Parameters
    ----------
    kind: what its file is called after.
    lacks: why it cannot be drawn; empty where it can.
    without: what is not in it though it can be drawn.
    """

    title: str
    kind: str
    lacks: str
    draw: Callable[[], bytes]
    without: str = ""


def draw(
    folder: Path,
    prefix: str,
    made: Account,
    pair: tuple[str, str],
    min_ratio: float,
    ceilings: Mapping[str, Ceiling],
) -> tuple[dict[str, str], list[str]]:
    """Write `PREFIX_KIND.svg` for all plots that there is something for.

    Parameters
    ----------
    pair: candidate and fallback.
    ceilings: what each platform was measured to be capable of.

    Returns
    -------
    Names of files by title, and why each of the others was not drawn.

    Raises
    ------
    CockpitError: a file cannot be written.
    """
    drawn: dict[str, str] = {}
    said = []
    for plot in _plots(made, pair, min_ratio, ceilings):
        if plot.lacks:
            said.append(f"{plot.title}: not drawn, as {plot.lacks}")
            continue
        try:
            content = plot.draw()
        except CockpitError as error:
            return drawn, [*said, str(error)]
        drawn[plot.title] = f"{prefix}_{plot.kind}.svg"
        artifacts.write_bytes(folder / drawn[plot.title], content)
        said += [plot.without] if plot.without else []
    return drawn, said


def _plots(
    made: Account, pair: tuple[str, str], min_ratio: float, ceilings: Mapping[str, Ceiling]
) -> list[Plot]:
    artifact = made.artifact or {}
    lines = results.lines(artifact, made.checks)
    compared = results.compared(artifact, *pair, min_ratio, made.checks)
    return [
        Plot(
            "GFLOPS by size",
            "gflops",
            "" if any(line.gflops for line in lines) else "nothing was measured",
            lambda: plots.throughput(lines),
        ),
        Plot(
            f"{pair[0]} over {pair[1]}",
            "ratio",
            _unpaired(made.track, pair, compared),
            lambda: plots.ratio(compared, min_ratio, pair),
        ),
        Plot(
            "Cost of fault detection",
            "overhead",
            _unguarded(lines),
            lambda: plots.overhead(lines, None),
        ),
        Plot(
            "Roofline",
            "roofline",
            _without_roof(lines, ceilings),
            lambda: plots.roofline(lines, ceilings),
            _missing_roofs(lines, ceilings),
        ),
    ]


def _unguarded(lines: Sequence[Line]) -> str:
    guarded = [line for line in lines if line.overhead is not None or line.pairs]
    if any(line.overhead_interval for line in guarded):
        return ""
    if guarded:
        return "there are too few pairs with and without it for an interval"
    return "no kernel with fault detection was measured"


def _unpaired(track: str, pair: tuple[str, str], compared: Sequence[Ratio]) -> str:
    if any(row.interval for row in compared):
        return ""
    if compared:
        return "there are too few pairs for an interval"
    if track == "replay":
        return "a replay measures no pairs of platforms, a split does"
    return f"{pair[0]} and {pair[1]} were not measured in turns"


def _without_roof(lines: Sequence[Line], ceilings: Mapping[str, Ceiling]) -> str:
    measured = [line for line in lines if line.gflops]
    if any(line.platform in ceilings for line in measured):
        return ""
    if not measured:
        return "nothing was measured"
    return "it was not measured what the devices are capable of"


def _missing_roofs(lines: Sequence[Line], ceilings: Mapping[str, Ceiling]) -> str:
    names = sorted({line.platform for line in lines} - ceilings.keys())
    if not names:
        return ""
    return f"Roofline: without {', '.join(names)}, whose ceilings were not measured"
