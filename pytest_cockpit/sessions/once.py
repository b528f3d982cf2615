"""A gate is run once, however many items and worker processes ask for its report."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from filelock import FileLock

from pytest_cockpit.api import Report
from pytest_cockpit.records import artifacts


class Once:
    """The reports of one session, each made when it is first asked for.

    Parameters
    ----------
    judge: runs the gate of this name.
    shared: existing folder through which the workers of a distributed run share reports;
        None where only this process asks.
    """

    def __init__(self, judge: Callable[[str], Report], shared: Path | None) -> None:
        self._judge = judge
        self._shared = shared
        self._reports: dict[str, Report] = {}

    def has(self, gate: str) -> bool:
        """Whether the gate's report was made, here or by another process."""
        return gate in self._reports or (
            self._shared is not None and (self._shared / f"{gate}.json").is_file()
        )

    def report(self, gate: str) -> Report:
        """The gate's report, after waiting for whichever process is making it."""
        if gate not in self._reports:
            self._reports[gate] = self._made(gate)
        return self._reports[gate]

    def _made(self, gate: str) -> Report:
        if self._shared is None:
            return self._judge(gate)
        path = self._shared / f"{gate}.json"
        with FileLock(path.with_suffix(".lock")):
            if path.is_file():
                return Report.from_json(artifacts.read(path))
            report = self._judge(gate)
            artifacts.write(path, report.to_json())
            return report
