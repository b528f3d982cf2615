"""What must move together, and what cannot move because of what it needs."""

from __future__ import annotations

from collections import deque
from collections.abc import Container, Iterable, Mapping

from pytest_cockpit.analysis.graph import components
from pytest_cockpit.promotion.ground import quoted
from pytest_cockpit.promotion.plan import Refusal
from pytest_cockpit.promotion.snapshot import Snapshot


class Closure:
    """The lane's import graph with the refusals that follow from it.

    Parameters
    ----------
    snapshot: the commit.
    refused: files refused for reasons of their own.
    size: most files that one batch takes.
    """

    def __init__(self, snapshot: Snapshot, refused: Mapping[str, Refusal], size: int) -> None:
        waiting = set(snapshot.waiting)
        needs = snapshot.graph.needs
        self.needs = {
            path: tuple(needed for needed in needs.get(path, ()) if needed in waiting)
            for path in snapshot.waiting
        }
        groups = components(self.needs)
        self.group = {path: index for index, group in enumerate(groups) for path in group}
        self.refused = dict(refused)
        self._roots = {path: path for path in refused}
        for group in groups:
            self._judge(group, size)

    def order(self, paths: Iterable[str]) -> list[str]:
        """The paths, each after those it needs."""
        return sorted(paths, key=lambda path: (self.group[path], path))

    def reach(self, start: str, taken: Container[str], room: int) -> dict[str, str] | None:
        """`start` and all it needs beyond `taken`, each with the file that first needed it.

        None when that is more than `room`; the walk ends there, or planning would take the
        square of the lane's size.
        """
        parents = {start: ""}
        pending = deque([start])
        while pending and len(parents) <= room:
            path = pending.popleft()
            for needed in self.needs[path]:
                if needed not in parents and needed not in taken:
                    parents[needed] = path
                    pending.append(needed)
        return parents if len(parents) <= room else None

    def _judge(self, group: tuple[str, ...], size: int) -> None:
        """Refuse what follows from the refusals among the group and below it."""
        known = {
            needed
            for path in group
            for needed in (path, *self.needs[path])
            if needed in self.refused
        }
        if known:
            for path in group:
                if path not in known:
                    self._refuse_needy(path, known)
        elif len(group) > size:
            message = (
                f"in a cycle of {len(group)} files, and the batch takes {size}; run with "
                f"--cockpit-batch-size {len(group)}, or break the cycle"
            )
            for path in group:
                self.refused[path] = Refusal(path, "cycle-too-large", message)
                self._roots[path] = path

    def _refuse_needy(self, path: str, known: set[str]) -> None:
        direct = next((needed for needed in self.needs[path] if needed in known), None)
        via = min(known) if direct is None else direct
        root = self._roots[via]
        words = "in a cycle that needs" if direct is None else "needs"
        through = "" if root == via else f" and through it {quoted(root)}"
        message = (
            f"{words} {quoted(via)}{through}, which is refused ({self.refused[root].rule}); "
            "repair that first"
        )
        self.refused[path] = Refusal(path, "needs-refused", message)
        self._roots[path] = root
