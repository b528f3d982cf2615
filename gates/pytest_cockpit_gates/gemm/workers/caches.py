"""The gate's folder among the user's caches: what drivers have compiled is kept there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import platformdirs

VARIABLE = "COCKPIT_CACHE"
"""Environment variable with an absolute folder to use instead of the one for the user's caches."""

_NAME = "pytest-cockpit"


def folder(name: str, fallback: Path) -> Path:
    """The private folder `name`, made where it is not; below `fallback` where none can be used.

    What lies there is loaded and run by drivers, so nobody else may be able to write to it.
    """
    above = base()
    if above.is_absolute():
        try:
            return _own(above / name)
        except OSError:
            pass
    return _own(fallback / "caches" / name)


def base() -> Path:
    """The gate's folder as it is asked for, be it usable or not."""
    named = os.environ.get(VARIABLE)
    above = Path(named) if named else platformdirs.user_cache_path(_NAME, appauthor=False)
    return above / "gemm"


def _own(path: Path) -> Path:
    path.mkdir(mode=stat.S_IRWXU, parents=True, exist_ok=True)
    found = path.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise PermissionError(f"{path} belongs to somebody else")
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        path.chmod(stat.S_IRWXU)
    if not os.access(path, os.W_OK | os.X_OK):
        raise PermissionError(f"{path} cannot be written to")
    return path
