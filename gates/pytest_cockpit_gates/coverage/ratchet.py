"""The comparison of what was measured with its bounds. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit.records.text import count
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.loosening import allowed
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, newly_missing, ranges

OMITTED = "an omit pattern leaves it out"
"""The reason for a file that is not measured on purpose."""
STRAY = "it is there, but is a link, ignored by git or outside lane.source_roots"
"""The reason for a file with a bound that is no file of the tree."""

_REMEDIES = {
    OMITTED: f"if that is meant, measure the baseline without it: {rules.INIT}",
    STRAY: "make it a file of the tree again, or remove it",
}


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
    moved: Iterable[str],
    new_file_ratio: float,
) -> Iterator[Finding]:
    """Findings of all measured files.

    `sources` has the old path of each file that was moved or renamed, by its new one; `moved` are
    the old paths of those that a batch moves. A package's `__init__.py` that stays behind while
    files of the package move is executed by nobody who imports them under their new names; it
    gets its readers back when it follows them, so what it loses meanwhile is a warning.
    """
    behind = _packages(moved)
    for path, now in sorted(files.items()):
        bound = bound_of(path, bounds, sources)
        if bound is not None:
            held = _held(path, now, bound)
            yield from map(_tolerated, held) if path in behind else held
        elif beyond(now, new_file_ratio):
            yield _new(path, now, new_file_ratio)


def beyond(now: FileCoverage, ratio: float) -> bool:
    """Whether more is missing than the rule for new files allows."""
    return now.missing_lines + now.excluded > _allowed(now, ratio)


def _allowed(now: FileCoverage, ratio: float) -> int:
    # What a new file excludes is missing like the rest, or a comment would do for tests.
    return allowed(now.statements + now.excluded, ratio)


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
    if bound.excluded is not None and now.excluded > bound.excluded:
        yield _more_excluded(path, now, bound.excluded)


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


def _more_excluded(path: str, now: FileCoverage, bound: int) -> Finding:
    return Finding(
        rules.MORE_EXCLUDED,
        f"statements and branches that are kept from being counted: {now.excluded}, "
        f"the baseline allows {bound}",
        path=path,
        line=next(iter(now.escapes), None),
        remedy="test them instead, and remove the comment or the pattern that excludes them",
        evidence={
            "excluded": now.excluded,
            "bound": bound,
            "excluded_lines": now.excluded_lines,
            "excluded_branches": now.excluded_branches,
            "by": ranges(now.escapes),
        },
    )


def _new(path: str, now: FileCoverage, ratio: float) -> Finding:
    excluded = f" and {now.excluded} excluded" if now.excluded else ""
    lines = now.missing or now.escapes
    return Finding(
        rules.NEW_FILE,
        f"new file: {now.missing_lines} of {now.statements} statements are executed by no test"
        f"{excluded}, {_allowed(now, ratio)} are allowed; {now.shown or ranges(lines)}",
        path=path,
        line=next(iter(lines), None),
        remedy="test it, or raise new_file_ratio of tool.cockpit.gate.coverage",
        evidence={
            "missing_lines": now.missing_lines,
            "excluded": now.excluded,
            "statements": now.statements,
            "new_file_ratio": ratio,
            "uncovered": now.shown,
        },
    )


def slack(
    files: Mapping[str, FileCoverage], bounds: Mapping[str, Bound], sources: Mapping[str, str]
) -> dict[str, list[int]]:
    """Statements, branches and exclusions that each bound allows and its file does not need.

    The join of the baseline with one measured now differs from the baseline in these entries.
    """
    loose = {}
    for path, now in sorted(files.items()):
        bound = bound_of(path, bounds, sources)
        if bound is not None:
            spare = [
                max(0, bound.missing_lines - now.missing_lines),
                max(0, bound.missing_branches - now.missing_branches),
                max(0, (bound.excluded or 0) - now.excluded),
            ]
            if any(spare):
                loose[printable(path)] = spare
    return loose


def uncounted(
    files: Mapping[str, FileCoverage], bounds: Mapping[str, Bound], sources: Mapping[str, str]
) -> list[str]:
    """Files whose bound, of a baseline of old, does not say how much may be excluded."""
    found = ((path, bound_of(path, bounds, sources)) for path in sorted(files))
    return [printable(path) for path, bound in found if bound and bound.excluded is None]


def unbound(
    files: Mapping[str, FileCoverage], bounds: Mapping[str, Bound], sources: Mapping[str, str]
) -> list[str]:
    """Files that the rule for new ones holds, until the baseline has an entry for them."""
    return [printable(path) for path in sorted(files) if bound_of(path, bounds, sources) is None]


def _files(found: Collection[str]) -> str:
    return count(len(found), "file")


def slackness(
    loose: Mapping[str, list[int]],
    fixed: Iterable[str],
    new: Iterable[str],
    free: Sequence[str] = (),
) -> Iterator[Finding]:
    """One note of all that a baseline measured now would hold tighter.

    `free` are the files whose exclusions have no bound.
    """
    tests, files = sorted(fixed), sorted(new)
    lines, branches, excluded = map(sum, zip(*loose.values(), strict=True)) if loose else (0, 0, 0)
    spare = [
        (
            f"{count(lines, 'statement')}, {branches} branch{'' if branches == 1 else 'es'} and "
            f"{count(excluded, 'exclusion')} in {_files(loose)}"
        ),
        f"{count(len(tests), 'known failure')} that {'passes' if len(tests) == 1 else 'pass'}",
        f"{_files(files)} without an entry",
        f"any exclusions in {_files(free)}",
    ]
    told = [text for text, found in zip(spare, (loose, tests, files, free), strict=True) if found]
    if told:
        yield Finding(
            rules.SLACK,
            f"the baseline allows more than is needed: {', '.join(told)}",
            Severity.INFO,
            remedy=f"tighten the baseline: {rules.TIGHTEN}, then commit it",
            evidence={
                "files": dict(loose),
                "tests": tests,
                "new_files": files,
                "uncounted": list(free),
            },
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
                remedy=_REMEDIES.get(reason, "make it a file that coverage can read"),
            )
