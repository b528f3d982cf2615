"""`python -m harbour.cli REPORT`: today's lists, each from the module that knows."""

import importlib
import sys
from collections.abc import Sequence

from harbour.clock import hhmm
from harbour.tides.harmonic import HAVEN
from harbour.tides.table import turns


def tides() -> list[str]:
    """High and low waters of the day."""
    return [
        f"{'HW' if turn.high else 'LW'} {hhmm(turn.minute)} {turn.height:.1f} m"
        for turn in turns(HAVEN)
    ]


def pilots() -> list[str]:
    """Who is on duty, and up to which draught."""
    # Imported when asked for: the tide list must come within the second.
    roster = importlib.import_module("candidate.pilots.roster")
    return [f"{pilot.name:<12}{pilot.limit:>5.1f} m" for pilot in roster.DUTY_LIST]


REPORTS = {"tides": tides, "pilots": pilots}


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the reports named on the command line."""
    for name in sys.argv[1:] if arguments is None else arguments:
        if name not in REPORTS:
            print(f"no report {name!r}: choose from {', '.join(REPORTS)}", file=sys.stderr)
            return 2
        print("\n".join(REPORTS[name]()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
