"""Runs a module's smoke with providers in place that keep what it emits.

`python cockpit_smoke.py < JOB`. Providers of OpenTelemetry's SDK are there before the smoke
begins; whatever provider it makes itself is listened to as well, and one that it puts in place of
ours is let in, as it would be in production. What was emitted is written when the process ends,
however it ends short of being killed. Of attributes, types and sizes are kept, never values.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import logging
import os
import runpy
import sys
import types
from pathlib import Path
from typing import Any

_MOST = 5_000
_LONGEST = 300
_TRACEPARENT = 128
_QUIET = ("opentelemetry.exporter",)
_OWN = "otel.sdk."


def main() -> None:
    """Do what the job on standard input says."""
    with os.fdopen(os.dup(0), "rb") as stream:
        job = json.load(stream)
    # The smoke has no input, and the job is nothing for it to read.
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    try:
        recorder = _recorder()
    except ImportError as error:
        _write(job, {"missing": _cut(str(error))})
        return
    atexit.register(_at_exit, job, recorder, os.getpid())
    # Ours, put there because this file was started, gives way to the tree's.
    sys.path[:1] = job["path"]
    _run(job)


def _run(job: Any) -> None:
    sys.argv = [job["target"], *job["argv"]]
    if job["kind"] == "module":
        runpy.run_module(job["target"], run_name="__main__", alter_sys=True)
    elif job["kind"] == "path":
        # Behind the tree's own folders: a smoke is often named like what it smokes.
        sys.path.insert(len(job["path"]), str(Path(job["target"]).resolve().parent))
        runpy.run_path(job["target"], run_name="__main__")
    else:
        module, _, name = job["target"].partition(":")
        function: Any = functools.reduce(getattr, name.split("."), importlib.import_module(module))
        result = function()
        if isinstance(result, types.CoroutineType):
            import asyncio

            result = asyncio.run(result)
        if isinstance(result, int) and result:
            sys.exit(int(result))


def _recorder() -> Any:
    """Listens to every provider of the SDK, our own two to begin with."""
    from opentelemetry import metrics, trace
    from opentelemetry.metrics import _internal as metrics_api
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

    class Reader(InMemoryMetricReader):
        """Reads once more before its provider is gone."""

        last: Any = None

        def shutdown(self, *arguments: Any, **options: Any) -> None:
            self.last = self.get_metrics_data()

        def data(self) -> Any:
            return self.last if self.last is not None else self.get_metrics_data()

    class Recorder(SpanProcessor):
        """Spans as they begin and end, readers, and what the SDK complained about."""

        def __init__(self) -> None:
            self.started: dict[tuple[Any, Any], str] = {}
            self.spans: list[Any] = []
            self.lost = 0
            self.tracing: list[Any] = []
            self.metering: list[Any] = []
            self.readers: list[Reader] = []
            self.said: list[str] = []

        def on_start(self, span: Any, parent_context: Any = None) -> None:
            if len(self.started) < _MOST:
                context = span.get_span_context()
                self.started[context.trace_id, context.span_id] = _cut(span.name)

        def on_end(self, span: Any) -> None:
            self.started.pop((span.context.trace_id, span.context.span_id), None)
            if len(self.spans) < _MOST:
                self.spans.append(_span(span))
            else:
                self.lost += 1

        def foreign(self) -> list[str]:
            """Providers now in place that are not listened to."""
            pairs = (
                (trace.get_tracer_provider(), self.tracing),
                (metrics.get_meter_provider(), self.metering),
            )
            return [
                f"{type(found).__module__}.{type(found).__qualname__}"
                for found, known in pairs
                if not any(found is one for one in known)
            ]

    recorder = Recorder()
    _listen_to_spans(TracerProvider, recorder)
    _listen_to_metrics(MeterProvider, recorder, Reader)
    _listen_to_logs(recorder)
    # Set beside the API's own `set_…_provider`, which may be used once: that once is the smoke's.
    trace._TRACER_PROVIDER = TracerProvider()  # noqa: SLF001 - as above
    metrics_api._METER_PROVIDER = MeterProvider()  # noqa: SLF001 - as above
    return recorder


def _listen_to_spans(provider: Any, recorder: Any) -> None:
    original = provider.__init__
    heard: list[Any] = []

    @functools.wraps(original)
    def begin(self: Any, *arguments: Any, **options: Any) -> None:
        original(self, *arguments, **options)
        recorder.tracing.append(self)
        # Two providers may share a processor, which then needs to tell us once.
        processor = self._active_span_processor
        if not any(processor is one for one in heard):
            heard.append(processor)
            self.add_span_processor(recorder)

    provider.__init__ = begin


def _listen_to_metrics(provider: Any, recorder: Any, reader: Any) -> None:
    original = provider.__init__

    @functools.wraps(original)
    def begin(self: Any, metric_readers: Any = (), *arguments: Any, **options: Any) -> None:
        ours = reader()
        original(self, [*metric_readers, ours], *arguments, **options)
        recorder.metering.append(self)
        recorder.readers.append(ours)

    provider.__init__ = begin


def _listen_to_logs(recorder: Any) -> None:
    class Handler(logging.Handler):
        """Keeps what the SDK refused."""

        def emit(self, record: logging.LogRecord) -> None:
            if not record.name.startswith(_QUIET) and len(recorder.said) < _MOST:
                recorder.said.append(_cut(record.getMessage()))

    logging.getLogger("opentelemetry").addHandler(Handler(logging.WARNING))


def _at_exit(job: Any, recorder: Any, process: int) -> None:
    """Write what was seen. Registered before the smoke begins, so run after all of its own."""
    if os.getpid() != process:
        return  # a fork of the smoke's that ends like a process of its own
    metrics = [row for reader in recorder.readers for row in _metrics(reader.data())]
    content = {
        "spans": recorder.spans,
        "unended": sorted(recorder.started.values()),
        "lost": recorder.lost + max(len(metrics) - _MOST, 0),
        "metrics": metrics[:_MOST],
        "said": sorted(set(recorder.said)),
        "foreign": recorder.foreign(),
        "samplers": sorted({_cut(one.sampler.get_description()) for one in recorder.tracing}),
    }
    _write(job, content)


def _write(job: Any, content: dict[str, Any]) -> None:
    """Whole or not at all, under a name that nothing else knows."""
    data = json.dumps({**content, "nonce": job["nonce"]}).encode()
    descriptor = os.open(f"{job['results']}.part", os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as stream:
        stream.write(data)
    Path(f"{job['results']}.part").rename(job["results"])


def _span(span: Any) -> dict[str, Any]:
    context, parent, scope = span.context, span.parent, span.instrumentation_scope
    attributes = dict(span.attributes or {})
    return {
        "name": _cut(span.name),
        "scope": _cut(scope.name if scope else ""),
        "schema_url": _cut((scope.schema_url if scope else None) or ""),
        "trace_id": _hexadecimal(context.trace_id, 32),
        "span_id": _hexadecimal(context.span_id, 16),
        "flags": int(context.trace_flags),
        "parent": None
        if parent is None
        else {
            "trace_id": _hexadecimal(parent.trace_id, 32),
            "span_id": _hexadecimal(parent.span_id, 16),
            "remote": bool(parent.is_remote),
        },
        "status": span.status.status_code.name,
        "attributes": {_cut(key): _kind(value) for key, value in attributes.items()},
        "exceptions": [
            _cut(dict(event.attributes or {}).get("exception.type", ""))
            for event in span.events
            if event.name == "exception"
        ],
        "links": [
            {
                "trace_id": _hexadecimal(link.context.trace_id, 32),
                "span_id": _hexadecimal(link.context.span_id, 16),
            }
            for link in span.links
        ],
        "traceparents": [
            {"key": _cut(key), "value": text}
            for key, value in attributes.items()
            if _cut(key).casefold().rpartition(".")[2] == "traceparent"
            for text in _traceparents(value)
        ],
    }


def _metrics(data: Any) -> list[dict[str, Any]]:
    return [
        _metric(scope.scope, metric)
        for resource in (data.resource_metrics if data is not None else ())
        for scope in resource.scope_metrics
        for metric in scope.metrics
        if not metric.name.startswith(_OWN)
    ]


def _metric(scope: Any, metric: Any) -> dict[str, Any]:
    points = list(metric.data.data_points)
    attributes: dict[str, dict[str, Any]] = {}
    for point in points:
        for key, value in dict(point.attributes or {}).items():
            seen = attributes.setdefault(_cut(key), {**_kind(value), "points": 0})
            seen["points"] += 1
            seen["size"] = min(seen["size"], _kind(value)["size"])
    kind = type(metric.data).__name__
    if kind == "Sum":
        kind = "counter" if metric.data.is_monotonic else "updowncounter"
    return {
        "name": _cut(metric.name),
        "unit": _cut(metric.unit or ""),
        "kind": {"ExponentialHistogram": "histogram"}.get(kind, kind.lower()),
        "scope": _cut(scope.name),
        "schema_url": _cut(scope.schema_url or ""),
        "points": len(points),
        "attributes": attributes,
    }


def _kind(value: Any) -> dict[str, Any]:
    sized = isinstance(value, str | bytes | list | tuple | dict)
    name = "sequence" if isinstance(value, list | tuple) else type(value).__name__
    return {"type": _cut(name), "size": len(value) if sized else 1}


def _hexadecimal(value: Any, width: int) -> str:
    """An id as it goes over the wire, however wrong it is."""
    return _cut(f"{value:0{width}x}" if isinstance(value, int) else repr(type(value)))


def _traceparents(value: Any) -> list[str]:
    """Values of attributes that are no secret; what does not look like one is not shown."""
    texts = value if isinstance(value, list | tuple) else [value]
    return [
        text
        if isinstance(text, str)
        and len(text) <= _TRACEPARENT
        and all(char.isalnum() or char == "-" for char in text)
        else "(other)"
        for text in texts[:10]
    ]


def _cut(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()[:_LONGEST]


if __name__ == "__main__":
    main()
