"""Judge the ledger: by itself, against git and its checkpoint, and against the running batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pytest_cockpit.api import SHIM_MARK, Context, Finding, Report, Severity
from pytest_cockpit.records.ledger_git import Blob, Git, Unreadable
from pytest_cockpit.records.ledger_rows import row_of
from pytest_cockpit_gates.ledger import (
    batch,
    bound,
    checkpoints,
    epochs,
    freezes,
    held,
    history,
    merges,
    published,
    reporting,
    tags,
)
from pytest_cockpit_gates.ledger.checkpoints import Vouched
from pytest_cockpit_gates.ledger.held import RULE, Held
from pytest_cockpit_gates.ledger.history import Past, Walk
from pytest_cockpit_gates.ledger.memory import Memory, Store
from pytest_cockpit_gates.ledger.rows import hidden
from pytest_cockpit_gates.ledger.scanning import Scan, scan

NAME = "promotions.ndjson"
PUBLISHED = ("refs/remotes/origin/main", "refs/remotes/origin/master")
SKEW_S = 300

_BRANCHES = 50
# A first row that is longer is a batch's, and no reason to read on.
_FIRST = 1 << 20
# To remember a large ledger takes as long as to read some hundred rows again.
_LINES, _COMMITS = 500, 200


@dataclass(frozen=True, slots=True)
class Ground:
    """The tree's place in git: `git` None outside of it, `fault` why it cannot be looked at."""

    git: Git | None = None
    way: str = ""
    base: str | None = None
    at_base: Blob | None = None
    past: Past | None = None
    fault: Finding | None = None


def judge(context: Context) -> Report:
    """The gate's report."""
    path = str(context.settings.get("path") or f"{context.records}/{NAME}")
    ground = _ground(context, path)
    with held.opened(context.root, path) as found:
        if isinstance(found, Held) and found.size:
            return _whole(context, path, ground, found)
        return _without(context, path, found, ground)


def _ground(context: Context, path: str) -> Ground:
    if context.base is None:
        return Ground()
    since = context.settings.get("since")
    try:
        git, way = Git.around(context.root)
        base = git.commit(context.base)
        paths = tuple(f"{way}{one}" for one in (path, *context.settings.get("formerly", ())))
        tips = dict.fromkeys((base, context.commit or git.commit("HEAD")))
        past = Past(git, paths, tuple(tips), tuple(git.merging()), since)
        return Ground(git, way, base, git.entry(base, paths), past)
    except (Unreadable, OSError) as error:
        return Ground(fault=history.unreadable(str(error), path))


def _whole(context: Context, path: str, ground: Ground, found: Held) -> Report:
    settings = dict(context.settings)
    store = Store(context, path, settings)
    memory = store.recall(found.data)
    vouched = checkpoints.read(context.root, path, settings.get("keys", ()), settings.get("origin"))
    skew = float(settings.get("clock_skew_s", SKEW_S))
    sizes = [] if vouched.size is None else [vouched.size]
    read = scan(found, path, skew, context.batch_id, sizes, memory)
    walked = _history(ground, found, path, memory)
    lasting = [
        *read.reader.findings,
        *hidden(read.reader),
        *merges.judge(read.reader.merges, found, path),
        *walked.findings,
        *_vouching(context, ground, vouched, read),
        *_vanished(context, path, ground, walked),
    ]
    if not lasting:
        _remember(store, found, read, walked, memory)
    findings = [*lasting, *_around(context, path, ground, found, read)]
    reporting.keep_state(context, path, found, read, vouched, walked)
    at_base = None if ground.at_base is None else (str(ground.base), ground.at_base)
    return reporting.report(path, found, read, vouched, findings, at_base)


def _history(ground: Ground, found: Held, path: str, memory: Memory | None) -> Walk:
    if ground.fault is not None:
        return Walk([ground.fault])
    if ground.past is None:
        return Walk()
    past = ground.past
    seen = memory.commits if memory else ()
    return history.walk(
        Past(past.git, past.paths, past.tips, past.merging, past.since, seen), found, path
    )


def _vouching(context: Context, ground: Ground, vouched: Vouched, read: Scan) -> Iterator[Finding]:
    yield from vouched.findings
    if vouched.size is not None:
        yield from vouched.heads(read.roots.get(vouched.size), read.chain.lines)
    if ground.git is None or ground.base is None:
        return
    try:
        before = ground.git.entry(ground.base, (f"{ground.way}{vouched.path}",))
        content = ground.git.read(before.oid) if before else None
    except Unreadable as error:
        yield history.unreadable(str(error), vouched.path, checkpoints.RULE)
    else:
        yield from checkpoints.shrunk(vouched, content, ground.base)


