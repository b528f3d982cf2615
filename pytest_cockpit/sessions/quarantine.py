"""`--cockpit-quarantine`: every quarantined test run for real, and what would make it pass."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository, masked
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion.remedies import diffs
from pytest_cockpit.quarantine import marks
from pytest_cockpit.quarantine.child import Run
from pytest_cockpit.quarantine.marks import Mark
from pytest_cockpit.quarantine.observed import Marked
from pytest_cockpit.quarantine.since import since
from pytest_cockpit.quarantine.source import Spot, spot
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.runner import redact, without_values
from pytest_cockpit.sessions import quarantine_words as words
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import scratch
from pytest_cockpit.sessions.lock import SessionLock
from pytest_cockpit.sessions.quarantine_sweep import Sweep, Swept
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.takeover import take_over

PLAN = "quarantine.plan.jsonl"
SWEEP = "quarantine_sweep"

_MESSAGE = 400


def conduct(config: pytest.Config) -> QuarantineConductor:
    """Plan one step for each quarantined test of `HEAD`."""
    repository = Repository.discover(config.invocation_params.dir)
    settings = load_checked(repository.root, config.option.cockpit_set)
    head = repository.resolve("HEAD")
    header = take_over(config, artifacts_folder(repository.root, settings) / PLAN)
    lock = SessionLock(repository.common_dir)
    lock.acquire("quarantine")
    stack = contextlib.ExitStack()
    stack.callback(lock.release)
    try:
        folder = stack.enter_context(scratch(repository.common_dir, "quarantine"))
        conductor = QuarantineConductor(config, repository, settings, head, folder, stack)
        conductor.write_plan()
    except BaseException:
        stack.close()
        raise
    limit = conductor.sweep.bounds.sweep_s
    conductor.header = [
        *header,
        f"cockpit: {words.tests(len(conductor.tests))} in quarantine at {head[:12]}",
        f"cockpit: run in a private tree, for {limit:g} s at most (gate.quarantine.sweep_s)",
        "cockpit: nothing that is found is applied",
    ]
    return conductor


class QuarantineConductor(Conductor):
    """Sweeps the quarantine; changes nothing but its artifacts."""

    def __init__(
        self,
        config: pytest.Config,
        repository: Repository,
        settings: Config,
        head: str,
        scratch: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self.repository = repository
        self.settings = settings
        self.today = marks.utc_today()
        self._stack = stack
        self.sweep = Sweep(repository, settings, head, scratch, self._progress)
        names = bool(repository.grep(head, [marks.MARKER], ["*.py"]))
        self.collected: Run | None = self.sweep.collect() if names else None
        self.tests = self.collected.seen.marked if self.collected else ()
        self.swept: dict[str, dict[str, Any]] = {}
        folder = repository.root / settings.artifacts
        super().__init__(
            config,
            mode="quarantine",
            root=repository.root,
            folder=folder,
            steps=Steps(folder / PLAN, list(self._steps())),
            halts=False,
        )
        # Variables whose values must not reach an artifact.
        self.passed = settings.pass_environment
        self.facts = {"base": head}

    def _steps(self) -> Iterator[Step]:
        yield Step("collection", "collection", self._collection)
        for test in self.tests:
            # Two colons would be taken for a level of the plan file.
            name = one_line(printable(test.id)).replace("::", ":")
            yield Step(name, "test", partial(self._test, test))

    def _collection(self) -> Outcome:
        """Whether all that may be in quarantine was seen."""
        if self.collected is None:
            return Outcome(Verdict.PASS, "no Python file names the marker")
        seen = self.collected.seen
        if seen.collected is None or seen.exit is None:
            why = self._clean(f"the collection did not come to its end: {self.collected.why}")
            return Outcome(Verdict.UNKNOWN, why, why)
        told = f"{len(self.tests)} of {words.tests(seen.collected)} in quarantine"
        lost = self._lost()
        if lost:
            told += f"; {len(lost)} files that name the marker could not be collected"
            shown = [f"  {node_id}: {message}" for node_id, message in sorted(lost.items())]
            return Outcome(Verdict.UNKNOWN, told, "\n".join([told, *shown]))
        return Outcome(Verdict.PASS, told)

    def _lost(self) -> dict[str, str]:
        """What could not be collected, of files that name the marker."""
        found = {}
        for node_id, message in (self.collected.seen.lost if self.collected else {}).items():
            path = node_id.partition("::")[0]
            text = self.sweep.text(path) if path.endswith(".py") else marks.MARKER
            if marks.MARKER in text:
                found[printable(node_id)] = self._clean(message)
        return found

    def _test(self, test: Marked) -> Outcome:
        mark = marks.read(test.arguments, test.keywords)
        most = self.sweep.bounds.max_days
        wrong = marks.complaints(test.arguments, test.keywords, self.today, most)
        swept = self.sweep.run(test)
        verdict, summary = _verdict(mark, wrong, swept, self.today)
        row = self._row(test, mark, swept, verdict, self._clean(summary))
        self.swept[test.id] = row
        return Outcome(verdict, row["summary"], "\n".join(words.lines(row)))

    def _row(
        self, test: Marked, mark: Mark | None, swept: Swept, verdict: Verdict, summary: str
    ) -> dict[str, Any]:
        issue = test.keywords.get("issue")
        issue = one_line(printable(issue)) if isinstance(issue, str) else ""
        text = self.sweep.text(test.path)
        place = spot(text, test.id, issue)
        line = place.line if place else test.line
        committed = self.repository.blob(self.sweep.commit, test.path) is not None
        came = (
            since(self.root, test.path, line, self.today, self.sweep.commit)
            if line and committed
            else None
        )
        remote = self.repository.remote_url(self.settings.seal.remote)
        return {
            "id": printable(test.id),
            "path": printable(test.path),
            "line": line,
            "issue": issue,
            "owner": one_line(printable(mark.owner)) if mark else None,
            "expires": mark.expires.isoformat() if mark else None,
            "since": came.day.isoformat() if came else None,
            "commit": came.commit if came else None,
            "age_days": came.age(self.today) if came else None,
            "days_left": marks.days_left(mark, self.today) if mark else None,
            "issue_url": words.issue_url(issue, remote),
            "outcome": swept.outcome.word,
            "message": self._clean(swept.outcome.message)[:_MESSAGE],
            "verdict": verdict.value,
            "summary": summary,
            "documents": [printable(path) for path in swept.documents],
            "search": self._searched(swept),
            "difference": self._difference(swept),
            "removal": self._removal(test, swept, place, text),
        }

    def _searched(self, swept: Swept) -> dict[str, Any] | None:
        found = swept.found
        if found is None:
            return None
        return {
            "candidates": swept.candidates,
            "runs": swept.runs,
            "singles": found.singles,
            "pairs": found.pairs,
            "harmful": [self._clean(text) for text in found.harmful],
            "ended": found.ended,
            "wall_s": round(swept.wall_s, 3),
        }

    def _difference(self, swept: Swept) -> dict[str, Any] | None:
        if swept.found is None or not swept.found.edits:
            return None
        edits = [
            {
                "path": printable(edit.path),
                "pointer": edit.pointer,
                "kind": edit.kind,
                "before": _shown(edit.before),
                "after": _shown(edit.after),
                "meaning": self._clean(edit.meaning),
            }
            for edit in swept.found.edits
        ]
        return {"edits": edits, "diff": self._hidden(swept.diff), "others": swept.others}

    def _removal(self, test: Marked, swept: Swept, place: Spot | None, text: str) -> str | None:
        """The patch that takes the marker away, where no other test is marked by it."""
        if swept.outcome.word != "passed" or place is None or place.without is None:
            return None
        shared = [it for it in self.tests if _is_marked_there(it, test, place)]
        if len(shared) > 1:
            return None
        return diffs.between(test.path, text.encode(), place.without.encode())

    def _clean(self, text: str) -> str:
        return one_line(printable(" ".join(self._hidden(text).split())))

    def _hidden(self, text: str) -> str:
        """The text without secrets that a test may have shown."""
        data = redact(masked(text)).encode("utf-8", "backslashreplace")
        return without_values(data, self.passed).decode("utf-8", "replace")

    def _progress(self, line: str) -> None:
        """Say something while a test's output is being captured."""
        capturing = self.config.pluginmanager.getplugin("capturemanager")
        with capturing.global_and_fixture_disabled() if capturing else contextlib.nullcontext():
            self.say(line)

    def finish(self, exitstatus: int) -> None:
        """Write what was found, then the record."""
        try:
            if not self.config.option.collectonly:
                self._keep()
        except CockpitError as error:
            self.say(f"what the sweep found was not written: {error}")
        super().finish(exitstatus)

    def _keep(self) -> None:
        document = {
            "schema": "pytest-cockpit/quarantine_sweep/1",
            "day": self.today.isoformat(),
            "commit": self.sweep.commit,
            "collected": self.collected.seen.collected if self.collected else None,
            "lost": self._lost(),
            "tests": [self.swept[test.id] for test in self.tests if test.id in self.swept],
        }
        self.keep(self.folder / f"{SWEEP}.json", document, SWEEP)
        self.keep_bytes(self.folder / f"{SWEEP}.md", words.markdown(document).encode())

    def pytest_unconfigure(self) -> None:
        """Let the next session in."""
        self._stack.close()

    def conclude(self, terminal: Any) -> None:
        """One line for each test, and what a difference is not."""
        terminal.section("cockpit: quarantine")
        for row in self.rows:
            terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if any(row["difference"] for row in self.swept.values()):
            terminal.write_line(words.REVIEW)


