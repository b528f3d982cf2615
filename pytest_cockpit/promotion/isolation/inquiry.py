"""The inquiry into one red batch: the search, what its sessions saw, and the record of both.

A session asks `next`, judges that part of the batch by the gates that were not green, tells what
came out, and writes `to_json` down before it asks again. Nothing here knows of git or of pytest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from pytest_cockpit.api import CockpitError, Report, Severity, Verdict
from pytest_cockpit.promotion.isolation import outcome as words
from pytest_cockpit.promotion.isolation.attribution import failing, name_of
from pytest_cockpit.promotion.isolation.driver import RISK, Isolation
from pytest_cockpit.promotion.isolation.flakes import Tally
from pytest_cockpit.promotion.isolation.outcome import Culprit, Outcome
from pytest_cockpit.promotion.isolation.trust import Trust

SCHEMA = "pytest-cockpit/isolation/1"
_KEPT = 50
"""Findings that are kept of one session; the count of all that failed is kept in any case."""

Weigh = Callable[[Iterable[Report]], Mapping[str, float]]


@dataclass(frozen=True, slots=True)
class About:
    """The red batch: `gates` are those that were not green on it, in their order."""

    batch_id: str
    base: str
    plan_sha256: str
    gates: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Judged:
    """What gates said of one tree, by its id, and what that cost."""

    tree: str
    reports: Mapping[str, Report]
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def verdict(self) -> Verdict:
        """Red when any gate is; otherwise the worst of them."""
        verdicts = [report.verdict for report in self.reports.values()]
        return Verdict.FAIL if Verdict.FAIL in verdicts else Verdict.worst(verdicts)


class Inquiry:
    """Who is to blame for a red batch.

    Parameters
    ----------
    about: the batch.
    needs: its files, each with those it cannot be judged without.
    weigh: how much reports point at each file.
    trust: what is believed of the gates.
    risk: how likely a file is to blame before anything is known of it.
    """

    def __init__(
        self,
        about: About,
        needs: Mapping[str, Iterable[str]],
        weigh: Weigh,
        *,
        trust: Trust | None = None,
        risk: float = RISK,
    ) -> None:
        self.about = about
        self.trust = trust or Trust()
        self.rows: list[dict[str, Any]] = []
        self.rest: dict[str, Any] | None = None
        self.tally = Tally()
        self._weigh = weigh
        self._search = Isolation(needs, risk, trust=self.trust)

    def begin(self, whole: Judged) -> None:
        """Start from the red batch."""
        files = self._search.units.files(self._search.units.all)
        self._search.begin_red(self._weigh(whole.reports.values()), failing(whole.reports))
        self._enter(files, words.GIVEN, whole)

    def resume(self, data: Mapping[str, Any]) -> bool:
        """Take over what an earlier session was told; whether that was about this batch.

        Parameters
        ----------
        data: what `to_json` gave. Nothing is taken from a search that could not decide.
        """
        told = {key: data[key] for key in ("batch_id", "base", "plan_sha256")}
        told["gates"] = tuple(data["gates"])
        if told != asdict(self.about) or data["outcome"]["stopped"]:
            return False
        try:
            search = Isolation.from_json(data["search"])
        except CockpitError:
            return False
        if search.units != self._search.units:
            return False
        self._search = search
        self.rows = [dict(row) for row in data["sessions"]]
        for row in self.rows:
            self.tally.recall(row)
        return True

    def next(self) -> tuple[str, ...] | None:
        """The files to judge next, each after those it needs; None when all is told."""
        return self._search.next()

    @property
    def asking(self) -> str:
        """The next session in words: which one of about how many, how much of the batch, why."""
        files, why = self._search.next() or (), self._search.why or ""
        number = len(self.rows) + 1
        most = max(number, len(self.rows) + round(self._search.expected() + 0.5))
        held = "nothing moved" if not files else _files(len(files))
        return f"session {number} of about {most}: {held}, {words.WHY[why]}"

    def tell(self, judged: Judged) -> None:
        """Take in what the gates said of what `next` asked for."""
        files, why = self._search.next() or (), self._search.why or ""
        weights = None
        if judged.verdict is Verdict.FAIL:
            weights = self._weigh(judged.reports.values())
        self._search.tell(files, judged.verdict, weights, failing(judged.reports))
        self._enter(files, why, judged)

    def outcome(self) -> Outcome:
        """What is known so far."""
        return self._search.outcome()

    def left(self) -> dict[str, str]:
        """The files that stay behind, to blame or held by one that is, each with the reason."""
        found = self.outcome().culprits
        left = {
            path: f"needs {culprit.files[0]}, which is to blame for red gates"
            for culprit in found
            for path in culprit.held
        }
        for culprit in found:
            seen = f": {culprit.failing[0]}" if culprit.failing else ""
            left.update((path, f"to blame for red gates{seen}") for path in culprit.files)
        return left

    def findings(self, culprit: Culprit) -> list[dict[str, Any]]:
        """What the gates found wherever a culprit was: findings of the session that convicted it.

        Only those that were there in all such sessions, where there are any.
        """
        red = self.rows[culprit.red_with[-1] - 1]["findings"] if culprit.red_with else []
        always = [row for row in red if row["failing"] in culprit.failing]
        return always or red

    def to_json(self) -> dict[str, Any]:
        """The record; see `schemas/isolation.json`."""
        found = self.outcome().to_json()
        culprits = self.outcome().culprits
        found["culprits"] = [
            {**row, "findings": self.findings(culprit)}
            for row, culprit in zip(found["culprits"], culprits, strict=True)
        ]
        return {
            "schema": SCHEMA,
            **asdict(self.about),
            "search": self._search.to_json(),
            "sessions": self.rows,
            "outcome": found,
            "flakes": [flake.to_json() for flake in self.tally.flakes()],
            "rest": self.rest,
        }

    def _enter(self, files: tuple[str, ...], why: str, judged: Judged) -> None:
        self.tally.add(judged.tree, len(files), judged.reports)
        self.rows.append(
            {
                "number": len(self.rows) + 1,
                "why": why,
                "files": list(files),
                "tree": judged.tree,
                "verdict": judged.verdict.value,
                "gates": {gate: report.verdict.value for gate, report in judged.reports.items()},
                "said": {gate: report.summary for gate, report in judged.reports.items()},
                "failing": list(failing(judged.reports)),
                "findings": list(_findings(judged.reports))[:_KEPT],
                "wall_s": round(judged.wall_s, 3),
                "cpu_s": round(judged.cpu_s, 3),
            }
        )


def _findings(reports: Mapping[str, Report]) -> Iterator[dict[str, Any]]:
    for gate, report in reports.items():
        for finding in report.findings:
            if finding.severity is Severity.ERROR:
                yield {
                    "gate": gate,
                    "rule": finding.rule,
                    "failing": name_of(finding),
                    "path": finding.path,
                    "line": finding.line,
                    "message": finding.message,
                    "remedy": finding.remedy,
                }


def _files(number: int) -> str:
    return f"{number} file" if number == 1 else f"{number} files"
