"""The ledger at every commit: each must begin with what the ledger of each of its parents was."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records import ledger_merge
from pytest_cockpit.records.ledger_git import Blob, Git, Unreadable
from pytest_cockpit.records.text import parse, sha256
from pytest_cockpit_gates.ledger.held import Held

REWRITTEN, DIVERGED = "ledger.rewritten", "ledger.diverged"

_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Past:
    """What of the repository's history is looked at.

    Parameters
    ----------
    paths: where the ledger is, and where it was before, from the repository's top.
    tips: the commits that the judged tree stands upon.
    merging: commits that are being merged into it.
    since: a commit whose own past is not looked at.
    seen: commits whose past was found good before.
    """

    git: Git
    paths: tuple[str, ...]
    tips: tuple[str, ...]
    merging: tuple[str, ...] = ()
    since: str | None = None
    seen: tuple[str, ...] = ()


@dataclass(slots=True)
class Walk:
    """What came of looking."""

    findings: list[Finding] = field(default_factory=list)
    commits: tuple[str, ...] = ()


def walk(past: Past, held: Held, path: str) -> Walk:
    """Compare along every edge of history, and the judged ledger with each of its tips."""
    found = Walk()
    try:
        parents = past.git.parents((*past.tips, *past.merging), _known(past))
        found.commits = tuple(parents)
        compare = Comparison(past, held, path, _blobs(past, parents))
        found.findings += compare.judged()
        found.findings += compare.edges(parents)
        found.findings += _cut_off(past, parents, path)
    except Unreadable as error:
        found.findings.append(unreadable(str(error), path))
    return found


class Comparison:
    """Which ledger begins with which."""

    def __init__(self, past: Past, held: Held, path: str, blobs: Mapping[str, Blob | None]) -> None:
        self._past = past
        self._held = held
        self._path = path
        self._blobs = dict(blobs)
        self._compared: dict[tuple[str, str, bool], int | None] = {}
        self._told: set[str] = set()

    def judged(self) -> Iterator[Finding]:
        """Findings where the judged ledger does not begin with that of a tip."""
        for tip in (*self._past.tips, *self._past.merging):
            blob = self._certain(tip)
            if blob is None or self._held.begins_with(blob):
                continue
            before = self._past.git.read(blob.oid)
            after = bytes(self._held.data)
            if _tail_moved_aside(after, before):
                continue
            # Behind an older base there may be merges; from the last commit on, only one under way.
            merges = self._past.merging or tip != self._past.tips[-1]
            if merges and ledger_merge.holds(after, before):
                continue
            rule = DIVERGED if tip in self._past.merging else REWRITTEN
            yield self._finding(rule, _first_difference(after, before), tip, None)

    def edges(self, parents: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
        """Findings where the ledger of a commit does not begin with that of a parent."""
        shown = 0
        for commit, above in parents.items():
            for parent in above:
                told = parent in self._told
                line = None if told else self._line(commit, parent, merges=len(above) > 1)
                if line is None:
                    continue
                shown += 1
                if shown > _SHOWN:
                    return
                rule = DIVERGED if len(above) > 1 else REWRITTEN
                yield self._finding(rule, line, parent, commit)

    def _line(self, commit: str, parent: str, *, merges: bool) -> int | None:
        """The first line that is not the parent's, or None where all of them are."""
        child, old = self._blobs.get(commit), self._blobs.get(parent)
        if (child is None) != (old is None):
            child, old = self._certain(commit), self._certain(parent)
        if old is None or child == old:
            return None
        if child is None:
            return 1
        pair = (child.oid, old.oid, merges)
        if pair not in self._compared:
            self._compared[pair] = self._compare(child, old, merges=merges)
        return self._compared[pair]

    def _compare(self, child: Blob, old: Blob, *, merges: bool) -> int | None:
        if self._held.begins_with(child) and self._held.begins_with(old):
            return None if child.size >= old.size else _lines(self._held.data, child.size)
        before, after = self._past.git.read(old.oid), self._past.git.read(child.oid)
        if after.startswith(before) or _tail_moved_aside(after, before):
            return None
        if merges and ledger_merge.holds(after, before):
            return None
        return _first_difference(after, before)

    def _certain(self, commit: str) -> Blob | None:
        """What a commit has, where "nothing" would have consequences."""
        if self._blobs.get(commit) is None:
            self._blobs[commit] = self._past.git.entry(commit, self._past.paths)
        return self._blobs[commit]

    def _finding(self, rule: str, line: int, parent: str, commit: str | None) -> Finding:
        self._told.add(parent)
        where = f"in commit {commit[:12]} it " if commit else ""
        if rule == DIVERGED:
            remedy = "merge the two anew, and before the commit: cockpit ledger merge"
            told = f"{where}differs from commit {parent[:12]}, one of the sides that were merged"
        else:
            remedy = f"take the rows back: git checkout {parent[:12]} -- {self._path}"
            remedy += (
                ", then run again what added rows since"
                if commit is None
                else ("; once reviewed, set since to the commit that does")
            )
            told = f"{where}differs from commit {parent[:12]}, whose rows it must begin with"
        return Finding(
            rule,
            told,
            path=self._path,
            line=line,
            remedy=remedy,
            evidence={"commit": commit, "parent": parent},
        )


