"""Run a small week of the gate gemm over examples/gemm, in a copy with a history of its own.

`python examples/week.py` works in a temporary folder and removes it; `python examples/week.py
FOLDER` works in FOLDER, which must not exist yet, and leaves the result there to look at.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

from demo import Terminal
from pytest_cockpit_gates.gemm.workers import platforms

GEMM = Path(__file__).resolve().parent / "gemm"
PAIR = ("rusticl", "clover")
SMALL = (
    *("--cockpit-gemm-sizes", "256", "--cockpit-gemm-iterations", "16"),
    *("--cockpit-gemm-pressure-size", "128", "--cockpit-gemm-pressure-pulses", "1"),
)
OPEN_OR_SHUT = (0, 1)
"""What a session ends with that has come to a verdict."""


def main(arguments: list[str]) -> int:
    """Run the week in the folder named on the command line, or in a temporary one."""
    if arguments:
        folder = Path(arguments[0])
        folder.mkdir(parents=True)
        demonstrate(folder)
        print(f"\nThe repository is in {folder / 'gemm'}.")
        return 0
    with tempfile.TemporaryDirectory(prefix="cockpit-demo-", ignore_cleanup_errors=True) as name:
        demonstrate(Path(name))
    return 0


def demonstrate(folder: Path) -> None:
    """Show a week from the first look to its minutes."""
    week = Terminal(folder.resolve() / "gemm")
    copy(week)
    here = [name for name in platforms.KNOWN if platforms.missing(name) is None]
    week.say(
        f"OpenCL platforms here: {', '.join(here)}."
        if here
        else "There is no OpenCL platform here: nothing can be measured, and every verdict that"
        "\nneeds one is unknown and says what installs it."
    )
    chosen = ("--cockpit-gemm-platforms", *(here or PAIR))
    week.say("Look first: the phases of a replay.")
    week.run("pytest", "--cockpit-replay", *chosen, *SMALL, "--co", "-q")
    week.say("The weekly replay, small: four snapshots at one size.")
    replay = (*chosen, *SMALL, "--cockpit-gemm-snapshots", "4", "-v")
    week.run("pytest", "--cockpit-replay", *replay, codes=OPEN_OR_SHUT)
    if set(PAIR) <= set(here):
        week.say("The split: two platforms in turns, and the ratio with its interval.")
        seed = ("--cockpit-gemm-seeds", "412", "--cockpit-gemm-sessions", "1")
        week.run("pytest", "--cockpit-split", *SMALL, *seed, "-v", codes=OPEN_OR_SHUT)
    week.say("The close: decision and minutes. A week with a track that is missing is unknown.")
    week.run("pytest", "--cockpit-gemm-close", codes=OPEN_OR_SHUT)
    for page in sorted((week.folder / "artifacts/gemm").glob("*_acta.md")):
        week.run("cat", str(page.relative_to(week.folder)))


def copy(week: Terminal) -> None:
    """Commit a copy of the example."""
    shutil.copytree(
        GEMM, week.folder, ignore=shutil.ignore_patterns("__pycache__", ".pytest_cache")
    )
    week.run("git", "init", "--quiet", "--initial-branch=main", quietly=True)
    for key, value in (
        ("user.name", "Harbour Master"),
        ("user.email", "master@harbour.example"),
        ("commit.gpgsign", "false"),
        ("core.autocrlf", "false"),
    ):
        week.run("git", "config", key, value, quietly=True)
    week.run("git", "add", "--all", quietly=True)
    message = "Objectives of a small week"
    week.run("git", "commit", "--quiet", "--message", message, day="2025-09-01", quietly=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
