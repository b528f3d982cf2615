from __future__ import annotations

import json
import os
import signal
from textwrap import indent

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import Context, Severity, Verdict
from pytest_cockpit.records import artifacts
from pytest_cockpit.testing import prove, run_gate, shortcomings
from pytest_cockpit_gates.matriz import gate, telemetry
from pytest_cockpit_gates.matriz.contracts import Contract, Contracts
from pytest_cockpit_gates.matriz.proving import contract_of
from pytest_cockpit_gates.matriz.telemetry import RULES, cases, judge, proofs, running, semconv
from pytest_cockpit_gates.matriz.telemetry.recording import Unreadable, read
from pytest_cockpit_gates.matriz.telemetry.smokes import Smoke

pytestmark = pytest.mark.usefixtures("warm_programs")
PATH = "contracts/matrix_core.json"
HEAD = """from opentelemetry import metrics, trace

tracer = trace.get_tracer("core")
meter = metrics.get_meter("core")


def smoke():
"""
OPEN = {"schema": "open.json"}
OPEN_SCHEMA = {"open.json": '{"$schema": "https://json-schema.org/draft/2020-12/schema"}'}


def contracts_of(*values):
    read = tuple(
        Contract(f"c{index}.json", json.dumps(value, indent=1).encode(), value)
        for index, value in enumerate(values)
    )
    return Contracts((), read, (), (), {})


def judged(tmp_path, *values, **settings):
    scratch = tmp_path / "scratch"
    scratch.mkdir(exist_ok=True)
    context = Context(root=tmp_path, scratch=scratch, settings={"telemetry": settings})
    return judge(context, contracts_of(*values))


def started(tmp_path, body, smoke=None, timeout=20.0, **context):
    """What came of a smoke with this body."""
    (tmp_path / "scratch").mkdir()
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    given_context = Context(root=tmp_path, scratch=tmp_path / "scratch", **context)
    return running.run(smoke or Smoke("function", "core:smoke"), given_context, timeout)


def names(outcome):
    return [span.name for span in outcome.recording.spans]


def said(part, rule=None):
    return [
        (str(item.severity), item.message)
        for item in part.findings
        if rule is None or item.rule == f"matriz.telemetry-{rule}"
    ]


@pytest.mark.parametrize("proof", telemetry.proofs(), ids=lambda proof: proof.name)
def test_a_proof_holds(tmp_path, proof):
    report = prove(gate, proof, tmp_path)
    assert shortcomings(gate, proof, report) == [], report.findings
    assert "opentelemetry.semconv" in proof.needs
    failed = {case.name for case in report.cases if case.verdict is Verdict.FAIL}
    errors = [found for found in report.findings if found.severity is Severity.ERROR]
    assert failed <= {found.evidence.get("case") for found in errors}
    for finding in report.findings:
        if finding.rule.startswith("matriz.telemetry-"):
            assert finding.remedy
            assert "\n" not in finding.message
            assert finding.line or "smokes" in finding.message


def test_every_rule_has_a_proof():
    assert {rule.id for rule in RULES} == {proof.rule for proof in proofs() if proof.rule}


# The process of a smoke


def test_what_ends_in_whatever_way_short_of_being_killed_is_seen(tmp_path):
    ways = {
        "pass": (0, None),
        "raise SystemExit(0)": (0, None),
        "raise SystemExit(3)": (3, "ended with code 3"),
        "return 4": (4, "ended with code 4"),
        "return True": (1, "ended with code 1"),
        "return 'fine'": (0, None),
        "raise ValueError": (1, "ended with code 1"),
    }
    for number, (way, expected) in enumerate(ways.items()):
        folder = tmp_path / str(number)
        folder.mkdir()
        outcome = started(folder, f"tracer.start_span('one').end()\n{way}\n")
        assert (outcome.code, outcome.fault) == expected, way
        assert names(outcome) == ["one"], way


def test_a_coroutine_is_awaited(tmp_path):
    body = "async def run():\n    tracer.start_span('awaited').end()\n    return 5\nreturn run()\n"
    outcome = started(tmp_path, body)
    assert (names(outcome), outcome.code) == (["awaited"], 5)


