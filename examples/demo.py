"""Promote a batch of examples/harbour, in a copy of it with a history of its own.

`python examples/demo.py` works in a temporary folder and removes it; `python examples/demo.py
FOLDER` works in FOLDER, which must not exist yet, and leaves the result there to look at.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Collection
from pathlib import Path

HARBOUR = Path(__file__).resolve().parent / "harbour"

# Days and paths of the commits. The ranking looks at how lately a file was touched, so the copy
# needs days that differ.
HISTORY = (
    ("2025-02-03", "Ships, tides, cargo and dues", ("harbour", "pyproject.toml", ".gitignore")),
    ("2025-03-10", "Berths: first come, first served", ("candidate/berths",)),
    ("2025-03-24", "Tidal windows over the bar", ("candidate/tides",)),
    ("2025-04-07", "Stowage, dangerous goods, cold boxes", ("candidate/cargo",)),
    ("2025-04-28", "Wind, tugs, position reports", (":(glob)candidate/*.py",)),
    ("2025-05-05", "Meeting in the fairway", ("candidate/traffic",)),
    ("2025-06-02", "Customs, and duty on the invoice", ("candidate/customs",)),
    ("2025-06-16", "Pilots and their hours of rest", ("candidate/pilots",)),
    ("2025-06-23", "Contracts and tests", (".",)),
)

SAME_MODULE = """
import warnings
warnings.simplefilter("ignore", DeprecationWarning)
import candidate.customs.duty as old
import harbour.customs.duty as new
print("candidate.customs.duty is harbour.customs.duty:", old is new)
print(new.__file__)
raise SystemExit(old is not new)
"""


def main(arguments: list[str]) -> int:
    """Run the demo in the folder named on the command line, or in a temporary one."""
    if arguments:
        folder = Path(arguments[0])
        folder.mkdir(parents=True)
        demonstrate(folder)
        print(f"\nThe repository is in {folder / 'harbour'}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="cockpit-demo-", ignore_cleanup_errors=True) as name:
        demonstrate(Path(name))
    return 0


def demonstrate(folder: Path) -> None:
    """Show a batch from the first command to the last look."""
    port = Terminal(folder.resolve() / "harbour")
    shutil.copytree(
        HARBOUR, port.folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache")
    )
    write_history(port)
    port.say("A repository with production code in harbour/ and a lane in candidate/.")
    port.run("git", "log", "--format=%h %as %s")
    port.say("Once: measure the baselines that batches are held against, and commit them.")
    port.run("pytest", "--cockpit-init")
    port.run("git", "add", "--all")
    port.run("git", "commit", "--quiet", "--message", "Add the baselines of the cockpit")
    port.say("Look first: which files would move, in which order, why, and which cannot.")
    port.run("pytest", "--cockpit-batch", "--co", "-q")
    port.say("Promote: move, rewrite the importers, judge the result, seal it as one commit.")
    port.run("pytest", "--cockpit-batch", "--cockpit-batch-size", "12", "-v")
    port.say("What came of it: one commit.")
    port.run("git", "log", "-1", "--stat", "-B", "-M")
    port.say("What named the moved modules was rewritten: imports, mock.patch, importlib.")
    rewritten = ("harbour/billing/invoice.py", "harbour/cli.py", "tests/test_wind_and_sea.py")
    port.run("git", "show", "--format=", "HEAD", "--", *rewritten)
    port.say("The history is there, and both names give the same module.")
    port.run("git", "log", "--follow", "--format=%h %as %s", "--", "harbour/customs/duty.py")
    port.run("python", "-c", SAME_MODULE, shown='python -c "…old is new…"')
    port.run("git", "status", "--short", "--branch")
    port.run("ls", "-R", "artifacts")
    port.say("Tomorrow's batch: the rest of what can move.")
    port.run("pytest", "--cockpit-batch", "--cockpit-batch-size", "50", "-q")
    port.run("git", "show", "--format=", "HEAD", "--", "pyproject.toml")
    port.say("In CI: the same gates over the working tree.")
    port.run("pytest", "-m", "gate")


def write_history(port: Terminal) -> None:
    """Commit the copy in dated steps."""
    port.run("git", "init", "--quiet", "--initial-branch=main", quietly=True)
    for key, value in (
        ("user.name", "Harbour Master"),
        ("user.email", "master@harbour.example"),
        ("commit.gpgsign", "false"),
        ("core.autocrlf", "false"),
    ):
        port.run("git", "config", key, value, quietly=True)
    for day, subject, paths in HISTORY:
        port.run("git", "add", "--", *paths, quietly=True)
        port.run("git", "commit", "--quiet", "--message", subject, day=day, quietly=True)


class Terminal:
    """Runs commands in a folder as somebody at a terminal would, and stops at the first failure."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        # What git or pytest are told from outside belongs to another repository.
        self.environment = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("GIT_", "PYTEST_", "COVERAGE_")) and name != "PYTHONPATH"
        }
        tools = Path(sys.executable).parent
        self.environment["PATH"] = f"{tools}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
        self.environment["GIT_PAGER"] = "cat"

    def say(self, sentence: str) -> None:
        """Tell what comes next."""
        print(f"\n{'─' * 90}\n{sentence}", flush=True)

    def run(
        self,
        *command: str,
        day: str | None = None,
        shown: str | None = None,
        quietly: bool = False,
        codes: Collection[int] = (0,),
    ) -> None:
        """Show a command and run it; `day` is the date of a commit, `codes` how it may end."""
        environment = dict(self.environment)
        if day is not None:
            environment |= dict.fromkeys(
                ("GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"), f"{day}T09:00:00+0000"
            )
        if not quietly:
            print(f"\n$ {shown or shlex.join(command)}", flush=True)
        finished = subprocess.run(command, cwd=self.folder, env=environment, check=False)
        if finished.returncode not in codes:
            raise SystemExit(f"demo: {shlex.join(command)} ended with {finished.returncode}")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