def _vanished(context: Context, path: str, ground: Ground, walked: Walk) -> Iterator[Finding]:
    if ground.past is None:
        return
    try:
        yield from epochs.vanished(
            ground.past, walked.commits, context.root, ground.way, context.records
        )
    except Unreadable as error:
        yield history.unreadable(str(error), path, epochs.LAUNDERED)


def _around(
    context: Context, path: str, ground: Ground, found: Held, read: Scan
) -> Iterator[Finding]:
    """Findings that depend on more than the ledger and its past."""
    facts, git = read.reader.facts, ground.git
    globs = context.settings.get("bound", ())
    yield from epochs.judge(context.root, git, facts, path)
    yield from bound.judge(_place(context, ground, found, bool(globs)), globs, facts)
    if git is not None and ground.past is not None:
        refs = _where_refs_are(context, git)
        yield from tags.judge(facts, refs, path)
        yield from freezes.judge(facts, refs, ground.past.paths, path)
        branches = context.settings.get("published", PUBLISHED)
        yield from published.judge(refs, branches, ground.past.paths, path)
    if context.batch_id is not None:
        yield from batch.judge(read.reader.own, context, path)


def _place(context: Context, ground: Ground, found: Held, globs: bool) -> bound.Place:
    began = None
    if globs and ground.past is not None:
        first, _ = row_of(bytes(found.data[: bytes(found.data[:_FIRST]).find(b"\n") + 1]))
        with contextlib.suppress(Unreadable):
            began = ground.past.since or bound.began(ground.past.git, first, ground.past.paths)
    return bound.Place(context.root, ground.git, ground.way, ground.base, began)


def _where_refs_are(context: Context, git: Git) -> Git:
    """The user's repository: a commit is judged in a private one without branches and tags.

    A work tree is judged where it is, and a linked one has a `HEAD` of its own.
    """
    scratch = context.scratch.parent
    inside = (
        context.commit is not None
        and scratch.name == "scratch"
        and scratch.parent.name == "cockpit"
    )
    return Git(scratch.parent.parent) if inside else git


def _remember(store: Store, found: Held, read: Scan, walked: Walk, memory: Memory | None) -> None:
    little = read.chain.lines - read.resumed < _LINES and len(walked.commits) < _COMMITS
    if memory is not None and read.resumed and little:
        return
    known = memory.commits if memory else ()
    # Older commits lie in the past of newer ones, or on other branches; some of those are enough.
    commits = dict.fromkeys((*walked.commits[:1], *known))
    store.keep(
        found.data,
        Memory(
            size=found.size,
            lines=read.chain.lines,
            head=read.chain.head,
            tree=tuple(one.hex() for one in read.tree.hashes),
            facts=read.reader.facts.to_json(),
            blobs=found.known,
            commits=tuple(commits)[:_BRANCHES],
            roots={str(size): root.hex() for size, root in read.roots.items() if size},
        ),
    )


def _without(context: Context, path: str, found: Held | Finding | None, ground: Ground) -> Report:
    """The report on a tree whose ledger is missing, empty or unreadable."""
    fault = found.message if isinstance(found, Finding) else _promoted(context, ground)
    state = "is not there" if found is None else "is empty"
    if fault:
        message = fault if isinstance(found, Finding) else f"{state}, but {fault}"
        finding = Finding(
            RULE, message, path=path, remedy="restore the ledger from git; rows are only ever added"
        )
    else:
        finding = Finding(
            RULE,
            f"{state}: nothing was recorded yet",
            severity=Severity.UNKNOWN,
            path=path,
            remedy="begin it with pytest --cockpit-init or promote a batch, or "
            'skip = "nothing is recorded here"',
        )
    return Report.judge(f"{path}: {finding.message}", checked=0, findings=(finding,))


def _promoted(context: Context, ground: Ground) -> str | None:
    """Why there should be a ledger, or None."""
    if context.batch_id is not None:
        return f"batch {context.batch_id} must have a row in it"
    if ground.at_base is not None and ground.at_base.size:
        return f"commit {str(ground.base)[:12]} has one"
    shim = next(_shims(context), None)
    return f"{shim} is the shim of a promoted module" if shim else None


def _shims(context: Context) -> Iterator[str]:
    """Files of the lane that stand for promoted modules."""
    mark = SHIM_MARK.encode()
    for folder, _, names in os.walk(context.root / context.lane.path):
        for name in sorted(names):
            path = Path(folder, name)
            if name.endswith(".py") and path.is_file():
                with path.open("rb") as stream:
                    if stream.read(len(mark)) == mark:
                        yield path.relative_to(context.root).as_posix()
