"""Bring the user's checkout forward to a sealed commit, losing nothing of theirs.

What `git merge --ff-only` does, with two differences: a file that has the new content already is
no obstacle, and a run that was killed in the middle is completed by the next one.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.records import artifacts
from pytest_cockpit.seals.disk import ABSENT, Disk, Seen, State
from pytest_cockpit.seals.index import NextIndex

_MODULE = "160000"
_LEFT_OUT = "S"
_UNMERGED = "M"
_UNDER_WAY = ("MERGE_HEAD", "CHERRY_PICK_HEAD", "REVERT_HEAD")
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Taken:
    """Whether the checkout shows the commit now, and the reason in one line."""

    done: bool
    reason: str


@dataclass(frozen=True, slots=True)
class Change:
    """One path that differs between base and commit."""

    path: str
    old: State
    new: State


def take(
    repo: Repository,
    branch_ref: str,
    base: str,
    commit: str,
    *,
    tags: Mapping[str, str] | None = None,
) -> Taken:
    """Move the checkout and `branch_ref` from `base` to `commit`.

    Nothing is touched unless HEAD is that branch at that base and every path that differs is
    clean: as it is in `base`, or already as it is in `commit`.

    Parameters
    ----------
    tags: full refs that are made in the same transaction, each with the object it shall name.

    Raises
    ------
    CockpitError: a file cannot be written; where the change had begun, `resume` completes it.
    """
    unfinished = resume(repo)
    if unfinished is not None and not unfinished.done:
        return unfinished
    taking = _Taking(repo, branch_ref, base, commit, tags or {})
    if repo.branch() != branch_ref or repo.ref(branch_ref) != base:
        return Taken(False, f"HEAD is not {taking.name} at {base[:12]} any more")
    return taking.run()


def resume(repo: Repository) -> Taken | None:
    """Complete what a killed `take` of this work tree began; None where nothing was begun."""
    journal = _journal(repo.git_dir())
    if not journal.exists():
        return None
    record = artifacts.read(journal)
    tags = record.get("tags", {})
    taking = _Taking(repo, record["ref"], record["base"], record["commit"], tags)
    taking.index.unlock()
    at = repo.ref(taking.ref)
    if at == taking.commit:
        taking.publish()
        return taking.finish()
    if repo.branch() == taking.ref and at == taking.base:
        return taking.run()
    taking.finish()
    return Taken(
        False,
        f"HEAD was moved off {taking.name} at {taking.base[:12]} meanwhile; `git status` shows "
        "what had been brought forward",
    )


class _Taking:
    """One checkout on its way from base to commit."""

    def __init__(
        self, repo: Repository, ref: str, base: str, commit: str, tags: Mapping[str, str]
    ) -> None:
        self.repo = repo
        self.ref, self.base, self.commit, self.tags = ref, base, commit, tags
        self.name = ref.removeprefix("refs/heads/")
        self._git_dir = repo.git_dir()
        self._journal = _journal(self._git_dir)
        self._ready = self._journal.with_name("take")
        self.index = NextIndex(repo, self._git_dir, self._journal.with_name("take.index"))
        self._disk = Disk(repo)
        self._seen: dict[str, Seen] = {}
        self._tags: dict[str, str] = {}

    def run(self) -> Taken:
        """Look, prepare, note what is going to be done, do it."""
        obstacles = self._under_way() or self._in_the_way()
        if obstacles:
            return Taken(False, f"{obstacles}, then {self._by_hand()}")
        try:
            coming = self._prepare()
            # A name that cannot be had stops it here, and not when files have changed.
            self.repo.update_refs(self._updates(), rehearse=True)
            record = {
                "ref": self.ref,
                "base": self.base,
                "commit": self.commit,
                "tags": dict(self.tags),
            }
            artifacts.write(self._journal, record)
            edited = self._bring(coming)
        except OSError as error:
            place = Path(error.filename or self._journal)
            raise artifacts.os_error(place, "cannot change", error) from error
        if edited:
            return Taken(False, f"{edited} was changed just now; restore it and run again")
        self.publish()
        return self.finish()

    def publish(self) -> None:
        """Move the branch and make the tags, or what a killed transaction left of that."""
        self.repo.update_refs(self._updates(), f"cockpit: take {self.commit[:12]}")

    def _updates(self) -> list[tuple[str, str, str]]:
        wanted = [(self.ref, self.commit, self.base)]
        wanted += [(ref, made, "0" * len(made)) for ref, made in self.tags.items()]
        return [row for row in wanted if self.repo.ref(row[0]) != row[1]]

    def finish(self) -> Taken:
        """Remove all traces but the result."""
        self.index.clear()
        if self._ready.exists():
            shutil.rmtree(self._ready)
        self._journal.unlink(missing_ok=True)
        return Taken(True, f"{self.name} is at {self.commit[:12]}")

    @cached_property
    def _changes(self) -> tuple[Change, ...]:
        """What differs; files that go before files that come, which may need their place."""
        done = self.repo.run("diff-tree", "-r", "-z", "--no-renames", self.base, self.commit)
        fields = iter(os.fsdecode(field) for field in done.stdout.split(b"\0")[:-1])
        changes = []
        for head in fields:
            old_mode, new_mode, old, new, _ = head.lstrip(":").split(" ")
            changes.append(Change(next(fields), _state(old_mode, old), _state(new_mode, new)))
        return tuple(sorted(changes, key=lambda change: (change.new != ABSENT, change.path)))

    def _under_way(self) -> str:
        for name in _UNDER_WAY:
            if (self._git_dir / name).exists():
                return f"a merge or pick is under way ({name}); conclude it"
        return ""

    def _in_the_way(self) -> str:
        found = list(self._obstacles())
        if not found:
            return ""
        shown = ", ".join(f"{artifacts.printable(path)} ({why})" for path, why in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        return f"in the way: {shown}{more}; commit, stash or move them"

    def _obstacles(self) -> Iterator[tuple[str, str]]:
        staged = self._look_at_index()
        for path, tag in self._tags.items():
            if tag == _UNMERGED:
                yield path, "unmerged"
        goes = frozenset(change.path for change in self._changes if change.new == ABSENT)
        pairs = {change.path: (change.old, change.new) for change in self._changes}
        self._seen = self._disk.look(pairs, goes)
        for change in self._changes:
            why = self._obstacle(change, staged.get(change.path, ABSENT))
            if why and self._tags.get(change.path) != _UNMERGED:
                yield change.path, why

    def _obstacle(self, change: Change, staged: State) -> str:
        fine = (change.old, change.new)
        seen = self._seen[change.path]
        if _MODULE in (change.old[0], change.new[0]):
            return "a submodule"
        if staged not in fine:
            return "staged"
        if seen.hindrance:
            return seen.hindrance
        if seen.state in fine or (seen.state == ABSENT and self._is_left_out(change.path)):
            return ""
        if seen.state == ABSENT:
            return "deleted"
        return "untracked" if change.old == ABSENT else "changed"

    def _look_at_index(self) -> dict[str, State]:
        """The index's states of the paths that differ; git's tags for all that have one."""
        states = {}
        done = self.repo.run("ls-files", "-z", "-t", "--stage", "--full-name")
        for row in done.stdout.split(b"\0")[:-1]:
            head, _, path = row.partition(b"\t")
            tag, mode, oid, _ = head.decode().split(" ")
            states[os.fsdecode(path)] = (mode, oid)
            if tag in {_LEFT_OUT, _UNMERGED}:
                self._tags[os.fsdecode(path)] = tag
        return states

    def _is_left_out(self, path: str) -> bool:
        """Whether a sparse checkout keeps the path off the disk."""
        return self._tags.get(path) == _LEFT_OUT

    def _prepare(self) -> list[Change]:
        """Write every new file beside the checkout, so that taking it is nothing but renames."""
        if self._ready.exists():
            shutil.rmtree(self._ready)
        self._ready.mkdir(parents=True)
        self.index.advance(self.base, self.commit)
        coming = [change for change in self._changes if self._comes(change)]
        paths = b"".join(os.fsencode(change.path) + b"\0" for change in coming)
        places = {"GIT_DIR": str(self._git_dir), "GIT_WORK_TREE": str(self._ready)}
        options = ("-f", "-q", "-z", "--stdin")
        self.index.run("checkout-index", *options, input=paths, env=places, tied=True)
        for change in coming:
            if not os.path.lexists(self._ready / change.path):
                raise GitError(f"{artifacts.printable(change.path)}: git did not check it out")
        return coming

    def _comes(self, change: Change) -> bool:
        state = self._seen[change.path].state
        left_out = state == ABSENT and self._is_left_out(change.path)
        return change.new not in {ABSENT, state} and not left_out

    def _bring(self, coming: list[Change]) -> str:
        """Change files, then the index; a path that somebody was at meanwhile stops it."""
        going = [change for change in self._changes if change.new == ABSENT]
        for change in [*going, *coming]:
            seen = self._seen[change.path]
            if not self._disk.untouched(change.path, seen):
                return artifacts.printable(change.path)
            if change.new == ABSENT:
                self._disk.remove(change.path)
            else:
                self._disk.put(change.path, self._ready / change.path)
        self.index.install(self.base, self.commit)
        return ""

    def _by_hand(self) -> str:
        names = ("for-each-ref", "--format=%(refname:short)", f"--points-at={self.commit}")
        found = self.repo.run(*names, "refs/heads/").stdout.decode("utf-8", "replace").split()
        return f"`git merge --ff-only {(found or [self.commit[:12]])[0]}`"


def _journal(git_dir: Path) -> Path:
    return git_dir / "cockpit" / "take.json"


def _state(mode: str, oid: str) -> State:
    return ABSENT if mode == "000000" else (mode, oid)
