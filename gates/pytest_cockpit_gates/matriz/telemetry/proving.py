"""Small trees whose telemetry breaks each rule, and trees the gate accepts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from textwrap import indent
from typing import Any

from pytest_cockpit.api import Proof, Verdict
from pytest_cockpit_gates.matriz.proving import contract_of
from pytest_cockpit_gates.matriz.telemetry import rules

_SDK = "opentelemetry.sdk"
_CONVENTIONS = "opentelemetry.semconv"
_FILE = "core/common.py"
_PLAIN = {_FILE: "LIMIT = 3\n"}
_SETTINGS: Mapping[str, Any] = {"telemetry": {"smokes": {"core.common": "core.common:smoke"}}}
_SPAN: Mapping[str, Any] = {"name": "core.load", "attrs": ["core.tier"]}
_METRIC: Mapping[str, Any] = {"name": "core.latency", "unit": "s", "type": "histogram"}
_BLOCK: Mapping[str, Any] = {
    "opentelemetry_semconv_version": "1.37.0",
    "spans": [_SPAN],
    "metrics": [_METRIC],
}
_GOOD_SPAN = 'with tracer.start_as_current_span("core.load", attributes={"core.tier": "gold"}):\n'
_GOOD_METRIC = 'meter.create_histogram("core.latency", unit="s").record(0.25)\n'
_GOOD = f"{_GOOD_SPAN}    {_GOOD_METRIC}"
_HEAD = """from opentelemetry import metrics, trace

tracer = trace.get_tracer("core.common")
meter = metrics.get_meter("core.common")


def smoke():
"""


def proofs() -> Iterator[Proof]:
    """Every proof of this part's rules."""
    yield from _accepted()
    yield from _contracts()
    yield from _smokes()
    yield from _emissions()


def _accepted() -> Iterator[Proof]:
    needs = (_SDK, _CONVENTIONS)
    yield Proof(
        "accepts-telemetry-as-declared",
        _tree(_GOOD),
        Verdict.PASS,
        settings=_SETTINGS,
        needs=needs,
    )
    own = contract_of(telemetry=_BLOCK, **{"x-telemetry-smoke": ["tools/load.py"]})
    script = {"tools/load.py": "from core.common import smoke\n\nsmoke()\n"}
    yield Proof(
        "accepts-smoke-of-the-contract",
        {**_tree(_GOOD), **own, **script},
        Verdict.PASS,
        needs=needs,
    )
    yield Proof(
        "accepts-telemetry-without-smoke", _declaring(), Verdict.PASS, needs=(_CONVENTIONS,)
    )


def _contracts() -> Iterator[Proof]:
    fail, warn, unknown = Verdict.FAIL, Verdict.WARN, Verdict.UNKNOWN
    rows: tuple[tuple[str, str, Verdict, Mapping[str, Any]], ...] = (
        ("instrument-of-no-name", rules.NAME, fail, {"metrics": [{"name": "9 lives"}]}),
        ("metric-declared-twice", rules.NAME, fail, {"metrics": [_METRIC, _METRIC]}),
        ("name-of-opentelemetry", rules.NAME, fail, {"spans": [{**_SPAN, "attrs": ["otel.mine"]}]}),
        ("unit-of-no-system", rules.UNIT, warn, {"metrics": [{**_METRIC, "unit": "seconds"}]}),
        (
            "version-of-the-future",
            rules.VERSION,
            unknown,
            {"opentelemetry_semconv_version": "999.0.0"},
        ),
        (
            "attribute-given-up",
            rules.DEPRECATED,
            warn,
            {"spans": [{**_SPAN, "attrs": ["code.function"]}]},
        ),
        (
            "unit-of-another-convention",
            rules.CONVENTION,
            warn,
            {
                "opentelemetry_semconv_version": "1.36.0",
                "metrics": [{"name": "http.server.request.duration", "unit": "ms"}],
            },
        ),
    )
    for name, rule, expect, changes in rows:
        yield Proof(f"sees-{name}", _declaring(**changes), expect, rule, needs=(_CONVENTIONS,))
    open_schema = {
        "schemas/open.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema"}'
    }
    yield Proof(
        "knows-nothing-of-unreadable-telemetry",
        {**_declaring(spans=[7]), **open_schema},
        unknown,
        rules.DECLARATION,
        settings={"schema": "schemas/open.json"},
        needs=(_CONVENTIONS,),
    )


