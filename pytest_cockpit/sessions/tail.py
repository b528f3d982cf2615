"""Lines of a file shown as another process appends them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Self

from pytest_cockpit.records.text import one_line
from pytest_cockpit.runner import redact

_LOOK_S = 0.3


class Tail:
    """Says every whole line that comes to a file while the context lasts.

    Parameters
    ----------
    path: the file; it may come later, or never.
    say: called with one line, from a thread of its own.
    """

    def __init__(self, path: Path, say: Callable[[str], None]) -> None:
        self._path = path
        self._say = say
        self._at = path.stat().st_size if path.is_file() else 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._follow, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over.set()
        self._thread.join()

    def _follow(self) -> None:
        while not self._over.wait(_LOOK_S):
            self._show()
        self._show()

    def _show(self) -> None:
        try:
            with self._path.open("rb") as stream:
                stream.seek(self._at)
                data = stream.read()
        except OSError:
            return
        whole = data[: data.rfind(b"\n") + 1]
        self._at += len(whole)
        for line in whole.decode("utf-8", "replace").splitlines():
            self._say(redact(one_line(line)))
