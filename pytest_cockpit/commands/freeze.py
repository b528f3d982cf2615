"""`cockpit freeze`: verify a freeze, restore it into a folder, and compare two of them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_cockpit.config import Config
    from pytest_cockpit.git import Repository


def register(subparsers: Any) -> None:
    """Add the command."""
    freeze = subparsers.add_parser(
        "freeze", help="verify, restore and compare freezes", allow_abbrev=False
    )
    actions = freeze.add_subparsers(dest="action", metavar="ACTION", required=True)
    verify = _action(actions, "verify", _verify, "is a freeze still what it was?")
    verify.add_argument("tag", metavar="TAG")
    verify.add_argument("--remote", metavar="NAME", help="a remote that must have the same tag")
    verify.add_argument("--json", action="store_true", help="print the answer as data")
    restore = _action(actions, "restore", _restore, "put a freeze into a new folder")
    restore.add_argument("tag", metavar="TAG")
    restore.add_argument("folder", metavar="FOLDER", type=Path, help="where nothing is")
    restore.add_argument(
        "--export", action="store_true", help="plain files, and no linked work tree"
    )
    diff = _action(actions, "diff", _diff, "two freezes side by side")
    diff.add_argument("before", metavar="BEFORE")
    diff.add_argument("after", metavar="AFTER")
    diff.add_argument("--json", action="store_true", help="print the difference as data")


def _action(actions: Any, name: str, run: Any, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = actions.add_parser(
        name, help=text, description=text, allow_abbrev=False
    )
    parser.set_defaults(run=run)
    return parser


def _verify(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.api import Verdict
    from pytest_cockpit.freeze.verify import verify

    found = verify(*_here(), arguments.tag, remote=arguments.remote, say=_say)
    if arguments.json:
        _json(found.document(), "freeze-verification")
    else:
        print("\n".join(found.lines()))
    return 0 if found.verdict is Verdict.PASS else 1


def _restore(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.freeze.restore import restore
    from pytest_cockpit.records.text import count, printable

    found = restore(*_here(), arguments.tag, arguments.folder, export=arguments.export)
    rest = f", {found.filtered:,} of them through git's filters" if found.filtered else ""
    where = printable(str(arguments.folder))
    print(f"{where}: {arguments.tag}, {found.commit[:12]}: {count(found.files, 'path')}{rest}")
    if not arguments.export:
        print(f"done with it: git worktree remove {where}")
    return 0


def _diff(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.freeze.diff import compare

    found = compare(*_here(), arguments.before, arguments.after)
    if arguments.json:
        _json(found.document(), "freeze-diff")
    else:
        print("\n".join(found.lines()))
    return 0


def _here() -> tuple[Repository, Config]:
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository

    repository = Repository.discover(Path.cwd())
    return repository, config.load(repository.root)


def _json(document: dict[str, Any], schema: str) -> None:
    from pytest_cockpit.api import CockpitError
    from pytest_cockpit.records import artifacts

    problems = artifacts.validate(document, schema)
    if problems:
        raise CockpitError(f"the answer is not as its schema says: {problems[0]}")
    sys.stdout.write(artifacts.canonical(document).decode("utf-8"))


def _say(line: str) -> None:
    print(line, file=sys.stderr)
