"""One batch from its plan to a commit: rewritten files, shims, tracked records, the staged tree.

Everything is worked out from blobs of the plan's base commit; the user's work tree is not read.
"""

from __future__ import annotations

from collections.abc import Container, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import PurePosixPath

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.shim import is_shim, moved_to
from pytest_cockpit.api import SHIM_MARK, CockpitError, Move
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository, blob_id
from pytest_cockpit.promotion import recording, shims, strings, transaction
from pytest_cockpit.promotion.plan import Plan, PlannedMove
from pytest_cockpit.promotion.rewriter import Reference, Rewritten, rewrite, shadowing
from pytest_cockpit.promotion.transaction import Rename, Write
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.markdown import code

STAGED_REF = "refs/cockpit/staged"
_REGULAR = ("100644", "100755")


@dataclass(frozen=True, slots=True)
class Staged:
    """A batch as a commit that no branch names yet.

    `edited` maps each rewritten path of the new tree to the number of edits, `reported` holds
    the references that were seen and left alone. `history` has for each target where git sees it
    come from and how alike the two are in percent; `unfollowed` the targets whose past git does
    not find at the source.
    """

    commit: str
    changed: tuple[str, ...]
    shims: tuple[str, ...]
    edited: dict[str, int]
    reported: tuple[Reference, ...]
    history: dict[str, tuple[str, int]] = field(default_factory=dict)
    unfollowed: tuple[str, ...] = ()


