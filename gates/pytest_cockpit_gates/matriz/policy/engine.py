"""Ask a policy questions in a child process, whatever the policy does to it."""

from __future__ import annotations

import importlib.util
import json
import sys
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_cockpit import process

_CHILD = Path(__file__).parent / "child" / "cockpit_policy_evaluator.py"
NEEDED = ("regopy", "yaml")
_BUILD_S = 60.0
_MOST_DEATHS = 5
_ALARM = -14

Source = tuple[str, str]
"""A module's path and text."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask: `entry` is the rule's path, `contract` an index into the job's."""

    entry: str
    input: Mapping[str, Any]
    contract: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a question.

    `state` is `value`, `undefined`, `error` (the policy's), `lost` (the evaluator died or was
    stopped over it) or `unasked`.
    """

    state: str
    value: Any = None

    @property
    def decided(self) -> bool:
        """Whether it is a plain yes or no."""
        return self.state == "value" and isinstance(self.value, bool)


@dataclass(frozen=True, slots=True)
class Job:
    """A policy and what to ask it."""

    modules: Sequence[Source]
    entries: Sequence[str]
    questions: Sequence[Question]
    data: Mapping[str, Any] = field(default_factory=dict)
    contracts: Sequence[Any] = ()
    key: str = "contract"
    timeout_s: float = 5.0
    unit_tests: bool = False


@dataclass(frozen=True, slots=True)
class Outcome:
    """All answers, in the order of the questions, or why there are none.

    Parameters
    ----------
    refused: modules that the evaluator does not take, and what it says; None is all together.
    failure: how the evaluator ended before it was ready; None when it was.
    output: what the policy printed.
    """

    answers: tuple[Answer, ...] = ()
    refused: tuple[tuple[str | None, str], ...] = ()
    failure: str | None = None
    output: str = ""
    cpu_s: float = 0.0


def missing() -> list[str]:
    """Which of the packages that policies need are not installed."""
    return [name for name in NEEDED if importlib.util.find_spec(name) is None]


def evaluate(job: Job, scratch: Path) -> Outcome:
    """Ask all questions; one that kills the evaluator is lost, and the next ones are asked anew."""
    answers: list[Answer] = []
    output: list[str] = []
    cpu_s, deaths = 0.0, 0
    while True:
        rest = job.questions[len(answers) :]
        told, ended = _run(job, rest, scratch)
        cpu_s += ended.cpu_s
        output.append(ended.stdout.decode(errors="replace"))
        if not told or told[0] != ["ready"]:
            refused = tuple((row[1], str(row[2])) for row in told if row[0] == "refused")
            failure = None if refused else _end(ended)
            if failure is not None and answers:
                break
            return Outcome((), refused, failure, "".join(output), cpu_s)
        answers += [Answer(*row) for row in told[1:]]
        if len(answers) >= len(job.questions):
            break
        answers.append(Answer("lost", _end(ended)))
        deaths += 1
        if deaths >= _MOST_DEATHS or len(answers) >= len(job.questions):
            break
    answers += [Answer("unasked")] * (len(job.questions) - len(answers))
    return Outcome(tuple(answers), (), None, "".join(output), cpu_s)


def _run(
    job: Job, questions: Sequence[Question], scratch: Path
) -> tuple[list[Any], process.Completed]:
    content = {
        "modules": [list(source) for source in job.modules],
        "data": job.data,
        "entries": list(job.entries),
        "contracts": list(job.contracts),
        "key": job.key,
        "timeout_s": job.timeout_s,
        "build_s": _BUILD_S,
        "questions": [[one.entry, one.input, one.contract] for one in questions],
    }
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        results = Path(folder) / "results"
        ended = process.run(
            [sys.executable, _CHILD, results],
            cwd=Path(folder),
            input=json.dumps(content).encode(),
            timeout=_BUILD_S + job.timeout_s * (len(questions) + 1),
        )
        written = results.read_bytes() if results.exists() else b""
    whole = written[: written.rfind(b"\n") + 1]
    return [json.loads(line) for line in whole.splitlines()], ended


def _end(ended: process.Completed) -> str:
    if ended.timed_out or ended.returncode == _ALARM:
        return "did not come to an end in its time"
    lines = [line.strip() for line in ended.stderr.decode(errors="replace").splitlines()]
    last = next((line for line in reversed(lines) if line), "")
    how = f"signal {-ended.returncode}" if ended.returncode < 0 else f"exit {ended.returncode}"
    return f"the evaluator ended with {how}" + (f": {last[:200]}" if last else "")
