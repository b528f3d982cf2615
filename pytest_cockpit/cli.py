"""The console script `cockpit`: what people and git do with the records outside of a session."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence

import pytest_cockpit
from pytest_cockpit.api import CockpitError

COMMANDS = (
    "pytest_cockpit.commands.waivers",
    "pytest_cockpit.commands.baselines",
    "pytest_cockpit.commands.ledger",
    "pytest_cockpit.commands.guard",
)
"""Modules with a function `register(subparsers)`, which adds parsers whose default `run` takes the
parsed arguments and returns the exit code."""

OK, RED, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something is red, 2 when it could not be done."""
    arguments = _parser().parse_args(argv)
    try:
        code: int = arguments.run(arguments)
    except CockpitError as error:
        for line in str(error).splitlines():
            print(f"cockpit {arguments.command}: {line}", file=sys.stderr)
        return USAGE
    except KeyboardInterrupt:
        print(f"cockpit {arguments.command}: interrupted", file=sys.stderr)
        return USAGE
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cockpit",
        description="Waivers, baselines, ledgers and the guard of pytest-cockpit. Sessions are "
        "pytest's: see `pytest --help`.",
        allow_abbrev=False,
    )
    version = f"pytest-cockpit {pytest_cockpit.__version__}"
    parser.add_argument("--version", action="version", version=version)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in COMMANDS:
        importlib.import_module(name).register(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
