"""One session at a time in a repository, and a journal of how far each one came."""

from __future__ import annotations

import contextlib
import getpass
import os
import platform
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.records.text import one_line

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

    def acquire(self, mode: str) -> None:
        """Take the lock for a session of this mode.

        Raises
        ------
        CockpitError: another session holds it; the message says which, whose and since when.
        """
        place = self._folder / "session.lock"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            self._lock.acquire(timeout=0)
        except Timeout:
            raise CockpitError(
                f"{place}: held by another session ({self._holding()}); wait for it or end it"
            ) from None
        except OSError as error:
            raise artifacts.os_error(place, "cannot lock", error) from error
        artifacts.write(self._holder, _me(mode))

    def release(self) -> None:
        """Let the next session in."""
        if self._lock.is_locked:
            with contextlib.suppress(OSError):
                self._holder.unlink()
        self._lock.release()

    def _holding(self) -> str:
        try:
            told = artifacts.read(self._holder)
            return one_line(
                f"process {told['pid']} of {told['user']} on {told['host']}, a {told['mode']} "
                f"since {told['since']}"
            )
        except (CockpitError, KeyError, TypeError):
            return "process unknown"

    def journal(self, event: str, **facts: Any) -> None:
        """Record how far this session came, durably."""
        ledger.append(self._journal, {"kind": event, "pid": os.getpid(), **facts})

    def ended(self, exit_status: int) -> None:
        """Record the end; on a full disk the next session takes this one for cut off."""
        with contextlib.suppress(CockpitError):
            self.journal("end", exit_status=exit_status)

    def left_behind(self) -> list[str]:
        """What a session that did not end says about itself; its journal is then set aside."""
        lines = []
        if self._journal.is_file():
            rows = [row for row in _whole_rows(self._journal) if row["kind"] != "torn-tail"]
            if rows and rows[-1]["kind"] not in _DONE:
                lines = [f"cockpit: the last session was cut off after '{_named(rows[-1])}'"]
            self._journal.replace(self._journal.with_suffix(".last.ndjson"))
        return lines


def _named(row: Mapping[str, Any]) -> str:
    """What a row tells of, with the name of the phase or gate that it was."""
    name = row.get(row["kind"])
    return one_line(f"{row['kind']} {name}") if isinstance(name, str) else row["kind"]


def _me(mode: str) -> dict[str, Any]:
    try:
        user = getpass.getuser()
    except (OSError, KeyError):
        # A container may run under a number that has no name.
        user = str(os.getuid())
    return {
        "pid": os.getpid(),
        "mode": mode,
        "user": user,
        "host": platform.node(),
        "since": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }


def _whole_rows(path: Path) -> list[dict[str, Any]]:
    data = path.read_bytes()
    whole = data[: data.rfind(b"\n") + 1]
    try:
        return ledger.rows(whole)
    except CockpitError:
        return []
