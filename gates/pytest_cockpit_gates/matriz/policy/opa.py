"""The `opa` program as a second judge, where one is on the path."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.matriz.policy.engine import Answer, Job, Question

_TIMEOUT_S = 300.0
_AT_ONCE = 1000
_QUESTIONS = "cockpit_questions"


@dataclass(frozen=True, slots=True)
class Second:
    """What OPA said: its answers in the order of the questions, or why there are none."""

    version: str
    answers: tuple[Answer, ...] = ()
    failure: str | None = None


def installed(name: str) -> str | None:
    """The program of this name on the path, or None."""
    return shutil.which(name)


def evaluate(program: str, job: Job, scratch: Path, *, classic: bool) -> Second:
    """Ask OPA the questions of a job; `classic` is for Rego as it was before version 1."""
    with tempfile.TemporaryDirectory(dir=scratch) as name:
        folder = Path(name)
        try:
            version = _version(program, folder)
            arguments = _loaded(job, folder)
            flags = ["--v0-compatible"] if classic else []
            answers: list[Answer] = []
            for start in range(0, len(job.questions), _AT_ONCE):
                chunk = job.questions[start : start + _AT_ONCE]
                answers += _ask(program, [*flags, *arguments], job, chunk, folder)
        except CockpitError as error:
            return Second("", failure=str(error))
    return Second(version, tuple(answers))


def _version(program: str, folder: Path) -> str:
    ended = process.run([program, "version"], cwd=folder, timeout=_TIMEOUT_S)
    first = ended.stdout.decode(errors="replace").partition("\n")[0]
    return one_line(first.removeprefix("Version:").strip())


def _loaded(job: Job, folder: Path) -> list[str]:
    arguments: list[str] = []
    for number, (_, text) in enumerate(job.modules):
        file = folder / f"{number}.rego"
        file.write_text(text, encoding="utf-8")
        arguments += ["--data", str(file)]
    base = folder / "data.json"
    base.write_text(json.dumps(job.data), encoding="utf-8")
    return [*arguments, "--data", str(base)]


def _ask(
    program: str, arguments: Sequence[str], job: Job, questions: Sequence[Question], folder: Path
) -> list[Answer]:
    """Answers to one lot of questions, in one run: starting the program costs more than asking."""
    asked = folder / "questions.json"
    inputs = {str(index): _input(job, one) for index, one in enumerate(questions)}
    asked.write_text(json.dumps({_QUESTIONS: inputs}), encoding="utf-8")
    found: dict[str, Any] = {}
    for entry in dict.fromkeys(one.entry for one in questions):
        rule = f"data.{entry.replace('/', '.')}"
        # Written so that OPA of every version reads it.
        query = f"{{i: v | c := data.{_QUESTIONS}[i]; v := {rule} with input as c}}"
        everything = _evaluated(program, [*arguments, "--data", str(asked)], query, folder)
        found |= {
            str(index): everything[str(index)]
            for index, one in enumerate(questions)
            if one.entry == entry and str(index) in everything
        }
    return [
        Answer("value", found[str(index)]) if str(index) in found else Answer("undefined")
        for index in range(len(questions))
    ]


def _input(job: Job, question: Question) -> Mapping[str, Any]:
    if question.contract is None:
        return question.input
    return {**question.input, job.key: job.contracts[question.contract]}


def _evaluated(
    program: str, arguments: Sequence[str], query: str, folder: Path
) -> Mapping[str, Any]:
    command = [program, "eval", "--format", "json", *arguments, query]
    ended = process.run(command, cwd=folder, timeout=_TIMEOUT_S)
    try:
        value = json.loads(ended.stdout)["result"][0]["expressions"][0]["value"]
    except (ValueError, LookupError, TypeError) as error:
        said = ended.stdout.decode(errors="replace") + ended.stderr.decode(errors="replace")
        raise CockpitError(one_line(" ".join(said.split()))[:300] or "no answer") from error
    if ended.returncode or not isinstance(value, dict):
        raise CockpitError(f"opa eval ended with exit {ended.returncode}")
    return value
