"""What all tests share."""

from __future__ import annotations

import os

from hypothesis import settings

pytest_plugins = ["pytester"]

# tox sets it so that the checkout cannot shadow the wheel in this process. The repositories that
# tests make are run as their users run them.
os.environ.pop("PYTHONSAFEPATH", None)

# A busy machine is no bug, and CI must say the same of the same commit twice.
settings.register_profile("cockpit", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("cockpit")
