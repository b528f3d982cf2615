"""Half-open intervals of time, counted in minutes since midnight of the first day."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Window:
    """From `start` up to, but not including, `end`."""

    start: int
    end: int

    def __post_init__(self) -> None:
        if self.end <= self.start:
            raise ValueError(f"empty window: {self.start}..{self.end}")

    @property
    def minutes(self) -> int:
        """How long it lasts."""
        return self.end - self.start

    def overlaps(self, other: "Window") -> bool:
        """Whether the two share a minute; touching ends do not."""
        return self.start < other.end and other.start < self.end

    def shifted(self, minutes: int) -> "Window":
        """The same duration, later or earlier."""
        return Window(self.start + minutes, self.end + minutes)


def merged(windows: Iterable[Window]) -> list[Window]:
    """Windows that touch or overlap joined into one, in order."""
    result: list[Window] = []
    for window in sorted(windows):
        if result and window.start <= result[-1].end:
            result[-1] = Window(result[-1].start, max(window.end, result[-1].end))
        else:
            result.append(window)
    return result


def hhmm(minute: int) -> str:
    """`09:05`, or `+1 00:30` on the next day."""
    day, rest = divmod(minute, 24 * 60)
    text = f"{rest // 60:02}:{rest % 60:02}"
    return f"+{day} {text}" if day else text
