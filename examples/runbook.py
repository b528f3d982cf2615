"""Run the whole runbook over examples/quay, in a copy of it with a history of its own.

`python examples/runbook.py` works in a temporary folder and removes it; `python
examples/runbook.py FOLDER` works in FOLDER, which must not exist yet, and leaves the result there
to look at.
"""

from __future__ import annotations

import sys

from terminal import Terminal, play

TAG = "v0.02-prod"


def demonstrate(port: Terminal) -> None:
    """Show a runbook from the first command to the last look."""
    port.commit("A container terminal", "2025-09-01")
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


if __name__ == "__main__":
    sys.exit(play("quay", demonstrate))
