"""What became of modules since the commits that measurements name."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_cockpit.git import Entry, GitError
from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import one_line
from pytest_cockpit.registry import substance
from pytest_cockpit.registry.modules import Module, owner

# A name such as HEAD would be of another commit tomorrow.
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
CHANGED = "its files have changed since"


@dataclass(frozen=True)
class Changes:
    """A tree held against commits: for rows that do not say which content they are of."""

    place: Place
    modules: Sequence[Module]
    _known: dict[str, frozenset[str] | None] = field(default_factory=dict)

    def since(self, commit: str, module: Module) -> str:
        """Why a measurement of that commit is not of the module as it is; empty where it is."""
        if commit not in self._known:
            self._known[commit] = self._changed(commit)
        changed = self._known[commit]
        if changed is None:
            return f"commit {one_line(commit[:12])} is not in this clone"
        return CHANGED if module.path in changed else ""

    @property
    def absent(self) -> list[str]:
        """The commits among those asked for that are not in this clone."""
        return [commit for commit, changed in self._known.items() if changed is None]

    def _changed(self, commit: str) -> frozenset[str] | None:
        """The modules that are not as in a commit; None where there is no such commit."""
        if not _COMMIT.fullmatch(commit):
            return None
        try:
            found = self.place.repository.changes(
                self.place.repository.resolve(commit), self.place.tree
            )
        except GitError:
            return None
        return frozenset(self._touched(found))

    def _touched(self, found: Mapping[str, tuple[Entry | None, Entry | None]]) -> set[str]:
        touched = set()
        for path, (before, after) in found.items():
            inner = owner(path, self._folders)
            if inner is None:
                continue
            manifest = globs.matches(path, self.place.settings.registry.manifests)
            if manifest and not (before and after):
                # Where a module came or went, files changed hands.
                touched.add(inner)
                outer = owner(inner, self._folders)
                touched.update([outer] if outer else [])
            elif not manifest and substance.counts(path, self.place.settings):
                touched.add(inner)
        return touched

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(module.path for module in self.modules)
