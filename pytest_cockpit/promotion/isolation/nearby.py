"""What a search knows of a batch from its base commit: what needs what, and what is near what."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_cockpit.api import Lane, Move, Report
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import snapshot
from pytest_cockpit.promotion.isolation.attribution import Clues
from pytest_cockpit.promotion.remedies import ground
from pytest_cockpit.records.artifacts import printable


def needs(
    repository: Repository, lane: Lane, base: str, files: Iterable[str]
) -> dict[str, tuple[str, ...]]:
    """The files of a batch, each with those of them that it imports, as the planner sees it."""
    chosen = list(files)
    graph = snapshot.take(repository, lane, base).graph.needs
    return {path: tuple(set(graph.get(path, ())) & set(chosen)) for path in chosen}


@dataclass(frozen=True, slots=True)
class Nearby:
    """What the clues of red sessions are read with; see `attribution`."""

    names: Mapping[str, str]
    imports: Mapping[str, tuple[str, ...]]

    @classmethod
    def of(cls, repository: Repository, lane: Lane, base: str, moves: Iterable[Move]) -> Nearby:
        """All files of the base commit with what they import, and the batch's by both names."""
        names: dict[str, str] = {}
        for move in moves:
            for path in (move.source, move.target):
                names[path] = names[printable(path)] = move.source
        return cls(names, ground.imports(repository, lane, base))

    def weights(self, reports: Iterable[Report]) -> dict[str, float]:
        """The weight of each file of the batch that the reports point at."""
        return Clues.of(reports).weights(self.names, self.imports)
