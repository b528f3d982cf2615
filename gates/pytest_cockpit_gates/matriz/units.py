"""Numbers with units, and the bounds that metrics have by their nature."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

_TIMES = {
    "ns": 1,
    "us": 10**3,
    "µs": 10**3,
    "μs": 10**3,
    "ms": 10**6,
    "s": 10**9,
    "min": 60 * 10**9,
}
_SHARES = {"%": 1, "percent": 1, "pct": 1, "ratio": 100, "rate": 100, "1": 100}
_SUFFIX = re.compile(r"(?:^|[._-])(ns|us|ms|s|min|percent|pct|ratio|rate)(?=$|[._-])")
_COVERAGE = re.compile(r"(?:^|[._-])coverage$")

OPERATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
    ">=": operator.ge,
    ">": operator.gt,
}


def unit_of(metric: str) -> str | None:
    """The unit that a metric's name tells: `latency_ms` is in ms, coverage in percent."""
    if _COVERAGE.search(metric):
        return "percent"
    found = _SUFFIX.findall(metric)
    return found[-1] if found else None


def number(value: Any) -> Fraction | None:
    """The exact number that was written; None for what is none, truth values included."""
    if isinstance(value, Fraction):
        return value
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return Fraction(str(value))
    except ValueError:
        return None  # not finite


def converted(value: Fraction, given: str | None, metric: str) -> Fraction | str:
    """`value` in the unit of the metric, or why it cannot be had."""
    wanted = unit_of(metric)
    if given is None or given == wanted:
        return value
    if wanted is None:
        return value if given == "1" else f"is in {given}, and {metric} does not name a unit"
    for table in (_TIMES, _SHARES):
        if given in table and wanted in table:
            return value * table[given] / table[wanted]
    return f"is in {given}, not in {_word(wanted)}"


def bounds(metric: str) -> tuple[Fraction | None, Fraction | None]:
    """The least and the greatest value that a metric can have."""
    unit = unit_of(metric)
    if unit in _TIMES:
        return Fraction(0), None
    if unit in _SHARES:
        return Fraction(0), Fraction(100 if _SHARES[unit] == 1 else 1)
    return None, None


def within(value: Fraction, metric: str) -> bool:
    """Whether a metric can have this value at all."""
    least, greatest = bounds(metric)
    return (least is None or value >= least) and (greatest is None or value <= greatest)


def _word(unit: str) -> str:
    return "a ratio" if unit in {"ratio", "rate"} else unit
