"""Since when a line is there: the commit that brought the marker, through all its renewals."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from pytest_cockpit import process

_TIMEOUT_S = 60
_BLAMED = re.compile(rb"([0-9a-f]{40,64}) (\d+)")
_LOGGED = re.compile(rb"([0-9a-f]{40,64}) (\d+)\n")


@dataclass(frozen=True, slots=True)
class Since:
    """The day and the commit; without a commit, the line is not committed yet."""

    day: date
    commit: str | None

    def age(self, today: date) -> int:
        """Days since then; none where a clock was ahead."""
        return max(0, (today - self.day).days)


def since(root: Path, path: str, line: int, today: date, commit: str | None = None) -> Since | None:
    """When line `line` of a file came there; None where git cannot tell.

    The file is that of `commit`, or, without one, as it lies in the tree `root`.

    A marker that is renewed is an old one, so the line is followed through its changes.
    """
    blamed = _git(
        root, "blame", "--porcelain", f"-L{line},{line}", *([commit] if commit else []), "--", path
    )
    found = _BLAMED.match(blamed or b"")
    if found is None or blamed is None:
        return None
    last, number = found[1].decode(), int(found[2])
    if not last.strip("0"):
        return Since(today, None)
    name = next((row[9:] for row in blamed.splitlines() if row.startswith(b"filename ")), b"")
    where = name.decode("utf-8", "surrogateescape")
    line_now = next((row[1:] for row in blamed.splitlines() if row.startswith(b"\t")), b"")
    # A renewal changes what is in the parentheses.
    mark = line_now.strip().partition(b"(")[0]
    place = f"-L{number},{number}:{where}"
    log = _git(root, "log", "--format=%x00%H %ct", place, last) or b""
    return _oldest(log.split(b"\0")[1:], mark)


def _oldest(changes: Sequence[bytes], mark: bytes) -> Since | None:
    """The first of the changes, the newest given first, since which the line is the marker's."""
    oldest, form = None, re.compile(re.escape(mark) + rb"\s*(?:\(|\Z)")
    for change in changes:
        found = _LOGGED.match(change)
        added = [row for row in change.splitlines() if row[:1] == b"+" and row[:3] != b"+++"]
        if found is None or not any(map(form.search, added)):
            break
        oldest = Since(datetime.fromtimestamp(int(found[2]), UTC).date(), found[1].decode())
    return oldest


def _git(root: Path, *arguments: str) -> bytes | None:
    argv = ["git", "-c", "core.fsmonitor=false", "-c", "log.showSignature=false", *arguments]
    done = process.run(argv, cwd=root, env=process.environment(), timeout=_TIMEOUT_S)
    return None if done.returncode else done.stdout
