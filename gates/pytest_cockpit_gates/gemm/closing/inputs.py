"""The files that a week is judged by, and which of them are on this machine alone."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from pytest_cockpit.api import JSON, CockpitError, Context
from pytest_cockpit_gates.gemm.settings import Settings
from pytest_cockpit_gates.gemm.strict import inheritance

_POLICIES = ("policy", "t3_policy", "t5_policy")
_FILES = (*_POLICIES, "baseline", "sla", "escalation")
_SETTINGS = ("cockpit.toml", "pyproject.toml")


def of(root: Path, settings: Settings, options: JSON) -> list[str]:
    """Repository-relative paths: those of settings and options, with what policies inherit from."""
    found = list(_SETTINGS)
    for key in _FILES:
        path = str(options.get(key) or getattr(settings, key))
        if path:
            found += _chain(root, path) if key in _POLICIES else [path]
    return found


def uncommitted(context: Context, paths: Iterable[str]) -> list[str]:
    """Those of the paths that are not as the commit has them; none where there is no git."""
    plain = dict.fromkeys(PurePosixPath(path).as_posix() for path in paths)
    return [path for path in plain if path in context.changed]


def _chain(root: Path, path: str) -> list[str]:
    try:
        return [name for name, _ in inheritance.resolve(root, path).chain]
    except CockpitError:
        # Who needs it tells what is wrong with it.
        return [path]
