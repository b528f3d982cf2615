from __future__ import annotations

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Severity
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.telemetry import (
    conventions,
    declared,
    emitted,
    naming,
    semconv,
    smokes,
    tracecontext,
    units,
)
from pytest_cockpit_gates.matriz.telemetry.conventions import Held
from pytest_cockpit_gates.matriz.telemetry.recording import (
    Attribute,
    Metric,
    Missing,
    Recording,
    Span,
    SpanId,
    Unreadable,
    read,
)
from pytest_cockpit_gates.matriz.telemetry.semconv import Conventions
from pytest_cockpit_gates.matriz.telemetry.settings import Settings
from pytest_cockpit_gates.matriz.telemetry.smokes import Smoke

TRACE, OTHER = "1" * 32, "2" * 32
A, B, C = "a" * 16, "b" * 16, "c" * 16
ERROR, WARNING, INFO, UNKNOWN = Severity.ERROR, Severity.WARNING, Severity.INFO, Severity.UNKNOWN


def block(telemetry=None, **more):
    value = {"module": "core.common", **more}
    if telemetry is not None:
        value["telemetry"] = telemetry
    return declared.read(Contract("c.json", json.dumps(value).encode(), value))


def told(findings):
    return [
        (item.rule.partition("-")[2], str(item.severity), item.pointer, item.message)
        for item in findings
    ]


def span(name="one", span_id=A, trace_id=TRACE, parent=None, **more):
    plain = Span(
        name=name,
        scope="core",
        schema_url="",
        id=SpanId(trace_id, span_id),
        flags=1,
        parent=parent,
        status="UNSET",
        attributes={},
        exceptions=(),
        links=(),
        traceparents=(),
    )
    return replace(plain, **more)


def metric(name="core.count", **more):
    plain = Metric(name, "1", "counter", "core", "", 1, {})
    return replace(plain, **more)


def recorded(spans=(), metrics=(), **more):
    plain = Recording(tuple(spans), (), 0, tuple(metrics), (), (), (), {})
    return replace(plain, **more)


# Blocks


def test_a_block_is_read():
    found = block(
        {
            "opentelemetry_semconv_version": "1.37.0",
            "spans": [{"name": "one", "attrs": ["a", "b"]}, {"name": "two"}],
            "metrics": [
                {"name": "m", "unit": "s", "type": "histogram", "attrs": ["c"]},
                {"name": "n", "type": "Observable_Up Down Counter"},
            ],
        }
    )
    assert (found.version, found.module, found.empty, found.faults) == (
        "1.37.0",
        "core.common",
        False,
        (),
    )
    one, two = found.spans
    keys = ("telemetry", "spans", 0)
    assert (one.name, one.keys, one.unit, one.kind) == ("one", keys, None, None)
    assert one.attributes == {"a": (*keys, "attrs", 0), "b": (*keys, "attrs", 1)}
    assert (two.keys, two.attributes) == (("telemetry", "spans", 1), {})
    m, n = found.metrics
    assert (m.name, m.unit, m.kind, set(m.attributes)) == ("m", "s", "histogram", {"c"})
    assert (n.unit, n.kind) == (None, "updowncounter")


@pytest.mark.parametrize("kind, expected", declared.KINDS.items())
def test_a_kind_of_instrument_is_known_by_any_spelling(kind, expected):
    (item,) = block({"metrics": [{"name": "m", "type": kind.upper()}]}).metrics
    assert item.kind == expected
    # A span has no instrument, whatever it says of its type.
    found = block({"spans": [{"name": "s", "type": "nonsense"}]})
    assert (found.spans[0].kind, found.faults) == (None, ())


@pytest.mark.parametrize(
    "telemetry, pointer, message",
    [
        (7, "/telemetry", "telemetry is not an object"),
        (None, "/telemetry", "telemetry is not an object"),
        (
            {"opentelemetry_semconv_version": 1.37},
            "/telemetry/opentelemetry_semconv_version",
            "the version is not text such as 1.37.0",
        ),
        ({"spans": {}}, "/telemetry/spans", "spans is not a list"),
        ({"metrics": "m"}, "/telemetry/metrics", "metrics is not a list"),
        (
            {"spans": ["one"]},
            "/telemetry/spans/0",
            'an entry of spans is not an object with a "name"',
        ),
        (
            {"metrics": [{"name": ""}]},
            "/telemetry/metrics/0",
            'an entry of metrics is not an object with a "name"',
        ),
        (
            {"spans": [{"name": "s", "attrs": "a"}]},
            "/telemetry/spans/0/attrs",
            "attrs is not a list",
        ),
        (
            {"spans": [{"name": "s", "attrs": ["a", ""]}]},
            "/telemetry/spans/0/attrs/1",
            "an attribute is not a name",
        ),
        (
            {"metrics": [{"name": "m", "unit": 1}]},
            "/telemetry/metrics/0/unit",
            "unit is not text",
        ),
        (
            {"metrics": [{"name": "m", "type": "summary"}]},
            "/telemetry/metrics/0/type",
            "type is not counter, updowncounter, gauge or histogram",
        ),
        ({"metrics": [{"name": "m", "type": 4}]}, "/telemetry/metrics/0/type", "type is not text"),
    ],
    ids=str,
)
def test_what_cannot_be_read_is_unknown(telemetry, pointer, message):
    value = {"module": "core.common", "telemetry": telemetry}
    found = declared.read(Contract("c.json", json.dumps(value).encode(), value))
    assert told(found.faults) == [
        ("declaration", "unknown", pointer, f"{message}, so nothing is held against it")
    ]
    assert found.faults[0].remedy == f"write {message.partition(' is not ')[2]}"
    assert not found.empty


def test_a_contract_that_says_nothing_is_empty():
    for found in (
        block(),
        block({}),
        block({"spans": [], "metrics": []}),
        declared.read(Contract("c.json", b"[]", [])),
    ):
        assert (found.empty, found.spans, found.metrics, found.version) == (True, (), (), None)
        assert found.smoke is None
    assert not block({"opentelemetry_semconv_version": "1.37.0"}).empty
    assert not block({"metrics": [{"name": "m"}]}).empty
    assert block(**{"x-telemetry-smoke": "a:b"}).smoke == "a:b"


