"""Gates that say now this and now that of one tree.

A verdict is about a tree, by its id: the same gate on the same tree has nothing left to differ by
but itself. How often it was red and how often green is counted for each; a gate that was both is
flaky on that tree, which blames nobody.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.promotion.isolation.attribution import failing
from pytest_cockpit.records import ledger

_SAME = ("gate", "tree", "red", "green")


@dataclass(frozen=True, slots=True)
class Flaky:
    """A gate with both verdicts on one tree of so many files; `failing` is what failed in it."""

    gate: str
    tree: str
    files: int
    red: int
    green: int
    failing: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        """A JSON-able copy."""
        return asdict(self)

    @property
    def line(self) -> str:
        """The flake in words."""
        told = f"{self.gate}: red {self.red} of {self.red + self.green} times on one tree"
        return f"{told}: {', '.join(self.failing[:3])}" if self.failing else told


class Tally:
    """How often each gate was red and green on each tree."""

    def __init__(self) -> None:
        self._files: dict[str, int] = {}
        self._counts: dict[tuple[str, str], list[int]] = {}
        self._failing: dict[tuple[str, str], dict[str, None]] = {}

    def add(self, tree: str, files: int, reports: Mapping[str, Report]) -> None:
        """Count what gates said of a tree."""
        for gate, report in reports.items():
            said = failing({gate: report})
            self.count(tree, files, gate, report.verdict, said)

    def count(
        self, tree: str, files: int, gate: str, verdict: Verdict, said: Iterable[str] = ()
    ) -> None:
        """Count one verdict; one that is neither red nor green has no bearing."""
        self._files[tree] = files
        counts = self._counts.setdefault((gate, tree), [0, 0])
        counts[0] += verdict is Verdict.FAIL
        counts[1] += verdict.opens
        self._failing.setdefault((gate, tree), {}).update(dict.fromkeys(said))

    def recall(self, row: Mapping[str, Any]) -> None:
        """Count what the record of a search has of one of its sessions."""
        for gate, verdict in row["gates"].items():
            said = [name for name in row["failing"] if name.startswith((f"{gate}.", f"{gate}:"))]
            self.count(row["tree"], len(row["files"]), gate, Verdict(verdict), said)

    def carry(self, tree: str, onto: str) -> None:
        """Let what was said of a tree count for one that differs by the plan's name alone."""
        if tree == onto or tree not in self._files:
            return
        self._files[onto] = self._files[tree]
        for gate in [gate for gate, known in self._counts if known == tree]:
            self._counts[gate, onto] = self._counts.pop((gate, tree))
            self._failing[gate, onto] = self._failing.pop((gate, tree))

    def of(self, gate: str, tree: str) -> tuple[int, int]:
        """How often a gate was red and green on a tree."""
        red, green = self._counts.get((gate, tree), (0, 0))
        return red, green

    def flakes(self) -> tuple[Flaky, ...]:
        """Gates with both verdicts on one tree, in the order in which they were first asked."""
        return tuple(
            Flaky(gate, tree, self._files[tree], red, green, tuple(self._failing[gate, tree]))
            for (gate, tree), (red, green) in self._counts.items()
            if red and green
        )


def known(path: Path) -> list[dict[str, Any]]:
    """The flakes that were entered at `path`; a broken ledger tells nothing."""
    try:
        return [row for row in ledger.rows(path.read_bytes()) if row["kind"] == "flake"]
    except (OSError, CockpitError):
        return []


def enter(path: Path, batch_id: str, flakes: Iterable[Flaky]) -> None:
    """Add flakes to the ledger at `path`, each once however often it is met again.

    Raises
    ------
    CockpitError: it cannot be added to.
    """
    seen = [{key: row.get(key) for key in _SAME} for row in known(path)]
    for flake in flakes:
        row = {"kind": "flake", "batch_id": batch_id, **flake.to_json()}
        if {key: row[key] for key in _SAME} not in seen:
            ledger.append(path, row)
