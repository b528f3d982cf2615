"""What a smoke emitted, as its process wrote it down."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pytest_cockpit.records import artifacts
from pytest_cockpit.records.text import parse

SCHEMA = "matriz_telemetry"
FORMAT = "pytest-cockpit/matriz_telemetry/1"


class Unreadable(ValueError):
    """A recording that is none; its text is one line."""


class Missing(Exception):
    """The interpreter of the tree lacks the SDK; its text is what Python said."""


@dataclass(frozen=True, slots=True)
class Attribute:
    """An attribute without its value; `points` is in how many points of a metric it is."""

    type: str
    size: int
    points: int = 1


@dataclass(frozen=True, slots=True)
class SpanId:
    """A span of some trace, `remote` where another process began it."""

    trace_id: str
    span_id: str
    remote: bool = False


@dataclass(frozen=True, slots=True)
class Span:
    """A span that has ended."""

    name: str
    scope: str
    schema_url: str
    id: SpanId
    flags: int
    parent: SpanId | None
    status: str
    attributes: Mapping[str, Attribute]
    exceptions: tuple[str, ...]
    links: tuple[SpanId, ...]
    traceparents: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Metric:
    """All points of one instrument."""

    name: str
    unit: str
    kind: str
    scope: str
    schema_url: str
    points: int
    attributes: Mapping[str, Attribute]


@dataclass(frozen=True, slots=True)
class Recording:
    """All that one smoke emitted.

    Parameters
    ----------
    unended: names of spans that were started only.
    lost: how many more spans and metrics there were.
    said: what the SDK complained about.
    foreign: classes of the providers that were in place at the end and are not listened to.
    samplers: what decides which spans are kept.
    raw: the same as it was read, fit to be an artifact.
    """

    spans: tuple[Span, ...]
    unended: tuple[str, ...]
    lost: int
    metrics: tuple[Metric, ...]
    said: tuple[str, ...]
    foreign: tuple[str, ...]
    samplers: tuple[str, ...]
    raw: Mapping[str, Any]


def read(data: bytes, nonce: str) -> Recording:
    """What a child wrote.

    Raises
    ------
    Missing: it could not begin.
    Unreadable: it is not what our side of the child writes.
    """
    try:
        value = parse(data)
    except ValueError as error:
        raise Unreadable(str(error)) from error
    if not isinstance(value, dict) or value.pop("nonce", None) != nonce:
        raise Unreadable("it is another one's")
    missing = value.get("missing")
    if isinstance(missing, str) and len(value) == 1:
        raise Missing(missing)
    row = {"contracts": ["-"], "command": ["-"], "code": None, "recording": value}
    problems = artifacts.validate(document([row], None), SCHEMA)
    if problems:
        raise Unreadable(problems[0])
    return _recording(value)


def document(smokes: list[dict[str, Any]], conventions: Mapping[str, str] | None) -> dict[str, Any]:
    """The artifact."""
    return {"schema": FORMAT, "conventions": conventions, "smokes": smokes}


def _recording(value: Mapping[str, Any]) -> Recording:
    return Recording(
        spans=tuple(map(_span, value["spans"])),
        unended=tuple(value["unended"]),
        lost=value["lost"],
        metrics=tuple(
            Metric(**{**row, "attributes": _attributes(row["attributes"])})
            for row in value["metrics"]
        ),
        said=tuple(value["said"]),
        foreign=tuple(value["foreign"]),
        samplers=tuple(value["samplers"]),
        raw=value,
    )


def _span(row: Mapping[str, Any]) -> Span:
    return Span(
        name=row["name"],
        scope=row["scope"],
        schema_url=row["schema_url"],
        id=SpanId(row["trace_id"], row["span_id"]),
        flags=row["flags"],
        parent=None if row["parent"] is None else SpanId(**row["parent"]),
        status=row["status"],
        attributes=_attributes(row["attributes"]),
        exceptions=tuple(row["exceptions"]),
        links=tuple(SpanId(**link) for link in row["links"]),
        traceparents=tuple((item["key"], item["value"]) for item in row["traceparents"]),
    )


def _attributes(rows: Mapping[str, Any]) -> Mapping[str, Attribute]:
    return {key: Attribute(**row) for key, row in rows.items()}