# Units


@pytest.mark.parametrize(
    "unit",
    [
        "1",
        "s",
        "ms",
        "us",
        "ns",
        "min",
        "h",
        "d",
        "By",
        "kBy",
        "KiBy",
        "MiBy",
        "bit",
        "Hz",
        "%",
        "Cel",
        "{request}",
        "{packet}",
        "1{x}",
        "By/s",
        "{request}/s",
        "m/s2",
        "10*3",
        "10^-6",
        "J",
        "W",
        "kW.h",
        "V",
        "A",
        "Pa",
        "g",
        "kg",
        "[in_i]",
        "/s",
        "100",
        "Ohm",
        "mol",
        "[degF]",
        "kg.m2.s-2",
        "1/s",
    ],
)
def test_a_unit_of_ucum_is_one(unit):
    assert units.is_unit(unit)


@pytest.mark.parametrize(
    "unit",
    [
        "seconds",
        "sec",
        "secs",
        "milliseconds",
        "msec",
        "bytes",
        "byte",
        "KB",
        "requests",
        "request",
        "count",
        "percent",
        "µs",
        "x?",
        "s/",
        "{}",
        "{a",
        "kk",
        "s..",
        "..s",
        "s//s",
        "MBytes",
        "B",
        "/",
        ".",
        "s{a}{b}",
        "a b",
        "{re quest}",
        "s\n",
        "{x}" * 22,
    ],
)
def test_a_unit_of_another_system_is_none(unit):
    assert not units.is_unit(unit)


def test_no_unit_is_a_unit_and_a_long_one_is_none():
    assert units.is_unit("")
    assert units.is_unit("{" + "a" * 61 + "}")
    assert not units.is_unit("{" + "a" * 62 + "}")


@pytest.mark.parametrize(
    "unit, instead",
    [
        ("seconds", "s"),
        ("Seconds", "s"),
        ("MILLISECONDS", "ms"),
        ("µs", "us"),
        ("KB", "kBy"),
        ("requests", "{requests}"),
        ("Requests", "1"),
        ("a b", "1"),
        ("a" * 40, "{" + "a" * 40 + "}"),
        ("a" * 41, "1"),
    ],
)
def test_what_is_meant_is_told(unit, instead):
    assert units.instead(unit) == instead
    assert units.is_unit(instead)


@given(st.text(max_size=80))
def test_every_text_has_a_unit_instead(text):
    assert units.is_unit(units.instead(text))
    assert isinstance(units.is_unit(text), bool)


def test_every_unit_of_the_semantic_conventions_is_known():
    known = semconv.installed().metrics
    assert [name for name, row in known.items() if not units.is_unit(row.unit)] == []


# Names


@pytest.mark.parametrize("name", ["a", "A.b_c-d/e9", "a" * 255])
def test_a_name_of_an_instrument_is_one(name):
    assert told(naming.judge(block({"metrics": [{"name": name}]}))) == []


@pytest.mark.parametrize("name", ["9a", "_a", ".a", "a b", "a:b", "é", "a" * 256, "a\n"])
def test_a_name_of_no_instrument_is_told(name):
    (finding,) = naming.judge(block({"metrics": [{"name": name}]}))
    assert (finding.rule, finding.severity) == ("matriz.telemetry-name", ERROR)
    assert finding.pointer == "/telemetry/metrics/0/name"
    assert finding.message.endswith(" is no name of an instrument, so no SDK emits it")
    assert "\n" not in finding.message
    # A span may be named in any way.
    assert told(naming.judge(block({"spans": [{"name": name}]}))) == []


def test_names_are_shown_in_short():
    assert naming.short("a" * 80) == '"' + "a" * 80 + '"'
    assert naming.short("a" * 81) == '"' + "a" * 79 + '…"'
    assert naming.short("a\nb") == r'"a\nb"'


def test_a_name_is_used_once():
    spans = [{"name": "s"}, {"name": "S"}, {"name": "s"}]
    metrics = [{"name": "m"}, {"name": "M"}]
    assert told(naming.judge(block({"spans": spans, "metrics": metrics}))) == [
        ("name", "error", "/telemetry/spans/2/name", '"s" is declared twice'),
        ("name", "error", "/telemetry/metrics/1/name", '"M" is declared twice'),
    ]


def test_units_are_judged():
    metrics = [
        {"name": "a", "unit": "seconds"},
        {"name": "b", "unit": "ms", "type": "histogram"},
        {"name": "c", "unit": "ms", "type": "counter"},
        {"name": "d", "unit": "s", "type": "histogram"},
        {"name": "e"},
    ]
    first, second = naming.judge(block({"metrics": metrics}))
    assert told([first, second]) == [
        (
            "unit",
            "warning",
            "/telemetry/metrics/0/unit",
            '"seconds" is no UCUM unit that is known here',
        ),
        (
            "unit",
            "info",
            "/telemetry/metrics/1/unit",
            '"b" is in "ms"; durations should be in seconds',
        ),
    ]
    assert first.remedy == 'write "s", and record in it'


def test_what_to_do_is_told(known):
    telemetry = {
        "spans": [{"name": "s", "attrs": ["otel.mine"]}, {"name": "s"}],
        "metrics": [{"name": "9"}, {"name": "m", "unit": "ms", "type": "histogram"}],
    }
    found = block(telemetry)
    assert [item.remedy for item in naming.judge(found)] == [
        "begin with a letter; go on with letters, digits, _ . - /; at most 255 of them",
        'write "s", and record seconds',
        "keep one of the two",
    ]
    (reserved,) = conventions.judge(held(known, telemetry))
    assert reserved.remedy == "choose a namespace of your own"
    seen = recorded(
        [span("one"), span("x", status="ERROR")], [metric("m", scope="lib")], unended=("y",)
    )
    assert [item.remedy for item in emitted.health(found, seen)] == [
        "start it in a with statement, or end it in a finally",
        "let the smoke go a way that works",
    ]
    declared_block = block(
        {
            "spans": [{"name": "one", "attrs": ["a"]}, {"name": "two"}],
            "metrics": [{"name": "m", "type": "gauge"}, {"name": "n"}],
        }
    )
    assert [item.remedy for item in emitted.judge(declared_block, seen, whole=True)] == [
        "set it, to text that is not empty or to a number",
        "let the smoke reach the code that emits it, or declare it no more",
        "make the two agree; with another instrument, its values mean something else",
        "let the smoke reach the code that emits it, or declare it no more",
    ]


