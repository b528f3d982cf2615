"""Declared names and units by the OpenTelemetry specification."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit.records.text import one_line
from pytest_cockpit_gates.matriz.telemetry import units
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, Item, finding
from pytest_cockpit_gates.matriz.telemetry.rules import NAME, UNIT

_INSTRUMENT = re.compile(r"[A-Za-z][A-Za-z0-9_.\-/]{0,254}", re.ASCII)
_SHOWN = 80


def judge(declared: Declared) -> Iterator[Finding]:
    """What is wrong with the names and units that one contract declares."""
    for metric in declared.metrics:
        yield from _instrument(declared, metric)
        yield from _unit(declared, metric)
    yield from _twice(declared)


def short(text: str) -> str:
    """A name in quotes, however long it is and whatever is in it."""
    text = one_line(text)
    return f'"{text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"}"'


def _instrument(declared: Declared, metric: Item) -> Iterator[Finding]:
    if _INSTRUMENT.fullmatch(metric.name) is None:
        yield finding(
            declared.contract,
            NAME,
            f"{short(metric.name)} is no name of an instrument, so no SDK emits it",
            (*metric.keys, "name"),
            remedy="begin with a letter; go on with letters, digits, _ . - /; at most 255 of them",
        )


def _unit(declared: Declared, metric: Item) -> Iterator[Finding]:
    unit = metric.unit
    if unit is None:
        return
    keys = (*metric.keys, "unit")
    if not units.is_unit(unit):
        yield finding(
            declared.contract,
            UNIT,
            f"{short(unit)} is no UCUM unit that is known here",
            keys,
            severity=Severity.WARNING,
            remedy=f'write "{units.instead(unit)}", and record in it',
        )
    elif metric.kind == "histogram" and units.is_other_duration(unit):
        yield finding(
            declared.contract,
            UNIT,
            f'{short(metric.name)} is in "{unit}"; durations should be in seconds',
            keys,
            severity=Severity.INFO,
            remedy='write "s", and record seconds',
        )


def _twice(declared: Declared) -> Iterator[Finding]:
    """Names of instruments are the same whatever their case; spans differ by it."""
    for items, same in ((declared.spans, str), (declared.metrics, str.casefold)):
        seen: set[str] = set()
        for item in items:
            if same(item.name) in seen:
                yield finding(
                    declared.contract,
                    NAME,
                    f"{short(item.name)} is declared twice",
                    (*item.keys, "name"),
                    remedy="keep one of the two",
                )
            seen.add(same(item.name))
