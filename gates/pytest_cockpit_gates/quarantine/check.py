"""One run of the gate, and one measurement of its baseline."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pytest_cockpit.analysis.files import python_files
from pytest_cockpit.api import CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.quarantine import child, marks, naming
from pytest_cockpit.quarantine.since import since
from pytest_cockpit.quarantine.source import spot
from pytest_cockpit.records import artifacts, baselines, promotions, text
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.quarantine import judging, ratchet
from pytest_cockpit_gates.quarantine.judging import Quarantined, Seen
from pytest_cockpit_gates.quarantine.settings import Settings

GATE = "quarantine"


@dataclass(frozen=True, slots=True)
class _Looked:
    seen: Seen
    collected: int | None
    cpu_s: float


def check(context: Context) -> Report:
    """Judge `context.root`."""
    today = marks.utc_today()
    where = baselines.path_of(context.records, GATE)
    stored = baselines.load(context.root, context.records, GATE) or Baseline(GATE)
    permitted = ratchet.places(stored.entries, where)
    looked = _look(context, today)
    seen = looked.seen
    # A batch does not mend tests: what it brings about is no warning of its own.
    eased = Severity.INFO if context.moves else Severity.WARNING
    found = [
        *judging.findings(seen, permitted, today),
        *judging.slack(seen, permitted, where, eased),
        *_loosened(context, seen, permitted, where),
    ]
    rows = [_row(context.root, seen.files, test, today) for test in seen.tests]
    document = {
        "schema": "pytest-cockpit/quarantine/1",
        "day": today.isoformat(),
        "quarantined": len(rows),
        "permitted": len(permitted),
        "collected": looked.collected,
        "tests": rows,
    }
    artifacts.write(context.scratch / "artifacts" / "quarantine.json", document, "quarantine")
    return Report.judge(
        _summary(seen, looked.collected, found),
        checked=len(seen.files),
        findings=found,
        evidence=(
            Evidence("tests", {"rows": rows}),
            Evidence("run", {"cpu_s": looked.cpu_s, "collected": looked.collected}),
        ),
    )


def measure(context: Context) -> dict[str, Any]:
    """The tests that are in quarantine today, as `entries`.

    Raises
    ------
    CockpitError: not all tests could be collected.
    """
    seen = _look(context, marks.utc_today(), runs=False).seen
    for finding in judging.lost(seen):
        where = finding.where or "the tests"
        raise CockpitError(f"quarantine: {where}: {finding.message}; {finding.remedy}")
    return {"entries": ratchet.entries(test.place for test in seen.tests), "meta": {}}


def _look(context: Context, today: date, *, runs: bool = True) -> _Looked:
    """What is in quarantine; nothing is started where no file names the marker."""
    settings = Settings.of(context.settings)
    files = python_files(context.root)
    naming_it = naming.naming(context.root, files)
    if not naming_it:
        return _Looked(Seen(files=files), None, 0.0)
    folders = settings.pythonpath
    setting = child.Setting(
        context.python,
        context.scratch,
        folders=context.lane.source_roots if folders is None else folders,
        keep=context.pass_environment,
        arguments=settings.paths,
    )
    run = child.observe(context.root, setting, runs=runs, timeout=settings.timeout_s)
    tests = tuple(
        Quarantined(
            it.id,
            it.path,
            it.line,
            it.keywords.get("issue"),
            marks.read(it.arguments, it.keywords),
            tuple(marks.complaints(it.arguments, it.keywords, today, settings.max_days)),
            run.seen.outcomes.get(it.id),
        )
        for it in run.seen.marked
    )
    whole = run.seen.exit is not None and run.seen.collected is not None
    seen = Seen(tests, run.seen.lost, naming_it, files, "" if whole else run.why)
    return _Looked(seen, run.seen.collected, run.cpu_s)


def _loosened(
    context: Context, seen: Seen, permitted: list[ratchet.Place], where: str
) -> Iterator[Finding]:
    base = promotions.baseline_at_base(context, GATE)
    if base is None:
        # There was none: nothing was permitted, and what is new is found by its own rule.
        return
    former = ratchet.places(base.entries, f"{where} at the base commit")
    yield from judging.loosened(former, permitted, seen.files, where)


def _row(root: Path, files: Collection[str], test: Quarantined, today: date) -> dict[str, Any]:
    """A test in the evidence and the artifact."""
    line, came = test.line, None
    # The test tells its path itself: only one of the tree's own files is looked at.
    if test.path in files and not (root / test.path).is_symlink():
        text = (root / test.path).read_text(encoding="utf-8", errors="replace")
        place = spot(text, test.id, test.issue)
        line = place.line if place else test.line
        came = since(root, test.path, line, today) if line else None
    return {
        "id": artifacts.printable(test.id),
        "path": artifacts.printable(test.path),
        "line": line,
        "issue": test.place.issue,
        "owner": artifacts.printable(test.mark.owner) if test.mark else None,
        "expires": test.mark.expires.isoformat() if test.mark else None,
        "since": came.day.isoformat() if came else None,
        "commit": came.commit if came else None,
        "age_days": came.age(today) if came else None,
        "outcome": judging.word(test),
    }


def _summary(seen: Seen, collected: int | None, found: list[Finding]) -> str:
    if not seen.naming:
        return f"no test in quarantine: none of {len(seen.files)} Python files names the marker"
    told = f"in quarantine: {len(seen.tests)}, and not all tests collected"
    if collected is not None:
        told = f"in quarantine: {len(seen.tests)} of {text.count(collected, 'test')}"
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.rule] = counts.get(finding.rule, 0) + 1
    parts = [f"{count} {rule.partition('.')[2]}" for rule, count in counts.items()]
    return ", ".join([told, *parts])
