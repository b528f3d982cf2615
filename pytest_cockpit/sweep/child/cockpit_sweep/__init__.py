"""A pytest plugin that tells apart which module's tests run which line.

pytest imports it before any conftest.py, so that nothing of the tree has run when it starts to
measure. On another host, pytest starts in a folder with copies of this package and of the tree.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path
from typing import Any

HOME = Path(__file__).resolve().parent
_ASKED = Path(os.environ.get("COCKPIT_SWEEP_REQUEST") or HOME / "request.json")
REQUEST: dict[str, Any] = json.loads(_ASKED.read_text(encoding="utf-8"))
_COPY = Path.cwd() / HOME.name
REMOTE = (_COPY / "request.json").is_file()
ROOT = Path(os.path.realpath(_COPY.parent / REQUEST["tree"] if REMOTE else REQUEST["root"]))

if REMOTE:
    # Here, nobody has set what the processes of the first host inherit.
    sys.path[:0] = [str(ROOT), *(str(ROOT / folder) for folder in REQUEST["folders"])]

with contextlib.ExitStack() as _stack:
    # A `coverage` in the tree must not measure in the real one's place.
    _stack.callback(sys.path.__setitem__, slice(None), list(sys.path))
    sys.path[:] = [
        path for path in sys.path if not Path(os.path.realpath(path)).is_relative_to(ROOT)
    ]
    from .recorder import Recorder

RECORDER: Recorder = Recorder(ROOT, HOME / "coverage.toml")
RECORDER.start()

from .plugin import *  # noqa: E402, F403 - the hooks, once everything is measured
