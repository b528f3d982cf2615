"""What a session with gates leaves behind: on red a patch plan, in a pipeline what it shows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pytest_cockpit import runner, workflow_commands
from pytest_cockpit.api import CockpitError, Report
from pytest_cockpit.records import artifacts, limits
from pytest_cockpit.sessions import ci, red_document, red_page
from pytest_cockpit.sessions.telling import Teller
from pytest_cockpit.sessions.waiving import started_with

if TYPE_CHECKING:
    from pytest_cockpit.promotion.remedies.ground import Circumstances
    from pytest_cockpit.sessions.conductor import Conductor

DATA, PAGE, PATCH = "on_red.json", "on_red.md", "on_red.diff"
QUALITY = "gl-code-quality.json"


class Aftermath:
    """The end of one session with gates. Nothing it does, or fails to do, changes its outcome."""

    def __init__(self, conductor: Conductor, session: Circumstances, exitstatus: int) -> None:
        self._conductor = conductor
        self._exit = exitstatus
        self._session = session
        self._variables = started_with()
        self._pipeline = ci.Pipeline.of(self._variables)
        self._document: dict[str, Any] | None = None
        self._explained = False
        self._reports: dict[str, Report] = {}
        self._places: dict[str, str] = {}

    def keep(self) -> None:
        """Write the artifacts of a red session; of a green one, remove those of the last."""
        try:
            self._keep()
        except CockpitError as error:
            self._say(f"{DATA} was not written: {error}")
        except Exception as error:  # noqa: BLE001 - gates shape evidence as they like; verdicts stand
            self._say(f"{DATA} was not written: {type(error).__name__}: {error}")

    def _keep(self) -> None:
        conductor, folder = self._conductor, self._conductor.folder
        rows = conductor.rows
        self._reports = self._read(rows)
        if self._pipeline.gitlab:
            quality = ci.code_quality(self._reports, self._here)
            conductor.keep_bytes(folder / QUALITY, artifacts.canonical(quality))
        red = [row for row in rows if red_document.is_red(row)] if self._exit else []
        if red:
            self._explain(red_document.gates_in(red))
        elif not self._exit:
            self._forget()

    def _explain(self, gates: set[str]) -> None:
        """Write why these gates are shut, and what to do about it."""
        from pytest_cockpit.promotion.remedies.combining import combined
        from pytest_cockpit.promotion.remedies.ground import facts_of
        from pytest_cockpit.promotion.remedies.planning import plan, without_secrets

        conductor, folder = self._conductor, self._conductor.folder
        shut = {name: report for name, report in self._reports.items() if name in gates}
        made = without_secrets(plan(shut, facts_of(self._session)), runner.redact)
        repository = self._session.repository
        patch = combined(made.actions, repository) if repository else b""
        self._document = red_document.document(
            conductor.rows,
            shut,
            made,
            mode=conductor.mode,
            base=conductor.facts.get("base"),
            batch_id=self._session.batch_id,
            artifacts=self._places,
            patch=conductor.relative(folder / PATCH) if patch else None,
        )
        if patch:
            conductor.keep_bytes(folder / PATCH, patch)
        else:
            (folder / PATCH).unlink(missing_ok=True)
        conductor.keep(folder / DATA, self._document, "on_red")
        conductor.keep_bytes(folder / PAGE, self._page().encode("utf-8", "replace"))
        self._explained = True

    def tell(self, record: Mapping[str, Any]) -> None:
        """Show the record in the pipeline, and the forge what is red or green again."""
        try:
            self._show(record)
            self._comment(record)
        except Exception as error:  # noqa: BLE001 - whoever could not be told, the session has ended
            self._say(f"not told: {type(error).__name__}: {error}")
        if self._explained:
            self._say(f"what to do: {self._conductor.relative(self._conductor.folder / PAGE)}")

    def _show(self, record: Mapping[str, Any]) -> None:
        if self._pipeline.summary is not None:
            text = runner.redact(red_page.summary(record, self._document))
            rest = f"all of it is in {self._conductor.relative(self._conductor.folder)}/"
            said = ci.add_summary(self._pipeline.summary, text, rest)
            if said:
                self._say(said)
        if self._pipeline.github:
            lines = workflow_commands.commands(
                self._reports,
                rest=f"see {self._conductor.relative(self._conductor.folder)}/gates/",
                here=self._here,
                changed=self._session.changed,
            )
            for line in lines:
                self._conductor.print(runner.redact(line))

    def _comment(self, record: Mapping[str, Any]) -> None:
        option = self._conductor.config.option
        if option.cockpit_dry_run or option.cockpit_skip_pr:
            return
        own = record["pull_request"]
        teller = Teller(
            self._session,
            self._conductor.mode,
            variables=self._variables,
            pipeline=self._pipeline,
            own=own["number"] if own else None,
        )
        said: list[str] = []
        if self._document is not None:
            said = teller.red(self._page())
        elif self._is_green(record):
            said = teller.green(red_page.green(record, run=self._pipeline.run))
        for line in said:
            self._say(line)

    def _say(self, text: str) -> None:
        self._conductor.say(runner.redact(text))

    def _is_green(self, record: Mapping[str, Any]) -> bool:
        """Whether all is well: of all gates, for a part of them says nothing of the rest."""
        settings = self._session.settings
        wanted = {name for name in settings.gates if settings.skip(name) is None}
        return not record["exit_status"] and wanted <= red_document.gates_in(record["items"])

    def _page(self) -> str:
        text = red_page.page(self._document or {}, run=self._pipeline.run)
        return limits.cut(
            runner.redact(text),
            limits.COMMENT - 500,
            size=limits.characters,
            rest=f"all of it is in {self._conductor.relative(self._conductor.folder)}/{DATA}",
        )

    def _read(self, rows: list[dict[str, Any]]) -> dict[str, Report]:
        """The report of each gate that has one, and no older one than its row is of.

        Of a gate that was asked more than once, the last red report counts.
        """
        found: dict[str, Report] = {}
        for row in rows:
            name = red_document.gate_of(row)
            if name is None or (name in found and not red_document.is_red(row)):
                continue
            below = "gates/rest" if str(row["name"]).startswith("rest/") else "gates"
            path = self._conductor.folder / below / f"{name}.json"
            try:
                report = Report.from_json(artifacts.read(path, "gate-report"))
            except (CockpitError, KeyError, TypeError, ValueError):
                continue
            if (report.verdict.value, report.summary) == (row["verdict"], row["summary"]):
                found[name] = report
                self._places[name] = self._conductor.relative(path)
        return found

    @property
    def _here(self) -> dict[str, str]:
        return {move.target: move.source for move in self._session.moves}

    def _forget(self) -> None:
        """Remove what the last session of this mode wrote on red."""
        folder = self._conductor.folder
        try:
            mode = artifacts.read(folder / DATA)["mode"]
        except (CockpitError, KeyError, TypeError):
            mode = self._conductor.mode
        if mode == self._conductor.mode:
            for name in (DATA, PAGE, PATCH):
                (folder / name).unlink(missing_ok=True)
