"""One run of the gate, and one measurement of its baseline."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Context, Evidence, Finding, Report, Severity
from pytest_cockpit.quarantine import child, marks
from pytest_cockpit.quarantine.since import since
from pytest_cockpit.quarantine.source import spot
from pytest_cockpit.records import artifacts, baselines, promotions
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit_gates.quarantine import judging, ratchet
from pytest_cockpit_gates.quarantine.judging import Quarantined, Seen
from pytest_cockpit_gates.quarantine.settings import Settings

GATE = "quarantine"

_LIST = ("ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", "*.py")


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
    if seen.ended and not seen.tests:
        raise CockpitError(f"quarantine: the tests could not be collected: {seen.ended}")
    return {"entries": ratchet.entries(test.place for test in seen.tests), "meta": {}}


def python_files(root: Path) -> frozenset[str]:
    """Repository-relative paths of the Python files of a tree, printable ones only."""
    listed = None
    # Below a folder that git ignores, git would list nothing: the tree must be a checkout itself.
    if (root / ".git").exists():
        done = process.run(
            ["git", "-c", "core.fsmonitor=false", *_LIST], cwd=root, env=process.environment()
        )
        listed = None if done.returncode else done.stdout
    if listed is None:
        return frozenset(_walked(root))
    return frozenset(os.fsdecode(name) for name in listed.split(b"\0") if name)


def _look(context: Context, today: date, *, runs: bool = True) -> _Looked:
    """What is in quarantine; nothing is started where no file names the marker."""
    settings = Settings.of(context.settings)
    files = python_files(context.root)
    naming = frozenset(path for path in files if _names_marker(context.root / path))
    if not naming:
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
    seen = Seen(tests, run.seen.lost, naming, files, "" if whole else run.why)
    return _Looked(seen, run.seen.collected, run.cpu_s)


def _names_marker(path: Path) -> bool:
    try:
        return not path.is_symlink() and marks.MARKER.encode() in path.read_bytes()
    except OSError:
        return False


def _walked(root: Path) -> Iterator[str]:
    for folder, names, files in os.walk(root):
        here = Path(folder)
        names[:] = [
            name
            for name in names
            if not name.startswith(".") and not (here / name / "pyvenv.cfg").exists()
        ]
        for name in files:
            if name.endswith(".py"):
                yield (here / name).relative_to(root).as_posix()


def _loosened(
    context: Context, seen: Seen, permitted: list[ratchet.Place], where: str
) -> Iterator[Finding]:
    if context.base is None:
        return
    shown = process.run(
        ["git", "show", f"{context.base}:{where}"], cwd=context.root, env=process.environment()
    )
    if shown.returncode:
        # There was none: nothing was permitted, and what is new is found by its own rule.
        return
    made = (*context.moves, *promotions.since_base(context))
    base = baselines.renamed(baselines.parse(shown.stdout, where), made)
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
        "age_days": (today - came.day).days if came else None,
        "outcome": judging.word(test),
    }


def _summary(seen: Seen, collected: int | None, found: list[Finding]) -> str:
    if not seen.naming:
        return f"no test in quarantine: none of {len(seen.files)} Python files names the marker"
    told = f"in quarantine: {len(seen.tests)} of {collected} tests"
    if collected is None:
        told = f"in quarantine: {len(seen.tests)}, and not all tests collected"
    counts: dict[str, int] = {}
    for finding in found:
        counts[finding.rule] = counts.get(finding.rule, 0) + 1
    parts = [f"{count} {rule.partition('.')[2]}" for rule, count in counts.items()]
    return ", ".join([told, *parts])
