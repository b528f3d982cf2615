"""The part of GitHub's runner that a composite action needs: expressions, conditions, bash.

Steps that `use` other actions are not run; what they were given is kept to be looked at.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.DOTALL)
_TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:[^']|'')*')|(?P<op>\|\||&&|==|!=|!|\(|\))|(?P<name>[\w.*-]+\(?))"
)


@dataclass
class Job:
    """What a job of a workflow knows, and what its steps left."""

    folder: Path
    action: Path
    github: Mapping[str, Any]
    inputs: dict[str, str]
    environment: Mapping[str, str]
    steps: dict[str, Any] = field(default_factory=dict)
    used: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    log: str = ""
    failed: bool = False

    @property
    def outputs(self) -> dict[str, str]:
        """The action's outputs."""
        document = yaml.safe_load(self.action.read_text(encoding="utf-8"))
        return {key: self.filled(row["value"]) for key, row in document["outputs"].items()}

    def run(self) -> Job:
        """Run every step whose condition holds."""
        document = yaml.safe_load(self.action.read_text(encoding="utf-8"))
        for name, row in document["inputs"].items():
            self.inputs.setdefault(name, self.filled(str(row.get("default", ""))))
        for row in document["runs"]["steps"]:
            self._step(row)
        return self

    def _step(self, row: Mapping[str, Any]) -> None:
        condition = str(row.get("if", "success()"))
        if not re.search(r"\b(?:always|cancelled|failure|success)\(\)", condition):
            condition = f"success() && ({condition})"
        outcome = "skipped"
        outputs: dict[str, str] = {}
        if self.value(condition):
            if "uses" in row:
                given = {key: self.filled(str(value)) for key, value in row["with"].items()}
                self.used.append((row["uses"], given))
                outcome = "success"
            else:
                outcome, outputs = self._script(row)
        self.failed = self.failed or outcome == "failure"
        if "id" in row:
            self.steps[row["id"]] = {"outcome": outcome, "outputs": outputs}

    def _script(self, row: Mapping[str, Any]) -> tuple[str, dict[str, str]]:
        temporary = self.folder / "runner"
        temporary.mkdir(exist_ok=True)
        output = temporary / "output"
        output.write_text("")
        script = temporary / "script.sh"
        script.write_text(row["run"])
        own = {key: self.filled(str(value)) for key, value in row.get("env", {}).items()}
        cwd = self.folder / self.filled(row.get("working-directory", "."))
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-eo", "pipefail", str(script)],
            cwd=cwd,
            env={
                **self.environment,
                **own,
                "GITHUB_OUTPUT": str(output),
                "GITHUB_STEP_SUMMARY": str(temporary / "summary.md"),
                "RUNNER_TEMP": str(temporary),
            },
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        self.log += done.stdout + done.stderr
        pairs = (line.partition("=") for line in output.read_text().splitlines())
        return "failure" if done.returncode else "success", {key: value for key, _, value in pairs}

    # ------------------------------------------------------------ expressions

    def filled(self, text: str) -> str:
        """The text with its expressions replaced."""
        return _EXPRESSION.sub(lambda found: _shown(self.value(found[1])), text)

    def value(self, expression: str) -> Any:
        """What an expression comes to."""
        tokens, at = [], 0
        expression = expression.strip()
        while at < len(expression):
            found = _TOKEN.match(expression, at)
            assert found, expression[at:]
            tokens.append(found.group(found.lastgroup or 0))
            at = found.end()
        result = self._either(tokens)
        assert not tokens, tokens
        return result

    def _either(self, tokens: list[str]) -> Any:
        value = self._both(tokens)
        while tokens[:1] == ["||"]:
            tokens.pop(0)
            other = self._both(tokens)
            value = value or other
        return value

    def _both(self, tokens: list[str]) -> Any:
        value = self._compared(tokens)
        while tokens[:1] == ["&&"]:
            tokens.pop(0)
            other = self._compared(tokens)
            value = value and other
        return value

    def _compared(self, tokens: list[str]) -> Any:
        value = self._single(tokens)
        if tokens[:1] in (["=="], ["!="]):
            same = tokens.pop(0) == "=="
            return (_shown(value) == _shown(self._single(tokens))) is same
        return value

    def _single(self, tokens: list[str]) -> Any:
        word = tokens.pop(0)
        if word == "!":
            return not self._single(tokens)
        if word == "(":
            value = self._either(tokens)
            assert tokens.pop(0) == ")"
            return value
        if word.startswith("'"):
            return word[1:-1].replace("''", "'")
        if word.endswith("("):
            return self._called(word[:-1], tokens)
        return self._named(word)

    def _called(self, name: str, tokens: list[str]) -> Any:
        given = None if tokens[0] == ")" else self._either(tokens)
        assert tokens.pop(0) == ")"
        return {
            "always": lambda: True,
            "cancelled": lambda: False,
            "success": lambda: not self.failed,
            "failure": lambda: self.failed,
            "toJSON": lambda: json.dumps(given),
        }[name]()

    def _named(self, name: str) -> Any:
        value: Any = {"inputs": self.inputs, "github": self.github, "steps": self.steps}
        parts = name.split(".")
        for index, part in enumerate(parts):
            if part == "*":
                rest = parts[index + 1]
                return [row[rest] for row in value or ()]
            value = value.get(part) if isinstance(value, Mapping) else None
        return value


def _shown(value: Any) -> str:
    if value is None or value is False:
        return "" if value is None else "false"
    return "true" if value is True else str(value)
