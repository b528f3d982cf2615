"""A batch undone: every path it touched is put back, edits made since carried along."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Move, Report
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository, blob_id
from pytest_cockpit.promotion import recording, transaction
from pytest_cockpit.promotion.following import Following
from pytest_cockpit.promotion.message import waiver_trailers
from pytest_cockpit.promotion.plan import Refusal
from pytest_cockpit.promotion.sealed import ROLLBACK, Sealed
from pytest_cockpit.promotion.transaction import Delete, Operation, Write
from pytest_cockpit.records import artifacts

SCHEMA = "pytest-cockpit/rollback/1"
STAGED_REF = "refs/cockpit/staged"

_TEXTS = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Restored:
    """One path as it will be.

    Parameters
    ----------
    path: where the content goes.
    current: where it is now; another path for a file that the batch moved.
    how: `exact` (as before the batch), `merged` (with edits made since) or `removed`.
    blob: object id of an exact content.
    content: a merged content.
    """

    path: str
    current: str
    how: str
    mode: str = "100644"
    blob: str = ""
    content: bytes = b""

    def row(self) -> dict[str, Any]:
        """The restoration as its line in the plan has it."""
        digest = {"sha256": artifacts.sha256(self.content)} if self.how == "merged" else {}
        return {
            "kind": "restore",
            "path": artifacts.printable(self.path),
            "current": artifacts.printable(self.current),
            "how": self.how,
            "mode": self.mode,
            "blob": self.blob,
            **digest,
        }


class Rollback:
    """What the tree of `base` becomes without one of its batches.

    Everything is worked out from objects; the user's work tree is not read.
    """

    def __init__(self, repository: Repository, config: Config, base: str, sealed: Sealed) -> None:
        self.repository = repository
        self.config = config
        self.base = base
        self.sealed = sealed
        self.refusals: tuple[Refusal, ...] = ()

    @cached_property
    def _now(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.repository.entries(self.base)}

    @cached_property
    def _changes(self) -> dict[str, tuple[Entry | None, Entry | None]]:
        """What the batch did, its own records left out."""
        changes = self.repository.changes(self.sealed.parent, self.sealed.commit)
        return {path: change for path, change in changes.items() if not self._is_record(path)}

    def _is_record(self, path: str) -> bool:
        """Whether a path records what was done; records go on, whatever is undone."""
        return recording.is_record(self.config, path)

    @cached_property
    def _spelled(self) -> dict[str, str]:
        """Paths as the ledger spells them, to what they are."""
        return {artifacts.printable(path): path for path in (*self._now, *self._changes)}

    @cached_property
    def _sources(self) -> dict[str, str]:
        """Target to source of each file that the batch moved."""
        spelled = self._spelled
        return {
            spelled.get(target, target): spelled.get(source, source)
            for source, target in self.sealed.moves.items()
        }

    @cached_property
    def restorations(self) -> tuple[Restored, ...]:
        """What is put back where, by path; what cannot be is among `refusals`."""
        done = list(self._planned())
        self.refusals = tuple(item for item in done if isinstance(item, Refusal))
        found = [item for item in done if isinstance(item, Restored)]
        return tuple(sorted(found, key=lambda item: item.path))

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """The way back of each file, as gates see it."""
        return tuple(
            Move(target, source, self._now[target].oid, self._now[target].mode)
            for target, source in sorted(self._sources.items())
            if target in self._now
        )

    def _planned(self) -> Iterator[Restored | Refusal]:
        sources = set(self._sources.values())
        for target, source in self._sources.items():
            yield from self._back(source, target)
        for path in self._changes.keys() - sources - self._sources.keys():
            yield from self._unwritten(path)

    def _back(self, source: str, target: str) -> Iterator[Restored | Refusal]:
        """A moved file at its old place again, over the shim it had left."""
        before, shim = self._changes.get(source, (None, None))
        _, moved = self._changes.get(target, (None, None))
        now, there = self._now.get(target), self._now.get(source)
        if before is None or moved is None:
            yield Refusal(target, "unrecorded", "is not what the batch's commit moved")
        elif now is None:
            yield Refusal(target, "gone", "was moved or removed since the batch; put it back first")
        elif there is not None and (shim is None or there.oid != shim.oid):
            yield Refusal(source, "occupied", "holds something else now; move that away first")
        elif (now.oid, now.mode) == (moved.oid, moved.mode):
            yield Restored(source, target, "exact", before.mode, before.oid)
        else:
            yield from self._merged(source, target, now, moved, before, source)

    def _unwritten(self, path: str) -> Iterator[Restored | Refusal]:
        """A file that the batch rewrote, wherever a later batch has moved it."""
        before, after = self._changes[path]
        place = self._later.get(path, path)
        now = self._now.get(place)
        if now is None:
            # Whoever removed the file since removed what the batch had written into it.
            return
        untouched = after is not None and (now.oid, now.mode) == (after.oid, after.mode)
        if untouched and before is None:
            yield Restored(place, place, "removed")
        elif untouched and before is not None and place == path:
            yield Restored(place, place, "exact", before.mode, before.oid)
        elif before is None or after is None:
            yield Refusal(
                place, "changed", "was changed since the batch wrote it; settle it by hand"
            )
        else:
            yield from self._merged(place, place, now, after, before, path)

    @cached_property
    def _later(self) -> dict[str, str]:
        spelled = self._spelled
        return {
            spelled.get(source, source): spelled.get(target, target)
            for source, target in self.sealed.later.items()
        }

    def _merged(
        self, path: str, current: str, now: Entry, after: Entry, before: Entry, origin: str
    ) -> Iterator[Restored | Refusal]:
        """What was edited since, without what the batch had done to it; nothing if that is gone.

        `origin` is where the file was before the batch. A content is merged as it reads at `path`:
        a relative import means another module there.
        """
        if not {now.mode, after.mode, before.mode} <= set(_TEXTS):
            yield Refusal(current, "changed", "is no longer the regular file that it was")
            return
        contents = dict(self.repository.blobs([now.oid, after.oid, before.oid]))
        ours, base, theirs = (contents[entry.oid] for entry in (now, after, before))
        if ours is None or base is None or theirs is None:
            yield Refusal(current, "lost", "its content is not in the object store; fetch it")
            return
        content = self.repository.merged(
            self._backward.carried(ours, current, path),
            self._backward.carried(base, current, path),
            self._onward.carried(theirs, origin, path),
        )
        if content is None:
            content = self._by_names(path, current, ours)
        if content is None:
            yield Refusal(
                current, "conflict", "was changed since in lines that the batch had written"
            )
        elif content == theirs:
            yield Restored(path, current, "exact", now.mode, before.oid)
        elif content != ours or path != current:
            yield Restored(path, current, "merged", now.mode, content=content)

    def _by_names(self, path: str, current: str, content: bytes) -> bytes | None:
        """A file with the old names put back, where lines are at odds; None where they cannot be.

        What a later batch, or a person, wrote beside them in the same lines is kept. A file that
        has none of the new names any more holds nothing of the batch.
        """
        done = self._backward.rewritten(content, current, path)
        return None if done.reported and not done.edits else done.content

    @cached_property
    def _backward(self) -> Following:
        """What the tree becomes when the batch's files go back."""
        return Following(self.repository, self._layout, self.base, self._sources)

    @cached_property
    def _onward(self) -> Following:
        """What the tree before the batch would have become by the later batches alone."""
        return Following(self.repository, self._layout, self.sealed.parent, self._later)

    @cached_property
    def _layout(self) -> Layout:
        return Layout(self.config.lane)

    @cached_property
    def batch_id(self) -> str:
        """The rollback's own id: start of its base, and of the digest of all that it does."""
        rows = [item.row() for item in self.restorations]
        named = {"base": self.base, "rolls_back": self.sealed.batch_id, "rows": rows}
        return f"{self.base[:7]}-{artifacts.sha256(artifacts.canonical_line(named))[:8]}"

    def to_bytes(self, gates: Sequence[tuple[str, str | None]]) -> bytes:
        """The plan as its file has it: one canonical line for each row."""
        restorations = self.restorations
        header = {
            "kind": "rollback",
            "schema": SCHEMA,
            "batch_id": self.batch_id,
            "rolls_back": self.sealed.batch_id,
            "base": self.base,
            "commit": self.sealed.commit,
            "parent": self.sealed.parent,
        }
        rows: list[Mapping[str, Any]] = [header, *(item.row() for item in restorations)]
        rows += [refusal.row() for refusal in self.refusals]
        rows += [
            {"kind": "gate", "gate": name} | ({} if skip is None else {"skip": skip})
            for name, skip in gates
        ]
        return b"".join(map(artifacts.canonical_line, [*rows, {"kind": "seal"}]))

    def stage(self, plan_sha256: str) -> str:
        """Build the tree as a commit under the private ref, and return its id."""
        return transaction.build(
            self.repository,
            self.base,
            [*self._operations(), *self._recording(plan_sha256)],
            message=f"staged: rollback of batch {self.sealed.batch_id}",
            ref=STAGED_REF,
        )

    def astray(self, commit: str) -> list[str]:
        """Paths of `commit` that are not as planned; [] when the batch is undone exactly."""
        found = {entry.path: entry.oid for entry in self.repository.entries(commit)}
        wrong = set()
        for item in self.restorations:
            expected = {"exact": item.blob, "removed": None}.get(
                item.how, blob_id(item.content, self.base)
            )
            if found.get(item.path) != expected:
                wrong.add(item.path)
            if item.current != item.path and item.current in found:
                wrong.add(item.current)
        if self.base == self.sealed.commit:
            # Nothing else has changed, so nothing else may differ from before the batch.
            differing = self.repository.changes(self.sealed.parent, commit)
            wrong |= {path for path in differing if not self._is_record(path)}
        return sorted(wrong)

    def _operations(self) -> Iterator[Operation]:
        exact = [item for item in self.restorations if item.how == "exact"]
        contents = dict(self.repository.blobs([item.blob for item in exact]))
        for item in self.restorations:
            if item.how == "removed" or item.current != item.path:
                yield Delete(item.current)
            if item.how == "exact":
                content = contents[item.blob]
                if content is None:
                    where = artifacts.printable(item.path)
                    raise CockpitError(
                        f"{where}: blob {item.blob} is not in the object store; fetch it first"
                    )
                yield Write(item.path, content, item.mode)
            elif item.how == "merged":
                yield Write(item.path, item.content, item.mode)

    def _recording(self, plan_sha256: str) -> Iterator[Write]:
        entry = (
            f"## Rollback of batch {self.sealed.batch_id}\n\n"
            f"{len(self.restorations)} paths put back as batch {self.batch_id}, from "
            f"{self.base}.\n"
            "The gates' verdicts are the trailers of the commit that adds this entry.\n\n"
        )
        return recording.writes(
            self.config, self._now, self._content, self.moves, self._row(plan_sha256), entry
        )

    def _row(self, plan_sha256: str) -> dict[str, Any]:
        return {
            "kind": ROLLBACK,
            "batch_id": self.batch_id,
            "rolls_back": self.sealed.batch_id,
            "base": self.base,
            "plan_sha256": plan_sha256,
            "moves": [
                {
                    "source": artifacts.printable(item.current),
                    "target": artifacts.printable(item.path),
                    "source_blob": self._now[item.current].oid,
                    "target_blob": item.blob or blob_id(item.content, self.base),
                }
                for item in self.restorations
                if item.current != item.path
            ],
        }

    def _content(self, path: str) -> bytes:
        return (self.repository.blob(self.base, path) or b"") if path in self._now else b""


def commit_message(rollback: Rollback, plan_sha256: str, reports: Mapping[str, Report]) -> str:
    """Subject, Problem / Solution / Impact, and trailers a machine can read back."""
    sealed, count = rollback.sealed, len(rollback.moves)
    files = f"{count} file{'' if count == 1 else 's'}"
    paths = len(rollback.restorations)
    merged = sum(item.how == "merged" for item in rollback.restorations)
    body = [
        f"rollback: {files} back to {rollback.config.lane.path} (batch {sealed.batch_id})",
        "",
        f"Problem: batch {sealed.batch_id}, sealed as {sealed.commit[:12]}, is to be undone.",
        f"Solution: put back {paths} paths, {merged} merged with later edits, the rest exactly.",
        f"Impact: {files} wait in the lane again; old import paths give the modules themselves.",
        "",
        f"Batch-Id: {rollback.batch_id}",
        f"Rolls-Back: {sealed.batch_id}",
        f"Plan-Sha256: {plan_sha256}",
    ]
    body += [f"Gate-{name.title()}: {report.verdict}" for name, report in sorted(reports.items())]
    body += waiver_trailers(reports)
    return "\n".join(body) + "\n"
