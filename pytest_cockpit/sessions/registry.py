"""`--cockpit-registry[=check]`: what is generated from all modules, written or held against."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property, partial

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.phases import Changes, Result
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import comparing, contents, phase
from pytest_cockpit.registry.documents import Documents
from pytest_cockpit.sessions.phase import PhaseConductor, Stage

MODULES = "modules"


def conduct(config: pytest.Config) -> RegistryConductor:
    """Plan one item for what there is, and one for each document that is generated from it."""
    looks = config.option.cockpit_registry == "check"
    return RegistryConductor(Stage.of(config, "registry", edited=True, looks=looks))


class RegistryConductor(PhaseConductor):
    """Looks at tracked files as they are; writes each document, or says what differs."""

    def __init__(self, stage: Stage) -> None:
        self.checks = stage.config.option.cockpit_registry == "check"
        # Without a module there is nothing to write; a check looks at every document all the same.
        super().__init__(
            stage,
            lambda _: self._plan(),
            title="registry of the tracked files",
            halts=not self.checks,
        )

    def _plan(self) -> Sequence[Step]:
        paths = contents.generated(self.place.settings.registry)
        each = (Step(path, "document", partial(self.document, path)) for path in paths)
        return [Step(MODULES, "modules", self.look), *each]

    @cached_property
    def made(self) -> Documents:
        """Every document as it would be written, made when its turn comes."""
        return Documents(self.place)

    @cached_property
    def found(self) -> Result:
        """What there is."""
        return phase.look(self.made)

    def look(self) -> Outcome:
        """Say what there is."""
        return self.conclude_phase(self.found)

    def document(self, path: str) -> Outcome:
        """One document."""
        if not (self.checks or self.found.verdict.opens):
            # The item that says so may be deselected.
            return self.conclude_phase(self.found)
        if self.found.verdict is Verdict.FAIL and contents.is_of_manifests(path):
            # To write what would be written now is no remedy.
            return self.conclude_phase(self.found)
        content = self.made.get(path)
        found = comparing.compare(self.place, path, content)
        if self.checks or found.verdict is not Verdict.FAIL:
            return self.conclude_phase(found)
        if content is None:
            return self.conclude_phase(Result(Verdict.WARN, found.summary, found.text))
        said = f"{artifacts.printable(path)}: written"
        return self.conclude_phase(
            Result(Verdict.PASS, said, changes=Changes(files={path: content}))
        )

    def conclude(self, terminal: pytest.TerminalReporter) -> None:
        """What there is, and what was written."""
        if self.config.option.collectonly:
            return
        terminal.section("cockpit: registry")
        for row in self.rows:
            terminal.write_line(f"{row['verdict']:<8}{row['summary']}")
        if any(row["summary"].endswith(": written") for row in self.rows):
            terminal.write_line("look at these documents and commit them")
