"""Standard output that knows when something is printed; otherwise that of `python -u`.

Standard library only; see `probe`.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any


class _Heard(io.FileIO):
    """A descriptor that tells of what is written to it."""

    def __init__(self, descriptor: int, name: str, tell: Callable[[str, bytes], None]) -> None:
        super().__init__(descriptor, "wb", closefd=False)
        self.name = name
        self._tell = tell

    def write(self, data: Any, /) -> int:
        self._tell(self.name, bytes(data[:_HEARD]))
        return super().write(data)


_HEARD = 4096


def listen(tell: Callable[[str, bytes], None]) -> None:
    """Let `tell` hear the name of the stream and the text whenever this process prints."""
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        former = getattr(sys, name)
        raw = _Heard(descriptor, f"<{name}>", tell)
        stream = io.TextIOWrapper(
            raw,  # as `python -u` has it: no buffer in between
            encoding=former.encoding,
            errors=former.errors,
            write_through=True,
        )
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
