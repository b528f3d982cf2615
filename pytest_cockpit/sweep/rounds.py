"""The runs of a sweep: one for all modules, and one for each that clashes with the others."""

from __future__ import annotations

import importlib.metadata
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_cockpit.measurement import outcome
from pytest_cockpit.records.text import count
from pytest_cockpit.sweep import runs
from pytest_cockpit.sweep.attribution import Observed
from pytest_cockpit.sweep.model import Counts, State
from pytest_cockpit.sweep.runs import Judgement, Run
from pytest_cockpit.sweep.suite import Suite, Turns
from pytest_cockpit.sweep.workshop import Workshop, last_words

_ROUNDS = 3
"""Joint runs at most: each after the first is without the modules that ended a process."""
_GROUP = 200
"""Modules of one joint run: whenever it changes contexts, coverage looks at every file it knows."""
_RESTARTS = 4
_QUIET = ("-W", "ignore:The --rsyncdir command line argument:DeprecationWarning")
"""pytest-xdist announces its end; a repository that makes errors of warnings could not start."""


@dataclass(frozen=True, slots=True)
class Found:
    """What counts of one module.

    Parameters
    ----------
    observed: all that was seen in the run that counts.
    turns: the module's in that run.
    """

    judgement: Judgement
    observed: Observed
    turns: tuple[str, ...]
    apart: str = ""
    duration_s: float = 0.0


