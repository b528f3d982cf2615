"""What a smoke emitted, against what contracts declare."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit.api import Finding, Severity
from pytest_cockpit_gates.matriz.telemetry.declared import Declared, Item, Keys, finding
from pytest_cockpit_gates.matriz.telemetry.naming import short
from pytest_cockpit_gates.matriz.telemetry.recording import Metric, Recording, Span
from pytest_cockpit_gates.matriz.telemetry.rules import (
    ATTRIBUTE,
    FAILED,
    METRIC,
    SPAN,
    UNDECLARED,
    UNENDED,
)

_PLACEHOLDER = re.compile(r"\\\{[^{}]*\\\}|\\\*")
_DIMENSIONLESS = "1"


@dataclass(frozen=True, slots=True)
class Seen:
    """An emitted name: how often, and in how many of them each attribute is, and is not empty."""

    of: int
    attributes: Mapping[str, tuple[int, int]]


def pattern(name: str) -> re.Pattern[str]:
    """A declared name, in which `{anything}` and `*` stand for some text."""
    return re.compile(_PLACEHOLDER.sub(".+", re.escape(name)), re.DOTALL)


def judge(declared: Declared, recording: Recording, *, whole: bool) -> Iterator[Finding]:
    """What a contract declares and the smoke did not keep; `whole` when all of it was seen."""
    for item in declared.spans:
        found = [span for span in recording.spans if pattern(item.name).fullmatch(span.name)]
        if found:
            yield from _attributes(declared, item, _spans(found), "span")
        elif whole:
            yield _no_span(declared, item, recording)
    for item in declared.metrics:
        same = item.name.casefold()
        metrics = [metric for metric in recording.metrics if metric.name.casefold() == same]
        if not metrics and whole:
            yield _no_metric(declared, item, recording)
        for metric in metrics:
            yield from _metric(declared, item, metric)
            if metric.points:
                yield from _attributes(declared, item, _points(metric), "metric")
            else:
                yield _nothing_measured(declared, item)


def undeclared(
    blocks: Sequence[Declared], recording: Recording, severity: Severity
) -> Iterator[Finding]:
    """What none of the contracts of a smoke declares."""
    spans = [pattern(item.name) for declared in blocks for item in declared.spans]
    metrics = {item.name.casefold() for declared in blocks for item in declared.metrics}
    rows: dict[tuple[str, str], list[str]] = {}
    for span in recording.spans:
        if not any(form.fullmatch(span.name) for form in spans):
            rows.setdefault(("span", span.name), []).append(span.scope)
    for metric in recording.metrics:
        if metric.name.casefold() not in metrics:
            rows.setdefault(("metric", metric.name), []).append(metric.scope)
    for (kind, name), scopes in rows.items():
        yield finding(
            blocks[0].contract,
            UNDECLARED,
            f"{kind} {short(name)} is emitted and not declared",
            ("telemetry", f"{kind}s"),
            severity=severity,
            remedy=f"declare it below telemetry.{kind}s, or emit it no more",
            evidence={"name": name, "scopes": sorted(set(scopes)), "count": len(scopes)},
        )


def health(declared: Declared, recording: Recording) -> Iterator[Finding]:
    """Spans that failed, and spans that were never ended."""
    for name in dict.fromkeys(recording.unended):
        yield finding(
            declared.contract,
            UNENDED,
            f"span {short(name)} is started and never ended, so it is never exported",
            severity=Severity.WARNING,
            remedy="start it in a with statement, or end it in a finally",
        )
    failed: dict[str, list[Span]] = {}
    for span in recording.spans:
        if span.status == "ERROR" or span.exceptions:
            failed.setdefault(span.name, []).append(span)
    for name, spans in failed.items():
        exceptions = sorted({one for span in spans for one in span.exceptions})
        told = f" of {', '.join(exceptions)}" if exceptions else ""
        yield finding(
            declared.contract,
            FAILED,
            f"span {short(name)} ends in an error{told}",
            severity=Severity.WARNING,
            remedy="let the smoke go a way that works",
            evidence={"name": name, "count": len(spans), "exceptions": exceptions},
        )


def _spans(spans: Iterable[Span]) -> Seen:
    spans = list(spans)
    counts: dict[str, tuple[int, int]] = {}
    for span in spans:
        for name, attribute in span.attributes.items():
            there, filled = counts.get(name, (0, 0))
            counts[name] = there + 1, filled + (attribute.size > 0)
    return Seen(len(spans), counts)


def _points(metric: Metric) -> Seen:
    rows = metric.attributes.items()
    return Seen(
        metric.points, {name: (row.points, row.points * (row.size > 0)) for name, row in rows}
    )


def _attributes(declared: Declared, item: Item, seen: Seen, kind: str) -> Iterator[Finding]:
    for name, keys in item.attributes.items():
        there, filled = seen.attributes.get(name, (0, 0))
        if filled == seen.of:
            continue
        what = f"{kind} {short(item.name)}"
        counted = f"{seen.of - there} of {seen.of}" if seen.of > 1 else "it"
        message = (
            f"{what} lacks attribute {short(name)} ({counted})"
            if there < seen.of
            else f"{what} has an empty attribute {short(name)}"
        )
        yield finding(
            declared.contract,
            ATTRIBUTE,
            message,
            keys,
            remedy="set it, to text that is not empty or to a number",
            evidence={"emitted": seen.of, "with": there, "not_empty": filled},
        )


def _no_span(declared: Declared, item: Item, recording: Recording) -> Finding:
    samplers = [name for name in recording.samplers if "AlwaysOn" not in name]
    hint = f"; sampler {short(samplers[0])} may have left it out" if samplers else ""
    return _not_emitted(declared, SPAN, f"span {short(item.name)}", item.keys, recording, hint)


def _no_metric(declared: Declared, item: Item, recording: Recording) -> Finding:
    return _not_emitted(declared, METRIC, f"metric {short(item.name)}", item.keys, recording)


def _nothing_measured(declared: Declared, item: Item) -> Finding:
    """An instrument without a data point has no attribute that could be there or lack."""
    return finding(
        declared.contract,
        METRIC,
        f"metric {short(item.name)} has no data point, so nothing is known of it",
        (*item.keys, "name"),
        severity=Severity.UNKNOWN,
        remedy="let the smoke measure something",
    )


def _not_emitted(
    declared: Declared, rule: str, what: str, keys: Keys, recording: Recording, hint: str = ""
) -> Finding:
    nothing = not (recording.spans or recording.metrics)
    said = "is not emitted, and neither is anything else" if nothing else "is not emitted"
    return finding(
        declared.contract,
        rule,
        f"{what} {said}{hint}",
        (*keys, "name"),
        remedy="let the smoke reach the code that emits it, or declare it no more",
        evidence={
            "spans": sorted({span.name for span in recording.spans})[:20],
            "metrics": sorted({metric.name for metric in recording.metrics})[:20],
        },
    )


def _metric(declared: Declared, item: Item, metric: Metric) -> Iterator[Finding]:
    pairs = (("unit", item.unit, metric.unit), ("type", item.kind, metric.kind))
    for key, wanted, found in pairs:
        if wanted is None or (wanted or _DIMENSIONLESS) == (found or _DIMENSIONLESS):
            continue
        word = "instrument" if key == "type" else key
        yield finding(
            declared.contract,
            METRIC,
            f"metric {short(item.name)} has {word} {short(found)}, declared is {short(wanted)}",
            (*item.keys, key),
            remedy=f"make the two agree; with another {word}, its values mean something else",
            evidence={"scope": metric.scope, "emitted": found, "declared": wanted},
        )
