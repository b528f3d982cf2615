"""The console script `cockpit`: what people and git do with the records outside of a session."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Mapping, Sequence

import pytest_cockpit
from pytest_cockpit.api import CockpitError

COMMANDS: Mapping[str, tuple[str, ...]] = {
    "pytest_cockpit.commands.waivers": ("waive", "unwaive", "waivers"),
    "pytest_cockpit.commands.baselines": ("merge-baseline", "install-merge-driver"),
    "pytest_cockpit.commands.ledger": ("ledger",),
    "pytest_cockpit.commands.guard": ("guard",),
    "pytest_cockpit.commands.shard": ("shard",),
    "pytest_cockpit.commands.freeze": ("freeze",),
}
"""Modules with the commands of each. Their function `register(subparsers)` adds parsers whose
default `run` takes the parsed arguments and returns the exit code."""

OK, RED, USAGE = 0, 1, 2


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; 0 when all is well, 1 when something is red, 2 when it could not be done."""
    words = sys.argv[1:] if argv is None else argv
    arguments = _parser(*words[:1]).parse_args(words)
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


def _parser(named: str = "") -> argparse.ArgumentParser:
    """The parser of one command, or of all: a hook should not wait for those it does not use."""
    parser = argparse.ArgumentParser(
        prog="cockpit",
        description="Waivers, baselines, ledgers, freezes and the guard of pytest-cockpit. "
        "Sessions are pytest's: see `pytest --help`.",
        allow_abbrev=False,
    )
    version = f"pytest-cockpit {pytest_cockpit.__version__}"
    parser.add_argument("--version", action="version", version=version)
    subparsers = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name in [name for name, own in COMMANDS.items() if named in own] or COMMANDS:
        importlib.import_module(name).register(subparsers)
    return parser


if __name__ == "__main__":
    sys.exit(main())
