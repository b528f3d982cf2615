"""Coverage of what differs from the base commit. Pure: values in, findings out."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.artifacts import printable
from pytest_cockpit_gates.coverage import rules
from pytest_cockpit_gates.coverage.model import FileCoverage, ranges


@dataclass(frozen=True, slots=True)
class Patch:
    """The changed statements of a tree, and those of them that no test executes.

    Parameters
    ----------
    files: the measured files with changed statements.
    base: the commit they differ from.
    unknown: why git could not say what differs; None when it could.
    """

    files: Mapping[str, FileCoverage]
    base: str | None = None
    unknown: str | None = None

    @classmethod
    def of(
        cls, files: Mapping[str, FileCoverage], base: str | None, unknown: str | None = None
    ) -> Patch:
        """The patch among all measured files."""
        return cls({path: now for path, now in files.items() if now.patch}, base, unknown)

    @property
    def statements(self) -> int:
        """How many statements differ."""
        return sum(len(now.patch) for now in self.files.values())

    @property
    def executed(self) -> int:
        """How many of them are executed."""
        return self.statements - sum(len(now.patch_missing) for now in self.files.values())

    @property
    def words(self) -> str:
        """The patch in a summary; empty where nothing differs or nothing is known."""
        if not self.statements:
            return ""
        return f"{self.executed} of {self.statements} changed statements executed"

    def findings(self, ratio: float | None) -> Iterator[Finding]:
        """Where less than `ratio` of the changed statements is executed, each file's share."""
        if ratio is None:
            return
        if self.unknown is not None or self.base is None:
            yield Finding(
                rules.PATCH,
                f"what changed is not known: {self.unknown or 'there is no base commit'}",
                Severity.UNKNOWN,
                remedy="judge in a clone that has the base commit, or leave patch_ratio out",
            )
            return
        # 0.29 * 100 is 28.999… to a computer, and 29 to whoever wrote 0.29.
        if self.executed >= ratio * self.statements - 1e-9:
            return
        for path, now in sorted(self.files.items()):
            if now.patch_missing:
                yield self._finding(path, now, ratio)

    def _finding(self, path: str, now: FileCoverage, ratio: float) -> Finding:
        shown = ranges(now.patch_missing)
        return Finding(
            rules.PATCH,
            f"changed statements that no test executes: {shown}; of the whole change "
            f"{self.executed} of {self.statements} are executed, patch_ratio demands {ratio:g}",
            path=path,
            line=now.patch_missing[0],
            remedy="test these lines",
            evidence={
                "uncovered": shown,
                "statements": len(now.patch),
                "executed_of_all": self.executed,
                "statements_of_all": self.statements,
                "patch_ratio": ratio,
            },
        )


def untested(
    files: Mapping[str, FileCoverage],
    changed: Collection[str],
    moved: Collection[str],
    *,
    patched: bool,
    severity: Severity,
) -> Iterator[Finding]:
    """Changed files that no test executes: their bounds hold, and show nothing.

    Parameters
    ----------
    files: coverage of the measured ones.
    changed: paths that differ from the base commit.
    moved: paths that were moved or renamed; of them it is a note.
    patched: whether it is known which statements changed; a change of none is no change.
    severity: what a changed file means that is not of a move.
    """
    for path in sorted({*changed, *moved}):
        now = files.get(path)
        if now is None or now.executed or not now.statements:
            continue
        if path in moved:
            yield _untested(path, now, "before or after the move", Severity.INFO)
        elif now.patch or not patched:
            yield _untested(path, now, "and it changed", severity)


def _untested(path: str, now: FileCoverage, how: str, severity: Severity) -> Finding:
    return Finding(
        rules.NO_DATA,
        f"no test executes any of its {now.statements} statements, {how}: its bound says nothing",
        severity,
        path=path,
        remedy="add a test that imports it",
        evidence={"statements": now.statements, "changed": printable(ranges(now.patch))},
    )
