"""`--cockpit-on-red=isolate`: a batch that, when it is red, finds the files to blame.

The search is one step, not one for each session: how many sessions it takes is known only when it
is over, while pytest collects every item before the first one runs. The steps that follow it are
planned all the same, and skipped when nothing was red.
"""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from pytest_cockpit import discovery
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.promotion import evidence
from pytest_cockpit.promotion.batch import Staged
from pytest_cockpit.promotion.isolation import attribution, flakes, history, nearby, telling
from pytest_cockpit.promotion.isolation.driver import RISK
from pytest_cockpit.promotion.isolation.flakes import Tally
from pytest_cockpit.promotion.isolation.inquiry import About, Inquiry, Judged
from pytest_cockpit.promotion.isolation.settling import Settling
from pytest_cockpit.promotion.isolation.trust import Trust
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import one_line
from pytest_cockpit.sessions import gating, words
from pytest_cockpit.sessions.batch import BatchConductor
from pytest_cockpit.sessions.parting import Parts
from pytest_cockpit.sessions.sealing import sealed_before

RECORD = "isolation.json"
FLAKES = "flakes.ndjson"
REST = "promotion_batch.rest.plan.jsonl"
_DOUBTED = 0.2
"""The share of wrong verdicts that is reckoned with where something fails that was flaky before."""
_GREEN = "nothing was red"
_NOTHING_LEFT = "every file of the batch is to blame, or needs one that is"


