"""Branches that others have seen: their ledger was never replaced by a force-push."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from pytest_cockpit.api import Finding
from pytest_cockpit.records.ledger_git import Git, Unreadable
from pytest_cockpit_gates.ledger.history import extends, unreadable

RULE = "ledger.force-pushed"


def judge(git: Git, refs: Sequence[str], paths: Sequence[str], path: str) -> Iterator[Finding]:
    """Findings about refs whose reflog shows rows that their ledger has no longer."""
    for ref in refs:
        try:
            yield from _ref(git, ref, paths, path)
        except Unreadable as error:
            yield unreadable(f"{ref}: {error}", path, RULE)


def _ref(git: Git, ref: str, paths: Sequence[str], path: str) -> Iterator[Finding]:
    now = git.ref(ref)
    if now is None:
        return
    values = list(dict.fromkeys(git.values(ref)))
    present = git.present(values)
    blobs = git.blobs([*present, now[1]], paths)
    last: str | None = None
    for commit in present:
        # What was pushed over a good ledger does not count as one.
        if extends(git, blobs[commit], blobs[last] if last else None):
            last = commit
    if last is not None and not extends(git, blobs[now[1]], blobs[last]):
        yield Finding(
            RULE,
            f"{ref} had rows at {last[:12]} that it has no longer at {now[1][:12]}",
            path=path,
            remedy=f"bring them back: git checkout {last[:12]} -- {path}, commit, push",
            evidence={"ref": ref, "before": last, "now": now[1]},
        )
