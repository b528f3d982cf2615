"""Which dotted names a batch changes: the longest module that exists decides."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cached_property, lru_cache


class Names:
    """The modules that move, among all that exist.

    Parameters
    ----------
    moved: old dotted module to new dotted module.
    known: every dotted module that exists before the move. `a.b.c` belongs to a moved `a.b` only
        when it is no module of its own.
    shadowed: modules whose parent package binds their name to something else, so that
        `from parent import name` and `parent.name` do not mean the module.
    """

    def __init__(
        self,
        moved: Mapping[str, str],
        known: frozenset[str] = frozenset(),
        shadowed: frozenset[str] = frozenset(),
    ) -> None:
        """Prepare what every file is asked."""
        self.moved = {old: new for old, new in moved.items() if old != new}
        self.known = known
        self.shadowed = shadowed
        self.tops = frozenset(old.partition(".")[0] for old in self.moved)
        self._above = {
            old[:end] for old in self.moved for end, sign in enumerate(old) if sign == "."
        }
        self._children: dict[str, list[bytes]] = {}
        for old in self.moved:
            parent, _, name = old.rpartition(".")
            self._children.setdefault(parent, []).append(_spelling(name))
        self._tops = [_spelling(top) for top in sorted(self.tops)]
        # A part that is not ASCII may be spelled in another encoding: it is taken as present.
        self._spellings = [
            tuple(_spelling(part) for part in reversed(old.split("."))) for old in self.moved
        ]
        alternatives = "|".join(map(re.escape, sorted(self.tops, key=len, reverse=True)))
        self._mention = re.compile(rf"(?<![\w.])(?:{alternatives or '(?!)'})(?:\.\w+)+")

    def module_in(self, dotted: str, also: frozenset[str] = frozenset()) -> str | None:
        """The longest prefix that is a module, when that module moves.

        `also` names modules that are known to exist for another reason.
        """
        prefix = dotted
        while prefix:
            if prefix in self.moved:
                return prefix
            if prefix in self.known or prefix in also:
                return None
            prefix = prefix.rpartition(".")[0]
        return None

    def renamed(self, dotted: str, also: frozenset[str] = frozenset()) -> str | None:
        """The dotted name after the move; None when it does not change or is not certain."""
        module = self.module_in(dotted, also)
        if module is None or (module in self.shadowed and not self.follows_parent(module)):
            return None
        return self.moved[module] + dotted[len(module) :]

    def follows_parent(self, module: str) -> bool:
        """Whether a moved module's parent package moves along and stays its parent."""
        parent, _, name = module.rpartition(".")
        return parent in self.moved and self.moved[module] == f"{self.moved[parent]}.{name}"

    def may_exist(self, base: str, names: Iterable[str]) -> bool:
        """Whether `from base import names` can find anything; yes where that is not known."""
        if not self.known or base in self.known or base in self.moved or base in self._folders:
            return True
        return any(f"{base}.{name}" in self.moved for name in names)

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(
            name[:end] for name in self.known for end, sign in enumerate(name) if sign == "."
        )

    def contains(self, package: str) -> bool:
        """Whether some module below this one moves."""
        return package in self._above

    def reached_from(self, base: str, source: bytes) -> bool:
        """Whether the source may import something that moves from a module."""
        return base in self.moved or any(name in source for name in self._children.get(base, ()))

    def mentions(self, text: str) -> Iterator[tuple[int, int]]:
        """Where moved names stand in a text, as spans."""
        for match in self._mention.finditer(text):
            if self.module_in(match.group()) is not None:
                yield match.span()

    def may_occur(self, source: bytes) -> bool:
        """Whether the bytes hold every part of some moved name; cheap, and never wrongly no."""
        return any(top in source for top in self._tops) and any(
            all(part in source for part in parts) for parts in self._spellings
        )

    def may_be_spelled(self, source: bytes) -> bool:
        """Whether the bytes hold a moved name the way that import statements are written."""
        return any(
            _spelling(parent) in source and _spelling(name) in source
            for parent, _, name in (old.rpartition(".") for old in self.moved)
        )


@lru_cache(maxsize=8)
def _cached(
    moved: tuple[tuple[str, str], ...], known: frozenset[str], shadowed: frozenset[str]
) -> Names:
    return Names(dict(moved), known, shadowed)


def names_of(
    moved: Mapping[str, str],
    known: frozenset[str] = frozenset(),
    shadowed: frozenset[str] = frozenset(),
) -> Names:
    """The names of a batch; asked once for each file, prepared once for all."""
    return _cached(tuple(moved.items()), known, shadowed)


def _spelling(part: str) -> bytes:
    return part.encode() if part.isascii() else b""