class IsolatingConductor(BatchConductor):
    """Conducts a batch; when it is red it searches, and seals what nothing is wrong with."""

    trust = Trust()

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.inquiry: Inquiry | None = None
        self.tally = Tally()
        super().__init__(*args, **kwargs)
        self.whole = self.plan

    def _steps(self, work: Sequence[Step]) -> list[Step]:
        steps = super()._steps(work)
        if self.finishing or not work:
            return steps
        names = [name for name, _ in self.subject.gates]
        gates = gating.steps(names, discovery.gates(), self._rest_gate)
        rest = [dataclasses.replace(step, name=f"rest/{step.name}") for step in gates]
        return [
            *(self._patient(step) for step in steps[:-1]),
            Step("isolate", "isolate", self._isolate),
            Step("rest/transaction", "transaction", self._take_up_rest),
            *rest,
            steps[-1],
        ]

    def _patient(self, step: Step) -> Step:
        """The step, after which the session goes on even if it is a red gate."""

        def run() -> Outcome:
            self.halts = step.kind != "gate"
            return step.run()

        return dataclasses.replace(step, run=run)

    def _header(self) -> list[str]:
        lines = super()._header()
        if self.plan.moves and not self.finishing:
            lines.append("cockpit: when a gate is red: find the files to blame, promote the rest")
        return lines

    def circumstances(self) -> Circumstances:
        """The whole batch, for that is what was red."""
        whole = self.whole
        return dataclasses.replace(
            super().circumstances(),
            batch_id=whole.header.batch_id,
            moves=tuple(row.move for row in whole.moves),
            refused={refusal.source: refusal.message for refusal in whole.refusals},
        )

    @property
    def _parts(self) -> Parts:
        """The parts of what the session is about now."""
        return Parts(gating.Bench.of(self.repository, self.settings), self.batch)

    # The search

    def _isolate(self) -> Outcome:
        self.halts = True
        planned = [name for name, skip in self.subject.gates if not skip]
        lost = [name for name in planned if name not in self.reports]
        if lost:
            return Outcome(Verdict.UNKNOWN, f"nobody is blamed: gate {lost[0]} gave no verdict")
        judged = {name: self.reports[name] for name in planned}
        red = {name: report for name, report in judged.items() if not report.verdict.opens}
        if not red:
            return self._doubt()
        if all(report.verdict is not Verdict.FAIL for report in red.values()):
            states = ", ".join(f"{name} is {report.verdict}" for name, report in red.items())
            return Outcome(Verdict.UNKNOWN, f"nobody is blamed, for nothing failed: {states}")
        self.inquiry = self._begun(red)
        self.tally = self.inquiry.tally
        self._search(self.inquiry)
        return self._decided(self.inquiry)

    def _begun(self, red: dict[str, Report]) -> Inquiry:
        """The search for this red batch, from where an earlier session was cut off if one was."""
        base, lane = self.subject.base, self.settings.lane
        near = nearby.Nearby.of(self.repository, lane, base, self.subject.moves)
        inquiry = self._inquiry(tuple(red), near, self._trust(red))
        kept = self._kept()
        if kept is not None and inquiry.resume(kept):
            self._live(f"going on after session {len(inquiry.rows)} of the search cut off before")
            return inquiry
        inquiry = self._inquiry(tuple(red), near, self._trust(red))
        inquiry.begin(Judged(self.repository.tree(self.build().commit), red))
        self._keep(inquiry)
        return inquiry

    def _inquiry(self, gates: tuple[str, ...], near: nearby.Nearby, trust: Trust) -> Inquiry:
        subject = self.subject
        about = About(subject.batch_id, subject.base, subject.plan_sha256, gates)
        sources = [move.source for move in subject.moves]
        needs = nearby.needs(self.repository, self.settings.lane, subject.base, sources)
        known = history.proposal(self.repository, self.settings, subject.base)
        risk = known.risk if known.trials else RISK
        return Inquiry(about, needs, near.weights, trust=trust, risk=risk)

    def _trust(self, red: dict[str, Report]) -> Trust:
        """Less of gates in which something fails that was flaky before."""
        known = {
            name for row in flakes.known(self._flakes_path()) for name in row.get("failing", ())
        }
        doubted = known.intersection(attribution.failing(red))
        return Trust(flakes=_DOUBTED) if doubted else self.trust

    def _search(self, inquiry: Inquiry) -> None:
        parts = self._parts
        while (files := inquiry.next()) is not None:
            self._live(inquiry.asking)
            inquiry.tell(parts.judged(self, files, inquiry.about.gates))
            self._keep(inquiry)
            row = inquiry.rows[-1]
            self.lock.journal("isolation", session=row["number"], verdict=row["verdict"])
            self._live(f"  {telling.verdict(row)}")

    def _decided(self, inquiry: Inquiry) -> Outcome:
        found = inquiry.outcome()
        if found.base_is_red:
            gates = ", ".join(inquiry.about.gates)
            return Outcome(
                Verdict.FAIL,
                f"the base is to blame: {gates} red at {self.subject.base[:12]} without any file "
                "of the batch; repair that first",
            )
        if not found.complete:
            last = telling.verdict(inquiry.rows[-1])
            return Outcome(Verdict.UNKNOWN, f"nobody is blamed: {found.stopped} ({last})")
        if not found.culprits:
            return Outcome(
                Verdict.WARN,
                f"no file is to blame: {'; '.join(flake.line for flake in self.tally.flakes())}",
            )
        return Outcome(Verdict.PASS, telling.summary(inquiry))

    def _doubt(self) -> Outcome:
        """A green batch that an earlier session saw red: flaky, and green only by repetition."""
        kept = self._kept() or {"sessions": []}
        tree = self.repository.tree(self.build().commit)
        for row in kept["sessions"]:
            if row["tree"] == tree:
                self.tally.recall(row)
        doubted = [gate for gate in self.reports if self.tally.of(gate, tree)[0]]
        if not doubted:
            return Outcome(Verdict.SKIP, _GREEN)
        settled = [self._settled(gate, gating.keep_report) for gate in doubted]
        outcomes = [outcome for outcome in settled if outcome]
        worst = Verdict.worst(outcome.verdict for outcome in outcomes)
        return Outcome(worst, "; ".join(outcome.summary for outcome in outcomes))

    # The rest

    def _take_up_rest(self) -> Outcome:
        inquiry = self.inquiry
        if inquiry is None:
            return Outcome(Verdict.SKIP, _GREEN)
        good = inquiry.outcome().good
        if not good:
            return Outcome(Verdict.SKIP, _NOTHING_LEFT)
        self.reports = {}
        if inquiry.left():
            self._switch(inquiry, self._parts.plan(good, inquiry.left()))
            tree = self.repository.tree(self.build().commit)
            for row in inquiry.rows:
                if set(row["files"]) == set(good):
                    self.tally.carry(row["tree"], tree)
        return Outcome(Verdict.PASS, words.built(self.plan, self._stage()))

    def _switch(self, inquiry: Inquiry, plan: Plan) -> None:
        """From here on the session is about the rest of the batch."""
        self.take_up(plan)
        inquiry.rest = _named(plan)
        self.facts |= inquiry.rest
        self.keep_bytes(self.folder / REST, plan.to_bytes())
        self.config.hook.pytest_cockpit_planned(config=self.config, plan=plan)
        self._keep(inquiry)

    def _rest_gate(self, name: str) -> Outcome:
        if self.inquiry is None:
            return Outcome(Verdict.SKIP, _GREEN)
        if not self.inquiry.outcome().good:
            return Outcome(Verdict.SKIP, _NOTHING_LEFT)
        # Beside the red reports are the artifacts of the red batch, and nothing of the rest's.
        keep = partial(gating.keep_report, below=evidence.REST, own=evidence.REST_OWN)
        outcome = self.judge(name, keep)
        return self._settled(name, keep) or outcome

    def _settled(self, name: str, keep: gating.Keep) -> Outcome | None:
        """Ask a gate until one verdict is ahead, and say so; None where it was never red."""

        def again() -> Report:
            self._live(f"gate {name} was red on this tree: asked again")
            self.judge(name, keep)
            return self.reports[name]

        found = self.inquiry.outcome().culprits if self.inquiry else ()
        tree, files = self.repository.tree(self.build().commit), len(self.subject.moves)
        settling = Settling(self.tally, self.trust, tree, files, found)
        report = settling.settle(name, self.reports[name], again)
        if not self.tally.of(name, tree)[0]:
            return None
        self.reports[name] = report
        with gating.scratch(self.repository.common_dir, name) as folder:
            return keep(self, name, report, folder)

    def seal(self) -> Outcome:
        """Publish the commit, or say that nothing is left of the batch."""
        if self.inquiry is not None and not self.inquiry.outcome().good:
            return Outcome(Verdict.SKIP, f"{_NOTHING_LEFT}: nothing was sealed")
        return super().seal()

    def message(self) -> str:
        """The commit's message; the last trailers say what was left behind, and what is flaky."""
        said = telling.trailers(self.inquiry, self.tally.flakes())
        return super().message() + "".join(f"{one_line(line)}\n" for line in said)

    def sealed_earlier(self) -> str | None:
        """As for a batch; the rest of it may be what an earlier session sealed."""
        kept = self._kept()
        if kept is not None and kept["rest"] is not None:
            inquiry = self._inquiry(tuple(kept["gates"]), nearby.Nearby({}, {}), self.trust)
            branch = f"refs/heads/{self.settings.seal.branch_prefix}{kept['rest']['batch_id']}"
            if self.repository.ref(branch) is not None and inquiry.resume(kept):
                plan = self._parts.plan(inquiry.outcome().good, inquiry.left())
                if _named(plan) == kept["rest"]:
                    self.take_up(plan)
                    return sealed_before(self.sealing, lambda: self._stage().commit)
        return super().sealed_earlier()

    # What is kept

    def _record_path(self) -> Path:
        return self.repository.root / self.settings.artifacts / RECORD

    def _flakes_path(self) -> Path:
        return self._record_path().with_name(FLAKES)

    def _kept(self) -> dict[str, Any] | None:
        """The record of an earlier search about this very batch."""
        try:
            data: dict[str, Any] = artifacts.read(self._record_path(), "isolation")
        except CockpitError:
            # None, or of another version: it costs sessions, never an answer.
            return None
        return data if data["plan_sha256"] == self.subject.plan_sha256 else None

    def _keep(self, inquiry: Inquiry) -> None:
        self.keep(self._record_path(), inquiry.to_json(), "isolation")

    def _write_artifacts(self) -> None:
        super()._write_artifacts()
        flaky = self.tally.flakes()
        if self.inquiry is not None or flaky:
            self.facts["extra"] = {"flakes": [flake.to_json() for flake in flaky]}
        if self.inquiry is not None:
            found = self.inquiry.outcome()
            self.facts["extra"]["isolation"] = {
                "batch_id": self.inquiry.about.batch_id,
                "sessions": len(self.inquiry.rows),
                "culprits": [path for it in found.culprits for path in it.files],
                "held": [path for it in found.culprits for path in it.held],
                "stopped": found.stopped,
            }
        try:
            flakes.enter(self._flakes_path(), self.subject.batch_id, flaky)
        except CockpitError as error:
            self.say(f"the flaky gates were not entered: {error}")

    def body(self, staged: Staged) -> str:
        """The text of the pull request, with what was left behind."""
        text = super().body(staged)
        said = telling.section(self.inquiry, self.tally.flakes())
        return f"{text}\n{said}" if said else text

    def _conclude_state(self, write: Any) -> None:
        for line in telling.lines(self.inquiry, self.tally.flakes()):
            write(line)
        if self.inquiry is not None and self.sealing.sealed and self.plan is not self.whole:
            whole, left = self.whole.header.batch_id, len(self.inquiry.left())
            files = words.count(left, "file")
            write(f"batch {whole} was red; sealed is the rest of it, without {files}")
        super()._conclude_state(write)

    def _live(self, line: str) -> None:
        """Tell the terminal in the middle of a step, with `-v`."""
        terminal = self.config.pluginmanager.getplugin("terminalreporter")
        if terminal is None or self.config.get_verbosity() <= 0:
            return
        capture = self.config.pluginmanager.getplugin("capturemanager")
        with capture.global_and_fixture_disabled() if capture else contextlib.nullcontext():
            terminal.ensure_newline()
            terminal.write_line(f"cockpit: {line}")


def _named(plan: Plan) -> dict[str, str]:
    return {"batch_id": plan.header.batch_id, "plan_sha256": plan.sha256}
