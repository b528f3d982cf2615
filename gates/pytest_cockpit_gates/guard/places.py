"""Which paths are the lane's, also to a file system that takes other names for the same."""

from __future__ import annotations

import enum
import posixpath
import unicodedata
from collections.abc import Mapping

# Characters that HFS+ leaves out of a name.
_UNSEEN = {
    *range(0x200C, 0x2010),
    *range(0x202A, 0x202F),
    *range(0x206A, 0x2070),
    0xFEFF,
}
_LEFT_OUT = dict.fromkeys(_UNSEEN)
_HOPS = 40


class Place(enum.Enum):
    """Where a path lies: in the lane, in something taken for it, above it, or elsewhere."""

    LANE = "lane"
    VARIANT = "variant"
    ABOVE = "above"
    ELSEWHERE = "elsewhere"


class Places:
    """Paths as seen from one lane, all relative to the top of the tree."""

    def __init__(self, lane: str) -> None:
        self.lane = _parts(lane)
        self._folded = [_folded(part) for part in self.lane]

    def of(self, path: str) -> Place:
        """Where this path lies."""
        parts = _parts(path)
        depth = len(self.lane)
        if parts[:depth] == self.lane:
            return Place.LANE
        folded = [_folded(part) for part in parts[:depth]]
        if folded == self._folded:
            return Place.VARIANT
        if folded == self._folded[: len(folded)]:
            return Place.ABOVE
        return Place.ELSEWHERE

    def leads_in(self, path: str, links: Mapping[str, str]) -> bool:
        """Whether the link at `path` leads to the lane or below it, if need be by way of others.

        An absolute target leaves the tree, and is not followed.
        """
        for _ in range(_HOPS):
            found = _hop(path, links)
            if found is None:
                return False
            path = found
            if self.of(path) in (Place.LANE, Place.VARIANT):
                return True
        return False


def _hop(path: str, links: Mapping[str, str]) -> str | None:
    """The path with the first link on its way followed; None where none is, or it leads out."""
    parts = _parts(path)
    for end in range(1, len(parts) + 1):
        way = "/".join(parts[:end])
        if way in links:
            target = links[way]
            joined = posixpath.join(posixpath.dirname(way), target, *parts[end:])
            found = posixpath.normpath(joined)
            return None if found.startswith(("/", "../")) or found == ".." else found
    return None


def _parts(path: str) -> list[str]:
    return [part for part in path.split("/") if part not in {"", "."}]


def _folded(part: str) -> str:
    """One spelling for all that HFS+, APFS or NTFS may take for the same name."""
    seen = unicodedata.normalize("NFD", part.translate(_LEFT_OUT)).casefold()
    return unicodedata.normalize("NFC", seen).rstrip(". ")
