"""What an import leaves changed in its process, beyond its own module.

Standard library only; see `probe`.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found] # what `signal` is made of, no stubs
import _thread
import _warnings
import builtins
import os
import sys
from collections.abc import Callable, Iterator, Mapping
from typing import Any

_MOST = 10
_HOOKS = (
    "excepthook",
    "displayhook",
    "unraisablehook",
    "breakpointhook",
    "stdin",
    "stdout",
    "stderr",
)


def snapshot() -> dict[str, Any]:
    """The state that all code of a process shares, as far as it is cheap to look at."""
    return {name: look() for name, look in _LOOKS.items()}


def changes(before: Mapping[str, Any]) -> list[str]:
    """What differs from the snapshot, each in a few words without values: they may be secret."""
    found: list[str] = []
    for name, look in _LOOKS.items():
        now = look()
        if now != before[name]:
            found.extend(f"{name} {word}" for word in _differences(before[name], now))
    return found


def threads() -> int:
    """How many threads run beside the first."""
    return _thread._count()  # noqa: SLF001 - `threading` would be loaded for it


def children() -> int:
    """How many processes it started that still run; 0 where the system does not say."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as stream:  # noqa: PTH123 - no pathlib
            return sum(map(_runs, stream.read().decode().split()))
    except OSError:
        return 0


def _runs(pid: str) -> bool:
    try:
        with open(f"/proc/{pid}/stat", "rb") as stream:  # noqa: PTH123 - as above
            return stream.read().rpartition(b") ")[2][:1] != b"Z"
    except OSError:
        return False


def _differences(before: Any, now: Any) -> Iterator[str]:
    if isinstance(now, dict):
        keys = [key for key in {**before, **now} if before.get(key) != now.get(key)]
        yield from sorted(map(str, keys))[:_MOST]
    else:
        yield "changed"


def _folder() -> str:
    try:
        return os.getcwd()  # noqa: PTH109 - `pathlib` would be loaded for it
    except OSError:
        return ""


def _handlers() -> dict[int, int]:
    return {int(number): id(_signal.getsignal(number)) for number in _SIGNALS}


def _timers() -> bool:
    return any(any(_signal.getitimer(which)) for which in (0, 1, 2))


def _hooks() -> dict[str, int]:
    return {name: id(getattr(sys, name, None)) for name in _HOOKS}


def _builtins() -> dict[str, int]:
    return {name: id(value) for name, value in vars(builtins).items() if name != "_"}


def _modules() -> dict[str, int]:
    """Modules that were there from the start; nobody but their owner may replace them."""
    return {name: id(sys.modules.get(name)) for name in _FIRST}


def note_modules() -> None:
    """From here on, what is in `sys.modules` may not be replaced."""
    _FIRST[:] = sorted(name for name in sys.modules if name != "__main__")


_FIRST: list[str] = []
_SIGNALS = sorted(_signal.valid_signals())
_LOOKS: Mapping[str, Callable[[], Any]] = {
    "sys.path": lambda: tuple(sys.path),
    "sys.meta_path": lambda: tuple(map(id, sys.meta_path)),
    "sys.path_hooks": lambda: tuple(map(id, sys.path_hooks)),
    "sys": _hooks,
    "builtins": _builtins,
    "sys.modules": _modules,
    "os.environ": lambda: dict(os.environ),
    "working directory": _folder,
    "signal": _handlers,
    "timer": _timers,
    "recursion limit": sys.getrecursionlimit,
    "warnings.filters": lambda: len(getattr(_warnings, "filters", ())),
}
