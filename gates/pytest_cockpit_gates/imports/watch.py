"""Whether the tree is still what it was: started programs write past the guard."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from pytest_cockpit.api import Finding
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.pool import Outcome
from pytest_cockpit_gates.imports.selection import Tree

Stamps = Mapping[str, tuple[int, int, int] | None]


def stamps(tree: Tree) -> Stamps:
    """Size, time and inode of every Python file of the tree."""
    return {path: _stamp(f"{tree.root}{os.sep}{path}") for path in tree.paths}


def findings(tree: Tree, before: Stamps, outcomes: Sequence[Outcome]) -> Iterator[Finding]:
    """Files that changed since `before`, with the modules that started programs meanwhile."""
    after = stamps(tree)
    started = {
        outcome.job.module: list(outcome.report["programs"])
        for outcome in outcomes
        if outcome.report and outcome.report["programs"]
    }
    by = f"; programs were started by {', '.join(sorted(started))}" if started else ""
    for path in tree.paths:
        if after[path] != before[path]:
            yield Finding(
                rules.WRITES_TREE,
                f"{path} changed while modules were imported{by}",
                path=path,
                remedy="let imports start no program that writes, restore the file, run again",
                evidence={"programs": started},
            )


def _stamp(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ino
