"""Promote a batch of examples/harbour, in a copy of it with a history of its own.

`python examples/demo.py` works in a temporary folder and removes it; `python examples/demo.py
FOLDER` works in FOLDER, which must not exist yet, and leaves the result there to look at.
"""

from __future__ import annotations

import sys

from terminal import WHOLE, Terminal, play

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
    ("2025-06-23", "Contracts and tests", WHOLE),
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


def demonstrate(port: Terminal) -> None:
    """Show a batch from the first command to the last look."""
    for day, subject, paths in HISTORY:
        port.commit(subject, day, paths)
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


if __name__ == "__main__":
    sys.exit(play("harbour", demonstrate))