# Semantic conventions


ATTRIBUTES = '''from enum import Enum
from typing import Final

CORE_NEW: Final = "core.new"
"""
The one to use.
"""

CORE_OLD: Final = (
    "core.old"
)
"""
Of old.
Note: long.
Deprecated: Replaced by `core.new`, see [the docs](https://docs.invalid/x).
"""

CORE_STABLE: Final = "core.stable"
"""
Deprecated in favor of stable :py:const:`core.stable`.
"""

CORE_LABEL_TEMPLATE: Final = "core.label"
"""
Deprecated: Replaced by `core.tag`.
"""

CORE_BARE: Final = "core.bare"

class Values(Enum):
    ONE = "one"
    """one."""
'''
METRICS = '''from typing import Final

CORE_DURATION: Final = "core.duration"
"""
How long
Instrument: histogram
Unit: s
"""

CORE_TIME: Final = "core.time"
"""
Deprecated: Replaced by `core.duration`.
Instrument: histogram
Unit: ms
"""
'''
SCHEMAS = """class Schemas:
    V1_9_0 = "https://opentelemetry.io/schemas/1.9.0"
    V1_10_0 = "https://opentelemetry.io/schemas/1.10.0"
    V1_12_1 = "https://opentelemetry.io/schemas/1.12.1"
"""


@pytest.fixture
def package(tmp_path):
    for name, content in {
        "schemas.py": SCHEMAS,
        "_incubating/attributes/core_attributes.py": ATTRIBUTES,
        "_incubating/metrics/core_metrics.py": METRICS,
        "attributes/core_attributes.py": 'CORE_STABLE: Final = "core.stable"\n"""Fine."""\n',
        "attributes/__init__.py": "",
        "trace/__init__.py": "raise SystemExit",
    }.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return tmp_path


@pytest.fixture
def known(package) -> Conventions:
    found = semconv.load(package, "0.1b0")
    assert found is not None
    return found


def test_a_package_is_read_from_its_source(known):
    assert known.package == "0.1b0"
    assert known.versions == ((1, 9, 0), (1, 10, 0), (1, 12, 1))
    assert known.version == (1, 12, 1)
    assert known.attributes == {"core.new", "core.old", "core.stable", "core.label"}
    assert known.metrics["core.duration"] == semconv.Metric("histogram", "s")
    assert known.deprecated == {
        ("attribute", "core.old"): "Replaced by `core.new`, see the docs.",
        ("attribute", "core.label"): "Replaced by `core.tag`.",
        ("metric", "core.time"): "Replaced by `core.duration`.",
    }
    assert known.templates == ("core.label",)
    assert known.attribute("core.label.mine") == "core.label"
    assert known.attribute("core.labels") == "core.labels"
    nested = replace(known, templates=("core.label.sub", "core.label", "core"))
    assert nested.attribute("core.label.sub.mine") == "core.label.sub"
    assert known.attribute("core.old") == "core.old"


def test_what_is_no_such_package_is_none(package):
    (package / "schemas.py").write_text("", encoding="utf-8")
    assert semconv.load(package, "1") is None
    (package / "schemas.py").write_text(SCHEMAS, encoding="utf-8")
    (package / "attributes" / "core_attributes.py").write_text("def", encoding="utf-8")
    assert semconv.load(package, "1") is None
    (package / "attributes" / "core_attributes.py").write_bytes(b"\xff")
    assert semconv.load(package, "1") is None
    assert semconv.load(package / "nowhere", "1") is None
    (package / "bare").mkdir()
    (package / "bare" / "schemas.py").write_text(SCHEMAS, encoding="utf-8")
    assert semconv.load(package / "bare", "1") is None


def test_the_installed_package_is_understood():
    found = semconv.installed()
    assert found.version >= (1, 37, 0)
    assert len(found.attributes) > 700
    assert ("attribute", "code.function") in found.deprecated
    assert ("attribute", "code.function.name") not in found.deprecated
    assert found.metrics["http.server.request.duration"] == semconv.Metric("histogram", "s")
    assert all(found.deprecated.values())


@pytest.mark.parametrize("text", ["1.37.0", "0.0.0", "10.20.30"])
def test_a_version_is_one(text):
    version = semconv.parsed(text)
    assert version is not None
    assert semconv.shown(version) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1.37",
        "v1.37.0",
        "1.37.0 ",
        "1.37.0\n",
        "01.2.3",
        "1.2.3.4",
        "latest",
        "\u0661.\u0662.\u0663",
    ],
)
def test_a_version_of_another_form_is_none(text):
    assert semconv.parsed(text) is None


def test_schema_urls_name_a_version():
    assert semconv.version_of_url("https://opentelemetry.io/schemas/1.37.0") == (1, 37, 0)
    for url in ("", "https://example.invalid/schemas/1.37.0", "https://opentelemetry.io/schemas/x"):
        assert semconv.version_of_url(url) is None


def held(known, telemetry, version="1.10.0", deprecated=WARNING):
    found = block({"opentelemetry_semconv_version": version, **telemetry})
    return conventions.hold(found, known, deprecated)