@pytest.mark.parametrize(
    "body",
    [
        "import atexit\natexit.register(lambda: tracer.start_span('late').end())\n",
        (
            "import threading, time\n"
            "def work():\n    time.sleep(0.2)\n    tracer.start_span('late').end()\n"
            "threading.Thread(target=work).start()\n"
        ),
        # A fork that ends by itself neither writes for the smoke nor hides what it emits.
        (
            "import os, sys\nchild = os.fork()\nif child == 0:\n    sys.exit(0)\nos.waitpid(child, 0)\n"
            "tracer.start_span('late').end()\n"
        ),
    ],
    ids=["at exit", "thread", "fork"],
)
def test_what_comes_late_is_seen(tmp_path, body):
    assert names(started(tmp_path, body)) == ["late"]


def test_a_smoke_that_is_killed_leaves_nothing_to_be_judged_by(tmp_path):
    body = "import os\ntracer.start_span('one').end()\nos.kill(os.getpid(), 9)\n"
    outcome = started(tmp_path, body)
    assert outcome.recording is None
    assert outcome.code == -signal.SIGKILL
    assert outcome.fault == "was ended by signal 9"
    assert outcome.unseen == "it ended before anything was written down"


def test_a_smoke_that_hangs_is_ended(tmp_path):
    body = "import sys, time\nprint('waiting', file=sys.stderr, flush=True)\ntime.sleep(60)\n"
    outcome = started(tmp_path, body, timeout=5)
    assert (outcome.fault, outcome.code) == ("did not end within 5 s", None)
    assert outcome.tail == "waiting"
    assert outcome.recording is None


def test_the_end_of_what_it_wrote_is_told(tmp_path):
    outcome = started(tmp_path, "print('a' * 9000)\nraise KeyError('gone')\n")
    assert outcome.tail.endswith("| KeyError: 'gone'")
    assert len(outcome.tail) <= 400


def test_modules_files_and_tests_can_be_smokes(tmp_path):
    (tmp_path / "tools").mkdir()
    line = "import core, sys\nwith core.tracer.start_as_current_span(sys.argv[1]): pass\n"
    (tmp_path / "tools" / "core.py").write_text(line, encoding="utf-8")
    (tmp_path / "main.py").write_text(line, encoding="utf-8")
    test = "import core\ndef test(): core.tracer.start_span('tested').end()\n"
    (tmp_path / "test_one.py").write_text(test, encoding="utf-8")
    outcome = started(tmp_path, "pass", Smoke("path", "tools/core.py", ("file",)))
    assert names(outcome) == ["file"], outcome.tail
    context = Context(root=tmp_path, scratch=tmp_path / "scratch")
    assert names(running.run(Smoke("module", "main", ("module",)), context, 20)) == ["module"]
    arguments = ("-q", "-p", "no:cacheprovider", "test_one.py::test")
    assert names(running.run(Smoke("module", "pytest", arguments), context, 20)) == ["tested"]


def test_source_roots_are_importable(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "deep.py").write_text("", encoding="utf-8")
    lane = Context(root=tmp_path, scratch=tmp_path).lane
    lane = type(lane)(source_roots=("src",))
    body = "import deep\ntracer.start_span(deep.__name__).end()\n"
    assert names(started(tmp_path, body, lane=lane)) == ["deep"]


def test_variables_that_steer_the_sdk_stay_outside(tmp_path, monkeypatch):
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    body = "tracer.start_span('one').end()\n"
    assert names(started(tmp_path, body)) == ["one"]
    (tmp_path / "let").mkdir()
    let = started(tmp_path / "let", body, pass_environment=("OTEL_SDK_DISABLED",))
    assert names(let) == []


def test_a_smoke_has_no_input_and_does_not_see_its_job(tmp_path):
    outcome = started(
        tmp_path, "import sys\nassert sys.stdin.read() == ''\nassert len(sys.argv) == 1\n"
    )
    assert outcome.fault is None, outcome.tail


def test_nothing_is_left_behind(tmp_path):
    started(tmp_path, "tracer.start_span('one').end()\n")
    assert list((tmp_path / "scratch" / "telemetry").iterdir()) == []
    assert not list(tmp_path.rglob("__pycache__"))


