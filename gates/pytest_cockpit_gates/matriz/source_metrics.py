"""Measurements in a file of our own format: see `metrics.schema.json`."""

from __future__ import annotations

import functools
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from typing import Any

from pytest_cockpit.records.schema import problems_by
from pytest_cockpit.records.text import parse
from pytest_cockpit_gates.matriz.samples import Binding, Doubt, Sample, Target


@dataclass(frozen=True, slots=True)
class Metrics:
    """One such file; `reports` are the digests of other reports that it vouches for."""

    path: str
    binding: Binding
    metrics: Mapping[str, Mapping[str, Any]]
    reports: Mapping[str, str]

    def about(self, target: Target, metric: str) -> Iterator[Sample | Doubt]:
        """The value of one metric of one module."""
        found = self.metrics.get(target.module, {}).get(metric)
        if found is None:
            return
        row = found if isinstance(found, dict) else {"value": found}
        if row.get("samples", 1) < 1:
            yield Doubt("sums up no measurement", self.path)
        else:
            yield Sample(row["value"], self.path, self.binding, row.get("unit"))


def read(path: str, data: bytes) -> Metrics:
    """The measurements in `data`. Raises `ValueError` where it is no such file."""
    document = parse(data)
    faults = problems_by(document, _schema())
    if faults:
        raise ValueError(str(faults[0]))
    binding = Binding(
        document.get("commit"), document.get("files", {}), moment(document.get("measured_at"))
    )
    return Metrics(path, binding, document.get("metrics", {}), document.get("reports", {}))


def moment(text: Any) -> datetime | None:
    """The time that a text tells, UTC where it names no zone; None where it tells none."""
    if not isinstance(text, str):
        return None
    try:
        told = datetime.fromisoformat(text)
    except ValueError:
        return None
    return told if told.tzinfo is not None else told.replace(tzinfo=UTC)


@functools.cache
def _schema() -> dict[str, Any]:
    data = (files("pytest_cockpit_gates.matriz") / "metrics.schema.json").read_bytes()
    schema: dict[str, Any] = json.loads(data)
    return schema
