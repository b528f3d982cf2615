"""The six numbers of the migration, each with a light, its evidence and its age.

They are computed from the ledger, from git and from artifacts that a session vouches for. What is
not there, is of another commit or is too old is `unknown`, and never a zero.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

from pytest_cockpit.api import CockpitError
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import history, readings, velocity
from pytest_cockpit.promotion.evidence import Kept, Shelf
from pytest_cockpit.promotion.history import Landing, Size
from pytest_cockpit.promotion.velocity import Forecast, Weeks
from pytest_cockpit.records import days, text

SCHEMA = "pytest-cockpit/metrics/1"

_BEFORE = 4


class Light(enum.StrEnum):
    """How a number looks to somebody who decides."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Metric:
    """One number.

    Parameters
    ----------
    value: None where it is unknown.
    summary: the number in words, or why there is none.
    at: when it was measured; None where it is unknown.
    """

    name: str
    light: Light
    summary: str
    value: float | None = None
    unit: str = "files"
    evidence: Mapping[str, Any] = field(default_factory=dict)
    at: datetime | None = None

    def to_json(self, now: datetime) -> dict[str, Any]:
        """The number as data."""
        age = None if self.at is None else max((now - self.at).total_seconds(), 0.0)
        return {
            "name": self.name,
            "light": self.light.value,
            "value": self.value,
            "unit": self.unit,
            "summary": self.summary,
            "evidence": dict(self.evidence),
            "age_s": None if age is None else round(age),
        }


@dataclass(frozen=True)
class Ground:
    """What the numbers are computed from: one commit, at one moment.

    `own` is what the session that asks has written.
    """

    repository: Repository
    config: Config
    commit: str
    now: datetime
    own: tuple[Path, ...] = ()

    @cached_property
    def landings(self) -> tuple[Landing, ...]:
        """Batches and rollbacks in the commit's history."""
        return history.landings(self.repository, self.commit, self.config.ledger, self.config.lane)

    @cached_property
    def sizes(self) -> tuple[Size, ...]:
        """The lane's size after each commit that changed it."""
        return history.sizes(self.repository, self.commit, self.config.lane)

    @cached_property
    def waiting(self) -> int:
        """Files that wait in the lane."""
        return history.waiting(self.repository, self.commit, self.config.lane)

    @property
    def largest(self) -> int:
        """The most files that ever waited."""
        return max((size.files for size in self.sizes), default=self.waiting)

    @property
    def allowed(self) -> int:
        """How many may remain in the end."""
        return int(self.config.done.lane_share * self.largest)

    @property
    def weeks(self) -> Weeks:
        """Whole weeks up to now."""
        return velocity.weeks(
            ((one.at, one.files) for one in self.landings),
            [(one.at, one.files) for one in self.sizes],
            self.now,
        )

    def forecast(self) -> Forecast:
        """When the lane will have drained to what may remain.

        Raises
        ------
        CockpitError: the history or the ledger cannot be read.
        """
        return velocity.forecast(self.waiting - self.allowed, self.weeks)

    def kept(self, gate: str, beside: str = "") -> Kept | str:
        """A gate's report on this commit, or why there is none that counts."""
        if gate not in self.config.gates:
            return f"{gate} is not among the configured gates"
        reason = self.config.skip(gate)
        if reason is not None:
            return f"{gate} is declared not applicable: {reason}"
        return self._shelf.kept(gate, self.repository.tree(self.commit), self.now, beside)

    @cached_property
    def _shelf(self) -> Shelf:
        config = self.config
        return Shelf(self.repository.root, config.artifacts, self.own, self.now, config.digest())


def measure(ground: Ground) -> list[Metric]:
    """All six, in the order in which they are shown."""
    return list(_measured(ground))


def document(ground: Ground, metrics: list[Metric]) -> dict[str, Any]:
    """The numbers as an artifact."""
    return {
        "schema": SCHEMA,
        "commit": ground.commit,
        "at": ground.now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "metrics": [metric.to_json(ground.now) for metric in metrics],
    }


def _measured(ground: Ground) -> Iterator[Metric]:
    steps: tuple[tuple[str, Callable[[Ground, str], Metric]], ...] = (
        ("lane", _lane),
        ("promoted", _promoted),
        ("matriz", _matriz),
        ("coverage", _coverage),
        ("quarantine", _quarantine),
        ("imports", _imports),
    )
    for name, step in steps:
        try:
            yield step(ground, name)
        except CockpitError as error:
            yield Metric(name, Light.UNKNOWN, str(error), unit=_UNITS.get(name, "files"))


_UNITS = {"matriz": "%", "coverage": "points", "quarantine": "tests", "imports": "modules"}