def test_names_given_up_are_told_with_what_to_use(known, monkeypatch):
    first = {("attribute", "core.old"): (1, 9, 0), ("metric", "core.time"): (1, 12, 1)}
    monkeypatch.setattr(semconv, "first_deprecated", lambda: first)
    attrs = ["core.new", "core.old", "core.label.mine", "core.unheard.of"]
    telemetry = {"spans": [{"name": "s", "attrs": attrs}], "metrics": [{"name": "core.time"}]}
    findings = list(conventions.judge(held(known, telemetry, deprecated=ERROR)))
    assert told(findings) == [
        (
            "deprecated",
            "error",
            "/telemetry/spans/0/attrs/1",
            'declares attribute "core.old", deprecated in 1.9.0',
        ),
        (
            "deprecated",
            "error",
            "/telemetry/spans/0/attrs/2",
            'declares attribute "core.label.mine", deprecated in 1.12.1',
        ),
        (
            "deprecated",
            "info",
            "/telemetry/metrics/0/name",
            'declares metric "core.time", deprecated in 1.12.1, after the declared 1.10.0',
        ),
    ]
    assert findings[0].remedy == "Replaced by `core.new`, see the docs."
    assert findings[0].evidence == {
        "name": "core.old",
        "deprecated_in": "1.9.0",
        "declared_version": "1.10.0",
        "package": "opentelemetry-semantic-conventions 0.1b0",
    }
    assert findings[1].evidence["deprecated_in"] is None
    # Where it became so with the very version that is declared, it is.
    last = conventions.judge(held(known, telemetry, version="1.12.1"))
    assert [str(item.severity) for item in last] == ["warning"] * 3


def test_attributes_of_metrics_are_names_too(known):
    telemetry = {"metrics": [{"name": "m", "attrs": ["core.old"]}]}
    (finding,) = conventions.judge(held(known, telemetry))
    assert finding.pointer == "/telemetry/metrics/0/attrs/0"
    # A metric is no attribute, whatever it is called.
    assert list(conventions.judge(held(known, {"metrics": [{"name": "core.old"}]}))) == []


def test_a_namespace_that_is_reserved_is_left_alone(known):
    known = replace(known, attributes=known.attributes | {"otel.scope.name"})
    telemetry = {"spans": [{"name": "s", "attrs": ["otel.scope.name", "otel.mine", "otelx"]}]}
    assert told(conventions.judge(held(known, telemetry))) == [
        (
            "name",
            "error",
            "/telemetry/spans/0/attrs/1",
            'declares "otel.mine"; names below otel. are OpenTelemetry\'s own',
        )
    ]
    # Metrics of that name are judged by no such rule.
    assert list(conventions.judge(held(known, {"metrics": [{"name": "otel.mine"}]}))) == []


def test_metrics_of_the_conventions_are_as_the_conventions_have_them(known):
    row = {"name": "core.duration", "unit": "ms", "type": "counter"}
    findings = list(conventions.judge(held(known, {"metrics": [row]}, version="1.12.1")))
    assert told(findings) == [
        (
            "semconv-metric",
            "error",
            "/telemetry/metrics/0/unit",
            '"core.duration" has unit "ms", by the semantic conventions 1.12.1 it has "s"',
        ),
        (
            "semconv-metric",
            "error",
            "/telemetry/metrics/0/type",
            (
                '"core.duration" has type "counter", by the semantic conventions 1.12.1 it has '
                '"histogram"'
            ),
        ),
    ]
    assert findings[0].remedy == 'write "s", or choose a name of your own'
    older = conventions.judge(held(known, {"metrics": [row]}))
    assert [str(item.severity) for item in older] == ["warning", "warning"]
    for fine in ({"name": "core.duration"}, {**row, "unit": "s", "type": "histogram"}):
        assert list(conventions.judge(held(known, {"metrics": [fine]}))) == []
    # One that was given up is told once, not by its unit as well.
    old = {"name": "core.time", "unit": "s"}
    rules = [item.rule for item in conventions.judge(held(known, {"metrics": [old]}))]
    assert rules == ["matriz.telemetry-deprecated"]


@pytest.mark.parametrize(
    "version, message, remedy",
    [
        ("latest", '"latest" is no version', 'write "1.12.1"'),
        (
            "1.12.2",
            "1.12.2 is newer than 1.12.1, which is installed here",
            "pip install --upgrade opentelemetry-semantic-conventions",
        ),
        (
            "1.9.7",
            "1.9.7 is no version that opentelemetry-semantic-conventions knows",
            'write "1.9.0"',
        ),
        (
            "1.2.0",
            "1.2.0 is no version that opentelemetry-semantic-conventions knows",
            'write "1.9.0"',
        ),
        (
            "1.11.0",
            "1.11.0 is no version that opentelemetry-semantic-conventions knows",
            'write "1.10.0"',
        ),
    ],
)
def test_a_version_that_cannot_be_held_to_is_unknown(known, version, message, remedy):
    finding = held(known, {}, version=version)
    assert told([finding]) == [
        (
            "semconv-version",
            "unknown",
            "/telemetry/opentelemetry_semconv_version",
            f"{message}, so names are held against no conventions",
        )
    ]
    assert finding.remedy == remedy


def test_no_version_is_no_conventions(known):
    assert conventions.hold(block({"spans": [{"name": "s"}]}), known, WARNING) is None
    assert isinstance(held(known, {}), Held)


def test_a_missing_package_is_told_once():
    found = block({"opentelemetry_semconv_version": "1.37.0"})
    alone, more = conventions.missing(found, 0), conventions.missing(found, 64)
    assert told([alone, more]) == [
        (
            "semconv-version",
            "unknown",
            "/telemetry/opentelemetry_semconv_version",
            (
                "declares a version of the semantic conventions; "
                "opentelemetry-semantic-conventions is not installed"
            ),
        ),
        (
            "semconv-version",
            "unknown",
            "/telemetry/opentelemetry_semconv_version",
            (
                "declares a version of the semantic conventions, and so do 64 more contracts; "
                "opentelemetry-semantic-conventions is not installed"
            ),
        ),
    ]
    assert (alone.evidence, more.evidence) == ({"contracts": 1}, {"contracts": 65})
    assert alone.remedy == "pip install 'pytest-cockpit[telemetry]'"


