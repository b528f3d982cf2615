"""Where to look first: what a red session says of the files of the batch.

Clues only set the order in which units are tried, never the blame: a clue that misleads costs
sessions, and verdicts decide.

Each clue gives a file a weight from 0 to 1, read as the chance that the clue is right; two clues
about one file are wrong together only when both are (`1 - (1 - a)(1 - b)`).

- A finding on a file of the batch: 1.
- The innermost frame of a traceback that lies in the batch: 0.8; each frame further out half that.
- A failing test, or a finding on a file outside of the batch: the nearest files of the batch that
  it imports, up to three steps away, share 0.5; each step beyond the first halves the share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pytest_cockpit.api import Finding, Report, Severity, Verdict

FINDING, FRAME, SHARED = 1.0, 0.8, 0.5
REACH = 3
SUSPECT = 0.95
"""The risk of a unit with weight 1: never certain, so that a misleading clue is found out."""


@dataclass(frozen=True, slots=True)
class Clues:
    """What a red session left behind, all as repository-relative paths.

    Parameters
    ----------
    findings: paths of the findings that broke a rule.
    tests: node ids of the tests that failed.
    tracebacks: files of the frames of each traceback, outermost first.
    """

    findings: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    tracebacks: tuple[tuple[str, ...], ...] = ()

    @classmethod
    def of(cls, reports: Iterable[Report]) -> Clues:
        """The clues in gates' reports.

        A failed case whose name has `::` is taken for a test; a finding has its traceback's files
        as `frames` in its evidence, outermost first.
        """
        found = list(reports)
        return cls(
            findings=tuple(
                finding.path
                for report in found
                for finding in report.findings
                if finding.severity is Severity.ERROR and finding.path is not None
            ),
            tests=tuple(
                case.name
                for report in found
                for case in report.cases
                if case.verdict is Verdict.FAIL and "::" in case.name
            ),
            tracebacks=tuple(
                tuple(map(str, finding.evidence["frames"]))
                for report in found
                for finding in report.findings
                if finding.severity is Severity.ERROR and finding.evidence.get("frames")
            ),
        )

    def weights(
        self, names: Mapping[str, str], imports: Mapping[str, Iterable[str]]
    ) -> dict[str, float]:
        """Weight by file of the batch.

        Parameters
        ----------
        names: the batch's file by each path that may stand for it: source, target, shim.
        imports: what each file of the tree imports, as paths that may be in `names`.
        """
        doubts: dict[str, float] = {}

        def count(file: str, weight: float) -> None:
            doubts[file] = doubts.get(file, 1.0) * (1 - weight)

        paths = [*self.findings, *(test.partition("::")[0] for test in self.tests)]
        for index, path in enumerate(paths):
            if path in names and index < len(self.findings):
                count(names[path], FINDING)
            else:
                for file, weight in _nearest(path, names, imports).items():
                    count(file, weight)
        for frames in self.tracebacks:
            known = list(dict.fromkeys(names[path] for path in reversed(frames) if path in names))
            for place, file in enumerate(known):
                count(file, FRAME / 2**place)
        return {file: 1 - doubt for file, doubt in doubts.items()}


def name_of(finding: Finding) -> str:
    """A finding in words that are the same when it is found again."""
    return f"{finding.rule}: {finding.evidence.get('test') or finding.path or finding.message}"


def failing(reports: Mapping[str, Report]) -> tuple[str, ...]:
    """What failed in these reports by gate, in words that are the same when it fails again."""
    named: dict[str, None] = {}
    for gate, report in reports.items():
        if report.verdict is not Verdict.FAIL:
            continue
        words = [
            name_of(finding) for finding in report.findings if finding.severity is Severity.ERROR
        ]
        words += [f"{gate}: {case.name}" for case in report.cases if case.verdict is Verdict.FAIL]
        named.update(dict.fromkeys(words or [f"{gate}: {report.summary}"]))
    return tuple(named)


def _nearest(
    start: str, names: Mapping[str, str], imports: Mapping[str, Iterable[str]]
) -> dict[str, float]:
    """The share of each file of the batch that is nearest to `start` in the import graph."""
    seen, level = {start}, {start}
    for step in range(REACH + 1):
        found = sorted({names[path] for path in level if path in names})
        if found:
            return dict.fromkeys(found, SHARED / 2 ** max(step - 1, 0) / len(found))
        level = {path for near in level for path in imports.get(near, ())} - seen
        seen |= level
    return {}


def risk(prior: float, weight: float, attributable: float) -> float:
    """The risk of a unit after the newest red session that it was in.

    Parameters
    ----------
    prior: its risk before anything was tested.
    weight: what that session's clues say of it, 0 when they do not name it.
    attributable: the share of defects that clues name. A unit that they do not name is guilty
        only of the other kind.
    """
    unnamed = prior * (1 - attributable) / (1 - prior * attributable)
    return unnamed + max(SUSPECT - unnamed, 0.0) * weight