class Batch:
    """A planned batch over a repository; nothing it does is visible to the user's checkout.

    Parameters
    ----------
    among: the only files that can mention what moves, where that is known: those of a larger batch.
    """

    def __init__(
        self,
        repository: Repository,
        config: Config,
        plan: Plan,
        among: Container[str] | None = None,
    ) -> None:
        self.repository = repository
        self.config = config
        self.plan = plan
        self._among = among
        self.layout = Layout(config.lane)
        self._prepared: dict[str, Rewritten] = {}

    @property
    def base(self) -> str:
        """The commit the batch was planned from."""
        return self.plan.header.base

    @cached_property
    def moves(self) -> tuple[Move, ...]:
        """The batch's moves as gates see them."""
        return tuple(planned.move for planned in self.plan.moves)

    @cached_property
    def _entries(self) -> dict[str, Entry]:
        return {entry.path: entry for entry in self.repository.entries(self.base)}

    @cached_property
    def _known(self) -> frozenset[str]:
        names = (self.layout.module_of(path) for path in self._entries if path.endswith(".py"))
        return frozenset(name for name in names if name)

    @cached_property
    def _moved(self) -> dict[str, str]:
        # What earlier batches moved counts too: code written since may still use the old names.
        moves = {move.old_module: move.new_module for move in self.plan.moves}
        return {**dict(self._earlier()), **moves}

    def _earlier(self) -> Iterator[tuple[str, str]]:
        """Old and new module name of every shim of the base commit."""
        lane = f":(literal){self.config.lane.path}"
        shims = self.repository.grep(self.base, [SHIM_MARK], [lane])
        for path, content in self._contents(set(shims)):
            old = self.layout.module_of(path)
            new = moved_to(content)
            if old is not None and new is not None:
                yield old, new

    @cached_property
    def _shadowed(self) -> frozenset[str]:
        """Names that a package with moving modules binds to something else than the module."""
        packages = {path.rpartition("/")[0] + "/__init__.py" for path in self._moved_paths}
        return frozenset().union(
            *(
                shadowing(content, self.layout.module_of(path) or "")
                for path, content in self._contents(packages)
            )
        )

    @cached_property
    def _moved_paths(self) -> dict[str, str]:
        return {move.source: move.target for move in self.moves}

    def prepare(self, planned: PlannedMove) -> Rewritten:
        """The moved file's content under its new name.

        Raises
        ------
        CockpitError: when the base commit no longer holds what the plan names.
        """
        move = planned.move
        if move.source not in self._prepared:
            entry = self._entries.get(move.source)
            if entry is None or entry.oid != move.blob or entry.mode not in _REGULAR:
                raise CockpitError(
                    f"{artifacts.printable(move.source)}: not the file that was planned; "
                    "run the session without a positional argument to plan again"
                )
            if move.target in self._entries:
                raise CockpitError(
                    f"{artifacts.printable(move.target)}: exists at {self.base[:12]}; plan again"
                )
            [(_, content)] = self.repository.blobs([move.blob])
            if content is None:
                raise CockpitError(f"{move.source}: blob {move.blob} is not in the object store")
            self._prepared[move.source] = rewrite(
                content,
                path=move.source,
                module=planned.old_module,
                new_module=planned.new_module,
                is_package=move.source.endswith("/__init__.py"),
                moved=self._moved,
                known=self._known,
                shadowed=self._shadowed,
            )
        return self._prepared[move.source]

    @cached_property
    def mentioning(self) -> frozenset[str]:
        """Files that mention what moves, which move themselves or do not."""
        return frozenset(self.importers) | self._moved_paths.keys()

    @cached_property
    def importers(self) -> dict[str, Rewritten]:
        """Files that stay and mention what moves, rewritten or at least reported."""
        lane_name = PurePosixPath(self.config.lane.path).name
        python = set(self.repository.grep(self.base, [lane_name], ["*.py"]))
        python |= {path for path in self._entries if path.endswith(".py") and self._in_lane(path)}
        rewritten = {}
        for path, content in self._contents(self._near(python - self._moved_paths.keys())):
            if is_shim(content):
                continue
            module = self.layout.module_of(path)
            rewritten[path] = rewrite(
                content,
                path=path,
                module=module,
                new_module=module,
                is_package=path.endswith("/__init__.py"),
                moved=self._moved,
                known=self._known,
                shadowed=self._shadowed,
            )
        wanted = [*self._moved, *self._moved_paths]
        texts = self.repository.grep(self.base, wanted, [":!*.py", f":!{self.config.artifacts}"])
        texts = [path for path in texts if not recording.is_record(self.config, path)]
        for path, content in self._contents(self._near(set(texts))):
            rewritten[path] = strings.rewrite_text(
                content, path=path, moved=self._moved, moved_paths=self._moved_paths
            )
        return {path: item for path, item in rewritten.items() if item.edits or item.reported}

    def stage(self) -> Staged:
        """Build the batch's tree as a commit under a private ref."""
        return self._staged

    @cached_property
    def _staged(self) -> Staged:
        for planned in self.plan.moves:
            self.prepare(planned)
        operations = [*self._moving(), *self._rewriting(), *self._recording()]
        commit = transaction.build(
            self.repository,
            self.base,
            operations,
            message=f"staged: batch {self.plan.header.batch_id}",
            ref=STAGED_REF,
        )
        history = self.repository.similarity(self.base, commit)
        renames = {op.target for op in operations if isinstance(op, Rename)}
        writes = {op.path for op in operations if isinstance(op, Write)}
        everything = {**self.importers, **self._renamed(self._prepared)}
        return Staged(
            commit=commit,
            changed=tuple(sorted(renames | writes)),
            shims=tuple(sorted(self._shims)),
            edited={path: len(item.edits) for path, item in everything.items() if item.edits},
            reported=tuple(
                reference for path in sorted(everything) for reference in everything[path].reported
            ),
            history=history,
            unfollowed=tuple(
                move.target
                for move in self.moves
                if history.get(move.target, ("",))[0] != move.source
            ),
        )

    def _moving(self) -> Iterator[Rename | Write]:
        for planned in self.plan.moves:
            move, prepared = planned.move, self._prepared[planned.move.source]
            yield Rename(move.source, move.target)
            if prepared.edits:
                yield Write(move.target, prepared.content, move.mode)
        for path, content in self._shims.items():
            yield Write(path, content)

    @cached_property
    def _shims(self) -> dict[str, bytes]:
        if not self.config.lane.shims:
            return {}
        return {
            planned.move.source: shims.render(
                planned.old_module,
                planned.new_module,
                old_path=planned.move.source,
                new_path=planned.move.target,
                is_package=planned.move.source.endswith("/__init__.py"),
            )
            for planned in self.plan.moves
            if self.layout.leaves_shim(planned.move.source)
        }

    def _rewriting(self) -> Iterator[Write]:
        for path, item in self.importers.items():
            if item.edits:
                yield Write(path, item.content, self._entries[path].mode)

    def _recording(self) -> Iterator[Write]:
        return recording.writes(
            self.config,
            self._entries,
            self._base_content,
            self.moves,
            self._promotion(),
            self._log_entry(),
        )

    def _promotion(self) -> dict[str, object]:
        return {
            "kind": "promotion",
            "batch_id": self.plan.header.batch_id,
            "base": self.base,
            "plan_sha256": self.plan.sha256,
            "moves": [
                {
                    "source": move.source,
                    "target": move.target,
                    "source_blob": move.blob,
                    "target_blob": self._target_blob(move),
                }
                for move in self.moves
            ],
            "shims": sorted(self._shims),
        }

    def _target_blob(self, move: Move) -> str:
        prepared = self._prepared[move.source]
        if not prepared.edits:
            return move.blob
        return blob_id(prepared.content, move.blob)

    def _log_entry(self) -> str:
        header = self.plan.header
        rows = "\n".join(f"| {code(move.source)} | {code(move.target)} |" for move in self.moves)
        return (
            f"## Batch {header.batch_id}\n\n"
            f"{len(self.moves)} files, planned from {self.base}, plan sha256 {self.plan.sha256}.\n"
            "The gates' verdicts are the trailers of the commit that adds this entry.\n\n"
            f"| from | to |\n|---|---|\n{rows}\n\n"
        )

    def _base_content(self, path: str) -> bytes:
        return self.repository.blob(self.base, path) or b"" if path in self._entries else b""

    def _contents(self, paths: Iterator[str] | set[str]) -> Iterator[tuple[str, bytes]]:
        entries = [self._entries[path] for path in sorted(paths) if path in self._entries]
        regular = [entry for entry in entries if entry.mode in _REGULAR]
        blobs = self.repository.blobs([entry.oid for entry in regular])
        for entry, (_, content) in zip(regular, blobs, strict=True):
            if content is not None:
                yield entry.path, content

    def _near(self, paths: set[str]) -> set[str]:
        among = self._among
        return paths if among is None else {path for path in paths if path in among}

    def _in_lane(self, path: str) -> bool:
        return self.layout.is_lane(path)

    def _renamed(self, prepared: dict[str, Rewritten]) -> dict[str, Rewritten]:
        return {self._moved_paths[source]: item for source, item in prepared.items()}
