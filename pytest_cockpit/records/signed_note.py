"""Signed notes of C2SP (https://c2sp.org/signed-note): text with lines of signatures below it."""

from __future__ import annotations

import base64
import binascii
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol

from pytest_cockpit.api import CockpitError

MAX_BYTES = 1_000_000
"""Longer notes are not read."""

_HASH = 4
_MAX_SIGNATURES = 100
_MARK = "— "


class NoteError(CockpitError):
    """A note or a key that is none; the text is one line."""


class Verifier(Protocol):
    """One key that signatures are held against."""

    @property
    def name(self) -> str:
        """The key's name, which a signature line bears."""

    @property
    def hashed(self) -> bytes:
        """The four bytes that tell keys of one name apart."""

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Whether the signature is this key's under the text."""


class Signer(Protocol):
    """One key that signs."""

    @property
    def name(self) -> str:
        """The key's name."""

    @property
    def hashed(self) -> bytes:
        """The four bytes that tell keys of one name apart."""

    def sign(self, text: bytes) -> bytes:
        """The signature under the text."""


@dataclass(frozen=True, slots=True)
class Signature:
    """One line below the text."""

    name: str
    hashed: bytes
    signature: bytes

    @property
    def line(self) -> str:
        """The line as a note has it."""
        return f"{_MARK}{self.name} {base64.b64encode(self.hashed + self.signature).decode()}\n"


@dataclass(frozen=True, slots=True)
class Note:
    """A text that ends in a line break, and the signatures under it; none where it is unsigned."""

    text: str
    signatures: tuple[Signature, ...] = ()

    def to_bytes(self) -> bytes:
        """The note's form in a file."""
        return f"{self.text}\n{''.join(item.line for item in self.signatures)}".encode()

    def signed_by(self, verifiers: Sequence[Verifier]) -> list[str]:
        """The names of those keys whose signatures hold.

        Raises
        ------
        NoteError: a line bears the name and hash of one of the keys, but is not its signature.
        """
        found = []
        for item in self.signatures:
            for verifier in verifiers:
                if (verifier.name, verifier.hashed) != (item.name, item.hashed):
                    continue
                if not verifier.verify(self.text.encode(), item.signature):
                    raise NoteError(f"the signature of {item.name} is not under this text")
                if item.name not in found:
                    found.append(item.name)
        return found


def parse(data: bytes) -> Note:
    """The note in a file.

    Raises
    ------
    NoteError: the bytes are none.
    """
    if len(data) > MAX_BYTES:
        raise NoteError(f"longer than {MAX_BYTES} bytes")
    try:
        whole = data.decode("utf-8")
    except ValueError:
        raise NoteError("not UTF-8") from None
    if any(char < " " and char != "\n" for char in whole):
        raise NoteError("holds a control character")
    text, blank, below = whole.rpartition("\n\n")
    if not blank:
        raise NoteError("has no blank line below its text")
    lines = below.split("\n")
    if lines.pop():
        raise NoteError("its last line does not end")
    if len(lines) > _MAX_SIGNATURES:
        raise NoteError(f"has more than {_MAX_SIGNATURES} signatures")
    return Note(f"{text}\n", tuple(_signature(line) for line in lines))


def sign(text: str, signers: Sequence[Signer]) -> Note:
    """The note with these signatures, in this order.

    Raises
    ------
    NoteError: the text is not fit for a note.
    """
    unsigned = Note(text)
    if parse(unsigned.to_bytes()) != unsigned:
        raise NoteError("a note's text ends in a line break")
    made = [Signature(key.name, key.hashed, key.sign(text.encode())) for key in signers]
    return Note(text, tuple(made))


def key_hash(name: str, key: bytes) -> bytes:
    """The four bytes that stand for a key, its type byte included, under a name."""
    return sha256(f"{name}\n".encode() + key).digest()[:_HASH]


def demand_name(name: str) -> None:
    """Raise `NoteError` where a name is not fit for a key."""
    odd = any(char == "+" or char.isspace() or unicodedata.category(char) == "Cc" for char in name)
    if odd or not name:
        raise NoteError("a key's name has at least one character, no space and no plus")


def unbase64(text: str) -> bytes:
    """What standard base64 with padding stands for, where it is the one form of it.

    Raises
    ------
    NoteError: it is not.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise NoteError("not base64") from None
    if base64.b64encode(data).decode() != text:
        raise NoteError("not the one form of base64")
    return data


def _signature(line: str) -> Signature:
    name, _, encoded = line.removeprefix(_MARK).partition(" ")
    if not line.startswith(_MARK):
        raise NoteError("a line below the blank one is no signature")
    demand_name(name)
    data = unbase64(encoded)
    if len(data) <= _HASH:
        raise NoteError("a signature is too short")
    return Signature(name, data[:_HASH], data[_HASH:])
