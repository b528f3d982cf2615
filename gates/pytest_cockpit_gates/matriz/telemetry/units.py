"""Units by UCUM's grammar, with the atoms that software measures in."""

from __future__ import annotations

import functools
import re

LONGEST = 63

_METRIC = (
    "A Bd Bq By C Cel F Gy H Hz J K L Lmb N Ohm Pa S Sv T V W Wb a bar bit cal cd eV g "
    "kat l lm lx m mol rad s sr st t u"
)
_OTHER = "% deg d h min mo rpm wk ' ''"
_PREFIXES = "Y Z E P T G M k h da d c m u n p f a z y Ki Mi Gi Ti"


_SPELLED = {
    "byte": "By",
    "bytes": "By",
    "kb": "kBy",
    "mb": "MBy",
    "gb": "GBy",
    "day": "d",
    "days": "d",
    "hour": "h",
    "hours": "h",
    "hr": "h",
    "micros": "us",
    "microsecond": "us",
    "microseconds": "us",
    "millis": "ms",
    "millisecond": "ms",
    "milliseconds": "ms",
    "msec": "ms",
    "minute": "min",
    "minutes": "min",
    "mins": "min",
    "nanos": "ns",
    "nanosecond": "ns",
    "nanoseconds": "ns",
    "percent": "%",
    "ratio": "1",
    "sec": "s",
    "second": "s",
    "seconds": "s",
    "secs": "s",
    "µs": "us",
    "μs": "us",
    "celsius": "Cel",
    "hertz": "Hz",
}
_DURATIONS = frozenset({"ns", "us", "ms", "min", "h", "d", "wk"})


def is_unit(text: str) -> bool:
    """Whether UCUM and OpenTelemetry take it; no unit at all is the unit `1`."""
    return not text or (len(text) <= LONGEST and _form().fullmatch(text) is not None)


def instead(text: str) -> str:
    """What was probably meant by a text that is no unit."""
    known = _SPELLED.get(text) or _SPELLED.get(text.casefold())
    if known is not None:
        return known
    return f"{{{text}}}" if re.fullmatch(r"[a-z_]{1,40}", text) else "1"


def is_other_duration(text: str) -> bool:
    """Whether it is a unit of time other than the second."""
    return text in _DURATIONS


@functools.cache
def _form() -> re.Pattern[str]:
    """Terms between dots and slashes: an atom with its prefix, exponent and annotation."""
    prefix, metric, other = ("|".join(words.split()) for words in (_PREFIXES, _METRIC, _OTHER))
    atom = rf"(?:(?:{prefix})?(?:{metric})|{other}|\[[!-Z^-~]+\])"
    note = r"\{[!-z|~]+\}"
    term = rf"(?:10[*^][-+]?[0-9]+|{atom}(?:[-+]?[0-9]+)?(?:{note})?|[0-9]+(?:{note})?|{note})"
    return re.compile(rf"/?{term}(?:[./]{term})*")
