"""Ratios that files must reach whatever their bounds allow. Pure: values in, findings out."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Finding, Lane
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.model import FileCoverage, ranges
from pytest_cockpit_gates.coverage.settings import Settings

_SIGNS = {"**/": "(?:[^/]+/)*", "**": ".*", "*": "[^/]*", "?": "[^/]"}
_SPLIT = re.compile(r"(\*\*/|\*\*|\*|\?)")


@dataclass(frozen=True, slots=True)
class Target:
    """What the files that match must reach, in percent: each of them, or taken together."""

    name: str
    pattern: re.Pattern[str]
    lines: float
    branches: float
    together: bool

    @classmethod
    def of(cls, name: str, paths: Sequence[str], table: Mapping[str, Any]) -> Target:
        """The target of a table of the settings."""
        pattern = re.compile("|".join(map(_expression, paths)) or "(?!)", re.DOTALL)
        lines, branches = table.get("lines", 0), table.get("branches", 0)
        return cls(name, pattern, lines, branches, table.get("per", "file") == "group")


def configured(settings: Settings, lane: Lane) -> list[Target]:
    """The targets of the settings, the particular ones first."""
    particular = [
        Target.of(", ".join(table["paths"]), table["paths"], table) for table in settings.targets
    ]
    return [
        *particular,
        # Where the lane has no target of its own, it does not fall to production's.
        Target.of("lane_target", [f"{lane.path.strip('/')}/"], settings.lane_target or {}),
        Target.of("production_target", ["**"], settings.production_target or {}),
    ]


def parsed(path: str, targets: Sequence[Target]) -> bool:
    """Whether a target is set for the file, so that all of its lines must be known."""
    goal = next((goal for goal in targets if goal.pattern.fullmatch(path)), None)
    return goal is not None and bool(goal.lines or goal.branches)


def below(files: Mapping[str, FileCoverage], targets: Sequence[Target]) -> Iterator[Finding]:
    """Files, or groups of files, that miss the first target that matches them."""
    groups: dict[int, list[str]] = defaultdict(list)
    for path in sorted(files):
        index = next((n for n, goal in enumerate(targets) if goal.pattern.fullmatch(path)), None)
        if index is not None:
            groups[index].append(path)
    for index, paths in sorted(groups.items()):
        target = targets[index]
        for part in [paths] if target.together else [[path] for path in paths]:
            found = _missed(target, {path: files[path] for path in part})
            if found is not None:
                yield found


def _missed(target: Target, files: Mapping[str, FileCoverage]) -> Finding | None:
    reached = {
        "lines": _reached(files.values(), "statements", "missing_lines"),
        "branches": _reached(files.values(), "branches", "missing_branches"),
    }
    # 28.999… is 29 to whoever wrote 29.
    short = {
        name: share
        for name, share in reached.items()
        if share is not None and share < getattr(target, name) - 1e-9
    }
    if not short:
        return None
    told = " and ".join(
        f"{_percent(share)} % of {name}, the target is {getattr(target, name):g} %"
        for name, share in short.items()
    )
    worst = max(files, key=lambda path: (files[path].missing_lines, files[path].missing_branches))
    lines = files[worst].missing or tuple(line for line, _ in files[worst].untaken)
    return Finding(
        rules.BELOW_TARGET,
        f"{target.name}: {len(files)} files reach {told}" if target.together else f"reaches {told}",
        path=worst,
        line=lines[0],
        remedy="test what is missing" + (", here first" if target.together else ""),
        evidence={
            "target": {"name": target.name, "lines": target.lines, "branches": target.branches},
            "reached": {name: _percent(share) for name, share in short.items()},
            "files": len(files),
            "uncovered": ranges(files[worst].missing),
        },
    )


def _reached(files: Iterable[FileCoverage], of_all: str, missing: str) -> float | None:
    """Percent executed; None where there is nothing to execute."""
    counts = [(getattr(now, of_all), getattr(now, missing)) for now in files]
    total, lost = (sum(column) for column in zip(*counts, strict=True))
    return 100 * (total - lost) / total if total else None


def _percent(share: float) -> float:
    # Rounded down: 79.96 of 80 is no 80.0.
    return int(share * 10) / 10


def _expression(glob: str) -> str:
    """A regular expression for a glob: `**` spans folders, a pattern that ends in `/` all below."""
    whole = f"{glob}**" if glob.endswith("/") else glob
    return "".join(_SIGNS.get(part, re.escape(part)) for part in _SPLIT.split(whole))
