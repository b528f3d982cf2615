"""Run the whole runbook over examples/quay, in a copy of it with a history of its own.

`python examples/runbook.py` works in a temporary folder and removes it; `python
examples/runbook.py FOLDER` works in FOLDER, which must not exist yet, and leaves the result there
to look at.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from demo import Terminal

QUAY = Path(__file__).resolve().parent / "quay"
TAG = "v0.02-prod"


def main(arguments: list[str]) -> int:
    """Run the runbook in the folder named on the command line, or in a temporary one."""
    if arguments:
        folder = Path(arguments[0])
        folder.mkdir(parents=True)
        demonstrate(folder)
        print(f"\nThe repository is in {folder / 'quay'}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="cockpit-demo-", ignore_cleanup_errors=True) as name:
        demonstrate(Path(name))
    return 0


def demonstrate(folder: Path) -> None:
    """Show a runbook from the first command to the last look."""
    port = Terminal(folder.resolve() / "quay")
    copy(port)
    port.say("A container terminal of four modules, each with a manifest.")
    port.run("git", "ls-files", "quay/*/module.manifest.json")
    port.say("Look first: the phases, in their order.")
    port.run("pytest", "--cockpit-runbook", "--cockpit-tag", TAG, "--co", "-q")
    port.say("Run them: one commit each, on a private ref until all is green.")
    port.run("pytest", "--cockpit-runbook", "--cockpit-tag", TAG, "-v")
    port.say("What came of it: a commit for each phase, and two tags.")
    port.run("git", "log", "--oneline", "--decorate", "-11")
    port.run("cat", "docs/_generated/RUNBOOK_REPORT.md")
    port.say("Nothing is stale, and the tag still leads to what was frozen.")
    port.run("pytest", "--cockpit-checkpoint", "-q")
    port.run("cockpit", "freeze", "verify", TAG)


def copy(port: Terminal) -> None:
    """Commit a copy of the example."""
    shutil.copytree(
        QUAY, port.folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache")
    )
    port.run("git", "init", "--quiet", "--initial-branch=main", quietly=True)
    for key, value in (
        ("user.name", "Harbour Master"),
        ("user.email", "master@harbour.example"),
        ("commit.gpgsign", "false"),
        ("tag.gpgsign", "false"),
        ("core.autocrlf", "false"),
    ):
        port.run("git", "config", key, value, quietly=True)
    port.run("git", "add", "--all", quietly=True)
    message = "A container terminal"
    port.run("git", "commit", "--quiet", "--message", message, day="2025-09-01", quietly=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