def test_an_interpreter_without_the_sdk_is_told(tmp_path):
    import venv

    venv.create(tmp_path / "bare", symlinks=True)
    outcome = started(tmp_path, "pass\n", python=str(tmp_path / "bare" / "bin" / "python"))
    assert not outcome.sdk
    assert "opentelemetry" in outcome.unseen
    contract = {"module": "core", "telemetry": {"spans": [{"name": "x"}]}}
    context = Context(
        root=tmp_path,
        scratch=tmp_path / "scratch",
        settings={"telemetry": {"smokes": {"core": "core:smoke"}}},
        python=str(tmp_path / "bare" / "bin" / "python"),
    )
    ((severity, message),) = said(judge(context, contracts_of(contract)))
    assert severity == "unknown"
    assert "lacks the SDK" in message


# Providers


def test_a_provider_of_the_smokes_own_is_listened_to(tmp_path):
    body = """from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.metrics import MeterProvider
TracerProvider().get_tracer("own").start_span("own").end()
meters = MeterProvider()
meters.get_meter("own").create_up_down_counter("own.depth", unit="{item}").add(3)
meters.shutdown()
"""
    outcome = started(tmp_path, body)
    assert names(outcome) == ["own"]
    (metric,) = outcome.recording.metrics
    assert (metric.name, metric.unit, metric.kind, metric.points) == (
        "own.depth",
        "{item}",
        "updowncounter",
        1,
    )
    assert outcome.recording.foreign == ()


def test_a_provider_that_is_put_in_place_is_let_in(tmp_path):
    body = """from opentelemetry.sdk.trace import TracerProvider
mine = TracerProvider()
trace.set_tracer_provider(mine)
assert trace.get_tracer_provider() is mine
trace.get_tracer("later").start_span("later").end()
tracer.start_span("earlier").end()
"""
    outcome = started(tmp_path, body)
    assert (outcome.fault, names(outcome)) == (None, ["later", "earlier"])
    assert outcome.recording.said == ()


def test_providers_that_share_a_processor_are_heard_once(tmp_path):
    body = """from opentelemetry.sdk.trace import SynchronousMultiSpanProcessor, TracerProvider
shared = SynchronousMultiSpanProcessor()
for name in "ab":
    TracerProvider(active_span_processor=shared).get_tracer(name).start_span(name).end()
"""
    assert names(started(tmp_path, body)) == ["a", "b"]


def test_a_second_provider_that_is_refused_is_told(tmp_path):
    body = """from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
trace.set_tracer_provider(TracerProvider())
"""
    (message,) = started(tmp_path, body).recording.said
    assert "Overriding" in message


def test_providers_that_keep_nothing_are_named(tmp_path):
    body = """trace.set_tracer_provider(trace.NoOpTracerProvider())
metrics.set_meter_provider(metrics.NoOpMeterProvider())
"""
    foreign = started(tmp_path, body).recording.foreign
    assert [name.rpartition(".")[2] for name in foreign] == [
        "NoOpTracerProvider",
        "NoOpMeterProvider",
    ]


def test_every_kind_of_instrument_is_told_apart(tmp_path):
    body = """from opentelemetry.metrics import Observation
meter.create_counter("a").add(1)
meter.create_up_down_counter("b").add(1)
meter.create_histogram("c").record(1)
meter.create_gauge("d").set(1)
one = [lambda options: [Observation(1, {"core.tier": "gold"})]]
meter.create_observable_counter("e", callbacks=one)
meter.create_observable_up_down_counter("f", callbacks=one)
meter.create_observable_gauge("g", callbacks=one)
"""
    kinds = {metric.name: metric.kind for metric in started(tmp_path, body).recording.metrics}
    counter, updown, gauge = "counter", "updowncounter", "gauge"
    assert kinds == {
        "a": counter,
        "b": updown,
        "c": "histogram",
        "d": gauge,
        "e": counter,
        "f": updown,
        "g": gauge,
    }


def test_more_than_is_kept_is_counted(tmp_path):
    body = "for number in range(5003):\n    tracer.start_span('one').end()\n"
    recording = started(tmp_path, body).recording
    assert (len(recording.spans), recording.lost) == (5000, 3)