def _smokes() -> Iterator[Proof]:
    fail, unknown = Verdict.FAIL, Verdict.UNKNOWN
    yield _smoked("refuses-smoke-that-fails", fail, rules.SMOKE, f"{_GOOD}raise RuntimeError\n")
    yield _smoked(
        "refuses-smoke-that-hangs",
        fail,
        rules.SMOKE,
        "import time\n\ntime.sleep(60)\n",
        {"telemetry": {**_SETTINGS["telemetry"], "timeout_s": 1.5}},
    )
    yield Proof(
        "refuses-smoke-that-is-not-there",
        _declaring(),
        fail,
        rules.SMOKE,
        settings={"telemetry": {"smokes": {"core.*": ["tools/load.py"]}}},
        needs=(_CONVENTIONS,),
    )
    yield Proof(
        "knows-nothing-where-a-smoke-is-required",
        _declaring(),
        unknown,
        rules.REQUIRED,
        settings={"telemetry": {"require": ["core.*"]}},
        needs=(_CONVENTIONS,),
    )
    yield Proof(
        "knows-nothing-of-smoke-without-module",
        _declaring(),
        unknown,
        rules.REQUIRED,
        settings={"telemetry": {"smokes": {"core.other": "core.other:smoke"}}},
        needs=(_CONVENTIONS,),
    )
    hidden = {
        "smoke-that-vanishes": f"import os\n\n{_GOOD}os._exit(0)\n",
        "provider-that-keeps-nothing": (
            f"trace.set_tracer_provider(trace.NoOpTracerProvider())\n{_GOOD}"
        ),
    }
    for name, body in hidden.items():
        yield _smoked(f"knows-nothing-after-{name}", unknown, rules.EVIDENCE, body)


def _emissions() -> Iterator[Proof]:
    fail, warn = Verdict.FAIL, Verdict.WARN
    other = _GOOD.replace
    rows = (
        ("smoke-that-emits-nothing", rules.SPAN, fail, "pass\n"),
        ("missing-span", rules.SPAN, fail, _GOOD_METRIC),
        ("missing-attribute", rules.ATTRIBUTE, fail, other("core.tier", "core.rank")),
        ("empty-attribute", rules.ATTRIBUTE, fail, other("gold", "")),
        ("missing-metric", rules.METRIC, fail, f"{_GOOD_SPAN}    pass\n"),
        ("metric-in-another-unit", rules.METRIC, fail, other('unit="s"', 'unit="ms"')),
        (
            "metric-of-another-instrument",
            rules.METRIC,
            fail,
            other("create_histogram", "create_counter").replace("record", "add"),
        ),
        ("span-not-declared", rules.UNDECLARED, warn, f'{_GOOD}tracer.start_span("more").end()\n'),
        ("span-never-ended", rules.UNENDED, warn, f'{_GOOD}smoke.kept = tracer.start_span("x")\n'),
        (
            "span-of-an-error",
            rules.FAILED,
            warn,
            f"{_GOOD}    trace.get_current_span().record_exception(ValueError())\n",
        ),
        (
            "attribute-of-no-type",
            rules.REFUSED,
            warn,
            other('"gold"', '"gold", "core.more": object()'),
        ),
        ("ids-of-zeros", rules.IDS, fail, f"{_ZEROS}{_GOOD_SPAN}    {_GOOD_METRIC}"),
        (
            "traceparent-of-a-forbidden-version",
            rules.IDS,
            fail,
            other('"gold"', f'"gold", "core.traceparent": "ff-{"1" * 32}-{"2" * 16}-01"'),
        ),
    )
    for name, rule, expect, body in rows:
        yield _smoked(f"sees-{name}", expect, rule, body)


_ZEROS = """from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator


class Zeros(IdGenerator):
    def generate_span_id(self):
        return 0

    def generate_trace_id(self):
        return 0


tracer = TracerProvider(id_generator=Zeros()).get_tracer("core.common")
"""


def _smoked(
    name: str, expect: Verdict, rule: str, body: str, settings: Mapping[str, Any] = _SETTINGS
) -> Proof:
    needs = (_SDK, _CONVENTIONS)
    return Proof(name, _tree(body), expect, rule, settings=settings, needs=needs)


def _tree(body: str) -> dict[str, str]:
    return {**_declaring(), _FILE: _HEAD + indent(body, "    ")}


def _declaring(**changes: Any) -> dict[str, str]:
    return {**_PLAIN, **contract_of(telemetry={**_BLOCK, **changes})}
