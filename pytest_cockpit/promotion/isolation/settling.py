"""What a gate says of a tree on which it was red.

It is asked again until one kind of verdict is ahead, see `Trust.settled`. Green and ahead is no
more than a warning, and only with a green report in hand: the report of a red run is never opened
by the green ones before it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

from pytest_cockpit.api import Report, Verdict
from pytest_cockpit.promotion.isolation.flakes import Tally
from pytest_cockpit.promotion.isolation.outcome import Culprit
from pytest_cockpit.promotion.isolation.trust import Trust


@dataclasses.dataclass(frozen=True, slots=True)
class Settling:
    """Settles what gates say of one tree of so many files.

    `culprits` are those of the search that led to the tree, which may turn out to be none.
    """

    tally: Tally
    trust: Trust
    tree: str
    files: int
    culprits: tuple[Culprit, ...] = ()

    def settle(self, gate: str, report: Report, ask: Callable[[], Report]) -> Report:
        """The report that counts.

        Parameters
        ----------
        report: the gate's newest on the tree; returned as it is where the gate was never red.
        ask: runs the gate on the tree once more.
        """
        verdict = self._counted(gate, report)
        if not self._of(gate)[0]:
            return report
        while verdict is None or (verdict is Verdict.PASS and not report.verdict.opens):
            report = ask()
            verdict = self._counted(gate, report)
            if report.verdict is not Verdict.FAIL and not report.verdict.opens:
                verdict = None
                break
        red, green = self._of(gate)
        if not green:
            return report
        acquitted = self._acquitted(gate)
        if acquitted:
            said = (
                f"{acquitted} is no culprit: what failed with it fails now and then without it, too"
            )
            return dataclasses.replace(report, verdict=Verdict.UNKNOWN, summary=said)
        if verdict is None:
            return report
        verdict = Verdict.WARN if verdict is Verdict.PASS else verdict
        said = f"{report.summary}; flaky: red {red} of {red + green} times on this tree"
        return dataclasses.replace(report, verdict=verdict, summary=said)

    def _counted(self, gate: str, report: Report) -> Verdict | None:
        self.tally.add(self.tree, self.files, {gate: report})
        return self.trust.settled(*self._of(gate))

    def _of(self, gate: str) -> tuple[int, int]:
        return self.tally.of(gate, self.tree)

    def _acquitted(self, gate: str) -> str:
        """A culprit whose evidence is a flake of this tree; empty when there is none."""
        flaky = {
            said
            for flake in self.tally.flakes()
            if (flake.gate, flake.tree) == (gate, self.tree)
            for said in flake.failing
        }
        found = (it for it in self.culprits if it.failing and flaky.issuperset(it.failing))
        return next((it.files[0] for it in found), "")