def unreadable(reason: str, path: str, rule: str = REWRITTEN) -> Finding:
    """The finding that git could not say."""
    return Finding(
        rule,
        f"cannot be compared with git's history: {reason}",
        severity=Severity.UNKNOWN,
        path=path,
        remedy="judge in a whole clone: git fetch --unshallow",
    )


def extends(git: Git, after: Blob | None, before: Blob | None) -> bool:
    """Whether a ledger in git is another one with rows added."""
    if before is None or before == after:
        return True
    if after is None:
        return False
    new, old = git.read(after.oid), git.read(before.oid)
    return new.startswith(old) or _tail_moved_aside(new, old)


def _known(past: Past) -> list[str]:
    known = past.git.present(past.seen)
    if past.since is not None:
        if not past.git.present([past.since]):
            raise Unreadable(f"since is {past.since[:12]}, which is no commit of this repository")
        known.append(past.since)
    return known


def _blobs(past: Past, parents: Mapping[str, Sequence[str]]) -> dict[str, Blob | None]:
    above = (one for some in parents.values() for one in some)
    every = dict.fromkeys((*past.tips, *past.merging, *parents, *above))
    return past.git.blobs(list(every), past.paths)


def _cut_off(past: Past, parents: Mapping[str, Sequence[str]], path: str) -> Iterator[Finding]:
    """A finding where history ends early, so that what was before cannot be judged."""
    if not past.git.boundary().isdisjoint(parents):
        yield unreadable("this clone is shallow", path)


def _lines(data: memoryview, size: int) -> int:
    return bytes(data[:size]).count(b"\n") + 1


def _tail_moved_aside(data: bytes, base: bytes) -> bool:
    """Whether the only thing gone is a torn last line, and the next row accounts for it."""
    end = base.rfind(b"\n") + 1
    torn = base[end:]
    if not torn or not data.startswith(base[:end]):
        return False
    try:
        row = parse(data[end:].partition(b"\n")[0])
    except ValueError:
        return False
    return (
        isinstance(row, dict)
        and row.get("kind") == "torn-tail"
        and row.get("sha256") == sha256(torn)
        and row.get("length") == len(torn)
    )


def _first_difference(data: bytes, base: bytes) -> int:
    lines = zip(data.split(b"\n"), base.split(b"\n"), strict=False)
    same = next((n for n, (ours, theirs) in enumerate(lines) if ours != theirs), None)
    return (min(data.count(b"\n"), base.count(b"\n")) if same is None else same) + 1
