"""Checkpoints of C2SP (https://c2sp.org/tlog-checkpoint): how far a ledger has come."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pytest_cockpit.records import signed_note
from pytest_cockpit.records.ledger_rows import LedgerError
from pytest_cockpit.records.ledger_scan import Chain, lines_of, walk
from pytest_cockpit.records.merkle import EMPTY, Frontier
from pytest_cockpit.records.signed_note import Note, NoteError, Signer

_SIZE = re.compile(r"0|[1-9][0-9]{0,17}")
_ROOT_BYTES = 32
_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The tree head over the first `size` rows of the ledger that is called `origin`."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """The text of the note that holds it."""
        lines = (self.origin, str(self.size), base64.b64encode(self.root).decode())
        return "".join(f"{line}\n" for line in (*lines, *self.extensions))

    @classmethod
    def parse(cls, text: str) -> Checkpoint:
        """The checkpoint in a note's text.

        Raises
        ------
        NoteError: there is none.
        """
        lines = text.split("\n")
        if lines.pop() or len(lines) < _LINES or not all(lines):
            raise NoteError("a checkpoint has three lines or more, none of them empty")
        origin, size, root, *extensions = lines
        if not _SIZE.fullmatch(size):
            raise NoteError("the checkpoint's second line is no tree size")
        head = signed_note.unbase64(root)
        if len(head) != _ROOT_BYTES:
            raise NoteError("the checkpoint's third line is no tree head")
        return cls(origin, int(size), head, tuple(extensions))


def path_of(ledger: str) -> str:
    """Where the checkpoint of a ledger lies: beside it, `x.ndjson` beside `x.checkpoint`."""
    return f"{ledger.removesuffix('.ndjson')}.checkpoint"


def read(data: bytes) -> tuple[Note, Checkpoint]:
    """The note in a file and the checkpoint in it.

    Raises
    ------
    NoteError: one of them is none.
    """
    note = signed_note.parse(data)
    return note, Checkpoint.parse(note.text)


def over(stream: IO[bytes], origin: str) -> Checkpoint:
    """The checkpoint of a whole ledger.

    Raises
    ------
    LedgerError: its chain is broken; nobody should vouch for it.
    """
    return _grown(stream, Checkpoint(origin, 0, EMPTY))


def write(stream: IO[bytes], origin: str, signers: Sequence[Signer] = ()) -> bytes:
    """The bytes of a checkpoint file for a whole ledger."""
    return signed_note.sign(over(stream, origin).text, signers).to_bytes()


def refreshed(old: bytes, ledger: bytes, key: Path | None, keys: Sequence[str] = ()) -> bytes:
    """The checkpoint to put in place of `old` once the ledger has grown to these bytes.

    `old` stays as it is where there is none, and where it is signed but no key is at hand to sign
    another: an older checkpoint that holds says more than a newer one that nobody vouches for.

    Parameters
    ----------
    key: file with the private key.
    keys: the configured verifier keys.

    Raises
    ------
    NoteError: `old` is not of this ledger or nobody vouches for it, so that to write another would
        vouch for rows that were changed; or the key is not among `keys`.
    """
    from pytest_cockpit.records import ledger_keys

    if not old:
        return old
    note, before = read(old)
    if key is None and (note.signatures or keys):
        return old
    verifiers = [ledger_keys.verifier(text) for text in keys]
    if verifiers and not note.signed_by(verifiers):
        raise NoteError("no configured key has signed it, so no other is signed in its place")
    signers = [] if key is None else [ledger_keys.signer(key, verifiers)]
    known = {(one.name, one.hashed) for one in verifiers}
    if known and any((one.name, one.hashed) not in known for one in signers):
        raise NoteError(f"{key} is none of the configured keys")
    grown = _grown(io.BytesIO(ledger), before)
    return signed_note.sign(grown.text, signers).to_bytes()


def demand_of(point: Checkpoint, ledger: bytes) -> None:
    """Raise `NoteError` where a whole ledger does not begin with the rows of a checkpoint."""
    _grown(io.BytesIO(ledger), point)


def _grown(stream: IO[bytes], before: Checkpoint) -> Checkpoint:
    """The checkpoint of a whole ledger that begins with the rows of another one."""
    tree = Frontier()
    begins = before.size == 0 and before.root == EMPTY
    for seen in walk(lines_of(stream), Chain(tree=tree)):
        if seen.fault:
            raise LedgerError(
                f"ledger line {seen.line}: {seen.fault.reason}; restore the ledger from git"
            )
        begins = begins or (tree.size == before.size and tree.root() == before.root)
    if not begins:
        raise NoteError(f"the ledger's first {before.size} rows are not those it was written for")
    return Checkpoint(before.origin, tree.size, tree.root())
