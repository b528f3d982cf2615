"""A module imported for real, alone in a process of its own."""

from __future__ import annotations

import os
import secrets
import sys
from collections.abc import Iterable
from pathlib import Path

from pytest_cockpit import process
from pytest_cockpit.records.text import one_line

_CODE = """\
import importlib, os, sys
name, path, token, *roots = sys.argv[1:]
sys.path[:0] = roots
file = getattr(importlib.import_module(name), "__file__", None) or "nothing"
if os.path.realpath(file) != os.path.realpath(path):
    raise SystemExit(f"was imported from {file}")
os.write(1, token.encode())
"""


def failure(
    name: str,
    path: Path,
    roots: Iterable[Path],
    *,
    cwd: Path,
    timeout: float = 60.0,
    keep: Iterable[str] = (),
) -> str | None:
    """Why the module `name` cannot be imported from the file at `path`; None when it can.

    Parameters
    ----------
    roots: folders that come first on the path of imports.
    cwd: the folder it runs in.
    timeout: seconds after which the process is killed.
    keep: names of environment variables it keeps beside the basic ones.
    """
    token = secrets.token_hex()
    done = process.run(
        [sys.executable, "-P", "-B", "-c", _CODE, name, path, token, *roots],
        cwd=cwd,
        env=process.environment(keep),
        timeout=timeout,
    )
    if done.timed_out:
        return f"its import took longer than {timeout:g} s"
    if done.returncode < 0:
        return f"its import was killed by signal {-done.returncode}"
    if done.returncode:
        lines = os.fsdecode(done.stderr).strip().splitlines()
        return one_line(lines[-1]) if lines else f"its import ended with code {done.returncode}"
    # A script without a main guard may have ended the process in good order.
    return None if token.encode() in done.stdout else "its import ended the process"
