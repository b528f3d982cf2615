"""What the tests did, held against what they did at the baseline. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.measurement.outcome import TestRun
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.loosening import followed_tests

_LISTED = 20
_MEASURER = "coverage"


def new_failures(
    run: TestRun, known: Collection[str], sources: Mapping[str, str]
) -> Iterator[Finding]:
    """Tests that fail and did not when the baseline was measured.

    A test of a file that could not even be collected then has not got worse by running now.
    """
    excused = followed(known, sources)
    for test, failure in sorted(run.failures.items()):
        path = test.partition("::")[0]
        if printable(test) not in excused and printable(path) not in excused:
            yield Finding(
                rules.NEW_TEST_FAILURE,
                f"{printable(test)}: {printable(failure.message)}",
                path=path or None,
                line=failure.line,
                remedy="make the test pass",
                evidence={
                    "test": printable(test),
                    "frames": [printable(frame) for frame in failure.frames],
                },
            )


def followed(tests: Collection[str], sources: Mapping[str, str]) -> frozenset[str]:
    """Node ids under the paths they had and, where their file was moved, under the new ones."""
    old = {printable(target): printable(source) for target, source in sources.items()}
    return frozenset(tests) | frozenset(followed_tests(tests, old))


def mended(run: TestRun, known: Collection[str], sources: Mapping[str, str]) -> list[str]:
    """Known failures that the baseline need not name any longer: they pass, or are gone."""
    failing = {printable(test) for test in run.failures}
    return [test for test in sorted(known) if not followed([test], sources) & failing]


def skipped(run: TestRun, at_baseline: object) -> Iterator[Finding]:
    """A note where more tests are skipped than at the baseline: a skipped test shows nothing."""
    now = run.counts.get("skipped", 0)
    if isinstance(at_baseline, int) and now > at_baseline:
        yield Finding(
            rules.MORE_SKIPPED,
            f"{now} tests are skipped, {at_baseline} were at the baseline",
            Severity.INFO,
            remedy="see pytest's `-rs` for the reasons",
            evidence={"skipped": now, "baseline": at_baseline},
        )


def disturbed(run: TestRun, measurer: str) -> Iterator[Finding]:
    """What stopped or replaced the measurement: from then on nothing is known."""
    seen = list(run.disturbances)
    if run.measurer != measurer:
        seen.insert(0, ("the start", f"{run.measurer or 'nothing'} measured, not {measurer}"))
    for after, what in seen[:1]:
        yield Finding(
            rules.DISTURBED,
            f"{printable(what)}, first seen after {printable(after)}",
            Severity.UNKNOWN,
            path=after.partition("::")[0] if "::" in after else None,
            remedy="keep tests, conftest.py and plugins from touching the measurement, "
            "or leave that test out with paths",
            evidence={"seen": [[printable(text) for text in row] for row in seen]},
        )


def outside(run: TestRun, modules: Mapping[str, str]) -> Iterator[Finding]:
    """Modules of the tree whose code came from somewhere else."""
    for name, file in sorted(run.outside.items()):
        if name in modules:
            yield Finding(
                rules.OUTSIDE_TREE,
                f"{name} was imported from {printable(file)}, not from the tree",
                path=modules[name],
                remedy=(
                    "rename it: what measures has this name"
                    if name.partition(".")[0] == _MEASURER
                    else "uninstall that copy from the environment, or name the source root in "
                    "lane.source_roots"
                ),
                evidence={"module": name, "file": printable(file)},
            )


def elsewhere(run: TestRun, paths: Iterable[str]) -> list[str]:
    """Imported files outside the tree that look like copies of its own, for a message."""
    ends = tuple(f"/{path.rpartition('src/')[2]}" for path in paths if "/" in path)
    found = [file for _, file in sorted(run.outside.items()) if file.endswith(ends)]
    return [printable(file) for file in found[:_LISTED]] if ends else []
