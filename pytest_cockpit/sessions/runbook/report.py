"""A runbook as data: what each phase did, and what is otherwise than before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.records.text import count, parse
from pytest_cockpit.registry.contents import below
from pytest_cockpit.sessions.runbook import page
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.figures import figures
from pytest_cockpit.sessions.runbook.phases import (
    AFTER,
    BASELINE,
    BEFORE,
    NAMES,
    PRODUCTION,
    REPORT,
    Course,
    said,
)

SCHEMA = "pytest-cockpit/runbook_report/1"
JSON, MARKDOWN = "RUNBOOK_REPORT.json", "RUNBOOK_REPORT.md"

# What they generate stands for before and after: the same computation over both trees.
_MEASURED = ("registry", "dashboards")
_CHECKED = (BEFORE, AFTER)


def run(place: Place, course: Course) -> Result:
    """The phase that writes the report of those before it."""
    ground = place.repository, place.settings, course.identity, course.done
    data = document(*ground)
    created, modified = len(data["created"]), len(data["modified"])
    told = f"{count(created, 'file')} created, {modified:,} modified"
    return Result(Verdict.PASS, told, changes=Changes(_files(place.settings, data)))


def files(
    repository: Repository, settings: Config, identity: Identity, done: Sequence[Done]
) -> dict[str, bytes]:
    """The report of these phases as files, by path."""
    return _files(settings, document(repository, settings, identity, done))


def _files(settings: Config, data: Mapping[str, Any]) -> dict[str, bytes]:
    folder = settings.registry.output
    return {
        below(folder, JSON): artifacts.canonical(data),
        below(folder, MARKDOWN): page.of(data).encode(),
    }


def kept(repository: Repository, settings: Config, done: Sequence[Done]) -> dict[str, Any] | None:
    """The report as the last phase has committed it; None where it did not run."""
    one = _of(done, REPORT)
    if one is None:
        return None
    found = repository.blob(one.commit, below(settings.registry.output, JSON))
    return dict(parse(found or b"{}"))


def document(
    repository: Repository, settings: Config, identity: Identity, done: Sequence[Done]
) -> dict[str, Any]:
    """The report as far as the runbook came; see `schemas/runbook_report.json`."""
    done = [one for one in done if one.phase != REPORT]
    head = done[-1].commit if done else identity.base
    commits = {one.phase: one.commit for one in done}
    tags = {BASELINE: identity.baseline_tag, PRODUCTION: identity.tag}
    changed = repository.changes(identity.base, head)
    befores = [identity.base, *(one.commit for one in done)]
    return {
        "schema": SCHEMA,
        "runbook_id": identity.runbook_id,
        "base": identity.base,
        "settings_sha256": identity.settings_sha256,
        "missing": [name for name in NAMES if name not in commits and name != REPORT],
        "tags": [
            {"tag": tag, "freeze": phase.partition(":")[2], "commit": commits.get(phase)}
            for phase, tag in tags.items()
        ],
        "phases": [
            _phase(one, repository.changes(before, one.commit))
            for one, before in zip(done, befores, strict=False)
        ],
        "gates": {
            name: verdict.value for one in done for name, verdict in sorted(one.gates.items())
        },
        "checks": {
            name.partition(":")[2]: _counts(found)
            for name in _CHECKED
            if (found := _of(done, name)) is not None
        },
        "totals": _totals(done),
        "metrics": [
            *_figures(repository, settings.registry.output, commits),
            *_checks(done),
            *_rows(repository, settings.ledger, identity.base, head),
        ],
        "created": _paths(path for path, (old, _) in changed.items() if old is None),
        "modified": _paths(path for path, pair in changed.items() if None not in pair),
    }


def _phase(one: Done, changed: Mapping[str, tuple[Entry | None, Entry | None]]) -> dict[str, Any]:
    return {
        "phase": one.phase,
        "verdict": one.verdict.value,
        "summary": one.summary,
        "at": one.at,
        "wall_s": one.wall_s,
        "cpu_s": one.cpu_s,
        "commit": one.commit,
        "created": sum(old is None for old, _ in changed.values()),
        "modified": sum(None not in pair for pair in changed.values()),
        "facts": dict(one.facts),
    }


def _totals(done: Sequence[Done]) -> dict[str, int]:
    """Phases and gates by verdict; a skip is never among the passed."""
    counts = Counter(one.verdict for one in done)
    counts += Counter(verdict for one in done for verdict in one.gates.values())
    return {verdict.value: counts[verdict] for verdict in Verdict}


def _checks(done: Sequence[Done]) -> Iterator[dict[str, Any]]:
    found = [_counts(one) if (one := _of(done, name)) else {} for name in _CHECKED]
    for verdict in Verdict:
        pair = [counts.get(verdict.value) for counts in found]
        if any(pair) or verdict is Verdict.PASS:
            yield _metric(f"checks: {verdict}", *pair)


def _counts(checkpoint: Done) -> dict[str, int]:
    counts = Counter(said(checkpoint).values())
    return {verdict.value: counts[verdict] for verdict in Verdict}


def _figures(
    repository: Repository, folder: str, commits: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    """What the generated documents count, before and after; None where a phase did not run."""
    before, after = (
        _counted(repository, commits[phase], folder) if phase in commits else {}
        for phase in _MEASURED
    )
    for name in dict.fromkeys((*before, *after)):
        yield _metric(name, before.get(name), after.get(name))


def _counted(repository: Repository, commit: str, folder: str) -> dict[str, int | float | None]:
    try:
        return figures(partial(_document, repository, commit, folder))
    except (KeyError, TypeError, ValueError) as error:
        raise CockpitError(
            f"{folder}: has no documents in {commit[:12]} that figures can be told by; leave out "
            "--cockpit-resume to begin anew"
        ) from error


def _document(repository: Repository, commit: str, folder: str, name: str) -> Mapping[str, Any]:
    return dict(parse(repository.blob(commit, below(folder, name)) or b"{}"))


def _paths(paths: Iterable[str]) -> list[str]:
    return sorted(map(artifacts.printable, paths))


def _rows(repository: Repository, path: str, base: str, head: str) -> Iterator[dict[str, Any]]:
    """How many rows of each kind the ledger has."""
    before, after = (
        Counter(str(row.get("kind")) for row in ledger.rows(repository.blob(commit, path) or b""))
        for commit in (base, head)
    )
    for kind in sorted(before.keys() | after.keys()):
        yield _metric(f"rows of the ledger: {kind}", before[kind], after[kind])


def _metric(name: str, before: Any, after: Any) -> dict[str, Any]:
    return {"name": name, "before": before, "after": after}


def _of(done: Sequence[Done], phase: str) -> Done | None:
    return next((one for one in done if one.phase == phase), None)
