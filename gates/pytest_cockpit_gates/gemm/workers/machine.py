"""Which machine and which software a worker runs on, as far as times depend on them."""

from __future__ import annotations

import os
import platform
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from pytest_cockpit.records.text import canonical_line, one_line, sha256

_CPUINFO = Path("/proc/cpuinfo")
_MEMINFO = Path("/proc/meminfo")
_AVAILABLE = re.compile(r"^MemAvailable:\s+(\d+) kB$", re.MULTILINE)
_MODEL = re.compile(r"^(?:model name|Model|cpu model)\s*:\s*(\S.*)$", re.MULTILINE)
_PACKAGES = ("numpy", "pyopencl", "pytest-cockpit")
# Variables that change what a driver does, and so are part of the evidence.
_STEERING = re.compile(r"OCL_|POCL_|RUSTICL_|LP_|MESA_|GALLIUM_|CLOVER_|PYOPENCL_|OPENBLAS_|OMP_")
_LONGEST = 200
_DIGITS = 16


def facts(cpuinfo: Path = _CPUINFO) -> dict[str, Any]:
    """The machine: `fingerprint` is a digest of what tells it from others; no name and no path."""
    model = _MODEL.search(_read(cpuinfo))
    told = {
        "cpu": _short(model[1] if model else platform.processor() or "unknown"),
        "cores": _usable(),
        "machine": platform.machine(),
        # The first two numbers: a fix of the kernel is no other machine.
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
    }
    return {
        **told,
        "memory_mib": _memory_mib(),
        "python": platform.python_version(),
        "fingerprint": sha256(canonical_line(told))[:_DIGITS],
    }


def available_mib(meminfo: Path = _MEMINFO) -> int | None:
    """Memory that can be had without swapping; None where the system does not say."""
    found = _AVAILABLE.search(_read(meminfo))
    return int(found[1]) >> 10 if found else None


def software() -> dict[str, Any]:
    """Versions of packages, null where one is not installed, and variables that steer drivers."""
    steering = {key: value for key, value in sorted(os.environ.items()) if _STEERING.match(key)}
    return {
        **{name: _version(name) for name in _PACKAGES},
        # Folders differ between users and tell nothing.
        "variables": {
            key: _short(Path(value).name if os.sep in value else value)
            for key, value in steering.items()
        },
    }


def _usable() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed else os.cpu_count() or 1


def _memory_mib() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") >> 20
    except (ValueError, OSError):
        return None


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _short(text: str) -> str:
    return one_line(" ".join(text.split()))[:_LONGEST]
