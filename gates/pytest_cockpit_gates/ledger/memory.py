"""What this clone has verified before, so that only what came since is read as rows again.

The bytes that were verified are held against a keyed digest of them: an edit before the remembered
end is seen whoever made it, unless he can also read this file of the git directory.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit import __version__
from pytest_cockpit.api import CockpitError, Context
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.merkle import Frontier
from pytest_cockpit_gates.ledger.rows import Facts

NAME = "ledger-verified.json"

_FORM = 3
_BLOCK = 1 << 20
_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class Memory:
    """A ledger as it was when it was last found whole.

    `blobs` are those that it begins with, by size; `commits` those whose past was good; `roots`
    the tree heads at sizes that checkpoints had.
    """

    size: int
    lines: int
    head: str
    tree: tuple[str, ...]
    facts: dict[str, Any]
    blobs: dict[str, int]
    commits: tuple[str, ...]
    roots: dict[str, str]

    def frontier(self) -> Frontier:
        """The Merkle tree of its lines, ready to grow."""
        return Frontier(self.lines, map(bytes.fromhex, self.tree))


class Store:
    """The file that remembers one ledger, below the git directory."""

    def __init__(self, context: Context, path: str, settings: dict[str, Any]) -> None:
        folder = _folder(context)
        self._place = folder / NAME if folder else None
        # Another version, ledger or setting may judge otherwise.
        about = json.dumps([_FORM, __version__, path, settings], sort_keys=True)
        self._about = hashlib.sha256(about.encode()).hexdigest()

    def recall(self, data: memoryview) -> Memory | None:
        """The memory, where `data` begins with exactly what it is of."""
        if self._place is None:
            return None
        try:
            kept = json.loads(self._place.read_bytes())
            about, mac, key, tag = (kept.pop(name) for name in ("about", "mac", "key", "tag"))
            memory = Memory(**kept)
            Facts.from_json(memory.facts)
            memory.frontier()
            digest, secret = _MACS[mac], bytes.fromhex(key)
            if about != self._about or not 0 < memory.size <= len(data):
                return None
            found = digest(secret, _blocks(data[: memory.size])).hex()
        except (OSError, ValueError, TypeError, KeyError, AttributeError, CockpitError):
            return None
        return memory if secrets.compare_digest(found, str(tag)) else None

    def keep(self, data: memoryview, memory: Memory) -> None:
        """Remember `data`, all of it, as verified; where that is impossible nothing is lost."""
        if self._place is None:
            return
        mac = "poly1305" if _has_poly1305() else "sha256"
        key = secrets.token_bytes(_KEY_BYTES)
        content = {
            "about": self._about,
            "mac": mac,
            "key": key.hex(),
            "tag": _MACS[mac](key, _blocks(data)).hex(),
            **{name: getattr(memory, name) for name in Memory.__slots__},
        }
        try:
            artifacts.write_bytes(self._place, json.dumps(content).encode())
            self._place.chmod(0o600)
        except (CockpitError, OSError):
            return


def _folder(context: Context) -> Path | None:
    """The engine's folder in the git directory, where it made the scratch folder."""
    scratch = context.scratch.parent
    if scratch.name == "scratch" and scratch.parent.name == "cockpit":
        return scratch.parent
    return None


def _blocks(data: memoryview) -> Iterator[memoryview]:
    return (data[start : start + _BLOCK] for start in range(0, len(data), _BLOCK))


def _has_poly1305() -> bool:
    try:
        from cryptography.hazmat.primitives import poly1305  # noqa: F401 - only whether it is there
    except ImportError:
        return False
    return True


def _poly1305(key: bytes, blocks: Iterable[memoryview]) -> bytes:
    """Five times as fast as SHA-256; each key is used for one text only, as it must be."""
    if not _has_poly1305():
        raise CockpitError("cryptography is not installed")
    from cryptography.hazmat.primitives.poly1305 import Poly1305

    mac = Poly1305(key)
    for block in blocks:
        mac.update(block)
    return mac.finalize()


def _sha256(key: bytes, blocks: Iterable[memoryview]) -> bytes:
    digest = hashlib.sha256(key)
    for block in blocks:
        digest.update(block)
    return digest.digest()


_MACS: Mapping[str, Callable[[bytes, Iterable[memoryview]], bytes]] = {
    "poly1305": _poly1305,
    "sha256": _sha256,
}
