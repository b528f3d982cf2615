"""`--cockpit-done`: what is missing until the migration is done, and when it will be."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import pytest

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion import leftovers, readings, velocity
from pytest_cockpit.promotion.evidence import Kept
from pytest_cockpit.promotion.leftovers import Leftovers
from pytest_cockpit.promotion.velocity import Forecast
from pytest_cockpit.records import artifacts, baselines, waivers, waiving
from pytest_cockpit.records.text import parse
from pytest_cockpit.records.waivers import Situation
from pytest_cockpit.sessions import gating, words
from pytest_cockpit.sessions.examining import (
    Check,
    ExaminingConductor,
    Scene,
    failed,
    named,
    passed,
    skipped,
    unknown,
    warned,
)
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.preflight_place import Place

SCHEMA = "pytest-cockpit/done/1"


def conduct(config: pytest.Config) -> DoneConductor:
    """Plan one item for each thing that has to hold in the end."""
    scene = Scene.of(config)
    lock = SessionLock(scene.repository.common_dir)
    # Its gates write where those of a batch do.
    if not config.option.collectonly:
        lock.acquire("done")
    try:
        return DoneConductor(scene, lock)
    except BaseException:
        lock.release()
        raise


class DoneConductor(ExaminingConductor):
    """Holds `HEAD` against the definition of done; measures what no session vouches for."""

    def __init__(self, scene: Scene, lock: SessionLock) -> None:
        self.lock = lock
        self.bench = gating.Bench.of(scene.repository, scene.settings)
        self.forecast: Forecast | None = None
        checks = (
            Check("configuration/committed", Place(scene).committed),
            Check("lane/share", self._share),
            Check("lane/forecast", self._forecast),
            Check("gates/matriz", self._matriz),
            Check("gates/quarantine", self._quarantine),
            Check("gates/coverage", self._coverage),
            Check("gates/imports", self._import_health),
            Check("legacy/imports", self._imports),
            Check("legacy/shims", self._shims),
            Check("waivers/open", self._waivers),
        )
        super().__init__(scene, mode="done", checks=checks, title="definition of done")

    def _share(self) -> Outcome:
        ground = self.scene.ground
        share = self.scene.settings.done.lane_share
        said = (
            f"{ground.waiting:,} of {ground.largest:,} files wait, "
            f"{ground.allowed:,} may ({share:.0%} of the most there were)"
        )
        if ground.waiting > ground.allowed:
            more = words.count(ground.waiting - ground.allowed, "more file")
            return failed(said, f"promote or delete {more}")
        return passed(said)

    def _forecast(self) -> Outcome:
        ground = self.scene.ground
        self.forecast = found = ground.forecast()
        if not found.remaining:
            return passed("nothing is left to drain")
        if found.reason:
            return unknown(found.reason, "promote, and ask again")
        told = _told(found)
        if found.median is None or found.low is None:
            return failed(
                f"not within ten years at this pace: {told}", "promote more than is added"
            )
        days = [velocity.dated(weeks, ground.now) for weeks in (found.low, found.high)]
        until = f"and {days[1]}" if days[1] else "and never"
        likely = velocity.dated(found.median, ground.now)
        return warned(f"drained by {likely}, between {days[0]} {until} with 80 % probability", told)

    def _matriz(self) -> Outcome:
        report = self._report("matriz")
        if isinstance(report, Outcome):
            return report
        rate, bad, count = readings.matriz(report)
        said = f"{rate:.1%}: {count - bad} of {count} contracts without errors"
        waived = [row for item in report["evidence"] for row in _waived(item)]
        if bad or waived or not Verdict(report["verdict"]).opens:
            also = f"; {words.count(len(waived), 'waiver')} in use" if waived else ""
            return failed(f"{said}{also}", report["summary"])
        return passed(said)

    def _quarantine(self) -> Outcome:
        report = self._report("quarantine", "quarantine.json")
        if isinstance(report, Outcome):
            return report
        count, _ = readings.quarantined(report["beside"])
        if count:
            tests = [str(test["id"]) for test in report["beside"]["tests"]]
            return failed(
                f"{words.count(count, 'test')} in quarantine: {named(tests)}",
                "pytest --cockpit-quarantine shows what would make each pass",
            )
        if not Verdict(report["verdict"]).opens:
            said = f"no test is in quarantine; the gate is {report['verdict']}"
            return failed(said, report["summary"])
        return passed("no test is in quarantine")

    def _coverage(self) -> Outcome:
        report = self._report("coverage")
        if isinstance(report, Outcome):
            return report
        commit, statements_then, missing_then = self._first_coverage()
        statements, missing = readings.coverage(report)
        now, then = 1 - missing / statements, 1 - missing_then / statements_then
        said = f"{now:.2%} of statements, {then:.2%} in the first baseline ({commit[:12]})"
        # Compared as fractions: nothing is lost to rounding.
        if missing * statements_then > missing_then * statements:
            return failed(said, "test what is not covered any more; artifacts/coverage_ratchet.md")
        if not Verdict(report["verdict"]).opens:
            return failed(f"{said}; the gate is {report['verdict']}", report["summary"])
        return passed(said)

    def _import_health(self) -> Outcome:
        report = self._report("imports", "import_failures.json")
        if isinstance(report, Outcome):
            return report
        found = readings.import_failures(report["beside"])
        if not Verdict(report["verdict"]).opens:
            said = f"{found.told}; the gate is {report['verdict']}"
            return failed(said, report["summary"])
        if found.failed + found.untried:
            return warned(found.told, "repair or delete them: artifacts/import_failures.json")
        return passed(found.told)

    def _first_coverage(self) -> tuple[str, int, int]:
        """The commit that brought the first baseline, with its statements and missing ones."""
        repository, where = self.scene.repository, self._baseline
        if repository.is_shallow():
            raise CockpitError("the history is cut off here; git fetch --unshallow")
        listing = ("--literal-pathspecs", "log", "--first-parent", "-m", "--no-renames")
        options = ("--diff-filter=A", "--format=%H", self.scene.head, "--", where)
        found = repository.run(*listing, *options).stdout.split()
        if not found:
            raise CockpitError(f"{where}: was never committed; pytest --cockpit-init measures it")
        commit = found[-1].decode()
        baseline = baselines.parse(repository.blob(commit, where) or b"", f"{commit[:12]}:{where}")
        return commit, *readings.coverage_of_baseline(baseline.entries)

    @property
    def _baseline(self) -> str:
        return baselines.path_of(self.scene.settings.records, "coverage")

    @cached_property
    def leftovers(self) -> Leftovers:
        """What still goes through the lane's path."""
        scene = self.scene
        return leftovers.find(scene.repository, scene.head, scene.settings.lane)

    def _imports(self) -> Outcome:
        uses = [use for use in self.leftovers.uses if not use.in_test]
        if uses:
            places = [f"{use.path}:{use.line} {use.module}" for use in uses]
            files = words.count(len({use.path for use in uses}), "file")
            return failed(
                f"{files} outside the lane and tests import from it: {named(places)}",
                "import the new names, or promote what they need",
            )
        return passed("nothing outside the lane and tests imports from it")

    def _shims(self) -> Outcome:
        shims = self.leftovers.shims
        used = [shim for shim in shims if shim.users]
        if not shims:
            return passed("no compatibility module is left")
        said = f"{words.count(len(shims), 'compatibility module')} left, {len(used)} still used"
        users = sorted({user for shim in used for user in shim.users})
        if users:
            return warned(f"{said} by {named(users)}", "let these use the new names first")
        return warned(f"{said} in this repository", "announce a day for their removal")

    def _waivers(self) -> Outcome:
        settings, ground = self.scene.settings, self.scene.ground
        book = waivers.read(self.scene.blob(settings.ledger) or b"")
        if book.fault:
            return unknown(book.fault, "restore the ledger from git")
        today = waivers.latest(ground.now, book.written)
        situation = Situation(today, max_days=settings.waivers.max_days, clock=ground.now.date())
        found = [waiver for waiver in book.waivers if not book.refusal(waiver, situation)]
        if found:
            told = [f"{waiver.id} ({waiver.owner}, until {waiver.expires})" for waiver in found]
            return failed(
                f"{words.count(len(found), 'open waiver')}: {named(told)}",
                "repair what each covers, then end it: cockpit unwaive ID",
            )
        return passed("no waiver is open")

    def _report(self, gate: str, beside: str = "") -> dict[str, Any] | Outcome:
        """A gate's report on `HEAD`: one that tells and a session vouches for, or a new one."""
        settings = self.scene.settings
        if gate not in settings.gates or gate not in discovery.gates().loaded:
            return unknown(f"{gate} is not among the configured gates", f"add {gate!r} to gates")
        reason = settings.skip(gate)
        if reason is not None:
            return skipped(f"declared not applicable: {reason}")
        kept = self.scene.ground.kept(gate, beside)
        # What could not be told then may be told now: an extra may have been installed since.
        if not isinstance(kept, str) and _tells(kept):
            return {**kept.report, "beside": kept.beside}
        head = self.scene.head
        report, outcome = self.bench.judge(self, gate, base=head, commit=head)
        if report.verdict in (Verdict.UNKNOWN, Verdict.ERROR):
            return Outcome(Verdict.UNKNOWN, outcome.summary, outcome.text)
        document = {"gate": gate, **report.to_json()}
        return {**document, "beside": self._written(beside) if beside else {}}

    def _written(self, name: str) -> dict[str, Any]:
        """What a gate has just written beside its report.

        Raises
        ------
        CockpitError: it has not, or not an object; what an earlier session left does not count.
        """
        path = self.folder / name
        try:
            found = parse(path.read_bytes()) if path in self.written else None
        except (OSError, ValueError) as error:
            raise CockpitError(f"{name}: the gate wrote none that can be read") from error
        if not isinstance(found, dict):
            raise CockpitError(f"{name}: the gate wrote no such object")
        return found

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self.lock.release()

    def keep_document(self) -> None:
        """Write `done.json`."""
        self.measured()
        missing = [
            row["name"] for row in self.rows if row["verdict"] in ("fail", "unknown", "error")
        ]
        whole = len(self.rows) == len(self.steps.steps)
        data = {
            "schema": SCHEMA,
            **self.document(),
            "done": whole and not missing,
            "missing": missing,
            "forecast": self._forecast_document(),
            "shims": [
                {
                    "path": artifacts.printable(shim.path),
                    "module": shim.module,
                    "users": [artifacts.printable(user) for user in shim.users],
                }
                for shim in vars(self).get("leftovers", Leftovers((), ())).shims
            ],
        }
        self.keep(self.folder / "done.json", data, "done")

    def _forecast_document(self) -> dict[str, Any] | None:
        found = self.forecast
        if found is None:
            return None
        now = self.scene.ground.now
        days = {
            name: velocity.dated(weeks, now)
            for name, weeks in (("from", found.low), ("likely", found.median), ("to", found.high))
        }
        return {
            "remaining": found.remaining,
            "weeks": len(found.weeks.drained),
            "promoted": list(found.weeks.promoted),
            "grown": list(found.weeks.grown),
            "low": found.low,
            "median": found.median,
            "high": found.high,
            **{name: day and day.isoformat() for name, day in days.items()},
            "reason": found.reason,
        }


def _told(found: Forecast) -> str:
    """What a forecast is made from, in words."""
    weeks = found.weeks
    count = len(weeks.drained)
    promoted, grown = (sum(each) / count for each in (weeks.promoted, weeks.grown))
    return (
        f"{found.remaining:,} files to go; in {count} weeks {promoted:.1f} a week promoted, "
        f"{grown:+.1f} a week added; the weeks to come are taken to be like these, and files that "
        "cannot move yet to move as fast"
    )


def _tells(kept: Kept) -> bool:
    """Whether a report of before answers for all of the commit, and not for a batch's part."""
    return (
        kept.report["verdict"] not in ("unknown", "error") and kept.beside.get("whole") is not False
    )


def _waived(item: dict[str, Any]) -> list[Any]:
    return list(item["data"].get("used", ())) if item["name"] == waiving.EVIDENCE else []
