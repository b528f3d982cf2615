"""What is written of a judgement: one line, evidence, and the artifacts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import markdown, rules
from pytest_cockpit_gates.coverage.measure import Measurement
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, ranges
from pytest_cockpit_gates.coverage.patch import Patch
from pytest_cockpit_gates.coverage.ratchet import bound_of

SCHEMA = "pytest-cockpit/coverage_ratchet/1"

_ADDED = ("statements", "missing_lines", "branches", "missing_branches", "excluded")


@dataclass(frozen=True, slots=True)
class Told:
    """A measurement with its bounds and findings, ready to be written down.

    `compared` is false where the run said nothing of the tree's coverage.
    """

    context: Context
    measured: Measurement
    bounds: Mapping[str, Bound]
    sources: Mapping[str, str]
    patch: Patch
    meta: Mapping[str, Any]
    findings: Sequence[Finding]
    compared: bool

    @property
    def checked(self) -> int:
        """How many files were held to a bound or to the rule for new ones."""
        return len(self.measured.files) + len(self.measured.same)

    def line(self) -> str:
        """The report's summary."""
        tests = self.measured.tests
        fresh = sum(finding.rule == rules.NEW_TEST_FAILURE for finding in self.findings)
        known = len(tests.failures) - fresh
        ran = f"{tests.counts.get('passed', 0)} passed, {_counted(known, 'known failure')}"
        parts = [_counted(self.checked, "file"), self._change()]
        if self.compared and self.patch.words:
            parts.append(self.patch.words)
        return f"{', '.join(parts)}, {_counted(fresh, 'new failure')} ({ran})"

    def _change(self) -> str:
        if not self.compared:
            return "coverage not comparable"
        delta = 0
        for path, now in self.measured.files.items():
            bound = bound_of(path, self.bounds, self.sources)
            if bound is not None:
                delta += now.missing_lines - bound.missing_lines
        if not delta:
            return "no change in missing lines"
        return f"{_counted(abs(delta), 'missing line')} {'more' if delta > 0 else 'fewer'}"

    def evidence(self) -> tuple[Evidence, ...]:
        """Totals, tools and test counts; the table of files is the artifact's."""
        measured = self.measured
        return (
            Evidence("totals", self._totals()),
            Evidence("tests", self._tests()),
            Evidence("patch", self._patch()),
            Evidence(
                "tools",
                {
                    **measured.versions,
                    **measured.tests.tools,
                    "command": ["python", *map(printable, measured.command)],
                    "warnings": [printable(text) for text in measured.warnings],
                    "parser": measured.parser,
                    "baseline": {
                        key: value for key, value in self.meta.items() if key != "failing_tests"
                    },
                },
            ),
            Evidence(
                "durations",
                {
                    "tests_wall_s": round(measured.ended.wall_s, 3),
                    "tests_cpu_s": round(measured.ended.cpu_s, 3),
                    "read_wall_s": round(measured.read_s, 3),
                },
            ),
        )

    def _totals(self) -> dict[str, int]:
        rows = self._rows().values()
        totals = {name: sum(row[name] for row in rows) for name in _ADDED}
        return {
            "files": len(rows),
            **totals,
            "same_as_at_the_baseline": len(self.measured.same),
            "unreadable": len(self.measured.unreadable),
            "omitted": len(self.measured.omitted),
        }

    def _patch(self) -> dict[str, Any]:
        return {
            "base": self.patch.base,
            "unknown": None if self.patch.unknown is None else printable(self.patch.unknown),
            "statements": self.patch.statements,
            "executed": self.patch.executed,
        }

    def _tests(self) -> dict[str, Any]:
        tests = self.measured.tests
        return {
            "exit": tests.exit,
            **{name: tests.counts.get(name, 0) for name in ("passed", "failed", "skipped")},
            "failures": {
                printable(test): printable(failure.message)
                for test, failure in sorted(tests.failures.items())
            },
        }

    def write(self) -> None:
        """Put the table of files and the uncovered lines that matter beside the report."""
        folder = self.context.scratch / "artifacts"
        folder.mkdir(exist_ok=True)
        artifacts.write(folder / "coverage_ratchet.json", self.document(), "coverage_ratchet")
        text = markdown.text(
            self.line(),
            self.findings,
            {printable(path): now for path, now in self.measured.files.items()},
            self.context.root,
        )
        artifacts.write_bytes(folder / "coverage_ratchet.md", text.encode())
        log = printable(self.measured.output)
        artifacts.write_bytes(folder / "coverage_ratchet.log", log.encode())

    def document(self) -> dict[str, Any]:
        """The artifact: every file with its digest and counts, for others to read."""
        measured = self.measured
        return {
            "schema": SCHEMA,
            "commit": self.context.commit,
            "base": self.context.base,
            "versions": {
                **measured.versions,
                "pytest": str(measured.tests.tools.get("pytest", "")),
            },
            "totals": self._totals(),
            "tests": self._tests(),
            "patch": self._patch(),
            "files": self._rows(),
            "unreadable": {
                printable(path): printable(why) for path, why in measured.unreadable.items()
            },
        }

    def _rows(self) -> dict[str, dict[str, Any]]:
        measured = self.measured
        rows = {
            printable(path): self._row(path, now, now.sha256, now.branches)
            for path, now in measured.files.items()
        }
        for path, digest in measured.same.items():
            # Nothing executes it: all the branches it has are missing.
            bound = self.bounds[printable(path)]
            rows[printable(path)] = self._row(path, bound, digest, bound.missing_branches)
        return rows

    def _row(
        self, path: str, now: FileCoverage | Bound, sha256: str, branches: int
    ) -> dict[str, Any]:
        bound = bound_of(path, self.bounds, self.sources)
        seen = now if isinstance(now, FileCoverage) else FileCoverage(now.statements)
        return {
            "sha256": sha256,
            "statements": now.statements,
            "missing_lines": now.missing_lines,
            "branches": branches,
            "missing_branches": now.missing_branches,
            "excluded": now.excluded or 0,
            "uncovered": now.shown if isinstance(now, FileCoverage) else "all",
            "changed": len(seen.patch),
            "changed_uncovered": ranges(seen.patch_missing),
            "bound": None
            if bound is None
            else {
                "missing_lines": bound.missing_lines,
                "missing_branches": bound.missing_branches,
                "excluded": bound.excluded,
            },
        }


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