def _lane(ground: Ground, name: str) -> Metric:
    waiting, largest = ground.waiting, ground.largest
    before = [size.files for size in ground.sizes if size.at <= ground.now - velocity.WEEK * 4]
    if waiting <= ground.allowed:
        light = Light.GREEN
    elif before and waiting >= before[-1]:
        light = Light.RED
    else:
        light = Light.AMBER
    said = f"{waiting} of {largest} files wait; {ground.allowed} may remain"
    evidence = {"largest": largest, "may_remain": ground.allowed, "commit": ground.commit}
    return Metric(name, light, said, waiting, "files", evidence, ground.now)


def _promoted(ground: Ground, name: str) -> Metric:
    zone = days.zone(ground.config.calendar.timezone) or UTC
    today = ground.now.astimezone(zone).replace(hour=0, minute=0, second=0, microsecond=0)
    monday = today - timedelta(days=today.weekday())
    found = [one for one in ground.landings if monday <= one.at <= ground.now]
    files = sum(one.files for one in found)
    usual = ground.weeks.promoted[-_BEFORE:]
    mean = sum(usual) / len(usual) if usual else None
    if not ground.landings:
        light, beside = Light.AMBER, "no batch has been merged yet"
    elif mean is None:
        light, beside = Light.GREEN if files > 0 else Light.AMBER, "the first week"
    else:
        beside = f"{mean:.1f} in one of the last {len(usual)} weeks"
        # A week that has just begun is compared with as much of the others.
        share = (ground.now - monday) / velocity.WEEK
        light = Light.GREEN if files >= mean * share else Light.AMBER
        light = Light.RED if not files and not mean and ground.waiting else light
    evidence = {
        "since": monday.isoformat(),
        "batches": [one.batch_id for one in found],
        "weeks": list(usual),
    }
    return Metric(
        name,
        light,
        f"{text.count(files, 'file')} since Monday; {beside}",
        files,
        "files",
        evidence,
        ground.now,
    )


def _matriz(ground: Ground, name: str) -> Metric:
    kept = _demanded(ground, "matriz")
    rate, bad, count = readings.matriz(kept.report)
    verdict = kept.report["verdict"]
    light = {"pass": Light.GREEN, "warn": Light.AMBER}.get(verdict, Light.RED)
    if verdict in ("unknown", "error"):
        raise CockpitError(f"matriz is {verdict}: {kept.report['summary']}")
    said = f"{count - bad} of {count} contracts without errors"
    evidence = {"verdict": verdict, "with_errors": bad, "contracts": count, "session": kept.session}
    return Metric(name, light, said, round(100 * rate, 2), "%", evidence, kept.at)


def _coverage(ground: Ground, name: str) -> Metric:
    kept = _demanded(ground, "coverage", "coverage_ratchet.json")
    delta, lines, files = readings.coverage_delta(kept.beside)
    light = Light.RED if delta < 0 else Light.GREEN
    if kept.report["verdict"] == "warn":
        light = Light.AMBER
    elif kept.report["verdict"] == "fail":
        light = Light.RED
    elif kept.report["verdict"] != "pass":
        raise CockpitError(f"coverage is {kept.report['verdict']}: {kept.report['summary']}")
    said = f"{lines:+d} executed statements in {text.count(files, 'file')} with a bound"
    evidence = {
        "verdict": kept.report["verdict"],
        "statements": lines,
        "files": files,
        "session": kept.session,
    }
    return Metric(name, light, said, delta, "points", evidence, kept.at)


def _quarantine(ground: Ground, name: str) -> Metric:
    kept = _demanded(ground, "quarantine", "quarantine.json")
    count, permitted = readings.quarantined(kept.beside)
    verdict = kept.report["verdict"]
    if verdict in ("unknown", "error"):
        raise CockpitError(f"quarantine is {verdict}: {kept.report['summary']}")
    light = Light.AMBER if count else Light.GREEN
    light = Light.RED if verdict == "fail" else light
    said = f"{text.count(count, 'test')} in quarantine, {permitted} permitted"
    evidence = {"verdict": verdict, "permitted": permitted, "session": kept.session}
    return Metric(name, light, said, count, "tests", evidence, kept.at)


def _imports(ground: Ground, name: str) -> Metric:
    kept = _demanded(ground, "imports", "import_failures.json")
    found = readings.import_failures(kept.beside)
    verdict = kept.report["verdict"]
    if verdict in ("unknown", "error"):
        raise CockpitError(f"imports is {verdict}: {kept.report['summary']}")
    count = found.failed + found.untried
    # What a batch has not tried may fail since: nothing is green by what is only believed.
    light = Light.AMBER if count or not found.whole else Light.GREEN
    light = Light.RED if found.failed > found.permitted or verdict == "fail" else light
    evidence = {
        "verdict": verdict,
        "whole": found.whole,
        "tried": found.tried,
        "permitted": found.permitted,
        "untried": found.untried,
        "session": kept.session,
    }
    return Metric(name, light, found.told, count, "modules", evidence, kept.at)


def _demanded(ground: Ground, gate: str, beside: str = "") -> Kept:
    kept = ground.kept(gate, beside)
    if isinstance(kept, str):
        raise CockpitError(kept)
    return kept
