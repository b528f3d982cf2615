"""Follows a file that a child process appends to, while the child runs."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_LOOK_S = 1.0


@contextlib.contextmanager
def watching(path: Path, tell: Callable[[bytes], None]) -> Iterator[None]:
    """Tell what the file holds, every second until the end of the block.

    The block itself stays in its own thread: an interrupt must reach whoever waits for the child.
    """
    done = threading.Event()

    def look() -> None:
        while not done.wait(_LOOK_S):
            with contextlib.suppress(OSError):
                tell(path.read_bytes())

    thread = threading.Thread(target=look, daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
