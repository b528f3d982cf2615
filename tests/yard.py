"""A repository of two modules whose runbook takes little more than the engine's own time."""

from __future__ import annotations

import json
from collections.abc import Mapping

FILES: Mapping[str, str] = {
    "cockpit.toml": 'gates = ["ledger"]\n',
    "pyproject.toml": "[tool.pytest.ini_options]\naddopts = ['--import-mode=importlib']\n"
    "pythonpath = ['.']\n",
    ".gitignore": "__pycache__/\n",
    "yard/cranes/module.manifest.json": json.dumps({"module": "yard.cranes"}) + "\n",
    "yard/cranes/__init__.py": "def lift(mass):\n    if mass > 40:\n        return None\n"
    "    return mass\n",
    "yard/cranes/tests/test_cranes.py": "from yard.cranes import lift\n\n\n"
    "def test_lift():\n    assert lift(30) == 30\n",
    "yard/gate/module.manifest.json": json.dumps({"module": "yard.gate"}) + "\n",
    "yard/gate/__init__.py": "def opens(booked):\n    return booked < 4\n",
}
RUNBOOK = ("--cockpit-runbook", "--cockpit-tag=v1", "-p", "no:cacheprovider")
RESUME = ("--cockpit-runbook", "--cockpit-resume", "-p", "no:cacheprovider")
