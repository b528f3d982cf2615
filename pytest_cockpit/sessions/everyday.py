"""`-m gate` and the gates' own markers: the declared gates over the working tree."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit import discovery, rendering, runner
from pytest_cockpit.api import Case, CockpitError, Context, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import GitError, Repository
from pytest_cockpit.items import Outcome, Step, Steps
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.sessions import witness
from pytest_cockpit.sessions.conductor import Conductor
from pytest_cockpit.sessions.gating import dated, judge, keep_report, scratch, steps
from pytest_cockpit.sessions.once import Once
from pytest_cockpit.sessions.settings import artifacts_folder, load_checked
from pytest_cockpit.sessions.sharded import Part
from pytest_cockpit.sessions.unaltered import Unaltered
from pytest_cockpit.sessions.waiving import VARIABLE

PLAN = "gates.plan.jsonl"

_INPUT = "cockpit"
"""What the controller of a distributed run tells its workers is found under this key."""


def conduct(config: pytest.Config) -> EverydayConductor:
    """Add the declared gates to what is collected, beside the repository's own tests."""
    try:
        repository = Repository.discover(config.rootpath)
    except GitError:
        repository = None
    root = repository.root if repository else config.rootpath
    settings = load_checked(root, config.option.cockpit_set)
    conductor = EverydayConductor(config, root, repository, settings)
    path = conductor.steps.path
    if conductor.controls:
        conductor.write_plan()
    # A test file that cannot be imported is one more error, not a reason to judge nothing.
    config.option.continue_on_collection_errors = True
    # Cleanups run in reverse, after every hook that could still change the exit code.
    config.add_cleanup(conductor.restore)
    base = config.invocation_params.dir
    named = {(base / argument.partition("::")[0]).resolve() for argument in config.args}
    if path.resolve() not in named:
        config.args.append(str(path))
    return conductor


