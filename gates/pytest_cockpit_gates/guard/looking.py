"""What a change leaves open, looked up: contents, copies, merged sides, links, the ledger."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping, Sequence

from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import ledger
from pytest_cockpit.records.text import printable
from pytest_cockpit_gates.guard import rows
from pytest_cockpit_gates.guard.change import LINK, MODULES, SUBMODULE, Change, Entry, Origin
from pytest_cockpit_gates.guard.places import Place, Places
from pytest_cockpit_gates.guard.trees import Trees, blob_id

_MERGED_HEAD = re.compile(r"GITHEAD_([0-9a-f]{40}|[0-9a-f]{64})")


class Looking:
    """Looks up what the change between two trees leaves open."""

    def __init__(
        self,
        trees: Trees,
        ledger_path: str,
        before: Mapping[str, Entry],
        after: Mapping[str, Entry],
    ) -> None:
        self._trees = trees
        self._ledger = ledger_path
        self._before = before
        self._after = after

    def change(self, lane: str, concerned: Iterable[str]) -> Change:
        """The whole change, of which `concerned` are the paths to look at."""
        places = Places(lane)
        paths = sorted(concerned)
        inside = [path for path in paths if places.of(path) in (Place.LANE, Place.VARIANT)]
        merged = self._merged(paths)
        new = [path for path in inside if path not in self._before and path not in merged]
        lost = self._lost_shims(inside)
        promoted, restored = self._told() if new or lost else ({}, {})
        return Change(
            lane=lane,
            before=self._before,
            after=self._after,
            merged=merged,
            origins=self._origins(new) if new else {},
            links=self._links() if any(self._after[path].mode == LINK for path in paths) else {},
            submodules=self._submodules(),
            lost_shims=lost,
            restored=frozenset(
                path
                for path in {*new, *lost}
                if restored.get(printable(path)) == self._after[path].oid
            ),
            promoted=promoted,
        )

    def _merged(self, paths: Sequence[str]) -> dict[str, frozenset[Entry]]:
        """What the sides of a merge under way have at these paths."""
        sides = self._trees.git.merging()
        if self._trees.commit is not None:
            # While hooks of `git merge` run, the environment alone says what is being merged. For
            # a working tree it does not count: tests of the change could have written to it.
            named = (_MERGED_HEAD.fullmatch(name) for name in os.environ)
            sides = [*sides, *(found[1] for found in named if found)]
        found: dict[str, frozenset[Entry]] = {}
        for side in self._trees.git.present(dict.fromkeys(sides)) if paths and sides else ():
            for path, entry in self._trees.at(side, paths):
                found[path] = found.get(path, frozenset()) | {entry}
        return found

    def _lost_shims(self, paths: Iterable[str]) -> frozenset[str]:
        """Those of the paths that held a shim at the base and hold another file now."""
        both = [path for path in paths if _are_files(self._before.get(path), self._after[path])]
        were = self._trees.blobs([self._before[path].oid for path in both])
        shims = {p: self._after[p] for p, data in zip(both, were, strict=True) if is_shim(data)}
        now = self._trees.contents(shims)
        return frozenset(path for path, data in now.items() if not is_shim(data))

    def _origins(self, new: Sequence[str]) -> dict[str, Origin]:
        """Where new files come from, as git follows their content; untracked ones exactly."""
        # What is empty comes from nowhere.
        nothing = blob_id(b"", self._trees.base)
        wanted = frozenset(path for path in new if self._after[path].oid != nothing)
        found = {
            row.path: Origin(row.source, self._is_gone(row.source), row.percent)
            for row in self._trees.copies()
            if row.path in wanted
        }
        if self._trees.commit is None:
            found = {**self._same(wanted - found.keys()), **found}
        return found

    def _same(self, new: Iterable[str]) -> dict[str, Origin]:
        oids = {self._after[path].oid: path for path in new}
        places: dict[str, list[str]] = {}
        for path, entry in self._trees.whole_base.items() if oids else ():
            if entry.oid in oids:
                places.setdefault(entry.oid, []).append(path)
        found = {}
        for path in new:
            origins = [Origin(p, self._is_gone(p)) for p in places.get(self._after[path].oid, ())]
            if origins:
                found[path] = min(origins, key=lambda origin: not origin.gone)
        return found

    def _is_gone(self, path: str) -> bool:
        """Whether a path of the base has become free, but for a shim."""
        if path not in self._before:
            return False
        entry = self._after.get(path)
        if entry is None:
            return True
        return is_shim(self._trees.contents({path: entry})[path])

    def _links(self) -> dict[str, str]:
        """Every symbolic link of the tree, with its target."""
        base = {
            path: entry.oid
            for path, entry in self._trees.whole_base.items()
            if entry.mode == LINK and path not in self._before
        }
        targets = dict(zip(base, self._trees.blobs([*base.values()]), strict=True))
        own = {path: entry for path, entry in self._after.items() if entry.mode == LINK}
        targets |= self._trees.contents(own)
        return {path: os.fsdecode(target) for path, target in targets.items()}

    def _submodules(self) -> frozenset[str]:
        """Paths that `.gitmodules` names and did not name at the base."""
        before, after = self._before.get(MODULES), self._after.get(MODULES)
        if after is None:
            return frozenset()
        known = self._trees.blobs([before.oid] if before else [])
        named = self._trees.submodules(self._trees.contents({MODULES: after})[MODULES])
        return named - self._trees.submodules(b"".join(known))

    def _told(self) -> tuple[dict[str, str], dict[str, str]]:
        """What the ledger says was promoted, and what was put back since the base."""
        base = dict(self._trees.at(self._trees.base, [self._ledger])).get(self._ledger)
        before = self._trees.blobs([base.oid])[0] if base else b""
        try:
            now = ledger.rows(self._ledger_now(before))
            known = len(ledger.rows(before))
        except CockpitError:
            # The ledger's own gate says what is wrong with it, and nothing here believes it.
            return {}, {}
        return rows.promoted(now), rows.restored(now, known)

    def _ledger_now(self, before: bytes) -> bytes:
        """The ledger of the tree, if it goes on from that of the base."""
        entry = self._after.get(self._ledger)
        now = self._trees.contents({self._ledger: entry})[self._ledger] if entry else before
        return now if now.startswith(before) else before


def _are_files(before: Entry | None, after: Entry) -> bool:
    return before is not None and {before.mode, after.mode}.isdisjoint((LINK, SUBMODULE))
