"""Gates as steps: their scratch folders, and what is kept of their reports."""

from __future__ import annotations

import contextlib
import dataclasses
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from pytest_cockpit import rendering, runner
from pytest_cockpit.api import CockpitError, Context, Evidence, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.discovery import Gates
from pytest_cockpit.git import Repository
from pytest_cockpit.items import Outcome, Step
from pytest_cockpit.promotion.evidence import JUDGED
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.sessions import words
from pytest_cockpit.sessions.conductor import Conductor

Keep = Callable[[Conductor, str, Report, Path], Outcome]
"""What becomes of a gate's report, and of the folder with its artifacts."""

_OWN = ("promotion_", "burst", "session", "progress.", ".")


def steps(names: Iterable[str], installed: Gates, run: Callable[[str], Outcome]) -> list[Step]:
    """One step for each gate, with the gate's marker."""
    made = []
    for name in names:
        known = installed.loaded.get(name)
        markers = ("gate", known.marker) if known else ("gate",)
        made.append(Step(f"gate:{name}", "gate", partial(run, name), markers))
    return made


@contextlib.contextmanager
def scratch(common_dir: Path, name: str) -> Iterator[Path]:
    """An empty private folder for one run of one gate; gone afterwards."""
    folder = common_dir / "cockpit" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=f"{name}-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def judge(conductor: Conductor, name: str, context: Context, settings: Config) -> Report:
    """What a gate says of `context.root`, once waivers are taken into account."""
    report = runner.run_gate(name, context)
    return conductor.waiving.over(name, report, context, settings.waivers.max_days)


def dated(report: Report, tree: str, settings: Config) -> Report:
    """The report with the tree that it is of, which outlives a private commit."""
    judged = Evidence(JUDGED, {"tree": tree, "settings_sha256": settings.digest()})
    return dataclasses.replace(report, evidence=(*report.evidence, judged))


@dataclass(frozen=True, slots=True)
class Bench:
    """What every gate of a session over staged commits is run with."""

    repository: Repository
    settings: Config
    tree: StagedTree

    @classmethod
    def of(cls, repository: Repository, settings: Config) -> Bench:
        """The bench of a repository."""
        return cls(repository, settings, StagedTree(repository))

    def judge(
        self, conductor: Conductor, name: str, *, keep: Keep | None = None, **facts: Any
    ) -> tuple[Report, Outcome]:
        """Run a gate over `facts["commit"]` and keep its report; `facts` are those of `Context`."""
        with scratch(self.repository.common_dir, name) as folder:
            with self.tree.at(facts["commit"]) as root:
                if self.tree.lost:
                    said = words.incomplete(self.tree.lost)
                    return Report(Verdict.UNKNOWN, said), Outcome(Verdict.UNKNOWN, said)
                context = Context(
                    root=root,
                    scratch=folder,
                    settings=self.settings.gate.get(name, {}),
                    lane=self.settings.lane,
                    records=self.settings.records,
                    ledger=self.settings.ledger,
                    pass_environment=self.settings.pass_environment,
                    **facts,
                )
                report = judge(conductor, name, context, self.settings)
            tree = self.repository.tree(facts["commit"])
            report = dated(report, tree, self.settings)
            return report, (keep or keep_report)(conductor, name, report, folder)


def keep_report(
    conductor: Conductor,
    name: str,
    report: Report,
    scratch: Path,
    *,
    below: str = "gates",
    own: str = "",
) -> Outcome:
    """Write a gate's report and its own artifacts below the session's artifacts folder."""
    data = {"schema": "pytest-cockpit/gate-report/1", "gate": name, **report.to_json()}
    conductor.keep(conductor.folder / below / f"{name}.json", data, "gate-report")
    for path in runner.artifacts_in(scratch):
        if path.name.startswith(_OWN) or path.name.endswith(".plan.jsonl"):
            raise CockpitError(f"gate {name}: {path.name}: that name is the session's own")
        content = path.read_bytes()
        conductor.keep_bytes(conductor.folder / own / path.name, content)
        if path.suffix == ".md":
            conductor.pages[path.stem] = content.decode("utf-8", "replace")
    conductor.config.hook.pytest_cockpit_gate_report(
        config=conductor.config, gate=name, report=report
    )
    return Outcome(report.verdict, report.summary, rendering.report_text(name, report))
