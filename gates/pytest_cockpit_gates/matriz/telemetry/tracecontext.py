"""Ids by the W3C's Trace Context, level 2: of spans, and of `traceparent` in attributes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence

from pytest_cockpit_gates.matriz.telemetry.recording import Span, SpanId

_TRACE = re.compile(r"[0-9a-f]{32}", re.ASCII)
_SPAN = re.compile(r"[0-9a-f]{16}", re.ASCII)
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<span>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})"
    r"(?P<rest>-.*)?",
    re.ASCII,
)
_SAMPLED, _RANDOM = 1, 2


def faults(spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    """Name of a span, and what is wrong with its ids; the same fault of a name once."""
    seen: set[tuple[str, str]] = set()
    for found in (*_each(spans), *_among(spans)):
        if found not in seen:
            seen.add(found)
            yield found


def traceparent(text: str) -> str | None:
    """What is wrong with the value of a `traceparent` header."""
    found = _PARENT.fullmatch(text)
    if found is None:
        return "is not version-trace-span-flags in lowercase hexadecimal"
    if found["version"] == "ff":
        return "has version ff, which is forbidden"
    ids = _id("", SpanId(found["trace"], found["span"]))
    if ids is not None:
        return f"has {ids}"
    if found["version"] == "00":
        if found["rest"] is not None:
            return "goes on after its flags, which version 00 does not"
        return _flags(int(found["flags"], 16))
    return None


def _each(spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    for span in spans:
        ids = [("", span.id), *(("link to ", link) for link in span.links)]
        if span.parent is not None:
            ids.append(("parent with ", span.parent))
        for what, one in ids:
            fault = _id(what, one)
            if fault is not None:
                yield span.name, f"has {fault}"
        flags = _flags(span.flags)
        if flags is not None:
            yield span.name, flags
        for key, value in span.traceparents:
            fault = traceparent(value)
            if fault is not None:
                yield span.name, f"attribute {key} {fault}"


def _among(spans: Sequence[Span]) -> Iterator[tuple[str, str]]:
    known = Counter((span.id.trace_id, span.id.span_id) for span in spans)
    roots = Counter(span.id.trace_id for span in spans if span.parent is None)
    for span in spans:
        if known[span.id.trace_id, span.id.span_id] > 1:
            yield span.name, "shares its id with another span of its trace"
        if span.parent is None:
            if roots[span.id.trace_id] > 1:
                yield span.name, "begins a trace whose id another root span has, too"
        elif span.parent.trace_id != span.id.trace_id:
            yield span.name, "is in another trace than its parent"
        elif span.parent.span_id == span.id.span_id:
            yield span.name, "is its own parent"
        elif not (span.parent.remote or known[span.parent.trace_id, span.parent.span_id]):
            yield span.name, "has a parent in this process that was never exported"


def _id(what: str, one: SpanId) -> str | None:
    for name, text, form in (("trace", one.trace_id, _TRACE), ("span", one.span_id, _SPAN)):
        if form.fullmatch(text) is None:
            width = 32 if name == "trace" else 16
            return f"{what}a {name} id that is not {width} lowercase hexadecimal digits"
        if not text.strip("0"):
            return f"{what}a {name} id of zeros alone"
    return None


def _flags(flags: int) -> str | None:
    return (
        None
        if 0 <= flags <= _SAMPLED | _RANDOM
        else f"has flags {flags:02x}, of which version 00 knows 01 and 02"
    )
