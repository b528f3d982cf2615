"""What a worker can be asked. Each operation takes JSON and returns JSON, times in seconds."""

from __future__ import annotations

import inspect
import math
import sys
import traceback
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.gemm.workers import machine, platforms
from pytest_cockpit_gates.gemm.workers.mishaps import Mishap

Say = Callable[[str], None]
Policy = dict[str, Any] | None
"""A policy's JSON, what it inherits resolved."""

_LARGEST = 1 << 15
_LIMITS = {
    "size": (1, _LARGEST),
    "sizes": (1, _LARGEST),
    "m": (0, _LARGEST),
    "n": (0, _LARGEST),
    "k": (0, _LARGEST),
    "iterations": (1, 100_000),
    "injections": (1, 1_000_000),
    "pairs": (1, 1_000_000),
}
_SHOWN = 300


class Refused(Exception):
    """No answer, and why: `kind` as in `WorkerError`."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(message)
        self.kind = kind


class Operations:
    """The operations on one platform; its device is opened when it is needed first."""

    def __init__(self, platform: str, mishap: Mishap = Mishap()) -> None:  # noqa: B008 - frozen
        self._platform = platform
        self._mishap = mishap
        self._bench: Any = None

    def answer(self, op: str, arguments: Mapping[str, Any], say: Say) -> dict[str, Any]:
        """`{"result": …}`, with the platform and the device it is of, or `{"error": …}`."""
        try:
            bench = self._opened()
            bench.poisoned = self._mishap.meets(op) and self._mishap.what == "nan"
            result = _operation(bench, op, arguments, say)
        except Refused as refused:
            return _error(refused.kind, str(refused))
        except CockpitError as error:
            return _error("refused", str(error))
        except MemoryError as error:
            return _error("refused", f"no memory for {op} ({error}); take a smaller size")
        except Exception as error:  # noqa: BLE001 - a driver raises what it likes
            traceback.print_exc(file=sys.stderr)
            return _error("refused", f"{op}: {type(error).__name__}: {error}")
        info = bench.info
        return {
            "result": plain({**result, "platform": info["platform_name"], "device": info["device"]})
        }

    def _opened(self) -> Any:
        if self._bench is None:
            try:
                from pytest_cockpit_gates.gemm.workers.bench import Bench
            except ImportError as error:
                raise Refused(
                    "missing", f"{error.name or error} is not installed; add pytest-cockpit[gemm]"
                ) from error
            try:
                bench = Bench(self._platform)
            except CockpitError as error:
                remedy = platforms.remedy(self._platform)
                raise Refused("missing", f"{error}; {remedy}") from error
            if not platforms.is_named(self._platform, bench.info["platform_name"]):
                raise Refused("wrong", f"found platform {bench.info['platform_name']!r}")
            self._bench = bench
        return self._bench


def plain(value: Any) -> Any:
    """A copy fit for JSON: numbers of NumPy as Python's, null for what is not finite."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str):
        return plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _operation(bench: Any, op: str, arguments: Mapping[str, Any], say: Say) -> dict[str, Any]:
    if op == "describe":
        return {"info": bench.info, "machine": machine.facts(), "software": machine.software()}
    method = getattr(type(bench), f"do_{op}", None)
    if method is None:
        known = sorted(it.removeprefix("do_") for it in dir(bench) if it.startswith("do_"))
        raise Refused("refused", f"no operation {op!r}; operations: describe, {', '.join(known)}")
    hints = get_type_hints(method)
    takes = inspect.signature(method).parameters.keys() - {"self", "say"}
    for name, value in arguments.items():
        if name not in takes:
            raise Refused("refused", f"{op} takes no {name!r}; it takes {', '.join(sorted(takes))}")
        _demand(op, name, value, hints[name])
    given = {**arguments, "say": say} if "say" in hints else dict(arguments)
    try:
        bound = inspect.signature(method).bind(bench, **given)
    except TypeError as error:
        raise Refused("refused", f"{op}: {error}") from error
    result: dict[str, Any] = method(*bound.args, **bound.kwargs)
    return result


def _demand(op: str, name: str, value: Any, hint: Any) -> None:
    if hint == list[int]:
        fits = isinstance(value, list) and bool(value) and all(type(it) is int for it in value)
    elif hint == Policy:
        fits = value is None or isinstance(value, dict)
    else:
        # True is an int to isinstance, and no number to anybody else.
        fits = type(value) is hint or (hint is float and type(value) is int)
    if not fits:
        raise Refused("refused", f"{op}: {name} is {str(value)[:40]}, which is of no use there")
    if name in _LIMITS:
        low, high = _LIMITS[name]
        for it in value if isinstance(value, list) else [value]:
            if not low <= it <= high:
                raise Refused("refused", f"{op}: {name} is {it}; it can be {low} to {high}")


def _error(kind: str, message: str) -> dict[str, Any]:
    return {"error": {"kind": kind, "message": one_line(message)[:_SHOWN]}}