def _verdict(
    mark: Mark | None, wrong: Sequence[str], swept: Swept, today: Any
) -> tuple[Verdict, str]:
    """What the sweep says of a test, by its marker and by what it came to."""
    outcome, told = swept.outcome.word, _told(swept)
    if outcome == "passed":
        return Verdict.FAIL, "it passes: remove the marker"
    if wrong or mark is None:
        return Verdict.FAIL, f"its marker is wrong: {'; '.join(wrong)}"
    if mark.expired(today):
        return Verdict.FAIL, f"quarantine expired on {mark.expires}; {told}"
    return Verdict.WARN if outcome == "failed" else Verdict.UNKNOWN, told


def _told(swept: Swept) -> str:
    """What a test came to that did not pass."""
    if swept.outcome.word == "skipped":
        return "it was skipped"
    if swept.outcome.word != "failed":
        return swept.why
    found = swept.found is not None and swept.found.edits
    return "fails; a difference makes it pass" if found else "fails, and no difference was found"


def _is_marked_there(other: Marked, test: Marked, place: Spot) -> bool:
    """Whether a marker that this test has by `place` is the other's too."""
    if other.path != test.path or place.scope == "case":
        return other.id == test.id
    mine, its = (it.id.partition("[")[0] for it in (test, other))
    if place.scope == "function":
        return its == mine
    return place.scope == "module" or its.rpartition("::")[0] == mine.rpartition("::")[0]


def _shown(value: Any) -> Any:
    return printable(value) if isinstance(value, str) else value
