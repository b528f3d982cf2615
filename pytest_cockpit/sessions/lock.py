"""One session at a time in a repository, and a journal of how far each one came."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import ledger

_DONE = ("end",)


class SessionLock:
    """The lock and journal of a repository's sessions, below its git directory.

    The kernel drops the lock with the process, so a killed session blocks nobody.
    """

    def __init__(self, common_dir: Path) -> None:
        self._folder = common_dir / "cockpit"
        self._journal = self._folder / "journal.ndjson"
        self._holder = self._folder / "session.holder"
        self._lock = FileLock(self._folder / "session.lock")

    def acquire(self) -> None:
        """Take the lock.

        Raises
        ------
        CockpitError: another session holds it; the message says which process.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            holder = self._holder.read_text() if self._holder.is_file() else "unknown"
            raise CockpitError(
                f"{self._folder / 'session.lock'}: held by another session (process {holder}); "
                "wait for it or end it"
            ) from None
        self._holder.write_text(str(os.getpid()))

    def release(self) -> None:
        """Let the next session in."""
        self._lock.release()

    def journal(self, event: str, **facts: Any) -> None:
        """Record how far this session came, durably."""
        ledger.append(self._journal, {"kind": event, "pid": os.getpid(), **facts})

    def left_behind(self) -> list[str]:
        """What a session that did not end says about itself; its journal is then set aside."""
        lines = []
        if self._journal.is_file():
            rows = [row for row in _whole_rows(self._journal) if row["kind"] != "torn-tail"]
            if rows and rows[-1]["kind"] not in _DONE:
                lines = [f"cockpit: the last session was cut off after '{rows[-1]['kind']}'"]
            self._journal.replace(self._journal.with_suffix(".last.ndjson"))
        return lines


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        return ledger.rows(whole)
    except CockpitError:
        return []
