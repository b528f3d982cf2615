"""What the demos share: a copy of an example with a history of its own, and a terminal in it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Collection, Sequence
from pathlib import Path

HERE = Path(__file__).resolve().parent
WHOLE = (".",)


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
            raise SystemExit(f"{shlex.join(command)} ended with {finished.returncode}")

    def commit(self, subject: str, day: str, paths: Sequence[str] = WHOLE) -> None:
        """Commit these paths, quietly, as of a day."""
        self.run("git", "add", "--", *paths, quietly=True)
        self.run("git", "commit", "--quiet", "--message", subject, day=day, quietly=True)


def play(example: str, demonstrate: Callable[[Terminal], None]) -> int:
    """Demonstrate in a copy of an example, in the folder the command line names or a temporary one.

    A folder that is named must not exist yet, and is left there to look at.
    """
    if sys.argv[1:]:
        folder = Path(sys.argv[1])
        folder.mkdir(parents=True)
        demonstrate(copied(example, folder))
        print(f"\nThe repository is in {folder / example}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="cockpit-demo-", ignore_cleanup_errors=True) as name:
        demonstrate(copied(example, Path(name)))
    return 0


def copied(example: str, folder: Path) -> Terminal:
    """A terminal in a copy of the example that is a repository without a commit yet."""
    terminal = Terminal(folder.resolve() / example)
    shutil.copytree(
        HERE / example,
        terminal.folder,
        ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache"),
    )
    terminal.run("git", "init", "--quiet", "--initial-branch=main", quietly=True)
    for key, value in (
        ("user.name", "Harbour Master"),
        ("user.email", "master@harbour.example"),
        ("commit.gpgsign", "false"),
        ("tag.gpgsign", "false"),
        ("core.autocrlf", "false"),
    ):
        terminal.run("git", "config", key, value, quietly=True)
    return terminal
