"""What a device can do at most: float32 operations in registers, and bytes through memory.

    python gemm_ceiling.py PLATFORM

answers with one line of JSON, which is what the campaigns of the gate measure, too.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict


def main(platform: str) -> None:
    """Measure both."""
    from pytest_cockpit_gates.gemm.kernels import ceilings
    from pytest_cockpit_gates.gemm.kernels.device import open_device

    # Some drivers print to standard output.
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    answers.write(json.dumps(asdict(ceilings.measure(open_device(platform)))) + "\n")
    answers.flush()


if __name__ == "__main__":
    main(sys.argv[1])
