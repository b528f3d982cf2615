"""The checkpoint beside the ledger: its tree head is the ledger's, and a key vouches for it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pytest_cockpit.api import CockpitError, Finding, Severity
from pytest_cockpit.records import checkpoint, ledger_keys
from pytest_cockpit.records.checkpoint import Checkpoint
from pytest_cockpit.records.ledger_content import linked
from pytest_cockpit.records.signed_note import Note, NoteError, Verifier

RULE, SIGNATURE = "ledger.checkpoint", "ledger.checkpoint-signature"

_REMEDY = "restore it from git, or write another: cockpit ledger checkpoint"


@dataclass(slots=True)
class Vouched:
    """The checkpoint as read, and what is wrong with it before the ledger is looked at."""

    path: str
    checkpoint: Checkpoint | None = None
    signed: bool = False
    signed_by: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def size(self) -> int | None:
        """The number of rows at which the ledger's tree head is wanted."""
        return self.checkpoint.size if self.checkpoint else None

    def heads(self, root: bytes | None, rows: int) -> Iterator[Finding]:
        """Findings where the ledger is not the one the checkpoint is of.

        Parameters
        ----------
        root: tree head over the first `size` rows; None where there are fewer.
        """
        if self.checkpoint is None or root == self.checkpoint.root:
            return
        size = self.checkpoint.size
        if root is None:
            message = f"is of {size} rows, the ledger has {rows}: rows were taken away"
        else:
            message = f"the first {size} rows are not those it was written for"
        yield Finding(
            RULE,
            message,
            path=self.path,
            line=3,
            remedy="restore the ledger from git; rows are only ever added",
            evidence={
                "expected": self.checkpoint.root.hex(),
                "found": root.hex() if root else None,
            },
        )


def read(root: Path, ledger: str, keys: Sequence[str], origin: str | None) -> Vouched:
    """The checkpoint of the tree, held against the configured keys and origin."""
    found = Vouched(checkpoint.path_of(ledger))
    try:
        data = b"" if linked(root, found.path) else (root / found.path).read_bytes()
    except FileNotFoundError:
        if keys:
            found.findings.append(_unsigned(found.path, "is not there, but keys are configured"))
        return found
    except OSError as error:
        found.findings.append(
            Finding(RULE, f"cannot be read: {error.strerror}", path=found.path, remedy=_REMEDY)
        )
        return found
    try:
        note, found.checkpoint = checkpoint.read(data)
        found.signed = bool(note.signatures)
    except NoteError as error:
        message = f"is no checkpoint: {error}"
        found.findings.append(Finding(RULE, message, path=found.path, remedy=_REMEDY))
        return found
    if origin is not None and found.checkpoint.origin != origin:
        message = f"is of {found.checkpoint.origin}, not of {origin}"
        found.findings.append(Finding(RULE, message, path=found.path, line=1, remedy=_REMEDY))
    found.findings += _signatures(found, note, keys)
    return found


def shrunk(found: Vouched, before: bytes | None, commit: str) -> Iterator[Finding]:
    """A finding where the base commit's checkpoint reached further than the tree's."""
    if not before:
        return
    try:
        _, old = checkpoint.read(before)
    except NoteError:
        return
    if found.checkpoint is None:
        message = f"commit {commit[:12]} has a checkpoint of {old.size} rows, this tree has none"
    elif found.checkpoint.size < old.size:
        message = f"is of {found.checkpoint.size} rows, that of {commit[:12]} of {old.size}"
    else:
        return
    yield Finding(RULE, message, path=found.path, remedy=_REMEDY)


def _signatures(found: Vouched, note: Note, keys: Sequence[str]) -> Iterator[Finding]:
    if not keys:
        return
    read = False
    try:
        verifiers: list[Verifier] = [ledger_keys.verifier(key) for key in keys]
        read = True
        found.signed_by = note.signed_by(verifiers)
    except NoteError as error:
        yield _unsigned(found.path, str(error)) if read else _misspelled(found.path, error)
    except CockpitError as error:
        yield Finding(
            SIGNATURE,
            f"its signatures cannot be verified: {error}",
            severity=Severity.UNKNOWN,
            path=found.path,
            remedy="pip install 'pytest-cockpit[sign]', or install OpenSSH for its keys",
        )
    else:
        if not found.signed_by:
            yield _unsigned(found.path, "no configured key has signed it")


def _misspelled(path: str, error: NoteError) -> Finding:
    remedy = "correct gate.ledger.keys; cockpit ledger key prints what belongs there"
    return Finding(SIGNATURE, f"cannot be held against {error}", path=path, remedy=remedy)


def _unsigned(path: str, message: str) -> Finding:
    remedy = "restore it from git, or sign another: cockpit ledger checkpoint --key FILE"
    return Finding(SIGNATURE, message, path=path, remedy=remedy)