@dataclass
class Rounds:
    """Runs the tests of modules until each has been judged.

    Parameters
    ----------
    hosts: what pytest-xdist is told of where the joint run's processes are; () to decide it here.
    say: told how far it is.
    """

    workshop: Workshop
    suites: Sequence[Suite]
    turns: Turns
    hosts: Sequence[str]
    durations: Mapping[str, float]
    say: Callable[[str], None]
    found: dict[str, Found] = field(default_factory=dict)
    apart: dict[str, str] = field(default_factory=dict)

    def all(self) -> dict[str, Found]:
        """What became of every module that has tests, by its folder."""
        if self.workshop.settings.sweep.mode == "joint" and len(self.turns.modules) > 1:
            self._together()
        waiting = [each for each in self.suites if each.tests and each.module not in self.found]
        self._alone(waiting)
        return self.found

    def _together(self) -> None:
        turns = list(self.turns.modules)
        done: dict[str, Run] = {}
        for start in range(0, len(turns), _GROUP):
            done.update(self._group(start, turns[start : start + _GROUP]))
        self._judge(done)

    def _group(self, start: int, left: list[str]) -> dict[str, Run]:
        """The run that each of some turns was judged in; the others are to be run alone."""
        done: dict[str, Run] = {}
        for number in range(_ROUNDS):
            if not left:
                break
            run, said = self._joint(f"joint{start}-{number}", left)
            self._blame(run.culprits, "the joint run, or a process of it, ended in its tests")
            ended = [turn for turn in left if run.has_run(turn)]
            done.update(dict.fromkeys(ended, run))
            left = [turn for turn in left if turn not in {*ended, *run.culprits}]
            if not (run.culprits or ended):
                self._blame(left, f"the joint run came to nothing: {said}")
                break
        else:
            self._blame(left, "processes of the joint run kept ending")
        return done

    def _joint(self, name: str, left: Sequence[str]) -> tuple[Run, str]:
        wanted = set(left)
        files = [path for path, turn in self.turns.files.items() if turn in wanted]
        request = self.workshop.request(
            name, turns=self.turns.files, joint=True, durations=self.durations
        )
        argv = self.workshop.arguments(self._processes(len(left)), files)
        self.say(f"running the tests of {count(len(left), 'module')} together")
        ended = self.workshop.run(name, argv, request, self._teller(len(left)))
        text = (ended.stderr + ended.stdout).decode("utf-8", "replace")
        said = "its time was up" if ended.timed_out else last_words(text)
        return runs.read(*self.workshop.left(name)), said

    def _processes(self, most: int) -> list[str]:
        """What pytest-xdist is told."""
        if self.hosts:
            remote = any(option.startswith("--tx") for option in self.hosts)
            tree, package = self.workshop.root, self.workshop.work / "cockpit_sweep"
            synced = [f"--rsyncdir={tree}", f"--rsyncdir={package}", *_QUIET] if remote else []
            return [*self.hosts, *synced, f"--max-worker-restart={_RESTARTS}"]
        wanted = min(self.workers, most)
        if not _distributed():
            return []
        return [f"-n{wanted if wanted > 1 else 0}", f"--max-worker-restart={_RESTARTS}"]

    @property
    def workers(self) -> int:
        """How many processes run tests."""
        return self.workshop.settings.sweep.workers or len(os.sched_getaffinity(0))

    def _blame(self, turns: Iterable[str], why: str) -> None:
        for turn in turns:
            for module in self.turns.modules.get(turn, (turn,)):
                self.apart.setdefault(module, why)

    def _judge(self, done: Mapping[str, Run]) -> None:
        """Enter the modules whose turns were all in one run, and green there."""
        for suite in self.suites:
            turns = self.turns.of(suite.module)
            if not turns or suite.module in self.apart:
                continue
            run = done[turns[0]]
            if any(done[turn] is not run for turn in turns):
                self.apart[suite.module] = "its tests were not in one run"
                continue
            judgement = run.judge(suite.tests)
            if judgement.state not in (State.PASSED, State.NO_TESTS):
                said = f"{judgement.state.value} in the joint run: {judgement.reason}"
                self.apart[suite.module] = said
                continue
            seconds = sum(run.durations.get(turn, 0.0) for turn in turns)
            self.found[suite.module] = Found(judgement, run.observed, turns, duration_s=seconds)

    def _alone(self, waiting: Sequence[Suite]) -> None:
        """Run each of these modules in a process of its own."""
        if not waiting:
            return
        self.say(f"running {count(len(waiting), 'module')} in processes of their own")
        jobs = []
        for number, suite in enumerate(waiting):
            turns = dict.fromkeys(suite.tests, suite.module)
            request = self.workshop.request(
                f"alone{number}", turns=turns, joint=False, durations={}
            )
            options = ["-n0"] if _distributed() else []
            argv = self.workshop.arguments(options, suite.tests)
            jobs.append(self.workshop.job(f"alone{number}", argv, request))
        ended = self.workshop.pool(jobs, self.workers, self._pool_teller(len(jobs)))
        for number, suite in enumerate(waiting):
            self._settle(suite, f"alone{number}", ended.get(f"alone{number}", {}))

    def _settle(self, suite: Suite, name: str, ended: Mapping[str, object]) -> None:
        run = runs.read(*self.workshop.left(name))
        judgement = run.judge(suite.tests)
        if ended.get("late"):
            why = f"its tests took more than {self.workshop.settings.sweep.timeout_s:g} s"
            judgement = Judgement(State.CRASHED, judgement.tests, why)
        elif run.tests.exit is None:
            why = _ending(ended.get("exit"), run.tests, self.workshop.said(name))
            started = run.tests.started or ended.get("exit") not in (1, 2, 3, 4)
            judgement = Judgement(State.CRASHED if started else State.ERROR, judgement.tests, why)
        elif not (run.complete and run.has_run(suite.module)):
            why = f"pytest was stopped before all tests had run: {self.workshop.said(name)}"
            judgement = Judgement(State.ERROR, Counts(), why)
        seconds = ended.get("wall_s")
        self.found[suite.module] = Found(
            judgement,
            run.observed,
            (suite.module,),
            self.apart.get(suite.module, ""),
            seconds if isinstance(seconds, float) else 0.0,
        )

    def _teller(self, whole: int) -> Callable[[bytes], None]:
        told = 0

        def tell(data: bytes) -> None:
            nonlocal told
            begun = {
                self.turns.files.get(test.partition("::")[0])
                for test in outcome.read(data).outcomes
            }
            if len(begun) > told:
                told = len(begun)
                self.say(f"{told} of {count(whole, 'module')}")

        return tell

    def _pool_teller(self, whole: int) -> Callable[[bytes], None]:
        told = 0

        def tell(data: bytes) -> None:
            nonlocal told
            done = data.count(b"\n")
            if done > told:
                told = done
                self.say(f"{told} of {count(whole, 'module')} alone")

        return tell


def _ending(code: object, tests: outcome.TestRun, said: str) -> str:
    where = f" in {tests.running[0]}" if tests.running else ""
    if isinstance(code, int) and code < 0:
        return f"its process was killed by signal {-code}{where}"
    return f"its process ended with exit code {code}{where}: {said}"


def _distributed() -> bool:
    """Whether pytest-xdist is there; the tests run with our own interpreter."""
    try:
        importlib.metadata.distribution("pytest-xdist")
    except importlib.metadata.PackageNotFoundError:
        return False
    return True
