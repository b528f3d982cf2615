"""The gates of a contract, read as conditions: which are none, and which decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from pytest_cockpit.records.wording import shown
from pytest_cockpit_gates.matriz import units
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.faults import Fault, Section

CONDITION = "matriz.gate-condition"
VACUOUS = "matriz.gate-vacuous"

_ORDER = frozenset({"<", "<=", ">=", ">"})


@dataclass(frozen=True, slots=True)
class Condition:
    """One gate of a contract: `metric op value`, at an index."""

    index: int
    metric: Any
    op: Any
    value: Any

    def __str__(self) -> str:
        return f"{self.metric} {self.op} {shown(self.value)}"


def read(contract: Contract) -> tuple[list[Fault], list[Condition]]:
    """What is wrong with the gates of a contract, and those that can be judged."""
    if not isinstance(contract.value, dict):
        return [], []
    top = Section(contract.value, ())
    faults: list[Fault] = []
    conditions = []
    for index, row in top.tables("gates"):
        condition = Condition(index, row.get("metric", ""), row.get("op", ""), row.get("value"))
        fault = _fault(condition)
        if fault is not None:
            faults.append(fault)
        if fault is None or fault.rule == VACUOUS:
            conditions.append(condition)
    return [*top.faults, *faults], conditions


def _fault(condition: Condition) -> Fault | None:
    metric, op, value = condition.metric, condition.op, condition.value
    place = ("gates", condition.index)
    if not isinstance(metric, str) or not metric.strip():
        return Fault(CONDITION, (*place, "metric"), "names no metric", 'write a "metric"')
    if not isinstance(op, str) or op not in units.OPERATORS:
        known = ", ".join(units.OPERATORS)
        message = f"{shown(op)} is not one of {known}"
        return Fault(CONDITION, (*place, "op"), message, f"use one of {known}")
    bound = units.number(value)
    if bound is not None:
        return _never(condition, bound) or _always(condition, bound)
    if op in _ORDER or not isinstance(value, str | bool):
        message = f"{metric} {op} {shown(value)} compares with no number"
        return Fault(CONDITION, (*place, "value"), message, "write a number")
    return None


def _never(condition: Condition, bound: Fraction) -> Fault | None:
    """Whether no value that the metric can have meets the condition."""
    least, greatest = units.bounds(condition.metric)
    op = condition.op
    low = least is not None and (bound < least or (bound == least and op == "<"))
    high = greatest is not None and (bound > greatest or (bound == greatest and op == ">"))
    if (low and op in {"<", "<=", "=="}) or (high and op in {">", ">=", "=="}):
        message = f"{condition} can never be met: {spanned(condition.metric)}"
        place = ("gates", condition.index, "value")
        return Fault(CONDITION, place, message, "write a value that can be measured")
    return None


def _always(condition: Condition, bound: Fraction) -> Fault | None:
    """Whether every value that the metric can have meets the condition."""
    least, greatest = units.bounds(condition.metric)
    op = condition.op
    low = least is not None and (bound < least or (bound == least and op == ">="))
    high = greatest is not None and (bound > greatest or (bound == greatest and op == "<="))
    if (low and op in {">", ">=", "!="}) or (high and op in {"<", "<=", "!="}):
        message = f"{condition} can never be broken: {spanned(condition.metric)}"
        place = ("gates", condition.index, "value")
        return Fault(VACUOUS, place, message, "write a bound that means something")
    return None


def spanned(metric: str) -> str:
    """In words, which values a metric can have."""
    least, greatest = units.bounds(metric)
    return f"{metric} is from {least} to {greatest}" if greatest else f"{metric} is {least} or more"
