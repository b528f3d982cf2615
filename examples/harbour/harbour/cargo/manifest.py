"""The list of what a ship lands."""

from collections import Counter
from collections.abc import Iterable

from harbour.cargo.container import Container


class Manifest:
    """Containers of one call, each number at most once."""

    def __init__(self, containers: Iterable[Container] = ()) -> None:
        self._containers: dict[str, Container] = {}
        for container in containers:
            self.add(container)

    def __len__(self) -> int:
        return len(self._containers)

    def __iter__(self):
        return iter(self._containers.values())

    def add(self, container: Container) -> None:
        """Enter one more; a number twice is a mistake of the forwarder."""
        if container.number in self._containers:
            raise ValueError(f"{container.number} is on the manifest already")
        self._containers[container.number] = container

    @property
    def gross(self) -> int:
        """Weight of all, in kilograms."""
        return sum(container.gross for container in self)

    @property
    def teu(self) -> float:
        """Size of all, in twenty-foot equivalent units."""
        return sum(container.teu for container in self)

    def by_contents(self) -> Counter[str]:
        """Load in kilograms for each kind of goods."""
        loads: Counter[str] = Counter()
        for container in self:
            loads[container.contents or "empty"] += container.load
        return loads
