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


_CIRCLE = {
    "core/tide.py": "import core.port\n",
    "core/port.py": "import core.tide\n",
}
# What is refused by the system was tried all the same.
_CACHE = """import os
try:
    os.mkdir("/cockpit-proof/no/such/folder")
except OSError:
    pass
"""
_ORDER = """import sys
if "core.port" in sys.modules:
    raise RuntimeError("the port must come after the tide")
"""
_CONTRACT = """[importlinter]
root_package = core

[importlinter:contract:1]
name = The tide knows no port
type = forbidden
source_modules = core.tide
forbidden_modules = core.port
"""


def _warns(rule: str, source: str, **settings: object) -> Proof:
    name = rule.removeprefix("imports.")
    files = {"core/__init__.py": "", "core/tide.py": source}
    return Proof(name, files, Verdict.WARN, rule, settings)


def _fails(rule: str, files: dict[str, str], **settings: object) -> Proof:
    name = rule.removeprefix("imports.")
    return Proof(name, {"core/__init__.py": "", **files}, Verdict.FAIL, rule, settings)


def _permitting(entries: dict[str, dict[str, object]]) -> dict[str, str]:
    baseline = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "imports",
        "entries": entries,
        "meta": {},
    }
    return {".cockpit/baselines/imports.json": json.dumps(baseline)}


def _tolerating(path: str, kind: str) -> dict[str, str]:
    return _permitting({path: {"class": kind, "message": "ZeroDivisionError: division by zero"}})


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
    _fails(rules.MEMORY, {"core/tide.py": "SEA = bytearray(b'x') * (200 << 20)\n"}, growth_mb=64),
    _warns(rules.NETWORK, "import socket\nsocket.getaddrinfo('127.0.0.1', 9)\n"),
    _warns(rules.WRITES, _CACHE),
    _warns(rules.PROGRAMS, "import subprocess\nsubprocess.run(['true'], check=True)\n"),
    _warns(rules.PRINTS, "print('high tide')\n"),
    _warns(rules.STATE, "import sys\nsys.path.append('/tide')\n", severity={"state": "warning"}),
    _warns(rules.RUNNING, "import threading, time\nthreading.Timer(60, print).start()\n"),
    _warns(rules.AT_EXIT, "import atexit\natexit.register(lambda: 1 / 0)\n"),
    _warns(rules.NAMES, "__all__ = ['ebb']\n"),
    _warns(rules.SYNTAX_WARNING, "ebb = 3\nebb is 3\n"),
    Proof(
        "order-dependent",
        {"core/__init__.py": "", "core/port.py": "", "core/tide.py": _ORDER},
        Verdict.WARN,
        rules.ORDER,
    ),
    _fails(
        rules.UNDECLARED,
        {"core/tide.py": "import pluggy\n", "requirements.txt": "iniconfig\n"},
    ),
    _fails(rules.CYCLE, _CIRCLE),
    Proof(
        "contract-broken",
        {
            "core/__init__.py": "",
            "core/tide.py": "import core.port\n",
            "core/port.py": "",
            ".importlinter": _CONTRACT,
        },
        Verdict.FAIL,
        rules.CONTRACT,
        needs=("importlinter",),
    ),
    Proof(
        "loosened-baseline",
        {
            **_tolerating("core/tide.py", "exception"),
            "core/__init__.py": "",
            "core/tide.py": "1 / 0\n",
        },
        Verdict.FAIL,
        rules.LOOSENED,
        base_files={**_permitting({}), "core/__init__.py": "", "core/tide.py": ""},
    ),
    Proof(
        "kept-contract-accepted",
        {
            "core/__init__.py": "",
            "core/tide.py": "",
            "core/port.py": "import core.tide\n",
            ".importlinter": _CONTRACT,
        },
        Verdict.PASS,
        needs=("importlinter",),
    ),
    Proof(
        "permitted-circle-accepted",
        {
            **_permitting(
                {
                    "core/tide.py": {"circle": ["core/port.py"]},
                    "core/port.py": {"circle": ["core/tide.py"]},
                }
            ),
            "core/__init__.py": "",
            **_CIRCLE,
        },
        Verdict.PASS,
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
