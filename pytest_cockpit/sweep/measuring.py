"""Measures modules for real: their tests in child processes, in the private tree."""

from __future__ import annotations

import contextlib
import importlib.metadata
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_cockpit.api import CockpitError
from pytest_cockpit.phases import Place
from pytest_cockpit.promotion.staging import StagedTree
from pytest_cockpit.records.text import count
from pytest_cockpit.registry import modules as registry
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.sweep.attribution import Observed
from pytest_cockpit.sweep.model import Measured, Outcome, State
from pytest_cockpit.sweep.rounds import Found, Rounds
from pytest_cockpit.sweep.suite import Suite, suites, turns
from pytest_cockpit.sweep.workshop import Workshop, executed

NO_FILES = "it has no test files"


def measure(
    place: Place,
    modules: Sequence[Module],
    hosts: Sequence[str],
    durations: Mapping[str, float],
) -> Measured:
    """Run the tests of these modules at `place.commit`.

    Raises
    ------
    CockpitError: the tree or its coverage settings cannot be read.
    """
    found = suites(place, modules)
    tree = StagedTree(place.repository)
    with _scratch(place) as work, tree.at(place.commit) as root:
        # A test that reads another file will say itself that it is not there.
        lost = [entry.path for entry in tree.lost if entry.path.endswith(".py")]
        if lost:
            files = count(len(lost), "Python file")
            raise CockpitError(f"the content of {files} is not in this clone; fetch it with git")
        every = [module.path for module in registry.discover(place)]
        workshop = Workshop(root.resolve(), work, place.settings, every, _anchor(place))
        workshop.prepare()
        rounds = Rounds(workshop, found, turns(found), hosts, durations, place.say)
        outcomes = tuple(_outcomes(found, rounds.all(), workshop))
        versions = {**workshop.probed["versions"], "pytest": importlib.metadata.version("pytest")}
    return Measured(place.commit, outcomes, versions)


@contextlib.contextmanager
def _scratch(place: Place) -> Iterator[Path]:
    folder = place.repository.common_dir / "cockpit" / "scratch"
    folder.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="sweep-", dir=folder))
    try:
        yield made
    finally:
        shutil.rmtree(made, ignore_errors=True)


def _anchor(place: Place) -> str:
    """A file at the root: pytest loads the conftest.py beside it and of no folder below."""
    if "conftest.py" in place.entries:
        return "conftest.py"
    return next((path for path in place.entries if "/" not in path), "")


def _outcomes(
    found: Sequence[Suite], judged: Mapping[str, Found], workshop: Workshop
) -> Iterator[Outcome]:
    counted = {name for name, each in judged.items() if each.judgement.state.measured}
    files = [path for suite in found if suite.module in counted for path in suite.own]
    ran = _ran([(suite, judged[suite.module]) for suite in found if suite.module in counted])
    statements, errors = workshop.statements(files, Observed({"": ran}))
    for suite in found:
        each = judged.get(suite.module)
        if each is None:
            yield Outcome(suite.module, State.NO_TESTS, reason=NO_FILES)
            continue
        own = suite.own if suite.module in counted else ()
        lines = each.observed.of_turns(each.turns, suite.tests) if own else {}
        yield Outcome(
            suite.module,
            each.judgement.state,
            each.judgement.tests,
            {
                path: executed(*statements[path], lines.get(path, set()))
                for path in own
                if path in statements
            },
            {path: errors[path] for path in own if path in errors},
            each.judgement.reason,
            each.apart,
            round(each.duration_s, 3),
        )


def _ran(counted: Sequence[tuple[Suite, Found]]) -> dict[str, set[int]]:
    """The lines of the modules' own files that ran in the runs that count."""
    return {
        path: each.observed.every.get(path, set()) for suite, each in counted for path in suite.own
    }
