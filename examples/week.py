"""Run a small week of the gate gemm over examples/gemm, in a copy with a history of its own.

`python examples/week.py` works in a temporary folder and removes it; `python examples/week.py
FOLDER` works in FOLDER, which must not exist yet, and leaves the result there to look at.
"""

from __future__ import annotations

import sys

from pytest_cockpit_gates.gemm.workers import platforms
from terminal import Terminal, play

PAIR = ("rusticl", "clover")
SMALL = (
    *("--cockpit-gemm-sizes", "256", "--cockpit-gemm-iterations", "16"),
    *("--cockpit-gemm-pressure-size", "128", "--cockpit-gemm-pressure-pulses", "1"),
)
OPEN_OR_SHUT = (0, 1)
"""What a session ends with that has come to a verdict."""


def demonstrate(week: Terminal) -> None:
    """Show a week from the first look to its minutes."""
    week.commit("Objectives of a small week", "2025-09-01")
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
    week.say("The canonical gate, which the close requires once all is measured.")
    week.run("pytest", "-m", "gemm_slo", codes=OPEN_OR_SHUT)
    week.say("The close: decision and minutes. A week with a track that is missing is unknown.")
    week.run("pytest", "--cockpit-gemm-close", codes=OPEN_OR_SHUT)
    for page in sorted((week.folder / "artifacts/gemm").glob("*_acta.md")):
        week.run("cat", str(page.relative_to(week.folder)))


if __name__ == "__main__":
    sys.exit(play("gemm", demonstrate))
