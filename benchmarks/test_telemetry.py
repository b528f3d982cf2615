"""Telemetry: what it costs to listen to a smoke, and to hold contracts against conventions."""

from __future__ import annotations

import json
import sys

import pytest

from pytest_cockpit import process
from pytest_cockpit.api import Context
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.telemetry import judge, running, semconv
from pytest_cockpit_gates.matriz.telemetry.smokes import Smoke

CONTRACTS = 10_000
SPANS = 1000
_SMOKE = f"""from opentelemetry import metrics, trace

tracer = trace.get_tracer("core")
counter = metrics.get_meter("core").create_counter("core.loads")


def smoke():
    for number in range({SPANS}):
        with tracer.start_as_current_span("core.load", attributes={{"core.tier": number}}):
            counter.add(1)
"""
_SDK = """from opentelemetry import metrics, trace
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

tracing = TracerProvider()
tracing.add_span_processor(SimpleSpanProcessor(InMemorySpanExporter()))
trace.set_tracer_provider(tracing)
metrics.set_meter_provider(MeterProvider(metric_readers=[InMemoryMetricReader()]))
"""
_START = "import core; core.smoke()"

_RUNS = pytest.mark.benchmark(group=f"telemetry: a smoke of {SPANS} spans")
_STATIC = pytest.mark.benchmark(group="telemetry: 10,000 contracts without a smoke")


@pytest.fixture
def tree(tmp_path):
    (tmp_path / "core.py").write_text(_SMOKE, encoding="utf-8")
    (tmp_path / "scratch").mkdir()
    return tmp_path


def _plain(tree, source):
    return process.run([sys.executable, "-c", source], cwd=tree)


@_RUNS
def test_listened_to(meter, tree):
    context = Context(root=tree, scratch=tree / "scratch")
    smoke = Smoke("function", "core:smoke")
    outcome = meter(
        "the gate's process, recording read",
        lambda: running.run(smoke, context, 60),
        rounds=7,
        ours=True,
    )
    assert len(outcome.recording.spans) == SPANS


@_RUNS
def test_floor_with_the_sdk(meter, tree):
    ended = meter(
        "floor: the smoke with the SDK's in-memory exporters",
        lambda: _plain(tree, f"{_SDK}{_START}"),
        rounds=7,
        note="what it emits is not read",
    )
    assert ended.returncode == 0, ended.stderr


@_RUNS
def test_floor_without_the_sdk(meter, tree):
    ended = meter(
        "floor: the smoke alone", lambda: _plain(tree, _START), rounds=7, note="emits nothing"
    )
    assert ended.returncode == 0, ended.stderr


def _forget():
    semconv.installed.cache_clear()


@pytest.fixture(scope="module")
def contracts():
    def one(number):
        value = {
            "module": f"core.m{number}",
            "telemetry": {
                "opentelemetry_semconv_version": "1.37.0",
                "spans": [{"name": "load", "attrs": ["code.function.name", "core.tier"]}],
                "metrics": [
                    {"name": f"core.m{number}.loads", "unit": "1", "type": "counter"},
                    {"name": f"core.m{number}.latency", "unit": "s", "type": "histogram"},
                ],
            },
        }
        return Contract(f"c{number}.json", json.dumps(value).encode(), value)

    return Contracts((), tuple(map(one, range(CONTRACTS))), (), (), {})


@_STATIC
def test_declared_names(meter, contracts, tmp_path):
    """The conventions are read anew each time, as in a process of its own."""
    part = meter(
        "names, units and conventions",
        lambda: judge(Context(root=tmp_path, scratch=tmp_path), contracts),
        setup=_forget,
        ours=True,
    )
    assert (part.checked, part.findings) == (CONTRACTS, ())


@_STATIC
def test_reading_the_conventions(meter):
    known = meter("of which reading the conventions", semconv.installed, setup=_forget)
    assert known is not None
