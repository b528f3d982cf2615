"""Which machine this is, as far as times depend on it; neither its name nor a path."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_cockpit.records.text import canonical_line, one_line, sha256

_CPUINFO = Path("/proc/cpuinfo")
_GOVERNOR = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")
_MODEL = re.compile(r"^(?:model name|Model|cpu model)\s*:\s*(\S.*)$", re.MULTILINE)
_LONGEST = 200


def facts(cpuinfo: Path = _CPUINFO, governor: Path = _GOVERNOR) -> dict[str, Any]:
    """What tells this machine from others; null where it cannot be read."""
    model = _MODEL.search(_read(cpuinfo))
    usable = getattr(os, "sched_getaffinity", None)
    return {
        "cpu": _short(model[1] if model else platform.processor()),
        "cpus": os.cpu_count(),
        "cpus_usable": len(usable(0)) if usable else None,
        "governor": _short(_read(governor)),
        "implementation": platform.python_implementation(),
        "machine": platform.machine(),
        # The first two numbers: a fix of the kernel is no other machine.
        "os": f"{platform.system()} {'.'.join(platform.release().split('.')[:2])}",
        "python": platform.python_version(),
    }


def fingerprint(found: Mapping[str, Any]) -> str:
    """The digest of a machine's facts: what is measured on one is compared with its like alone."""
    return sha256(canonical_line(found))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _short(text: str) -> str | None:
    return one_line(" ".join(text.split()))[:_LONGEST] or None