class EverydayConductor(Conductor):
    """Judges the working tree as it lies there, uncommitted changes included."""

    def __init__(
        self, config: pytest.Config, root: Path, repository: Repository | None, settings: Config
    ) -> None:
        told: Mapping[str, Any] = getattr(config, "workerinput", {}).get(_INPUT, {})
        self.root = root
        self.repository = repository
        self.settings = settings
        self.base, self.changed = _since(repository, config.option.cockpit_base)
        self.shared = Path(told["shared"]) if told else None
        self.once = Once(self._judge, self.shared)
        self.header: list[str] = []
        self.part = None if told else self._part(config)
        declared = self.part.gates if self.part else settings.gates
        self.gates: list[str] = told["gates"] if told else list(declared)
        self.cases = told["cases"] if told else self._cases(config.option.cockpit_markers)
        folder = artifacts_folder(root, settings)
        super().__init__(
            config,
            mode="gates",
            root=root,
            folder=folder,
            steps=Steps(folder / PLAN, list(self._steps())),
            halts=False,
            header=self.header,
        )
        selected = self._selected()
        # Whoever asks for some of the items gets them; the others must have been judged.
        free = witness.chosen(config) or not witness.certain(config.option.markexpr)
        self._demanded = [] if free else selected
        names = ", ".join(name.removeprefix("gate:") for name in selected)
        self.header.insert(0, f"cockpit: gates {names} over the working tree")
        if self.part:
            self.header.append(f"cockpit: {self.part.said}")
        self._session: pytest.Session | None = None
        self._left = ""
        self._contradicted: list[str] = []
        if config.option.cockpit_base:
            self.header.append(
                f"cockpit: {len(self.changed)} paths differ from {str(self.base)[:12]}, the merge "
                f"base with {config.option.cockpit_base}"
            )

    def _part(self, config: pytest.Config) -> Part | None:
        markers = config.option.cockpit_markers
        return Part.of(config, self.repository, self.settings, markers, self.base)

    def _steps(self) -> Iterator[Step]:
        for step in steps(self.gates, discovery.gates(), self._gate):
            yield step
            gate = step.name.removeprefix("gate:")
            for case in self.cases.get(gate, ()):
                run = partial(self._case, gate, case)
                yield Step(f"{step.name}[{case}]", "case", run, step.markers)

    def _cases(self, selected: list[str]) -> dict[str, list[str]]:
        """The cases of each gate that may run; a gate that cannot tell says so when it runs."""
        installed, found = discovery.gates().loaded, {}
        for name in self.gates:
            if name in installed and installed[name].marker in selected:
                try:
                    with self._context(name) as context:
                        names = runner.list_cases(name, context)
                except CockpitError as error:
                    self.header.append(f"cockpit: its cases are not shown: {error}")
                else:
                    found[name] = list(dict.fromkeys(map(_shown, names)))
        return found

    def _gate(self, name: str) -> Outcome:
        report = self.once.report(name)
        return Outcome(report.verdict, report.summary, rendering.report_text(name, report))

    def _case(self, gate: str, name: str) -> Outcome:
        report = self.once.report(gate)
        lost = Case(name, Verdict.UNKNOWN, f"{gate} is {report.verdict} and reports no such case")
        case = next((case for case in report.cases if _shown(case.name) == name), lost)
        return Outcome(case.verdict, one_line(case.message), f"{name}: {case.message}")

    def _judge(self, name: str) -> Report:
        with self._context(name) as context, tempfile.TemporaryDirectory(prefix="cockpit-") as own:
            unaltered = self._unaltered(Path(own))
            tree = unaltered.tree() if unaltered else None
            report = judge(self, name, context, self.settings)
            if unaltered and tree is not None and unaltered.tree() == tree:
                report = dated(report, tree, self.settings)
            keep_report(self, name, report, context.scratch)
            return report

    def _unaltered(self, folder: Path) -> Unaltered | None:
        """What tells whether the work tree is the commit's; None where it is known not to be."""
        if self.repository is None or self.base is None:
            return None
        return Unaltered(self.repository, folder, self.settings.artifacts)

    @contextlib.contextmanager
    def _context(self, name: str) -> Iterator[Context]:
        """What the gate may look at; its scratch folder lasts as long."""
        with tempfile.TemporaryDirectory(prefix="cockpit-") as outside:
            common = self.repository.common_dir if self.repository else Path(outside)
            with scratch(common, name) as folder:
                yield Context(
                    root=self.root,
                    scratch=folder,
                    settings=self.settings.gate.get(name, {}),
                    lane=self.settings.lane,
                    records=self.settings.records,
                    ledger=self.settings.ledger,
                    base=self.base,
                    changed=self.changed,
                    pass_environment=self.settings.pass_environment,
                )

    @pytest.hookimpl(optionalhook=True)
    def pytest_configure_node(self, node: Any) -> None:
        """Tell a worker what was found, and where workers share the gates' reports."""
        if self.shared is None:
            self.shared = Path(tempfile.mkdtemp(prefix="cockpit-"))
            self.once = Once(self._judge, self.shared)
        node.workerinput[_INPUT] = {
            "shared": str(self.shared),
            "cases": self.cases,
            "gates": self.gates,
        }
        node.workerinput[VARIABLE] = sorted(self.waiving.labels)

    def pytest_unconfigure(self) -> None:
        """Remove what the workers shared."""
        if self.controls and self.shared is not None:
            shutil.rmtree(self.shared, ignore_errors=True)

    def settle(self, session: pytest.Session) -> None:
        """Believe the gates' own reports; hooks of a conftest.py may have edited pytest's."""
        if not self.controls or not witness.runs(self.config):
            return
        self._session = session
        self._contradicted += witness.strange(self.rows, {step.name for step in self.steps.steps})
        said = {row["name"]: self._said(row["name"]) for row in self.rows}
        known = {name: verdict for name, verdict in said.items() if verdict is not None}
        self._contradicted += witness.corrected(self.rows, known)
        if session.exitstatus == pytest.ExitCode.OK:
            self._contradicted += witness.untold(self.rows, self._demanded)
        if self._contradicted:
            # Who has edited what pytest reports may have edited more.
            gates = self.folder / "gates"
            self.written = [path for path in self.written if path.parent != gates]
            self.facts["extra"] = {"contradicted": self._contradicted}
        elif self.part:
            self._left = self.part.settle(self, self.once, session)

    def restore(self) -> None:
        """A red gate is a red session, whatever hooks have made of it."""
        verdicts = [Verdict(row["verdict"]) for row in self.rows]
        red = not all(verdict.opens or verdict is Verdict.SKIP for verdict in verdicts)
        if self._contradicted or red:
            witness.ends_red(self._session)

    def _said(self, step: str) -> Verdict | None:
        """The verdict of a gate's own report, or of its case; None where none was made."""
        gate, _, case = step.removeprefix("gate:").partition("[")
        if not self.once.has(gate):
            return None
        outcome = self._case(gate, case.removesuffix("]")) if case else self._gate(gate)
        return outcome.verdict

    def _selected(self) -> list[str]:
        """The steps of those gates that `-m` selects; one not installed has `gate` alone."""
        return [
            step.name
            for step in self.steps.steps
            if step.kind == "gate" and step.markers[-1] in self.config.option.cockpit_markers
        ]

    def circumstances(self) -> Circumstances:
        """The working tree, and what differs in it."""
        return Circumstances(self.repository, self.settings, changed=self.changed)

    def conclude(self, terminal: Any) -> None:
        """One line for each gate."""
        terminal.section("cockpit: gates")
        for row in self.rows:
            if row["kind"] == "gate":
                terminal.write_line(f"{row['name']}: {row['verdict']}: {row['summary']}")
        if self._left:
            terminal.write_line(f"cockpit: {self._left}")
        for line in self._contradicted:
            terminal.write_line(f"cockpit: {line}", red=True)


def _shown(case: str) -> str:
    """A case's name as part of a test id."""
    return one_line(printable(case))


def _since(repository: Repository | None, rev: str | None) -> tuple[str | None, tuple[str, ...]]:
    """The commit that the working tree is judged against, and the paths that differ from it.

    Raises
    ------
    CockpitError: `rev` is given, but there is no such commit or no common ancestor with it.
    """
    if repository is None:
        if rev:
            raise CockpitError("--cockpit-base: this is no git repository; leave it out")
        return None, ()
    if rev:
        base = repository.merge_base(rev)
        return base, tuple(repository.differing(base))
    try:
        base = repository.resolve("HEAD")
    except CockpitError:
        return None, tuple(repository.dirty())
    return base, tuple(repository.dirty())
