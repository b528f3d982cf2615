"""What became of modules since the commits that measurements name."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from pytest_cockpit.git import Entry, GitError
from pytest_cockpit.phases import Place
from pytest_cockpit.records import globs
from pytest_cockpit.records.text import one_line
from pytest_cockpit.registry import contents, substance
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
        manifests = globs.Matcher(self.place.settings.registry.manifests)
        touched: set[str] = set()
        for path, (before, after) in found.items():
            if manifests.matches(path):
                # Where a module came or went, files changed hands; what a manifest says is no code.
                touched.update(() if before and after else self._around(path))
            elif substance.counts(path, self.place.settings):
                touched.update(self._of(path))
        return touched

    def _of(self, path: str) -> Iterator[str]:
        """The modules that a path is a file of, or a test."""
        inner = owner(path, self._folders)
        if inner is not None:
            yield inner
        for folder in contents.folders_above(path):
            yield from self._testing.get(folder, ())

    def _around(self, path: str) -> Iterator[str]:
        """The module of a manifest, and the one that it is, or was, taken out of."""
        inner = owner(path, self._folders)
        if inner is not None:
            yield inner
            outer = owner(inner, self._folders)
            yield from (outer,) if outer else ()

    @cached_property
    def _testing(self) -> Mapping[str, Sequence[str]]:
        """By folder outside of modules, those whose tests lie there."""
        found: dict[str, list[str]] = {}
        for module, folder in contents.tests_elsewhere(self.modules).items():
            found.setdefault(folder, []).append(module)
        return found

    @cached_property
    def _folders(self) -> frozenset[str]:
        return frozenset(module.path for module in self.modules)
