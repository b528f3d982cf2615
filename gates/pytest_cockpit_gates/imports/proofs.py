"""One small tree that breaks each rule, and some that keep them all."""

from __future__ import annotations

import json

from pytest_cockpit.api import SHIM_MARK, Move, Proof, Verdict
from pytest_cockpit_gates.imports import rules

_MOVE = Move("candidate/core/tide.py", "core/tide.py", "0" * 40)
_SHIM = f"""{SHIM_MARK}core.tide
import importlib
import sys

sys.modules[__name__] = importlib.import_module("core.tide")
"""
_COPY = f"{SHIM_MARK}core.tide\nfrom core.tide import *\n"
_MOVED = {
    "candidate/__init__.py": "",
    "candidate/core/__init__.py": "",
    "candidate/core/tide.py": _SHIM,
    "core/__init__.py": "",
    "core/tide.py": "HEIGHT = 3\n",
}
_HANG = "import time\ntime.sleep(60)\n"
_CRASH = "import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n"
_EXIT = "import sys\nsys.exit(0)\n"
_WRITE = """from pathlib import Path
Path("tide.log").write_text("rising")
"""
_ONCE = """import os
import tempfile
mark = os.path.join(tempfile.gettempdir(), "tide.lock")
if not os.path.exists(mark):
    open(mark, "w").close()
    raise OSError("the lock is taken")
"""


def _fails(rule: str, files: dict[str, str], **settings: object) -> Proof:
    name = rule.removeprefix("imports.")
    return Proof(name, {"core/__init__.py": "", **files}, Verdict.FAIL, rule, settings)


def _tolerating(path: str, kind: str) -> dict[str, str]:
    baseline = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "imports",
        "entries": {path: {"class": kind, "message": "ZeroDivisionError: division by zero"}},
        "meta": {},
    }
    return {".cockpit/baselines/imports.json": json.dumps(baseline)}


PROOFS = (
    _fails(rules.FAILS, {"core/tide.py": "1 / 0\n"}),
    Proof(
        "third-party-missing",
        {"core/__init__.py": "", "core/tide.py": "import a_package_that_is_not_installed\n"},
        Verdict.UNKNOWN,
        rules.THIRD_PARTY,
    ),
    _fails(
        rules.OUTSIDE_TREE,
        # Served by the standard library wherever this runs, as an installed copy would be.
        {"json/__init__.py": "", "json/tide.py": ""},
    ),
    _fails(rules.HANGS, {"core/tide.py": _HANG}, timeout_s=0.5),
    _fails(rules.CRASHES, {"core/tide.py": _CRASH}),
    _fails(rules.EXITS, {"core/tide.py": _EXIT}),
    _fails(rules.WRITES_TREE, {"core/tide.py": _WRITE}),
    _fails(rules.SYNTAX, {"core/tide.py": "def tide(:\n"}),
    _fails(rules.LANE_IMPORT, {**_MOVED, "core/port.py": "from candidate.core import tide\n"}),
    _fails(rules.UNRESOLVED, {"core/port.py": "def moor():\n    import core.quay\n"}),
    _fails(rules.SHADOWS, {"types.py": "KIND = 1\n"}),
    _fails(rules.BESIDE, {"core/tide.py": "", "core/tide/__init__.py": ""}),
    Proof(
        "shim-not-same",
        {**_MOVED, "candidate/core/tide.py": _COPY},
        Verdict.FAIL,
        rules.SHIM_NOT_SAME,
        moves=(_MOVE,),
        changed=(_MOVE.source, _MOVE.target),
    ),
    Proof(
        "shim-missing",
        {path: text for path, text in _MOVED.items() if path != _MOVE.source},
        Verdict.FAIL,
        rules.SHIM_MISSING,
        moves=(_MOVE,),
        changed=(_MOVE.source, _MOVE.target),
    ),
    Proof(
        "unstable",
        {"core/__init__.py": "", "core/tide.py": _ONCE},
        Verdict.WARN,
        rules.UNSTABLE,
    ),
    Proof(
        "baseline-slack",
        {**_tolerating("core/tide.py", "exception"), **_MOVED},
        Verdict.WARN,
        rules.SLACK,
    ),
    Proof(
        "batch-accepted",
        _MOVED,
        Verdict.PASS,
        moves=(_MOVE,),
        changed=(_MOVE.source, _MOVE.target),
    ),
    Proof(
        "production-accepted",
        {
            "core/__init__.py": "",
            "core/tide.py": "from core import port\nHEIGHT = 3\n",
            "core/port.py": "import json\n",
            "candidate/broken.py": "def (:\n",
            "tests/test_tide.py": "import nowhere\n",
        },
        Verdict.PASS,
    ),
    Proof(
        "tolerated-accepted",
        {
            **_tolerating("core/tide.py", "exception"),
            "core/__init__.py": "",
            "core/tide.py": "1 / 0\n",
        },
        Verdict.PASS,
    ),
)
