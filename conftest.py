"""What all tests share."""

from __future__ import annotations

import os
import signal

from hypothesis import settings

pytest_plugins = ["pytester"]

# tox sets it so that the checkout cannot shadow the wheel in this process. The repositories that
# tests make are run as their users run them.
os.environ.pop("PYTHONSAFEPATH", None)

# A shell's background job ignores Ctrl-C and so would all its children, those that tests interrupt
# among them.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A busy machine is no bug, and CI must say the same of the same commit twice.
settings.register_profile(
    "cockpit",
    deadline=None,
    derandomize="CI" in os.environ,
    max_examples=int(os.environ.get("COCKPIT_EXAMPLES", "50")),
)
settings.load_profile("cockpit")
