"""Numbers out of what gates have written; each function raises `CockpitError` where there are none.

The documents come from files, so that nothing about them is taken for granted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts


def matriz(report: Mapping[str, Any]) -> tuple[float, int, int]:
    """Share of contracts without errors, how many have some, and how many there are."""
    read, count = _evidence(report, "contracts").get("count"), report["checked"]
    # Contracts that cannot be read are checked and not counted there.
    if not isinstance(read, int) or read > count or count < 1:
        raise CockpitError("gates/matriz.json: judges no contract")
    failing = {
        finding.get("path") for finding in report["findings"] if finding.get("severity") == "error"
    }
    bad = min(len(failing), count)
    return (count - bad) / count, bad, count


def coverage(report: Mapping[str, Any]) -> tuple[int, int]:
    """Statements of all measured files, and those that no test executes."""
    totals = _evidence(report, "totals")
    statements, missing = totals.get("statements"), totals.get("missing_lines")
    if not isinstance(statements, int) or not isinstance(missing, int) or statements < 1:
        raise CockpitError("gates/coverage.json: counts no statement")
    return statements, missing


def coverage_of_baseline(entries: Mapping[str, Any]) -> tuple[int, int]:
    """The same of a coverage baseline; files whose statements it does not count are left out."""
    rows = [entry for entry in entries.values() if isinstance(entry, Mapping)]
    known = [
        (row["statements"], row["missing_lines"])
        for row in rows
        if isinstance(row.get("statements"), int) and isinstance(row.get("missing_lines"), int)
    ]
    statements = sum(count for count, _ in known)
    if statements < 1:
        raise CockpitError("the coverage baseline counts no statement")
    return statements, sum(missing for _, missing in known)


def coverage_delta(document: Mapping[str, Any]) -> tuple[float, int, int]:
    """How much more is executed than the bounds ask: in points, in statements; of how many files.

    Points are percent of the statements of the files that have a bound.
    """
    _demand(document, "coverage_ratchet")
    rows = [row for row in document["files"].values() if row["bound"] is not None]
    statements = sum(row["statements"] for row in rows)
    if statements < 1:
        raise CockpitError("coverage_ratchet.json: no file with statements has a bound")
    lines = sum(row["bound"]["missing_lines"] - row["missing_lines"] for row in rows)
    return round(100 * lines / statements, 2), lines, len(rows)


def quarantined(document: Mapping[str, Any]) -> tuple[int, int]:
    """Tests in quarantine, and how many the baseline permits."""
    _demand(document, "quarantine")
    return document["quarantined"], document["permitted"]


@dataclass(frozen=True, slots=True)
class Imports:
    """Modules that cannot be imported.

    Parameters
    ----------
    whole: whether all of production was tried, not what a batch touched alone.
    tried, failed: how many were tried, and how many of them failed.
    permitted: how many of these the baseline knows.
    untried: how many more the baseline knows, which were not tried.
    """

    whole: bool
    tried: int
    failed: int
    permitted: int
    untried: int

    @property
    def told(self) -> str:
        """The numbers in words."""
        more = f"; {self.untried} more known from the baseline, not tried" if self.untried else ""
        tried = f"{self.tried} modules"
        tried = tried if self.whole else f"the {tried} that the batch touched"
        return f"{self.failed} of {tried} fail to import, {self.permitted} of them known{more}"


def import_failures(document: Mapping[str, Any]) -> Imports:
    """Modules that cannot be imported, and what is known of those that were not tried."""
    _demand(document, "import_failures")
    failures = document["failures"]
    return Imports(
        whole=document["whole"],
        tried=document["tried"],
        failed=len(failures),
        permitted=sum(bool(failure.get("permitted")) for failure in failures),
        untried=len(document["untried"]),
    )


def _demand(document: Mapping[str, Any], schema: str) -> None:
    problems = artifacts.validate(document, schema)
    if problems:
        raise CockpitError(f"{schema}.json: {problems[0]}")


def _evidence(report: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    for item in report["evidence"]:
        if item["name"] == name and isinstance(item["data"], Mapping):
            data: Mapping[str, Any] = item["data"]
            return data
    raise CockpitError(f"gates/{report['gate']}.json: has no evidence called {name}")
