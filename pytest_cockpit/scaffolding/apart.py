"""A template of the repository's own, rendered in a process that cannot work without end.

Jinja's sandbox keeps a template from the interpreter, and neither from loops in loops nor from
`10 ** (10 ** 10)`, which it works out while it parses.
"""

from __future__ import annotations

import base64
import importlib.util
import pickle
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import count, one_line, parse
from pytest_cockpit.scaffolding import child
from pytest_cockpit.scaffolding.rendering import Facts
from pytest_cockpit.scaffolding.template import Template

SECONDS = 60
"""Of the processor, for so many modules as are rendered at once."""

MEMORY = 2 * 1024**3
"""Bytes, for the same."""

_NEEDED = ("pytest_cockpit", "jinja2", "yaml")


def render(template: Template, told: Sequence[tuple[str, Facts]]) -> list[dict[str, bytes]]:
    """What the template gives for each of some modules, told by their paths.

    Raises
    ------
    CockpitError: the template cannot be rendered, or not within the limits.
    """
    done = process.run(
        [sys.executable, "-P", child.__file__, *_folders()],
        cwd=Path(tempfile.gettempdir()),
        input=pickle.dumps((template, list(told), SECONDS, MEMORY)),
    )
    if done.returncode < 0:
        raise CockpitError(
            f"{template.where}: rendering was stopped by signal {-done.returncode}; it may take "
            f"{SECONDS} s for {count(len(told), 'module')}: look for loops in the template"
        )
    if done.returncode:
        last = next(reversed(done.stderr.decode("utf-8", "replace").splitlines()), "no word of why")
        raise CockpitError(f"{template.where}: rendering ended: {one_line(last)[:200]}; shorten it")
    answer = parse(done.stdout)
    if "error" in answer:
        raise CockpitError(answer["error"])
    return [
        {name: base64.b64decode(text) for name, text in files.items()} for files in answer["files"]
    ]


def _folders() -> list[str]:
    """From where this process has what the other needs."""
    found = [importlib.util.find_spec(name) for name in _NEEDED]
    origins = [Path(spec.origin).parents[1] for spec in found if spec and spec.origin]
    return list(dict.fromkeys(map(str, origins)))
