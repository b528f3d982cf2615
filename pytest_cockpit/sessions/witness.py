"""What the gates said, held against what pytest's reports have come to in the same process."""

from __future__ import annotations

import argparse
import ast
import shlex
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.records.text import printable
from pytest_cockpit.sessions.waiving import started_with

_CLUSTERED = "vqxsl"
_WITH_VALUE = ("-k", "--deselect", "--ignore", "--ignore-glob")
_ALONE = ("--lf", "--last-failed", "--sw", "--stepwise", "--sw-skip", "--stepwise-skip")


def chosen(config: pytest.Config) -> bool:
    """Whether whoever started this run has asked for some of the items alone.

    What `addopts` leaves out, the change under judgement may have left out itself.
    """
    try:
        typed = shlex.split(started_with().get("PYTEST_ADDOPTS", ""))
    except ValueError:
        typed = []
    typed += map(str, config.invocation_params.args)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for letter in _CLUSTERED:
        # Known, so that `-vk name` is read as pytest reads it.
        parser.add_argument(f"-{letter}", action="count", dest="plain")
    for option in _WITH_VALUE:
        parser.add_argument(option, dest="some")
    parser.add_argument(*_ALONE, dest="some", action="store_const", const="yes")
    found, rest = parser.parse_known_args(typed)
    # Of what is left, `-W error::Warning` names no item.
    named = set(rest).intersection(config.args)
    return found.some is not None or any("::" in argument for argument in named)


def runs(config: pytest.Config) -> bool:
    """Whether this run was asked to run anything at all."""
    shows = ("collectonly", "setuponly", "cacheshow")
    return not any(getattr(config.option, name, None) for name in shows)


def certain(expression: str) -> bool:
    """Whether it is known what a `-m` expression selects; pytest has names that Python has not."""
    try:
        ast.parse(expression.strip(), mode="eval")
    except SyntaxError:
        return False
    return True


def corrected(rows: Sequence[dict[str, Any]], said: Mapping[str, Verdict]) -> Iterator[str]:
    """Put into rows what gates have said; yield a line for each row that said something else."""
    for row in rows:
        verdict = said.get(row["name"])
        if verdict is not None and row["verdict"] not in (verdict.value, Verdict.ERROR.value):
            yield f"{row['name']}: {verdict.name}, and was reported as {row['verdict']}"
            row["verdict"] = verdict.value


def strange(rows: list[dict[str, Any]], planned: Collection[str]) -> list[str]:
    """Take rows out that no step has made, with a line for each name."""
    names = dict.fromkeys(str(row["name"]) for row in rows if row["name"] not in planned)
    rows[:] = [row for row in rows if row["name"] in planned]
    return [f"{printable(name)}: was reported, and is no step of this session" for name in names]


def untold(rows: Sequence[Mapping[str, Any]], demanded: Sequence[str]) -> Iterator[str]:
    """A line for each gate that was selected and has no row."""
    told = {row["name"] for row in rows}
    for name in demanded:
        if name not in told:
            yield f"{name}: UNKNOWN: was selected, and nothing was reported of it"


def ends_red(session: pytest.Session | None) -> None:
    """Let a session end red that would end green."""
    if session is not None and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
