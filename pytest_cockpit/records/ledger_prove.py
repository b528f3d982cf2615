"""RFC 6962 proofs about a ledger as documents: made from it, verified without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import IO, Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import checkpoint, merkle, schema
from pytest_cockpit.records.ledger_rows import LedgerError
from pytest_cockpit.records.ledger_scan import Chain, lines_of, walk
from pytest_cockpit.records.signed_note import NoteError, Verifier

_SCHEMA = "pytest-cockpit/ledger-proof/1"


class Prover:
    """A whole ledger, ready to be proven from.

    Raises
    ------
    LedgerError: its chain is broken.
    """

    def __init__(self, stream: IO[bytes], name: str) -> None:
        self._name = name
        self._lines: list[bytes] = []
        chain = Chain()
        for line in lines_of(stream):
            for seen in walk((line,), chain):
                if seen.fault:
                    raise LedgerError(
                        f"{name}:{seen.line}: {seen.fault.reason}; restore the ledger from git"
                    )
            self._lines.append(line)
        self._leaves = [merkle.leaf(line) for line in self._lines]

    def inclusion(self, seq: int, note: bytes = b"") -> dict[str, Any]:
        """The proof that the row of this number is in the ledger.

        Parameters
        ----------
        note: the ledger's checkpoint, which the proof is for if it covers the row.
        """
        size = self._size(note, seq + 1)
        self._demand(0 <= seq < size, f"has no row {seq}; the last one is {size - 1}")
        path = merkle.inclusion(self._leaves[:size], seq)
        facts = {"seq": seq, "row": self._lines[seq].decode()}
        return self._proof("inclusion", size, path, note, facts)

    def consistency(self, old: int, note: bytes = b"") -> dict[str, Any]:
        """The proof that the ledger's first `old` rows are where it began."""
        # Proven up to a checkpoint of no more than these rows it would say nothing.
        size = self._size(note, old + 1)
        self._demand(0 < old <= size, f"did not grow from {old} rows; it has {size}")
        path = merkle.consistency(self._leaves[:size], old)
        root = merkle.root(self._leaves[:old]).hex()
        return self._proof("consistency", size, path, note, {"old_size": old, "old_root": root})

    def _size(self, note: bytes, least: int) -> int:
        """The size to prove for: that of the checkpoint, where it reaches far enough."""
        if note:
            _, point = checkpoint.read(note)
            if least <= point.size <= len(self._lines):
                return point.size
        return len(self._lines)

    def _proof(
        self, kind: str, size: int, path: Sequence[bytes], note: bytes, facts: dict[str, Any]
    ) -> dict[str, Any]:
        vouched = {}
        if note and checkpoint.read(note)[1].size == size:
            vouched = {"checkpoint": note.decode()}
        return {
            "schema": _SCHEMA,
            "kind": kind,
            "ledger": self._name,
            "size": size,
            "root": merkle.root(self._leaves[:size]).hex(),
            "path": [each.hex() for each in path],
            **facts,
            **vouched,
        }

    def _demand(self, met: bool, otherwise: str) -> None:
        if not met:
            raise CockpitError(f"{self._name}: {otherwise}; name another")


def faults(proof: Any, verifiers: Sequence[Verifier] = ()) -> list[str]:
    """Why a proof does not hold; [] when it does.

    Where keys are given, its tree head must be that of a checkpoint that one of them signed.
    """
    found = [str(problem) for problem in schema.problems(proof, "ledger-proof")]
    if found:
        return found
    if not (_includes(proof) if proof["kind"] == "inclusion" else _grew(proof)):
        found.append("path: does not lead to root")
    return [*found, *_unvouched(proof, verifiers)]


def _includes(proof: dict[str, Any]) -> bool:
    path = [bytes.fromhex(each) for each in proof["path"]]
    hashed = merkle.leaf(proof["row"].encode())
    root = bytes.fromhex(proof["root"])
    return merkle.includes(hashed, proof["seq"], proof["size"], path, root)


def _grew(proof: dict[str, Any]) -> bool:
    path = [bytes.fromhex(each) for each in proof["path"]]
    old, root = (bytes.fromhex(proof[key]) for key in ("old_root", "root"))
    return merkle.grew(proof["old_size"], old, proof["size"], root, path)


def _unvouched(proof: dict[str, Any], verifiers: Sequence[Verifier]) -> list[str]:
    if "checkpoint" not in proof:
        return ["checkpoint: missing, but keys are configured"] if verifiers else []
    try:
        note, point = checkpoint.read(proof["checkpoint"].encode())
        signed = note.signed_by(verifiers)
    except NoteError as error:
        return [f"checkpoint: {error}"]
    if (point.size, point.root.hex()) != (proof["size"], proof["root"]):
        return ["checkpoint: is of another tree"]
    return [] if signed or not verifiers else ["checkpoint: no configured key has signed it"]
