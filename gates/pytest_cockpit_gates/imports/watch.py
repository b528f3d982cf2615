"""Whether the tree is still what it was: programs and native code write past the guard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.pool import Outcome
from pytest_cockpit_gates.imports.selection import Tree

Stamps = dict[str, tuple[int, int, int] | None]


def stamps(tree: Tree) -> Stamps:
    """Size, time and inode of every Python file of the tree."""
    return {path: _stamp(f"{tree.root}{os.sep}{path}") for path in tree.paths}


def findings(tree: Tree, before: Stamps, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Files that changed or came since `before`, and who started programs meanwhile."""
    after = stamps(tree) | dict.fromkeys(set(tree.listed()) - before.keys())
    started = {
        outcome.job.module: list(outcome.report["programs"])
        for outcome in outcomes
        if outcome.report and outcome.report["programs"]
    }
    by = f"; programs were started by {', '.join(sorted(started))}" if started else ""
    for path in sorted(after):
        if path not in before or after[path] != before[path]:
            what = "changed" if path in before else "came"
            yield Finding(
                rules.WRITES_TREE,
                f"{path} {what} while modules were imported{by}",
                path=path,
                remedy="let imports write nothing into the tree, nor any program that they start;"
                " restore the file, run again",
                evidence={"programs": started},
            )


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
