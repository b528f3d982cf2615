"""The nodes of a cockpit session: a plan file, and one item per step.

A session module registers a `Steps` object; the plan file it wrote is the one collected file, and
every step is an item whose id can be typed back.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.records.text import one_line
from pytest_cockpit.runner import redact

if TYPE_CHECKING:
    from _pytest._code.code import ExceptionInfo, TerminalRepr

STEPS = pytest.StashKey["Steps"]()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step came to; `text` is shown when it is not green."""

    verdict: Verdict
    summary: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing a session does: `run` does it, now, and says what it came to."""

    name: str
    kind: str
    run: Callable[[], Outcome]
    markers: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Steps:
    """A session's steps in order, and the plan file they are collected from."""

    path: Path
    steps: Sequence[Step]


class Red(Exception):
    """A step that does not open what follows."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome.summary)
        self.outcome = outcome


class PlanFile(pytest.File):
    """The plan as a test file: one item for each step."""

    def collect(self) -> Iterator[PlanItem]:
        """Yield the session's items in the plan's order."""
        for step in self.config.stash[STEPS].steps:
            yield _ITEMS.get(step.kind, PlanItem).from_parent(self, name=step.name, step=step)


class PlanItem(pytest.Item):
    """One step of a session."""

    def __init__(self, *, step: Step, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.step = step
        self.outcome: Outcome | None = None
        self.wall_s = 0.0
        self.cpu_s = 0.0
        for marker in step.markers:
            self.add_marker(marker)
        # A time limit meant for unit tests must not kill a gate, which has limits of its own.
        if self.config.pluginmanager.hasplugin("timeout"):
            self.add_marker(pytest.mark.timeout(0))

    def runtest(self) -> None:
        """Run the step; a verdict that opens nothing is a failure."""
        wall, cpu = time.perf_counter(), _cpu_seconds()
        try:
            self.outcome = self.step.run()
        except CockpitError as error:
            self.outcome = Outcome(Verdict.ERROR, str(error), text=str(error))
            raise
        except Exception as error:
            # A fault of ours: its traceback is a failure's text, and the summary names it.
            said = one_line(redact(f"{type(error).__name__}: {error}"))
            self.outcome = Outcome(Verdict.ERROR, said)
            raise
        finally:
            self.wall_s, self.cpu_s = time.perf_counter() - wall, _cpu_seconds() - cpu
        if self.outcome.verdict is Verdict.SKIP:
            pytest.skip(self.outcome.summary)
        if not self.outcome.verdict.opens:
            raise Red(self.outcome)

    @property
    def opens(self) -> bool:
        """Whether the step has run, and what follows may go on."""
        verdict = self.outcome.verdict if self.outcome else Verdict.ERROR
        return verdict.opens or verdict is Verdict.SKIP

    def repr_failure(
        self, excinfo: ExceptionInfo[BaseException], *args: Any, **kwargs: Any
    ) -> str | TerminalRepr:
        """Expected errors in their own words, without a traceback."""
        if isinstance(excinfo.value, Red):
            return excinfo.value.outcome.text or excinfo.value.outcome.summary
        if isinstance(excinfo.value, CockpitError):
            return str(excinfo.value)
        excinfo.traceback = excinfo.traceback.cut(path=Path(__file__))
        return super().repr_failure(excinfo, *args, **kwargs)

    def reportinfo(self) -> tuple[Path, None, str]:
        """Show the node id as it is: pytest would write the dots of a name given here as `::`."""
        return self.path, None, ""

    @property
    def record(self) -> dict[str, Any]:
        """What the session's record and a distributed run's controller need of this item."""
        outcome = self.outcome
        return {
            "kind": self.step.kind,
            "name": self.step.name,
            "verdict": (outcome.verdict if outcome else Verdict.ERROR).value,
            "summary": outcome.summary if outcome else "",
            "wall_s": round(self.wall_s, 6),
            "cpu_s": round(self.cpu_s, 6),
        }


class Move(PlanItem):
    """One file of the batch: its new content, its shim and its importers are worked out."""


class GateItem(PlanItem):
    """One gate over the tree under judgement."""


class Seal(PlanItem):
    """The last item: it alone changes a ref, and only when everything planned was green."""


_ITEMS: Mapping[str, type[PlanItem]] = {"move": Move, "gate": GateItem, "seal": Seal}


def _cpu_seconds() -> float:
    """CPU seconds of this process and of the children it has waited for."""
    import os

    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