def test_attributes_are_kept_without_their_values(tmp_path):
    contract = {
        "module": "core",
        "telemetry": {"spans": [{"name": "one", "attrs": ["core.key"]}]},
        "x-telemetry-smoke": "core:smoke",
    }
    body = """with tracer.start_as_current_span("one") as span:
    span.set_attribute("core.key", "hunter2")
    span.set_attribute("core.numbers", [1, 2, 3])
    span.set_attribute("a.traceparent", "hunter2 is no traceparent")
    span.record_exception(ValueError("hunter2"))
    span.set_status(trace.StatusCode.ERROR, "hunter2")
    meter.create_counter("core.count").add(1, {"core.key": "hunter2"})
"""
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    part = judged(tmp_path, contract)
    data = (tmp_path / "scratch" / "artifacts" / "matriz_telemetry.json").read_text("utf-8")
    assert "hunter2" not in data
    assert "hunter2" not in str(part)
    (span,) = json.loads(data)["smokes"][0]["recording"]["spans"]
    assert span["attributes"]["core.key"] == {"type": "str", "size": 7}
    assert span["attributes"]["core.numbers"] == {"type": "sequence", "size": 3}
    assert span["exceptions"] == ["ValueError"]
    assert artifacts.validate(json.loads(data), "matriz_telemetry") == []
    assert (
        "error",
        (
            'span "one" attribute a.traceparent is not version-trace-span-flags in '
            "lowercase hexadecimal"
        ),
    ) in said(part, "ids")


# Cases, and what several contracts share


def test_cases_are_told_without_running_and_are_those_of_the_report(tmp_path):
    span = {"telemetry": {"spans": [{"name": "one"}]}}
    values = (
        {"module": "core", **span},
        {"module": "core.more", **span, "x-telemetry-smoke": ["-m", "core"]},
        {"module": "other", **span},
    )
    (tmp_path / "core.py").write_text("raise SystemExit(7)\n", encoding="utf-8")
    part = judged(tmp_path, *values, smokes={"core": "{module}:smoke"})
    context = Context(
        root=tmp_path,
        scratch=tmp_path,
        settings={"telemetry": {"smokes": {"core": "{module}:smoke"}}},
    )
    told = ["telemetry:c0.json", "telemetry:c1.json"]
    assert list(cases(context, contracts_of(*values))) == told
    assert [case.name for case in part.cases] == told
    assert {case.verdict for case in part.cases} == {Verdict.FAIL}
    assert "ended with code 7" in part.cases[0].message
    assert part.summary == "telemetry of 3 declared, of 2 smoked"
    assert part.evidence[0].data["without_smoke"] == 1


def test_contracts_that_share_a_smoke_share_one_run(tmp_path):
    values = [{"module": f"core.{name}", "telemetry": {"spans": [{"name": name}]}} for name in "ab"]
    body = "for name in 'abc':\n    tracer.start_span(name).end()\n"
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    part = judged(tmp_path, *values, smokes={"core.*": "core:smoke"}, undeclared="info")
    assert said(part) == [("info", 'span "c" is emitted and not declared')]
    assert [case.verdict for case in part.cases] == [Verdict.PASS, Verdict.PASS]


def test_every_failed_case_has_its_reasons_among_the_findings(tmp_path):
    values = [{"module": f"core.{name}", "telemetry": {"spans": [{"name": name}]}} for name in "ab"]
    body = "tracer.start_span('b').end()\nraise SystemExit(7)\n"
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    part = judged(tmp_path, *values, smokes={"core.*": "core:smoke"})
    told = [(found.path, found.rule, found.evidence["case"]) for found in part.findings]
    assert told == [
        (path, "matriz.telemetry-smoke", f"telemetry:{path}") for path in ("c0.json", "c1.json")
    ]
    assert [case.verdict for case in part.cases] == [Verdict.FAIL, Verdict.FAIL]


def test_a_smoke_that_broke_off_is_not_blamed_for_what_it_did_not_reach(tmp_path):
    contract = {
        "module": "core",
        "telemetry": {"spans": [{"name": "one"}], "metrics": [{"name": "two", "unit": "s"}]},
    }
    body = "meter.create_counter('two', unit='ms').add(1)\nraise ValueError\n"
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    part = judged(tmp_path, contract, smokes={"core": "core:smoke"})
    assert [item.rule.rpartition("-")[2] for item in part.findings] == ["smoke", "metric"]


def test_what_cannot_be_seen_is_unknown_and_not_missing(tmp_path):
    contract = {"module": "core", "telemetry": {"spans": [{"name": "one"}]}}
    body = "trace.set_tracer_provider(trace.NoOpTracerProvider())\n"
    (tmp_path / "core.py").write_text(HEAD + indent(body, "    "), encoding="utf-8")
    ((severity, message),) = said(judged(tmp_path, contract, smokes={"core": "core:smoke"}))
    assert severity == "unknown"
    assert message.endswith(".NoOpTracerProvider is in place, which keeps nothing")


