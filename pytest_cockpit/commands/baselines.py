"""`cockpit merge-baseline` and `install-merge-driver`: git merges baselines by tightening them."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_cockpit.api import CockpitError

if TYPE_CHECKING:
    from pytest_cockpit.git import Repository
    from pytest_cockpit.records.baselines import Baseline
    from pytest_cockpit.records.baselines_join import Join

DRIVER = "cockpit-baseline"
_ATTRIBUTES = ".gitattributes"


def register(subparsers: Any) -> None:
    """Add the two commands."""
    merge = subparsers.add_parser(
        "merge-baseline",
        help="merge two versions of a baseline; git calls this",
        description="A merge driver of git. Exits with 1, and leaves MINE as it is, where the two "
        "cannot be merged.",
        allow_abbrev=False,
    )
    merge.add_argument(
        "base", metavar="BASE", type=Path, help="version of the common ancestor: %%O"
    )
    merge.add_argument("mine", metavar="MINE", type=Path, help="our version: %%A; gets the result")
    merge.add_argument("theirs", metavar="THEIRS", type=Path, help="the other version: %%B")
    merge.add_argument("path", metavar="PATH", help="what the file is called: %%P")
    merge.set_defaults(run=_merge)
    install = subparsers.add_parser(
        "install-merge-driver",
        help="have git merge baselines with merge-baseline in this clone",
        allow_abbrev=False,
    )
    install.set_defaults(run=_install)


def _merge(arguments: argparse.Namespace) -> int:
    from pytest_cockpit.records import artifacts, baselines, baselines_join
    from pytest_cockpit.records.text import printable

    path = printable(arguments.path)
    try:
        base = _read(arguments.base, f"{path} (common ancestor)")
        mine = _demanded(arguments.mine, f"{path} (ours)")
        theirs = _demanded(arguments.theirs, f"{path} (theirs)")
        result = baselines_join.merged(base, mine, theirs, _join_of(mine.gate))
        artifacts.write_bytes(arguments.mine, baselines.dump(result))
    except CockpitError as error:
        reason = str(error).partition("\n")[0]
        print(f"cockpit merge-baseline: {path} was not merged: {reason}", file=sys.stderr)
        return 1
    return 0


def _read(path: Path, where: str) -> Baseline | None:
    """The baseline in a file; None where git has none, which it shows as an empty file."""
    from pytest_cockpit.records import artifacts, baselines

    try:
        data = path.read_bytes()
    except OSError as error:
        raise artifacts.os_error(path, "cannot read", error) from error
    return baselines.parse(data, where) if data else None


def _demanded(path: Path, where: str) -> Baseline:
    found = _read(path, where)
    if found is None:
        raise CockpitError(f"{where}: empty; restore it from git")
    return found


def _join_of(gate: str) -> Join:
    from pytest_cockpit import discovery

    found = discovery.gates().loaded.get(gate)
    if found is None:
        raise CockpitError(f"no gate {gate!r} is installed here to say which bound is tighter")
    join: Join | None = getattr(found.gate, "join", None)
    if join is None:
        raise CockpitError(f"{gate}: the gate cannot join baselines; settle the conflict by hand")
    return join


def _install(arguments: argparse.Namespace) -> int:
    from pytest_cockpit import config
    from pytest_cockpit.git import Repository

    repository = Repository.discover(Path.cwd())
    records = config.load(repository.root).records
    changed = _attribute(repository, records)
    # Not `cockpit`, which is found only while its environment is active; `-P`, so that nothing of
    # the repository is imported in place of this package.
    command = f"{shlex.quote(sys.executable)} -P -m pytest_cockpit.cli merge-baseline %O %A %B %P"
    settings = {"name": "baselines of pytest-cockpit, as tight as both", "driver": command}
    for key, value in settings.items():
        repository.run("config", "--local", f"merge.{DRIVER}.{key}", value)
    print(f"git merges {records}/baselines/*.json with {DRIVER} in this clone")
    print(f"{_ATTRIBUTES}: {'commit it' if changed else 'has its line already'}")
    return 0


def _attribute(repository: Repository, records: str) -> bool:
    """Add the line to .gitattributes; whether it was missing."""
    from pytest_cockpit.git import quoted
    from pytest_cockpit.records import artifacts

    path = repository.root / _ATTRIBUTES
    if path.is_symlink():
        raise CockpitError(f"{_ATTRIBUTES}: a link; put a file of its own there")
    pattern = f"{records}/baselines/*.json"
    spelled = quoted(pattern).decode() if " " in pattern else pattern
    line = f"{spelled} merge={DRIVER}"
    try:
        content = path.read_bytes() if path.exists() else b""
    except OSError as error:
        raise artifacts.os_error(path, "cannot read", error) from error
    if line.encode() in content.splitlines():
        return False
    gap = b"" if not content or content.endswith(b"\n") else b"\n"
    artifacts.write_bytes(path, content + gap + line.encode() + b"\n")
    return True