def test_a_scope_of_another_version_is_told(known):
    found = held(known, {})
    url = "https://opentelemetry.io/schemas/1.9.0"
    assert told(conventions.other_version(found, "core", url)) == [
        (
            "semconv-version",
            "warning",
            "/telemetry/opentelemetry_semconv_version",
            'scope "core" emits by conventions 1.9.0, declared is 1.10.0',
        )
    ]
    (finding,) = conventions.other_version(found, "core", url)
    assert finding.remedy == "make the two agree"
    assert finding.evidence == {"scope": "core", "schema_url": url}
    assert list(conventions.other_version(found, "core", url.replace("9", "10"))) == []
    assert list(conventions.other_version(found, "core", "")) == []


# What is emitted


@pytest.mark.parametrize(
    "name, matches, other",
    [
        ("core.load", ["core.load"], ["core-load", "core.loads", "xcore.load", ""]),
        ("{method} {route}", ["GET /", "a b c"], ["GET", " /", "GET "]),
        ("core.*", ["core.a", "core.a.b", "core.\n"], ["core.", "core"]),
        ("a{b", ["a{b"], ["ab", "a{"]),
        ("{}x", ["yx"], ["x"]),
    ],
)
def test_declared_names_may_have_gaps(name, matches, other):
    form = emitted.pattern(name)
    assert all(form.fullmatch(text) for text in matches)
    assert not any(form.fullmatch(text) for text in other)


def test_what_is_emitted_as_declared_is_fine():
    found = block(
        {
            "spans": [{"name": "one", "attrs": ["a"]}, {"name": "two {id}"}],
            "metrics": [
                {"name": "core.count", "unit": "1", "type": "counter", "attrs": ["b"]},
                {"name": "core.bare"},
            ],
        }
    )
    text = {"a": Attribute("str", 3)}
    metrics = [
        metric("Core.Count", unit="", points=2, attributes={"b": Attribute("int", 1, 2)}),
        metric("core.bare", unit="ms", kind="gauge"),
    ]
    seen = recorded([span(attributes=text), span("two 2")], metrics)
    assert list(emitted.judge(found, seen, whole=True)) == []
    assert list(emitted.undeclared([found], seen, WARNING)) == []
    assert list(emitted.health(found, seen)) == []


def test_what_is_not_emitted_is_told():
    found = block({"spans": [{"name": "one"}], "metrics": [{"name": "m"}]})
    nothing = recorded()
    assert told(emitted.judge(found, nothing, whole=True)) == [
        (
            "span",
            "error",
            "/telemetry/spans/0/name",
            'span "one" is not emitted, and neither is anything else',
        ),
        (
            "metric",
            "error",
            "/telemetry/metrics/0/name",
            'metric "m" is not emitted, and neither is anything else',
        ),
    ]
    assert list(emitted.judge(found, nothing, whole=False)) == []
    more = recorded([span("other"), span("other")], [metric("x")])
    first, second = emitted.judge(found, more, whole=True)
    assert first.message == 'span "one" is not emitted'
    assert second.message == 'metric "m" is not emitted'
    assert first.evidence == second.evidence == {"spans": ["other"], "metrics": ["x"]}
    many = recorded(
        [span(f"s{number:02}") for number in range(30)],
        [metric(f"m{number:02}") for number in range(30)],
    )
    (first, _) = emitted.judge(found, many, whole=True)
    assert first.evidence["spans"] == [f"s{number:02}" for number in range(20)]
    assert first.evidence["metrics"] == [f"m{number:02}" for number in range(20)]
    only = recorded(metrics=[metric("x")])
    assert next(emitted.judge(found, only, whole=True)).message == 'span "one" is not emitted'


def test_a_sampler_that_leaves_spans_out_is_named():
    found = block({"spans": [{"name": "one"}]})
    samplers = ("ParentBased{root:AlwaysOnSampler}", "TraceIdRatioBased{0.01}")
    (finding,) = emitted.judge(found, recorded([span("x")], samplers=samplers), whole=True)
    assert finding.message == (
        'span "one" is not emitted; sampler "TraceIdRatioBased{0.01}" may have left it out'
    )


def test_attributes_are_on_every_span():
    found = block({"spans": [{"name": "one", "attrs": ["a"]}]})
    full, empty = {"a": Attribute("str", 1)}, {"a": Attribute("str", 0)}

    def of(*attributes):
        spans = [span(attributes=each) for each in attributes]
        return told(emitted.judge(found, recorded(spans), whole=True))

    place = ("attribute", "error", "/telemetry/spans/0/attrs/0")
    assert of(full, full) == []
    assert of({}) == [(*place, 'span "one" lacks attribute "a" (it)')]
    assert of(full, {}, {}) == [(*place, 'span "one" lacks attribute "a" (2 of 3)')]
    assert of(empty) == [(*place, 'span "one" has an empty attribute "a"')]
    assert of(full, empty) == [(*place, 'span "one" has an empty attribute "a"')]
    assert of(empty, {}) == [(*place, 'span "one" lacks attribute "a" (1 of 2)')]
    spans = [span(attributes=full), span(attributes=empty), span()]
    (finding,) = emitted.judge(found, recorded(spans), whole=True)
    assert finding.evidence == {"emitted": 3, "with": 2, "not_empty": 1}


def test_every_attribute_is_looked_for():
    found = block({"spans": [{"name": "one", "attrs": ["a", "b", "c"]}]})
    seen = recorded([span(attributes={"a": Attribute("str", 1)})])
    assert [item.pointer for item in emitted.judge(found, seen, whole=True)] == [
        "/telemetry/spans/0/attrs/1",
        "/telemetry/spans/0/attrs/2",
    ]


def test_attributes_are_on_every_point_of_a_metric():
    found = block({"metrics": [{"name": "core.count", "attrs": ["a"]}]})

    def of(points, **attributes):
        seen = recorded(metrics=[metric(points=points, attributes=attributes)])
        return told(emitted.judge(found, seen, whole=True))

    place = ("attribute", "error", "/telemetry/metrics/0/attrs/0")
    assert of(2, a=Attribute("str", 1, 2)) == []
    assert of(2, a=Attribute("str", 1, 1)) == [
        (*place, 'metric "core.count" lacks attribute "a" (1 of 2)')
    ]
    assert of(2, a=Attribute("str", 0, 2)) == [
        (*place, 'metric "core.count" has an empty attribute "a"')
    ]
    assert of(1) == [(*place, 'metric "core.count" lacks attribute "a" (it)')]
    nothing = 'metric "core.count" has no data point, so nothing is known of it'
    assert of(0) == [("metric", "unknown", "/telemetry/metrics/0/name", nothing)]