def test_nothing_declared_is_nothing_judged(tmp_path):
    part = judged(tmp_path, {"module": "core"}, {"module": "more", "telemetry": {}}, [])
    assert (part.checked, part.findings, part.cases, part.summary) == (0, (), (), "")


def test_declared_and_not_smoked_is_counted_and_no_pass(tmp_path):
    part = judged(tmp_path, {"module": "core", "telemetry": {"spans": [{"name": "one"}]}})
    assert (part.checked, part.findings, part.cases) == (1, (), ())
    assert part.summary == "telemetry of 1 declared, of none smoked"
    assert not (tmp_path / "scratch" / "artifacts").exists()


def test_the_gate_shows_its_case_and_artifact(tmp_path):
    files = {
        **contract_of(telemetry={"spans": [{"name": "one"}]}),
        "core/common.py": HEAD + "    tracer.start_span('one').end()\n",
    }
    settings = {"telemetry": {"smokes": {"core.*": "core.common:smoke"}}}
    report = run_gate(gate, files, tmp_path=tmp_path, settings=settings)
    assert report.verdict is Verdict.PASS, report.findings
    (case,) = [case for case in report.cases if case.name.startswith("telemetry:")]
    assert (case.verdict, case.message) == (Verdict.PASS, "core.common:smoke")
    assert list(tmp_path.rglob("matriz_telemetry.json"))


@pytest.mark.parametrize(
    "telemetry_settings",
    [
        {"smokes": {}},
        {"smokes": {"core": ""}},
        {"smokes": {"core": []}},
        {"smokes": {"core": [""]}},
        {"smokes": {"core": "core"}},
        {"smokes": {"no module": "core:smoke"}},
        {"require": []},
        {"timeout_s": 0},
        {"deprecated": "fatal"},
        {"unknown": 1},
    ],
    ids=str,
)
def test_settings_that_are_none_are_refused(telemetry_settings):
    import jsonschema

    validator = jsonschema.Draft202012Validator(gate.settings_schema)
    assert not validator.is_valid({"telemetry": telemetry_settings})


# Anything at all


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
)
KEYS = st.sampled_from(["name", "attrs", "unit", "type"])
ROWS = st.lists(JSON | st.dictionaries(KEYS, JSON | st.lists(st.text())), max_size=4)
BLOCKS = st.fixed_dictionaries(
    {},
    optional={
        "spans": JSON | ROWS,
        "metrics": JSON | ROWS,
        "opentelemetry_semconv_version": JSON | st.sampled_from(["1.37.0", "1.0.0", "99.1.0"]),
    },
)


@given(telemetry=JSON | BLOCKS, smoke=JSON, module=JSON)
def test_a_block_of_any_shape_is_borne(tmp_path_factory, telemetry, smoke, module):
    folder = tmp_path_factory.getbasetemp()
    contract = {"telemetry": telemetry, "module": module}
    context = Context(root=folder, scratch=folder)
    for value in (contract, {**contract, "x-telemetry-smoke": smoke}, telemetry):
        if isinstance(smoke, str) and ":" in smoke:
            continue  # one that would be started
        for item in judge(context, contracts_of(value)).findings:
            assert "\n" not in item.message
            assert item.severity in Severity


@given(data=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_a_recording_of_any_content_is_refused_in_one_line(data):
    with pytest.raises(Unreadable) as caught:
        read(data, "0" * 64)
    assert "\n" not in str(caught.value)


def test_a_recording_that_is_no_plain_file_is_refused(tmp_path):
    place = tmp_path / "results"
    os.mkfifo(place)
    with pytest.raises(Unreadable, match="no file"):
        running._content(place)
    (tmp_path / "link").symlink_to("/etc/hostname")
    with pytest.raises(Unreadable, match="before anything"):
        running._content(tmp_path / "link")
    large = tmp_path / "large"
    with large.open("wb") as stream:
        stream.truncate(running.LARGEST + 1)
    with pytest.raises(Unreadable, match="at most"):
        running._content(large)


def test_every_name_given_up_by_now_has_its_version():
    known = semconv.installed()
    first = semconv.first_deprecated()
    newest = max(first.values())
    unknown = [key for key in known.deprecated if key not in first]
    assert known.version > newest or unknown == []
    assert first["attribute", "code.function"] == (1, 30, 0)
