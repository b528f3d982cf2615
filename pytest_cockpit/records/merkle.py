"""Merkle trees of RFC 6962: tree heads, and proofs of what is in a tree and what it grew from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

EMPTY = sha256(b"").digest()
"""The tree head of no entries."""


def leaf(entry: bytes) -> bytes:
    """The leaf hash of an entry."""
    return sha256(b"\x00" + entry).digest()


def node(left: bytes, right: bytes) -> bytes:
    """The hash of two subtrees."""
    return sha256(b"\x01" + left + right).digest()


class Frontier:
    """The perfect subtrees of a tree that grows, largest first: all that its next head needs.

    Parameters
    ----------
    size: how many leaves the tree has already.
    hashes: its `hashes`, one for each bit of `size`, as another frontier gave them.
    """

    def __init__(self, size: int = 0, hashes: Iterable[bytes] = ()) -> None:
        self.size = size
        self.hashes = list(hashes)
        if len(self.hashes) != size.bit_count():
            raise ValueError(f"a tree of {size} leaves has {size.bit_count()} perfect subtrees")

    def add(self, hashed: bytes) -> None:
        """Put a leaf hash at the end."""
        height = self.size
        while height & 1:
            hashed = node(self.hashes.pop(), hashed)
            height >>= 1
        self.hashes.append(hashed)
        self.size += 1

    def root(self) -> bytes:
        """The tree head."""
        if not self.hashes:
            return EMPTY
        *larger, found = self.hashes
        for hashed in reversed(larger):
            found = node(hashed, found)
        return found


def root(leaves: Sequence[bytes]) -> bytes:
    """The tree head over leaf hashes."""
    frontier = Frontier()
    for hashed in leaves:
        frontier.add(hashed)
    return frontier.root()


def inclusion(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """The audit path from the leaf at `index` to the head, lowest first."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves has no leaf {index}")
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if index < split:
        return [*inclusion(left, index), root(right)]
    return [*inclusion(right, index - split), root(left)]


def consistency(leaves: Sequence[bytes], old: int) -> list[bytes]:
    """The proof that the tree of the first `old` leaves is where this one began."""
    if not 0 < old <= len(leaves):
        raise ValueError(f"a tree of {len(leaves)} leaves did not grow from one of {old}")
    return _subproof(leaves, old, whole=True)


def includes(hashed: bytes, index: int, size: int, path: Sequence[bytes], head: bytes) -> bool:
    """Whether `path` proves that the leaf is at `index` of the tree of `size` with this head."""
    if not 0 <= index < size:
        return False
    found = _climb(hashed, index, size - 1, path, node)
    return found == head


def grew(old: int, old_head: bytes, size: int, head: bytes, proof: Sequence[bytes]) -> bool:
    """Whether `proof` proves that the tree of `old` leaves is where the tree of `size` began.

    Every tree began as the empty one, which needs no proof.
    """
    if not 0 <= old <= size:
        return False
    if old in {0, size}:
        return not proof and old_head == (head if old else EMPTY)
    path = list(proof)
    if not old & (old - 1):
        # The old tree is a subtree of the new one, so its head is not told again.
        path.insert(0, old_head)
    if not path:
        return False
    index, last = old - 1, size - 1
    while index & 1:
        index, last = index >> 1, last >> 1
    first, *rest = path
    olds = [first]

    def both(side: bytes, here: bytes) -> bytes:
        olds[0] = node(side, olds[0])
        return node(side, here)

    return _climb(first, index, last, rest, both) == head and olds[0] == old_head


def _split(size: int) -> int:
    """The largest power of two below `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _subproof(leaves: Sequence[bytes], old: int, *, whole: bool) -> list[bytes]:
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    split = _split(len(leaves))
    left, right = leaves[:split], leaves[split:]
    if old <= split:
        return [*_subproof(left, old, whole=whole), root(right)]
    return [*_subproof(right, old - split, whole=False), root(left)]


def _climb(
    here: bytes,
    index: int,
    last: int,
    path: Iterable[bytes],
    join: Callable[[bytes, bytes], bytes],
) -> bytes | None:
    """The head that `path` leads to from `here`; None when it is too long or too short.

    `join` puts a left neighbour to what was found, RFC 9162 sections 2.1.3.2 and 2.1.4.2.
    """
    for side in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            here = join(side, here)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            here = node(here, side)
        index, last = index >> 1, last >> 1
    return here if last == 0 else None
