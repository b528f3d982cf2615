"""What all tests share."""

from __future__ import annotations

import os

pytest_plugins = ["pytester"]

# tox sets it so that the checkout cannot shadow the wheel in this process. The repositories that
# tests make are run as their users run them.
os.environ.pop("PYTHONSAFEPATH", None)
