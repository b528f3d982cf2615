"""What is written of a judgement: one line, evidence, and two artifacts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.api import Context, Evidence, Finding, Severity
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.measure import Measurement
from pytest_cockpit_gates.coverage.model import Bound, FileCoverage, spans
from pytest_cockpit_gates.coverage.ratchet import bound_of

SCHEMA = "pytest-cockpit/coverage-ratchet/1"

_SHOWN_LINES = 12
_COVERAGE_RULES = {rules.MORE_LINES, rules.MORE_BRANCHES, rules.NEW_FILE}


@dataclass(frozen=True, slots=True)
class Told:
    """A measurement with its bounds and findings, ready to be written down.

    `compared` is false where the run said nothing of the tree's coverage.
    """

    measured: Measurement
    bounds: Mapping[str, Bound]
    sources: Mapping[str, str]
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
        files = _counted(self.checked, "file")
        return f"{files}, {self._change()}, {_counted(fresh, 'new failure')} ({ran})"

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
            Evidence(
                "tools",
                {
                    **measured.versions,
                    **measured.tests.tools,
                    "command": ["python", *map(printable, measured.command)],
                    "warnings": [printable(text) for text in measured.warnings],
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

    def _counts(self) -> dict[str, FileCoverage | Bound]:
        same = {path: self.bounds[printable(path)] for path in self.measured.same}
        return {**self.measured.files, **same}

    def _totals(self) -> dict[str, int]:
        counts = self._counts().values()
        return {
            "files": len(counts),
            "statements": sum(now.statements for now in counts),
            "missing_lines": sum(now.missing_lines for now in counts),
            "missing_branches": sum(now.missing_branches for now in counts),
            "same_as_at_the_baseline": len(self.measured.same),
            "unreadable": len(self.measured.unreadable),
            "omitted": len(self.measured.omitted),
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

    def write(self, context: Context) -> None:
        """Put the table of files and the uncovered lines that matter beside the report."""
        folder = context.scratch / "artifacts"
        folder.mkdir(exist_ok=True)
        document = {
            "schema": SCHEMA,
            "totals": self._totals(),
            "tests": self._tests(),
            "files": {
                printable(path): self._row(path, now) for path, now in self._counts().items()
            },
            "unreadable": {
                printable(path): printable(why) for path, why in self.measured.unreadable.items()
            },
        }
        artifacts.write(folder / "coverage_ratchet.json", document)
        text = "\n".join(self._markdown(context)) + "\n"
        artifacts.write_bytes(folder / "coverage_ratchet.md", text.encode())
        log = printable(self.measured.output)
        artifacts.write_bytes(folder / "coverage_ratchet.log", log.encode())

    def _row(self, path: str, now: FileCoverage | Bound) -> dict[str, Any]:
        bound = bound_of(path, self.bounds, self.sources)
        return {
            "statements": now.statements,
            "missing_lines": now.missing_lines,
            "missing_branches": now.missing_branches,
            "uncovered": now.shown if isinstance(now, FileCoverage) else "all",
            "bound": None
            if bound is None
            else {
                "missing_lines": bound.missing_lines,
                "missing_branches": bound.missing_branches,
            },
        }

    def _markdown(self, context: Context) -> Iterator[str]:
        yield "# Coverage ratchet"
        yield ""
        yield f"{self.line()}."
        telling = [found for found in self.findings if found.severity is not Severity.INFO]
        for finding in telling:
            yield ""
            yield f"## {finding.where or finding.rule}"
            yield ""
            yield f"`{finding.rule}`: {finding.message}"
            if finding.remedy:
                yield ""
                yield f"Remedy: {finding.remedy}."
            yield from self._excerpt(context, finding)
        if not telling:
            yield ""
            yield "Nothing was lost."

    def _excerpt(self, context: Context, finding: Finding) -> Iterator[str]:
        """The source lines that a finding about coverage is about."""
        if finding.rule not in _COVERAGE_RULES or finding.path is None or finding.line is None:
            return
        told = finding.evidence
        lines = told.get("newly_uncovered") or told.get("uncovered")
        numbers = _numbers(lines) if lines else [line for line, _ in told["untaken"]]
        try:
            source = (context.root / finding.path).read_bytes().decode("utf-8", "replace")
        except OSError:
            return
        text = source.splitlines()
        yield ""
        yield "```text"
        for number in numbers[:_SHOWN_LINES]:
            if number <= len(text):
                yield f"{number:6}  {text[number - 1]}"
        if len(numbers) > _SHOWN_LINES:
            yield f"   and {len(numbers) - _SHOWN_LINES} more lines"
        yield "```"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"


def _numbers(shown: str) -> list[int]:
    return [line for first, last in spans(shown) for line in range(first, last + 1)]
