"""`--cockpit-dashboard`: the six numbers of the migration, and when it will be done.

Nothing is measured anew: the numbers come from git, from the ledger and from what earlier sessions
found on this very commit. What none of them found is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.forge.api import Forge
from pytest_cockpit.forge.connecting import connect
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion import metrics, velocity
from pytest_cockpit.promotion.metrics import Ground, Light, Metric
from pytest_cockpit.promotion.velocity import Forecast
from pytest_cockpit.records import artifacts, waiver_ledger
from pytest_cockpit.records.waivers import Situation
from pytest_cockpit.sessions import ci, dashboard_page
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.sealing import Sealing
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.takeover import take_over
from pytest_cockpit.sessions.waiving import started_with

PLAN = "dashboard.plan.jsonl"
SCHEMA = "pytest-cockpit/dashboard/1"
KEY = "dashboard"

_VERDICTS = {
    Light.GREEN: Verdict.PASS,
    Light.AMBER: Verdict.WARN,
    Light.RED: Verdict.FAIL,
    Light.UNKNOWN: Verdict.UNKNOWN,
}


def conduct(config: pytest.Config) -> DashboardConductor:
    """Plan one step for each number, and one for the forecast."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load_checked(repository.root, config.option.cockpit_set)
    folder = artifacts_folder(repository.root, settings)
    header = take_over(config, folder / PLAN)
    ground = Ground(repository, settings, repository.resolve("HEAD"), datetime.now(UTC))
    conductor = DashboardConductor(config, ground)
    conductor.write_plan()
    conductor.header = [*header, f"cockpit: the migration as of {ground.commit[:12]}"]
    return conductor


class DashboardConductor(Conductor):
    """Shows each number as an item, and writes all of them for people and for programs."""

    def __init__(self, config: pytest.Config, ground: Ground) -> None:
        self.ground = ground
        folder = Path(ground.repository.root) / ground.config.artifacts
        self.before = _before(folder / "dashboard.json")
        found = metrics.measure(ground)
        self.document = document(ground, found)
        steps = [
            Step(f"metric:{metric.name}", "metric", partial(_shown, metric)) for metric in found
        ]
        steps.append(Step("forecast", "forecast", self._forecast))
        super().__init__(
            config,
            mode="dashboard",
            root=Path(ground.repository.root),
            folder=folder,
            steps=Steps(folder / PLAN, steps),
            halts=False,
        )
        self.facts = {"base": ground.commit}

    def _forecast(self) -> Outcome:
        unknown = self.document["forecast"]["reason"]
        said = dashboard_page.forecast(self.document["forecast"])
        return Outcome(Verdict.UNKNOWN if unknown else Verdict.PASS, said)

    def finish(self, exitstatus: int) -> None:
        """Write the dashboard, its page and the summary, then the record; tell who waits for it."""
        if self.config.option.collectonly:
            return
        try:
            self.keep(self.folder / "dashboard.json", self.document, "dashboard")
            for name, page in (
                ("dashboard.md", dashboard_page.comment(self.document, self.before)),
                ("executive_summary.md", dashboard_page.summary(self.document, self.before)),
            ):
                self.keep_bytes(self.folder / name, page.encode())
        except CockpitError as error:
            self.say(f"the dashboard was not written: {error}")
        super().finish(exitstatus)
        self._tell()

    def _tell(self) -> None:
        variables = started_with()
        request = ci.pull_request(variables) if ci.Pipeline.of(variables).any else None
        number = request or self.ground.config.forge.issue
        if not number:
            return
        connection = connect(self.ground.repository, self.ground.config, say=self.say)
        if connection.forge is None:
            self.say(_unshown(connection.why))
            return
        text = dashboard_page.comment(self.document, self.before)
        self.say(show(connection.forge, number, text, issue=request is None))

    def conclude(self, terminal: Any) -> None:
        """Show the numbers as a table."""
        terminal.section("cockpit: dashboard")
        for line in dashboard_page.table(self.document, self.before):
            terminal.write_line(line)


def page(sealing: Sealing, own: Iterable[Path]) -> str:
    """The dashboard of what was sealed, for its pull request; empty where there is none.

    To be asked for before the session's record is written: that takes the place of an earlier
    one's, which vouches for what the gates found that this session did not run again.

    Parameters
    ----------
    own: what this session has written.
    """
    if sealing.pull is None or sealing.pull.merged:
        return ""
    written = tuple(path for path in own if path.is_file())
    now = datetime.now(UTC)
    ground = Ground(sealing.repository, sealing.config, sealing.shown, now, written)
    return dashboard_page.comment(document(ground, metrics.measure(ground)), None)


def below(sealing: Sealing, text: str) -> list[str]:
    """Show the dashboard below the pull request, where there is one; what to say of it."""
    pull, forge = sealing.pull, sealing.connection.forge
    return [show(forge, pull.number, text)] if text and pull and forge else []


def show(forge: Forge, number: int, text: str, *, issue: bool = False) -> str:
    """Make the text the one dashboard of a pull request or issue; what to say of it."""
    try:
        return f"dashboard: {forge.comment(number, KEY, text, issue=issue)}"
    except CockpitError as error:
        return _unshown(str(error))


def _unshown(why: str) -> str:
    return f"the dashboard was shown to nobody: {why.splitlines()[0]}"


def document(ground: Ground, found: list[Metric]) -> dict[str, Any]:
    """The dashboard as data; see `schemas/dashboard.json`."""
    ahead = _forecast(ground)
    low, median, high = (
        None if day is None else day.isoformat()
        for day in (
            velocity.dated(weeks, ground.now) for weeks in (ahead.low, ahead.median, ahead.high)
        )
    )
    return {
        **metrics.document(ground, found),
        "schema": SCHEMA,
        "forecast": {
            "remaining": ahead.remaining,
            "per_week": ahead.rate,
            "probability": velocity.SHARE,
            "low": low,
            "median": median,
            "high": high,
            "reason": ahead.reason,
        },
        "waivers": _waivers(ground),
    }


def _shown(metric: Metric) -> Outcome:
    return Outcome(_VERDICTS[metric.light], metric.summary)


def _forecast(ground: Ground) -> Forecast:
    try:
        return ground.forecast()
    except CockpitError as error:
        return Forecast(0, velocity.Weeks((), ()), reason=str(error))


def _before(path: Path) -> dict[str, Any] | None:
    """The dashboard that was written last, to compare with; a broken one compares with nothing."""
    try:
        document: dict[str, Any] = artifacts.read(path, "dashboard")
    except CockpitError:
        return None
    return document


def _waivers(ground: Ground) -> list[dict[str, str]]:
    """Waivers that hold, the one that ends first first."""
    root, settings = Path(ground.repository.root), ground.config
    book, today = waiver_ledger.standing(root, settings.ledger, ground.commit, None)
    here = Situation(today, max_days=settings.waivers.max_days)
    rows = [waiver.to_json() for waiver in book.waivers if book.refusal(waiver, here) is None]
    return sorted(rows, key=lambda row: (row["expires"], row["id"]))