def test_a_metric_has_its_unit_and_instrument():
    found = block({"metrics": [{"name": "core.count", "unit": "s", "type": "histogram"}]})
    first, second = emitted.judge(found, recorded(metrics=[metric()]), whole=True)
    assert told([first, second]) == [
        (
            "metric",
            "error",
            "/telemetry/metrics/0/unit",
            'metric "core.count" has unit "1", declared is "s"',
        ),
        (
            "metric",
            "error",
            "/telemetry/metrics/0/type",
            'metric "core.count" has instrument "counter", declared is "histogram"',
        ),
    ]
    assert first.evidence == {"scope": "core", "emitted": "1", "declared": "s"}
    # Even of a smoke that broke off: what was emitted was emitted.
    assert len(list(emitted.judge(found, recorded(metrics=[metric()]), whole=False))) == 2
    fine = recorded(metrics=[metric(unit="s")])
    (finding,) = emitted.judge(found, fine, whole=True)
    assert finding.pointer == "/telemetry/metrics/0/type"
    assert finding.evidence == {"scope": "core", "emitted": "counter", "declared": "histogram"}
    bare = recorded(metrics=[metric(unit="")])
    assert next(emitted.judge(found, bare, whole=True)).message.startswith(
        'metric "core.count" has unit ""'
    )


def test_what_no_contract_declares_is_told_once():
    one, two = block({"spans": [{"name": "one"}]}), block({"metrics": [{"name": "core.count"}]})
    seen = recorded(
        [span("one"), span("x"), span("x", scope="lib"), span("y")],
        [metric("CORE.count"), metric("z")],
    )
    findings = list(emitted.undeclared([one, two], seen, ERROR))
    assert told(findings) == [
        (
            "undeclared",
            "error",
            "/telemetry/spans",
            'span "x" is emitted and not declared',
        ),
        (
            "undeclared",
            "error",
            "/telemetry/spans",
            'span "y" is emitted and not declared',
        ),
        (
            "undeclared",
            "error",
            "/telemetry/metrics",
            'metric "z" is emitted and not declared',
        ),
    ]
    assert findings[0].evidence == {"name": "x", "scopes": ["core", "lib"], "count": 2}
    assert findings[2].remedy == "declare it below telemetry.metrics, or emit it no more"
    assert findings[2].evidence["scopes"] == ["core"]
    other = declared.read(Contract("d.json", b"{}", {}))
    (first, *_) = emitted.undeclared([other, one], recorded([span("x")]), INFO)
    assert (first.path, first.severity) == ("d.json", INFO)


def test_spans_that_fail_or_do_not_end_are_told():
    spans = [
        span("a", status="ERROR"),
        span("a", status="ERROR", exceptions=("ValueError",)),
        span("b", exceptions=("KeyError", "IndexError")),
        span("c", status="OK"),
        span("d", status="ERROR"),
    ]
    findings = list(emitted.health(block(), recorded(spans, unended=("e", "e"))))
    assert told(findings) == [
        (
            "unended",
            "warning",
            "/telemetry",
            'span "e" is started and never ended, so it is never exported',
        ),
        ("span-error", "warning", "/telemetry", 'span "a" ends in an error of ValueError'),
        (
            "span-error",
            "warning",
            "/telemetry",
            'span "b" ends in an error of IndexError, KeyError',
        ),
        ("span-error", "warning", "/telemetry", 'span "d" ends in an error'),
    ]
    assert findings[1].evidence == {"name": "a", "count": 2, "exceptions": ["ValueError"]}


# Trace context


def faults(*spans):
    return list(tracecontext.faults(spans))


def test_sound_traces_have_no_fault():
    root = span()
    spans = [
        root,
        span("child", B, parent=root.id),
        span("grandchild", C, parent=SpanId(TRACE, B)),
        span("served", A, OTHER, parent=SpanId(OTHER, C, remote=True)),
        span("served", B, OTHER, parent=SpanId(OTHER, C, remote=True), links=(root.id,)),
    ]
    assert faults(*spans) == []
    assert faults(span(flags=0), span("x", A, OTHER, flags=3)) == []


