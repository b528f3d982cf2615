"""The dashboard in words: a table for the terminal, a comment, a page for who decides."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_cockpit import rendering
from pytest_cockpit.records.markdown import code, plain

Document = Mapping[str, Any]

_TITLES = {
    "lane": "Files that wait in the lane",
    "promoted": "Files promoted this week",
    "matriz": "Contracts without errors",
    "coverage": "Coverage beyond the baseline",
    "quarantine": "Tests in quarantine",
    "imports": "Import failures",
}
_SIGNS = {"green": "🟢", "amber": "🟡", "red": "🔴", "unknown": "⚪"}
_URGENT = ("red", "unknown", "amber")
_SOON = 5


def table(document: Document, before: Document | None) -> list[str]:
    """The numbers for a terminal."""
    rows = [
        (
            metric["light"],
            _title(metric),
            _value(metric),
            _change(metric, before),
            metric["summary"],
        )
        for metric in document["metrics"]
    ]
    return [*rendering.table(rows), f"forecast: {forecast(document['forecast'])}"]


def forecast(found: Mapping[str, Any]) -> str:
    """When the lane will have drained, in a sentence."""
    if found["reason"]:
        return f"none: {found['reason']}"
    if not found["remaining"]:
        return "the lane has drained to what may remain"
    pace = f"{found['remaining']} files to go at {found['per_week']:.1f} a week"
    if found["median"] is None:
        return f"{pace}: not within ten years"
    share = f"{100 * found['probability']:.0f} %"
    latest = found["high"] or "beyond ten years"
    return f"{pace}: about {found['median']}, {share} between {found['low']} and {latest}"


def comment(document: Document, before: Document | None) -> str:
    """The dashboard below a pull request."""
    return "\n".join(["## Migration dashboard", "", *_body(document, before)]) + "\n"


def summary(document: Document, before: Document | None) -> str:
    """One page for who decides: how it stands, what needs somebody, what is tolerated."""
    lights = [metric["light"] for metric in document["metrics"]]
    told = ", ".join(f"{lights.count(name)} {name}" for name in _SIGNS if name in lights)
    lines = ["# Executive summary", "", f"{plain(told)}.", "", *_body(document, before)]
    lines += ["", "## What needs attention", "", *_attention(document["metrics"])]
    lines += ["", "## What is tolerated", "", *_waivers(document["waivers"])]
    return "\n".join(lines) + "\n"


def _body(document: Document, before: Document | None) -> Iterator[str]:
    yield "| | | now | change | |"
    yield "|---|---|---|---|---|"
    for metric in document["metrics"]:
        cells: tuple[str, ...] = (
            _title(metric),
            _value(metric),
            _change(metric, before),
            metric["summary"],
        )
        yield (
            f"| {_SIGNS[metric['light']]} {metric['light']} | "
            + " | ".join(map(plain, cells))
            + " |"
        )
    yield ""
    yield f"Forecast: {plain(forecast(document['forecast']))}."
    yield ""
    yield f"As of {code(document['commit'][:12])}, {plain(document['at'])}."


def _attention(metrics: Sequence[Document]) -> Iterator[str]:
    found = sorted(
        (metric for metric in metrics if metric["light"] in _URGENT),
        key=lambda metric: _URGENT.index(metric["light"]),
    )
    for metric in found:
        yield f"- {_SIGNS[metric['light']]} {plain(_title(metric))}: {plain(metric['summary'])}"
    if not found:
        yield "Nothing."


def _waivers(rows: Sequence[Mapping[str, str]]) -> Iterator[str]:
    if not rows:
        yield "Nothing is waived."
        return
    for row in rows[:_SOON]:
        owner, reason = plain(row["owner"]), plain(row["reason"])
        yield f"- {code(row['rule'])} until {row['expires']} ({owner}): {reason}"
    if len(rows) > _SOON:
        yield f"- and {len(rows) - _SOON} more, which end later"


def _title(metric: Document) -> str:
    return _TITLES.get(metric["name"], str(metric["name"]))


def _value(metric: Document) -> str:
    if metric["value"] is None:
        return "unknown"
    unit = metric["unit"].removesuffix("s") if metric["value"] == 1 else metric["unit"]
    return f"{metric['value']:,} {unit}"


def _change(metric: Document, before: Document | None) -> str:
    """What became of the number since the last dashboard, if both are known."""
    then = next(
        (row["value"] for row in (before or {"metrics": ()})["metrics"] if _same(row, metric)), None
    )
    if then is None or metric["value"] is None:
        return ""
    return f"{round(metric['value'] - then, 2):+,}" if metric["value"] != then else "="


def _same(row: Document, metric: Document) -> bool:
    return bool(row["name"] == metric["name"] and row["unit"] == metric["unit"])
