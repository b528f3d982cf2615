"""The comparison of what was measured with its bounds. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath

from pytest_cockpit.api import Finding, Move, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, newly_missing, ranges
from pytest_cockpit_gates.coverage.outcome import TestRun

OMITTED = "an omit pattern leaves it out"
"""The reason for a file that is not measured on purpose."""

_LISTED = 20


def bound_of(path: str, bounds: Mapping[str, Bound], sources: Mapping[str, str]) -> Bound | None:
    """The bound of a file: under its own path, or under the one it was moved from."""
    known = bounds.get(printable(path))
    if known is None and path in sources:
        known = bounds.get(printable(sources[path]))
    return known


def compare(
    files: Mapping[str, FileCoverage],
    bounds: Mapping[str, Bound],
    *,
    sources: Mapping[str, str],
    new_file_ratio: float,
) -> Iterator[Finding]:
    """Findings of all measured files; `sources` has the old path of each moved one.

    A package's `__init__.py` that stays behind while files of the package move is executed by
    nobody who imports them under their new names; it gets its readers back when it follows them,
    so what it loses meanwhile is a warning.
    """
    behind = _packages(sources.values())
    for path, now in sorted(files.items()):
        bound = bound_of(path, bounds, sources)
        if bound is not None:
            held = _held(path, now, bound)
            yield from map(_tolerated, held) if path in behind else held
        elif now.missing_lines > _allowed(now, new_file_ratio):
            yield _new(path, now, new_file_ratio)


def _allowed(now: FileCoverage, ratio: float) -> int:
    # 0.29 * 100 is 28.999… to a computer, and 29 to whoever wrote 0.29.
    return int(ratio * now.statements + 1e-9)


def _packages(paths: Iterable[str]) -> frozenset[str]:
    """The `__init__.py` of every package that one of these files lies in."""
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    return frozenset(f"{folder}/__init__.py" for folder in folders - {"."})


def _tolerated(finding: Finding) -> Finding:
    message = f"{finding.message}; files of its package moved without it"
    return replace(finding, severity=Severity.WARNING, message=message)


def _held(path: str, now: FileCoverage, bound: Bound) -> Iterator[Finding]:
    if now.missing_lines > bound.missing_lines:
        yield _more_lines(path, now, bound)
    if now.missing_branches > bound.missing_branches:
        yield _more_branches(path, now, bound)


def _more_lines(path: str, now: FileCoverage, bound: Bound) -> Finding:
    newly = newly_missing(now, bound)
    where = f"; newly {ranges(newly)}" if newly else f": {now.shown}"
    return Finding(
        rules.MORE_LINES,
        f"statements that no test executes: {now.missing_lines}, "
        f"the baseline allows {bound.missing_lines}{where}",
        path=path,
        line=(newly or now.missing)[0],
        remedy="test these lines, or remove the code that no test needs",
        evidence={
            "missing_lines": now.missing_lines,
            "bound": bound.missing_lines,
            "uncovered": now.shown,
            "newly_uncovered": ranges(newly),
        },
    )


def _more_branches(path: str, now: FileCoverage, bound: Bound) -> Finding:
    lines = [line for line, _ in now.untaken]
    missing = set(now.missing)
    # A branch of a statement that did not run at all is told by the statement.
    partial = [line for line in lines if line not in missing] or lines
    return Finding(
        rules.MORE_BRANCHES,
        f"branches that no test takes: {now.missing_branches}, "
        f"the baseline allows {bound.missing_branches}; from line {ranges(partial)}",
        path=path,
        line=partial[0],
        remedy="test both ways out of these lines",
        evidence={
            "missing_branches": now.missing_branches,
            "bound": bound.missing_branches,
            "untaken": [list(pair) for pair in now.untaken],
        },
    )


def _new(path: str, now: FileCoverage, ratio: float) -> Finding:
    return Finding(
        rules.NEW_FILE,
        f"new file: {now.missing_lines} of {now.statements} statements are executed by no test, "
        f"{_allowed(now, ratio)} are allowed; {now.shown}",
        path=path,
        line=now.missing[0],
        remedy="test it, or raise new_file_ratio",
        evidence={
            "missing_lines": now.missing_lines,
            "statements": now.statements,
            "new_file_ratio": ratio,
            "uncovered": now.shown,
        },
    )


def slack(
    files: Mapping[str, FileCoverage], bounds: Mapping[str, Bound], sources: Mapping[str, str]
) -> Iterator[Finding]:
    """One finding for all files with less missing than their bounds allow."""
    loose = {}
    for path, now in sorted(files.items()):
        bound = bound_of(path, bounds, sources)
        if bound is not None:
            spare = (
                max(0, bound.missing_lines - now.missing_lines),
                max(0, bound.missing_branches - now.missing_branches),
            )
            if any(spare):
                loose[printable(path)] = spare
    if loose:
        lines, branches = map(sum, zip(*loose.values(), strict=True))
        yield Finding(
            rules.SLACK,
            f"fewer missing than the baseline allows: {lines} statements and {branches} branches, "
            f"in {len(loose)} of its files",
            Severity.INFO,
            remedy=f"tighten the baseline: {rules.INIT}, then commit it",
            evidence={"files": {path: list(spare) for path, spare in loose.items()}},
        )


def unmeasured(
    expected: Iterable[str],
    reasons: Mapping[str, str],
    bounds: Mapping[str, Bound],
    sources: Mapping[str, str],
) -> Iterator[Finding]:
    """Files that must have been measured and were not; `reasons` by path.

    A file that is left out on purpose and never had a bound is nobody's loss.
    """
    for path in sorted(set(expected)):
        reason = reasons.get(path)
        bound = bound_of(path, bounds, sources)
        if reason is not None and (reason != OMITTED or bound is not None):
            yield Finding(
                rules.NO_DATA,
                f"not measured: {reason}",
                Severity.UNKNOWN,
                path=path,
                remedy=(
                    f"if that is meant, measure the baseline without it: {rules.INIT}"
                    if reason == OMITTED
                    else "make it a file that coverage can read"
                ),
            )


def untested(files: Mapping[str, FileCoverage], sources: Mapping[str, str]) -> Iterator[Finding]:
    """Moved files that no test executes: their bound holds, and says nothing."""
    for path in sorted(sources):
        now = files.get(path)
        if now is not None and now.statements and not now.executed:
            yield Finding(
                rules.NO_DATA,
                f"no test executes any of its {now.statements} statements, before or after the "
                "move: its bound holds, but shows nothing",
                Severity.INFO,
                path=path,
                remedy="add a test that imports it",
            )


def new_failures(run: TestRun, known: Collection[str], moves: Iterable[Move]) -> Iterator[Finding]:
    """Tests that fail and did not when the baseline was measured.

    A test of a file that could not even be collected then has not got worse by running now.
    """
    excused = followed(known, moves)
    for test, failure in sorted(run.failures.items()):
        path = test.partition("::")[0]
        if printable(test) not in excused and printable(path) not in excused:
            yield Finding(
                rules.NEW_TEST_FAILURE,
                f"{printable(test)}: {printable(failure.message)}",
                path=path or None,
                line=failure.line,
                remedy="make the test pass",
                evidence={"test": printable(test)},
            )


def followed(tests: Collection[str], moves: Iterable[Move]) -> frozenset[str]:
    """Node ids under the paths they had and, where their file was moved, under the new ones."""
    targets = {printable(move.source): printable(move.target) for move in moves}
    renamed = set()
    for test in tests:
        path, mark, rest = test.partition("::")
        if path in targets:
            renamed.add(f"{targets[path]}{mark}{rest}")
    return frozenset(tests) | renamed


def outside(run: TestRun, modules: Mapping[str, str]) -> Iterator[Finding]:
    """Modules of the tree whose code came from somewhere else."""
    for name, file in sorted(run.outside.items()):
        if name in modules:
            yield Finding(
                rules.OUTSIDE_TREE,
                f"{name} was imported from {printable(file)}, not from the tree",
                path=modules[name],
                remedy=(
                    "uninstall that copy from the environment, or name the source root in "
                    "lane.source_roots"
                ),
                evidence={"module": name, "file": printable(file)},
            )


def elsewhere(run: TestRun, paths: Iterable[str]) -> list[str]:
    """Imported files outside the tree that look like copies of its own, for a message."""
    ends = tuple(f"/{path.rpartition('src/')[2]}" for path in paths if "/" in path)
    found = [file for _, file in sorted(run.outside.items()) if file.endswith(ends)]
    return [printable(file) for file in found[:_LISTED]] if ends else []
