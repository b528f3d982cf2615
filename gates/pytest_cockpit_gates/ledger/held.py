"""The ledger's file, opened once: what it holds is read, compared and counted from there."""

from __future__ import annotations

import contextlib
import io
import mmap
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from pytest_cockpit.api import Finding
from pytest_cockpit.records.ledger_content import blob_id, linked
from pytest_cockpit.records.ledger_git import Blob

RULE = "ledger.missing"


@dataclass(slots=True)
class Held:
    """The bytes of the ledger; `known` are the blobs that are certainly where it begins."""

    data: memoryview
    known: dict[str, int] = field(default_factory=dict)

    @property
    def size(self) -> int:
        """How many bytes there are."""
        return len(self.data)

    def begins_with(self, blob: Blob) -> bool:
        """Whether a blob is where the ledger begins: its id, worked out again over these bytes."""
        if blob.size > self.size:
            return False
        if self.known.get(blob.oid) == blob.size:
            return True
        if blob_id(self.data[: blob.size], len(blob.oid)) != blob.oid:
            return False
        self.known[blob.oid] = blob.size
        return True

    def ends(self) -> bool:
        """Whether the last line has its line break."""
        return bytes(self.data[-1:]) == b"\n"

    def stream(self, start: int = 0) -> io.BufferedReader:
        """The bytes from `start` on, block by block."""
        return io.BufferedReader(_Reader(self.data[start:]))


class _Reader(io.RawIOBase):
    """A view as a file, without a copy of it all."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type: ignore[override] # any writable buffer in the stubs, these two in fact
        some = self._data[self._at : self._at + len(buffer)]
        buffer[: len(some)] = some
        self._at += len(some)
        return len(some)


@contextlib.contextmanager
def opened(root: Path, path: str) -> Iterator[Held | Finding | None]:
    """The ledger; None where there is none, a finding where it cannot be read."""
    fault = _fault(root, path)
    if fault:
        yield fault
        return
    try:
        stream = (root / path).open("rb")
    except FileNotFoundError:
        yield None
        return
    except OSError as error:
        yield Finding(RULE, f"cannot be read: {error.strerror or type(error).__name__}")
        return
    with stream:
        if not os.fstat(stream.fileno()).st_size:
            yield Held(memoryview(b""))
            return
        with mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as mapped:
            held = Held(memoryview(mapped))
            try:
                yield held
            finally:
                held.data.release()


def _fault(root: Path, path: str) -> Finding | None:
    if linked(root, path):
        return Finding(RULE, "is a link; the ledger is a file of its own")
    return None