@pytest.mark.parametrize(
    "one, expected",
    [
        (span(trace_id="0" * 32), "has a trace id of zeros alone"),
        (span(span_id="0" * 16), "has a span id of zeros alone"),
        (
            span(trace_id="1" * 33),
            "has a trace id that is not 32 lowercase hexadecimal digits",
        ),
        (
            span(trace_id="-" + "1" * 31),
            "has a trace id that is not 32 lowercase hexadecimal digits",
        ),
        (span(span_id="A" * 16), "has a span id that is not 16 lowercase hexadecimal digits"),
        (
            span(span_id="a" * 16 + "\n"),
            "has a span id that is not 16 lowercase hexadecimal digits",
        ),
        (
            span(links=(SpanId("0" * 32, A),)),
            "has link to a trace id of zeros alone",
        ),
        (
            span(parent=SpanId(TRACE, "0" * 16, remote=True)),
            "has parent with a span id of zeros alone",
        ),
        (span(flags=4), "has flags 04, of which version 00 knows 01 and 02"),
        (span(flags=-1), "has flags -1, of which version 00 knows 01 and 02"),
        (span(parent=SpanId(OTHER, B, remote=True)), "is in another trace than its parent"),
        (span(parent=SpanId(TRACE, A)), "is its own parent"),
        (
            span(parent=SpanId(TRACE, B)),
            "has a parent in this process that was never exported",
        ),
        (
            span(traceparents=(("a.traceparent", "00"),)),
            "attribute a.traceparent is not version-trace-span-flags in lowercase hexadecimal",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_faulty_id_is_told(one, expected):
    assert faults(one) == [("one", expected)]


def test_ids_that_are_used_twice_are_told_once_for_each_name():
    twice = "shares its id with another span of its trace"
    remote = SpanId(TRACE, C, remote=True)
    assert faults(span("a", parent=remote), span("a", parent=remote)) == [("a", twice)]
    assert faults(span("a", parent=remote), span("b", B, parent=remote)) == []
    roots = "begins a trace whose id another root span has, too"
    assert faults(span("a"), span("b", B)) == [("a", roots), ("b", roots)]


@pytest.mark.parametrize(
    "text",
    [
        f"00-{TRACE}-{A}-01",
        f"00-{TRACE}-{A}-00",
        f"00-{TRACE}-{A}-03",
        f"01-{TRACE}-{A}-ff",
        f"cc-{TRACE}-{A}-01-what-comes",
        f"fe-{TRACE}-{A}-01-",
    ],
)
def test_a_traceparent_is_one(text):
    assert tracecontext.traceparent(text) is None


@pytest.mark.parametrize(
    "text, expected",
    [
        ("", "is not version"),
        (f"00-{TRACE}-{A}", "is not version"),
        (f"00-{TRACE}-{A}-01 ", "is not version"),
        (f"00-{TRACE}-{A}-01\n", "is not version"),
        (f"00-{TRACE}-{A.upper()}-01", "is not version"),
        (f"0-{TRACE}-{A}-01", "is not version"),
        (f"01-{TRACE}-{A}-01x", "is not version"),
        (f"ff-{TRACE}-{A}-01", "has version ff, which is forbidden"),
        (f"00-{'0' * 32}-{A}-01", "has a trace id of zeros alone"),
        (f"01-{TRACE}-{'0' * 16}-01", "has a span id of zeros alone"),
        (f"00-{TRACE}-{A}-01-more", "goes on after its flags, which version 00 does not"),
        (f"00-{TRACE}-{A}-04", "has flags 04"),
        (f"00-{TRACE}-{A}-ff", "has flags ff"),
    ],
)
def test_a_traceparent_that_is_none_is_told(text, expected):
    assert tracecontext.traceparent(text).startswith(expected)


@given(st.text(max_size=70) | st.from_regex(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}"))
def test_a_traceparent_that_passes_is_of_the_w3c_form(text):
    if tracecontext.traceparent(text) is None:
        version, trace, parent, flags = text.split("-")[:4]
        assert int(trace, 16)
        assert int(parent, 16)
        assert version != "ff"
        assert version != "00" or (len(text) == 55 and int(flags, 16) < 4)


# Recordings


def row(**more):
    return {
        "nonce": "n",
        "spans": [],
        "unended": [],
        "lost": 0,
        "metrics": [],
        "said": [],
        "foreign": [],
        "samplers": [],
        **more,
    }


def test_a_recording_is_read():
    raw_span = {
        "name": "one",
        "scope": "core",
        "schema_url": "u",
        "trace_id": TRACE,
        "span_id": A,
        "flags": 1,
        "parent": {"trace_id": TRACE, "span_id": B, "remote": True},
        "status": "OK",
        "attributes": {"a": {"type": "str", "size": 0}},
        "exceptions": ["E"],
        "links": [{"trace_id": OTHER, "span_id": C}],
        "traceparents": [{"key": "k", "value": "v"}],
    }
    raw_metric = {
        "name": "m",
        "unit": "s",
        "kind": "gauge",
        "scope": "core",
        "schema_url": "u",
        "points": 2,
        "attributes": {"a": {"type": "int", "size": 1, "points": 2}},
    }
    value = row(
        spans=[raw_span, {**raw_span, "parent": None}],
        metrics=[raw_metric],
        unended=["u"],
        lost=3,
        said=["s"],
        foreign=["f"],
        samplers=["p"],
    )
    found = read(json.dumps(value).encode(), "n")
    first = Span(
        "one",
        "core",
        "u",
        SpanId(TRACE, A),
        1,
        SpanId(TRACE, B, remote=True),
        "OK",
        {"a": Attribute("str", 0)},
        ("E",),
        (SpanId(OTHER, C),),
        (("k", "v"),),
    )
    assert found.spans == (first, replace(first, parent=None))
    assert found.metrics == (
        Metric("m", "s", "gauge", "core", "u", 2, {"a": Attribute("int", 1, 2)}),
    )
    assert (found.unended, found.lost, found.said, found.foreign, found.samplers) == (
        ("u",),
        3,
        ("s",),
        ("f",),
        ("p",),
    )
    assert found.raw == {key: item for key, item in value.items() if key != "nonce"}


@pytest.mark.parametrize(
    "value, message",
    [
        (row(nonce="m"), "it is another one's"),
        ({}, "it is another one's"),
        ([], "it is another one's"),
        (row(spans=7), "/smokes/0/recording"),
        (row(metrics=[{}]), "/smokes/0/recording"),
        (row(lost=-1), "/smokes/0/recording"),
        (row(more=1), "/smokes/0/recording"),
        ({"nonce": "n", "missing": 4}, "/smokes/0/recording"),
        ({"nonce": "n", "missing": "x", "spans": []}, "/smokes/0/recording"),
    ],
    ids=str,
)
def test_a_recording_of_another_shape_is_refused(value, message):
    with pytest.raises(Unreadable) as caught:
        read(json.dumps(value).encode(), "n")
    assert str(caught.value).startswith(message)


def test_a_missing_sdk_is_no_recording():
    with pytest.raises(Missing, match="No module"):
        read(json.dumps({"nonce": "n", "missing": "No module"}).encode(), "n")


# Which smoke


def planned(tmp_path, *blocks, **settings):
    return smokes.plan(blocks, Settings.of({"telemetry": settings}), tmp_path)


def one_block(module="core.common", **more):
    return block({"spans": [{"name": "s"}]}, **{"module": module, **more})


def test_settings_have_defaults():
    assert Settings.of({}) == Settings()
    assert Settings().timeout_s == 60
    found = Settings.of(
        {
            "telemetry": {
                "smokes": {"a": "b:c", "d": ["-m", "e"]},
                "require": ["f.*"],
                "timeout_s": 3,
                "deprecated": "error",
                "undeclared": "info",
            }
        }
    )
    assert found == Settings({"a": "b:c", "d": ("-m", "e")}, ("f.*",), 3.0, ERROR, INFO)


def test_a_module_has_the_smoke_of_its_name_then_of_the_first_glob():
    settings = Settings({"core.*": "a:a", "*": "b:b", "core.common": "c:c"})
    assert settings.smoke_of("core.common") == ("core.common", "c:c")
    assert settings.smoke_of("core.other") == ("core.*", "a:a")
    assert settings.smoke_of("other") == ("*", "b:b")
    assert Settings({"a": "b:c"}).smoke_of("other") is None


@pytest.mark.parametrize(
    "value, expected",
    [
        ("{module}:smoke", Smoke("function", "core.common:smoke")),
        (["-m", "{module}.smoke", "-x"], Smoke("module", "core.common.smoke", ("-x",))),
        (["-m", "core"], Smoke("module", "core")),
        (["tools/smoke.py", "{module}"], Smoke("path", "tools/smoke.py", ("core.common",))),
    ],
    ids=str,
)
def test_a_smoke_is_understood(tmp_path, value, expected):
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "smoke.py").touch()
    found = one_block()
    plan = planned(tmp_path, found, smokes={"core.*": value})
    assert dict(plan.smokes) == {expected: [found]}
    assert (plan.findings, plan.unsmoked) == ((), 0)
    own = one_block(**{"x-telemetry-smoke": value})
    assert dict(planned(tmp_path, own).smokes) == {expected: [own]}


def test_how_a_smoke_is_written():
    assert Smoke("function", "a:b").command == ["a:b"]
    assert Smoke("module", "a", ("b",)).command == ["-m", "a", "b"]
    assert Smoke("path", "a.py", ("b",)).command == ["a.py", "b"]


@pytest.mark.parametrize(
    "value, message",
    [
        (7, "x-telemetry-smoke is neither module:function nor a list of arguments for Python"),
        ("core", "x-telemetry-smoke is neither"),
        ("core:", "x-telemetry-smoke is neither"),
        ("core:a b", "x-telemetry-smoke is neither"),
        ([], "x-telemetry-smoke is neither"),
        ([""], "x-telemetry-smoke is neither"),
        ([7], "x-telemetry-smoke is neither"),
        (["a\0b"], "x-telemetry-smoke is neither"),
        (["-m"], "-m names no module"),
        (["-c", "pass"], '"-c" is an option; a smoke begins with -m or with a file'),
        (["nowhere.py"], '"nowhere.py" is no file of this repository'),
        (["../outside.py"], '"../outside.py" is no file of this repository'),
        (["/etc/hostname"], '"/etc/hostname" is no file of this repository'),
        (["link.py"], '"link.py" is no file of this repository'),
        (["."], '"." is no file of this repository'),
        (["x" * 5000], '"' + "x" * 79 + '…" is no file of this repository'),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_smoke_that_cannot_be_started_is_told(tmp_path, value, message):
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.py").touch()
    (root / "link.py").symlink_to(tmp_path / "outside.py")
    plan = planned(root, one_block(**{"x-telemetry-smoke": value}))
    assert not plan.smokes
    (finding,) = plan.findings
    assert (finding.rule, finding.severity) == ("matriz.telemetry-smoke", ERROR)
    assert finding.message.startswith(message)
    assert finding.pointer == "/x-telemetry-smoke"
    assert finding.remedy == 'write "core.common:function", or ["-m", "core.common"]'


def test_a_contract_says_it_better_than_the_settings(tmp_path):
    found = one_block(**{"x-telemetry-smoke": "own:smoke"})
    plan = planned(tmp_path, found, smokes={"core.common": "other:smoke"})
    assert list(plan.smokes) == [Smoke("function", "own:smoke")]
    # The setting then serves nobody.
    (finding,) = plan.findings
    assert (finding.rule, finding.severity) == ("matriz.telemetry-smoke-missing", UNKNOWN)
    assert finding.message == (
        'tool.cockpit.gate.matriz.telemetry.smokes."core.common" matches no module whose contract '
        "declares telemetry"
    )
    assert finding.remedy == "remove it, or correct the name"


def test_a_module_that_must_have_a_smoke_and_has_none_is_unknown(tmp_path):
    first, second = one_block("core.common"), one_block("other")
    plan = planned(tmp_path, first, second, require=["core.*"])
    assert plan.unsmoked == 2
    assert told(plan.findings) == [
        (
            "smoke-missing",
            "unknown",
            "/telemetry",
            "core.common must have a smoke and has none, so what it emits is not known",
        )
    ]
    remedy = 'add "core.common" to tool.cockpit.gate.matriz.telemetry.smokes'
    assert plan.findings[0].remedy == remedy
    assert planned(tmp_path, first, require=["core.*"], smokes={"*": "a:b"}).findings == ()


def test_one_smoke_is_started_once_for_all_its_contracts(tmp_path):
    first, second, third = one_block("core.a"), one_block("core.b"), one_block("x")
    plan = planned(tmp_path, first, second, third, smokes={"core.*": "s:s", "x": "{module}:s"})
    assert dict(plan.smokes) == {
        Smoke("function", "s:s"): [first, second],
        Smoke("function", "x:s"): [third],
    }


def test_contracts_without_telemetry_concern_only_whom_they_must(tmp_path):
    empty = block()
    assert not smokes.concerns(empty, Settings())
    assert smokes.concerns(one_block(), Settings())
    assert smokes.concerns(empty, Settings(require=("core.*",)))
    assert smokes.concerns(empty, Settings(smokes={"core.*": "a:b"}))
    assert smokes.concerns(block(**{"x-telemetry-smoke": 0}), Settings())
    nameless = declared.read(Contract("c.json", b"{}", {"telemetry": {"spans": [{"name": "s"}]}}))
    plan = planned(tmp_path, nameless, smokes={"*": "{module}:smoke"})
    assert (plan.unsmoked, plan.smokes) == (1, {})
