"""What a module's health is read from, and what the formulas make of it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.benchmarking import history
from pytest_cockpit.config import Bench, Config, Health, Registry, load
from pytest_cockpit.records import artifacts, baselines, ledger_content
from pytest_cockpit.registry import measured, modules, substance
from pytest_cockpit.registry.health import explanation, finding, formula
from pytest_cockpit.registry.health.examine import examine
from pytest_cockpit.registry.health.ground import Ground
from pytest_cockpit.registry.health.inputs import NAMES, Input, State, known, near, unknown
from pytest_cockpit.scaffolding import marks
from tests.measured_modules import (
    ABSENT,
    BENCHMARK,
    FILES,
    JSON,
    ROWS,
    content,
    coverage,
    enter,
    place,
)

PUBLISHED = Path(__file__).parents[1] / "data/runbook/published_health.json"


def look(repository, settings=None, path="a"):
    here = place(repository, settings)
    found = modules.discover(here)
    return examine(Ground(here, found), finding.named(found, path))


def test_everything_is_known_of_a_module_that_was_measured_as_it_is(make_repository):
    made = make_repository(FILES)
    enter(made, coverage(made.git("rev-parse", "HEAD")))
    health = look(made)
    values = {name: found.value for name, found in health.inputs.items()}
    assert values == {
        "coverage": 0.75,
        "tests": 0.75,
        "contract": 1,
        "imports": 1,
        "documentation": 1,
        "benchmarks": None,
    }
    assert health.inputs["benchmarks"].state is State.NOT_APPLICABLE
    assert health.weighted == formula.Score(86.1, 1)
    assert health.inputs["coverage"].evidence[0]["seq"] == 0
    assert health.inputs["contract"].evidence[0]["path"] == "a/c.json"


@pytest.mark.parametrize("digest", [False, True])
def test_a_measurement_of_other_content_is_unknown(make_repository, digest):
    made = make_repository(FILES)
    # The digest holds in a clone without that commit, as after a merge that squashes.
    own = {"content_sha256": content(made)} if digest else {}
    enter(made, coverage(ABSENT if digest else made.git("rev-parse", "HEAD"), **own))
    # What every sweep writes itself, and words, are no change of what was measured.
    made.commit({"a/README.md": "# More\n", "a/module.manifest.json": '{"module": "a"}'})
    assert look(made).inputs["coverage"].value == 0.75
    made.commit({"a/x.py": "X = 2\n"})
    health = look(made)
    for name in ("coverage", "tests"):
        assert health.inputs[name].state is State.UNKNOWN
        assert "its files have changed since" in health.inputs[name].said
        assert "--cockpit-sweep" in health.inputs[name].remedy
    assert health.weighted == formula.Score(None, 0.4444)


@pytest.mark.parametrize("commit", [ABSENT, "HEAD", "--all", "main"])
def test_a_measurement_whose_commit_is_not_here_is_unknown(make_repository, commit):
    made = make_repository(FILES)
    here = place(made)
    found = modules.discover(here)
    said = Ground(here, found).changes.since(commit, found[0])
    assert said == f"commit {commit[:12]} is not in this clone"
    enter(made, coverage(ABSENT))
    assert look(made).inputs["coverage"].state is State.UNKNOWN


@pytest.mark.parametrize("digest", [False, True])
def test_tests_that_lie_elsewhere_are_part_of_what_was_measured(make_repository, digest):
    manifest = json.dumps({"module": "a", "layout": {"paths": {"tests": "../tests/a"}}})
    made = make_repository(
        FILES | {"a/module.manifest.json": manifest, "tests/a/test_a.py": "", "tests/b.py": ""}
    )
    own = {"content_sha256": content(made)} if digest else {}
    enter(made, coverage(made.git("rev-parse", "HEAD"), **own))
    made.commit({"tests/b.py": "B = 1\n"})
    assert look(made).inputs["coverage"].state is State.KNOWN
    made.commit({"tests/a/data.json": "{}"})
    assert look(made).inputs["coverage"].state is State.UNKNOWN


@pytest.mark.parametrize(
    "path", ["a/docs/_generated/META_REGISTRY.json", "a/trends/coverage_trend.csv", "a/.c/x.json"]
)
def test_what_is_generated_in_a_module_is_no_change_of_it(make_repository, path):
    registry = Registry(output="a/docs/_generated", trends="a/trends")
    settings = Config(registry=registry, records="a/.c")
    made = make_repository(FILES)
    before = place(made, settings)
    made.commit({path: "{}", "a/trends/own.csv": ""})
    after = place(made, settings)
    (was,), (now,) = (modules.discover(here) for here in (before, after))
    assert path in now.files
    assert not substance.counts(path, settings)
    assert substance.counts("a/trends/own.csv", settings)
    assert substance.digest(before, was) != substance.digest(after, now)


@pytest.mark.parametrize("digest", [False, True])
@pytest.mark.parametrize(
    "change",
    [{"a/sub/module.manifest.json": "{}"}, {"a/x.py": ("100755", "X = 1\n")}, {"a/new.txt": ""}],
)
def test_files_that_changed_hands_or_mode_are_changes(make_repository, change, digest):
    made = make_repository(FILES | {"a/sub/z.py": ""})
    own = {"content_sha256": content(made)} if digest else {}
    enter(made, coverage(made.git("rev-parse", "HEAD"), **own))
    assert look(made).inputs["coverage"].state is State.KNOWN
    made.commit(change)
    assert look(made).inputs["coverage"].state is State.UNKNOWN


def test_a_deleted_file_and_a_module_taken_out_are_changes(make_repository):
    made = make_repository(FILES | {"a/b/y.py": "", "a/b/module.manifest.json": '{"module": "b"}'})
    base = made.git("rev-parse", "HEAD")
    enter(made, coverage(base), coverage(base, module="a/b"))
    assert look(made).inputs["coverage"].state is State.KNOWN
    made.commit({"a/b/module.manifest.json": None})
    assert look(made).inputs["coverage"].state is State.UNKNOWN
    made.commit({"a/b/module.manifest.json": '{"module": "b"}', "a/b/y.py": None})
    assert look(made).inputs["coverage"].state is State.KNOWN
    assert look(made, path="a/b").inputs["coverage"].state is State.UNKNOWN


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ({"state": "no-tests", "statements": None, "missing": None, "tests": {}}, (None, 0)),
        ({"state": "crashed", "statements": None, "missing": None}, (None, None)),
        ({"state": "error", "tests": {"errors": 2}, "statements": None}, (None, 0)),
        ({"state": "passed", "tests": {"skipped": 4}}, (0.75, None)),
        ({"state": "passed", "statements": 0, "missing": 0}, (None, 0.75)),
        ({"missing": 9}, (None, 0.75)),
        ({"statements": True}, (None, 0.75)),
    ],
)
def test_what_was_not_measured_is_not_zero(make_repository, others, expected):
    made = make_repository(FILES)
    enter(made, coverage(made.git("rev-parse", "HEAD"), **others))
    inputs = look(made).inputs
    assert (inputs["coverage"].value, inputs["tests"].value) == expected


def test_the_newest_row_counts(make_repository):
    made = make_repository(FILES)
    head = made.git("rev-parse", "HEAD")
    enter(made, coverage(head), coverage(head, missing=4), coverage(head, module="b"))
    assert look(made).inputs["coverage"].value == 0
    assert look(made).inputs["coverage"].evidence[0]["seq"] == 1


@pytest.mark.parametrize("bound", [False, True])
def test_a_figure_of_the_manifest_alone_is_a_claim(make_repository, bound):
    made = make_repository(FILES)
    testing = {"coverage_observed": 36.5, "observed_commit": made.git("rev-parse", "HEAD")}
    manifest, data = "a/module.manifest.json", json.dumps({"module": "a", "testing": testing})
    made.commit({manifest: data})
    if bound:
        enter(made, ledger_content.row(manifest, data.encode(), None, None, 40))
    found = look(made).inputs["coverage"]
    assert (found.state, found.said) == (
        State.UNKNOWN,
        "the manifest says 36.5 %, unverified: no row of the ledger measured it",
    )
    assert found.evidence[0]["pointer"] == "/testing/coverage_observed"


@pytest.mark.parametrize(
    ("manifest", "settings", "expected"),
    [
        ({"matrix": {"contract": "c.json"}}, {}, 1),
        ({"contracts": ["a/c.json", "c.json", "../x", "/etc/passwd"]}, {}, 0.5),
        ({"contracts": ["./c.json", "../a/c.json"]}, {}, 1),
        ({"contracts": ["../../c.json", "/c.json", "\0"]}, {}, 0),
        ({"contracts": ["bad.json"]}, {}, 0),
        ({"contracts": ["list.json"]}, {}, 0),
        ({"contracts": ["link.json"]}, {}, 0),
        ({"contracts": [7, "", None], "matrix": []}, {}, 0),
        ({"contracts": ["c.json"]}, {"gates": ("ledger",)}, State.NOT_APPLICABLE),
        ({}, {"gate": {"matriz": {"skip": "none here"}}}, State.NOT_APPLICABLE),
        (None, {}, State.UNKNOWN),
    ],
)
def test_a_contract_is_what_the_manifest_declares(make_repository, manifest, settings, expected):
    text = "{" if manifest is None else json.dumps({"module": "a", **manifest})
    made = make_repository(
        {
            "a/module.manifest.json": text,
            "a/x.py": "",
            "a/c.json": "{}",
            "a/bad.json": "{",
            "a/list.json": "[]",
            "a/link.json": ("120000", "c.json"),
        }
    )
    found = look(made, Config(**settings)).inputs["contract"]
    assert (found.state if isinstance(expected, State) else found.value) == expected


def test_an_empty_manifest_can_be_read_and_declares_no_contract(make_repository):
    found = look(make_repository({"a/module.manifest.json": "{}", "a/x.py": ""})).inputs["contract"]
    assert (found.value, found.said) == (0, "the manifest declares no contract")


def test_imports_are_those_that_the_baseline_does_not_know_to_fail(make_repository):
    files = {key: value for key, value in FILES.items() if "baselines" not in key}
    made = make_repository(files)
    where = ".cockpit/baselines/imports.json"
    assert look(made).inputs["imports"].said == f"{where}: no baseline"
    made.commit({where: "{"})
    found = look(made).inputs["imports"]
    assert (found.state, "not JSON" in found.said) == (State.UNKNOWN, True)
    entries = {"a/x.py": {"class": "missing-third-party"}, "a/test_x.py": {"effects": ["prints"]}}
    made.commit({where: baselines.dump(baselines.Baseline("imports", entries))})
    found = look(made).inputs["imports"]
    assert (found.value, found.said) == (
        0.5,
        "1 of 2 Python files not known to fail to import; known: a/x.py",
    )
    for settings in (Config(gate={"imports": {"skip": "frozen"}}), Config(gates=("ledger",))):
        assert look(made, settings).inputs["imports"].state is State.NOT_APPLICABLE


def test_an_untouched_scaffold_is_no_documentation(make_repository):
    scaffold = marks.marked("README.md", b"# A\n")
    made = make_repository(
        FILES | {"a/README.md": scaffold, "a/docs/api.md": "", "a/CHANGELOG.md": None}
    )
    made.commit({"a/CHANGELOG.md": None})
    found = look(made).inputs["documentation"]
    assert found.value == 0
    assert found.said == (
        "README empty or an untouched scaffold, CHANGELOG missing, "
        "docs/ empty or an untouched scaffold"
    )
    assert found.remedy == "write README and CHANGELOG and docs/"
    made.commit({"a/README.md": scaffold + b"More.\n"})
    assert look(made).inputs["documentation"].value == 0.3333


def test_benchmarks_are_known_where_they_were_recorded_of_this_content(make_repository):
    made = make_repository(FILES | {"a/benchmarks/test_b.py": ""})
    found = look(made).inputs["benchmarks"]
    assert (found.state, "--cockpit-bench" in found.remedy) == (State.UNKNOWN, True)
    row = {**BENCHMARK, "content_sha256": content(made)}
    enter(made, row)
    found = look(made).inputs["benchmarks"]
    assert (found.state, found.said) == (
        State.UNKNOWN,
        "1 benchmark, 0 slower than the time before, 1 without a time before on the same machine",
    )
    enter(made, row)
    assert look(made).inputs["benchmarks"].value == 1
    slow = {**row, "low": 1.2, "median": 1.3, "high": 1.4}
    enter(made, {**slow, "fingerprint": "e" * 64})
    assert look(made).inputs["benchmarks"].state is State.UNKNOWN, "another machine"
    enter(made, slow)
    assert look(made).inputs["benchmarks"].value == 0
    assert look(made, Config(bench=Bench(threshold=0.2))).inputs["benchmarks"].value == 1
    made.commit({"a/x.py": "X = 5\n"})
    assert look(made).inputs["benchmarks"].state is State.UNKNOWN


def test_a_benchmark_that_is_gone_does_not_hide_the_others(make_repository):
    made = make_repository(FILES | {"a/benchmarks/test_b.py": ""})
    row = {**BENCHMARK, "content_sha256": content(made)}
    gone = {**row, "benchmark": "gone", "content_sha256": "0" * 64}
    enter(made, gone, row, row)
    found = look(made).inputs["benchmarks"]
    assert (found.value, [item["seq"] for item in found.evidence]) == (1, [2])
    assert found.said.endswith("0 slower than the time before, 1 more recorded of other content")


def test_code_that_came_after_a_measurement_of_none_is_unknown(make_repository):
    made = make_repository(FILES)
    enter(made, coverage(ABSENT, statements=0, missing=0, content_sha256=content(made)))
    assert look(made).inputs["coverage"].state is State.NOT_APPLICABLE
    made.commit({"a/x.py": "X = 2\n"})
    assert look(made).inputs["coverage"].state is State.UNKNOWN


def test_what_is_not_known_to_help_is_told_after_what_helps_little():
    row = {"value": None, "state": "unknown", "said": "", "evidence": (), "remedy": "try"}
    inputs = [{**row, "name": name, "gain": gain} for name, gain in (("a", None), ("b", 0.0))]
    arithmetic = {"arithmetic": ""}
    told = {"module": "m", "path": "m", "score": None, "inputs": inputs}
    lines = list(explanation.lines({**told, "weighted": arithmetic, "published": arithmetic}))
    assert [line.split()[0] for line in lines[-2:]] == ["b", "a"]


def test_a_module_without_python_has_nothing_to_test(make_repository):
    made = make_repository({"a/module.manifest.json": '{"module": "a"}', "a/README.md": "# A\n"})
    states = {name: found.state.value for name, found in look(made).inputs.items()}
    assert states.pop("documentation") == "known"
    assert set(states.values()) == {"not-applicable"}


INPUT = st.one_of(
    st.floats(0, 1).map(lambda value: known(value, "")),
    st.sampled_from([unknown(""), Input(State.NOT_APPLICABLE, None, "")]),
)
WEIGHTS = st.fixed_dictionaries({name: st.sampled_from([0, 0.1, 0.3, 1]) for name in NAMES})


@given(st.fixed_dictionaries(dict.fromkeys(NAMES, INPUT)), WEIGHTS)
def test_a_mean_is_over_what_is_known_and_says_how_much_that_is(inputs, weights):
    score = formula.weighted(inputs, Health(**weights))
    values = [
        item.value for name, item in inputs.items() if weights[name] and item.value is not None
    ]
    assert 0 <= score.share <= 1
    if score.value is None:
        assert score.share < formula.LEAST_KNOWN
    else:
        assert score.share >= formula.LEAST_KNOWN
        assert 100 * min(values) - 0.06 <= score.value <= 100 * max(values) + 0.06
    everything = all(
        item.value is not None or item.state is State.NOT_APPLICABLE or not weights[name]
        for name, item in inputs.items()
    )
    if values and everything:
        assert score.share == 1


def test_unknown_is_neither_zero_nor_left_unsaid():
    inputs = dict.fromkeys(NAMES, known(0.5, ""))
    less = {**inputs, "coverage": unknown("")}
    assert formula.weighted(inputs, Health()) == formula.Score(50, 1)
    assert formula.weighted(less, Health()) == formula.Score(50, 0.7)
    little = {**less, "tests": unknown(""), "contract": unknown("")}
    assert formula.weighted(little, Health()) == formula.Score(None, 0.35)


@pytest.mark.parametrize(
    ("performance", "met", "value"),
    [
        ({"observed": {"latency_p95_ms": 9}, "sla_targets": {"latency_p95_ms": 10}}, True, 68.2),
        ({"observed": {"latency_p95_ms": 10}, "sla_targets": {"latency_p95_ms": 10}}, True, 68.2),
        ({"observed": {"latency_p95_ms": 11}, "sla_targets": {"latency_p95_ms": 10}}, False, 38.2),
        ({"observed": {"latency_p95_ms": 0}, "sla_targets": {"latency_p95_ms": 10}}, None, 38.2),
        ({"observed": [], "sla_targets": {"latency_p95_ms": True}}, None, 38.2),
        (7, None, 38.2),
    ],
)
def test_the_published_formula_counts_a_met_service_level(make_repository, performance, met, value):
    manifest = {"testing": {"coverage_observed": 36.5}, "performance": performance}
    made = make_repository(
        {"a/module.manifest.json": json.dumps(manifest), "a/b/c/notes.md": "x", "b.md": "x"}
    )
    health = look(made, Config(health=Health(profile="published")))
    assert (health.published.sla, health.published.value, health.score) == (met, value, value)
    assert health.weighted.value is None


@pytest.mark.parametrize(
    ("testing", "points"),
    [
        ({}, 0),
        ({"coverage_observed": 100}, 50),
        ({"coverage_observed": 101}, 0),
        ({"coverage_observed": "7"}, 0),
        ({"coverage_observed": True}, 0),
        ([], 0),
    ],
)
def test_the_published_formula_reads_what_is_a_percentage(make_repository, testing, points):
    made = make_repository({"a/module.manifest.json": json.dumps({"testing": testing})})
    assert look(made).published.value == points


def test_the_published_scores_come_out_module_by_module(make_repository):
    rows = json.loads(PUBLISHED.read_text())
    tracked = [row for row in rows if row["tracked"]]
    files = {}
    for row in tracked:
        observed = row["coverage_observed"]
        testing = {} if observed is None else {"coverage_observed": observed}
        manifest = {"module": row["path"].replace("/", "."), "testing": testing}
        files[f"{row['path']}/module.manifest.json"] = json.dumps(manifest)
        if row["docs_count"]:
            files[f"{row['path']}/README.md"] = "# Module\n"
    here = place(make_repository(files))
    found = modules.discover(here)
    ground = Ground(here, found)
    ours = {module.path: formula.published(ground, module).value for module in found}
    assert ours == {row["path"]: row["health_score"] for row in tracked}
    assert len(ours) == 140
    assert [row["path"] for row in rows if not row["tracked"]] == [
        *("__pycache__", "data", "environments", "htmlcov", "logs", "lukhas_ai.egg-info"),
        *("models", "reports", "temp"),
    ], "folders that git did not track, which nobody can look at any more"
    assert round(sum(row["health_score"] for row in rows) / len(rows), 1) == 20.3


def test_an_explanation_says_how_the_score_is_made_up_and_what_would_raise_it(make_repository):
    made = make_repository(FILES | {"a/CHANGELOG.md": ""})
    enter(made, coverage(made.git("rev-parse", "HEAD")))
    here = place(made)
    document = explanation.document(here, look(made))
    assert artifacts.validate(document, "health") == []
    told = "\n".join(explanation.lines(document))
    assert told.startswith("a (a): health 82.4/100\n")
    assert "row 0: 3 of 4 statements ran\n      ledger row 0 of commit" in told
    assert "a/c.json (blob 9e26dfeeb6e6)" in told
    assert (
        "weighted:  100 * (0.3*0.75 + 0.2*0.75 + 0.15*1 + 0.15*1 + 0.1*0.6667) / 0.9 = 82.4; "
        "100% of the weight is known"
    ) in told
    assert "published: 0 (half of the coverage, up to 50: no figure, counted as 0) + 0" in told
    raising = told.partition("what would raise it")[2]
    assert raising.index("up to +8.3") < raising.index("up to +5.6") < raising.index("up to +3.7")
    points = sum(row["points"] or 0 for row in document["inputs"])
    assert points == pytest.approx(document["score"], abs=0.1)


def test_an_explanation_of_little_gives_no_number(make_repository):
    made = make_repository({"a/module.manifest.json": "{}", "a/x.py": ""})
    document = explanation.document(place(made), look(made))
    assert (document["score"], document["inputs"][0]["gain"]) == (None, None)
    told = "\n".join(explanation.lines(document))
    assert "a (a): health unknown" in told
    assert "of the weight is known, at least 50% has to be" in told


def test_a_module_is_named_by_path_or_name(make_repository):
    names = {"a": "tide", "b": "tide", "c": "a", "dock/crane": "Crane"}
    made = make_repository(
        {
            f"{path}/module.manifest.json": json.dumps({"module": name})
            for path, name in names.items()
        }
    )
    found = modules.discover(place(made))
    assert finding.named(found, "a").path == "a", "a path goes before a name"
    for word in ("dock/crane/", "./dock/crane", "dock//crane/../crane"):
        assert finding.named(found, word).path == "dock/crane"
    assert finding.named(found, "Crane").path == "dock/crane"
    with pytest.raises(CockpitError, match=r"2 modules have this name; give the path of one: a, b"):
        finding.named(found, "tide")
    with pytest.raises(CockpitError, match=r"no such module; did you mean dock/crane\?"):
        finding.named(found, "crane\n")
    with pytest.raises(CockpitError, match=r"no such module; MODULE_INDEX.md lists them"):
        finding.named(found, "zzzz")
    with pytest.raises(CockpitError, match=r"no file matches tool.cockpit.registry.manifests"):
        finding.named([], "a")


def test_many_modules_of_one_name_are_not_all_listed(make_repository):
    made = make_repository(
        {f"m{index}/module.manifest.json": '{"module":"m"}' for index in range(9)}
    )
    with pytest.raises(CockpitError, match=r"the path of one: m0, m1, m2, m3, m4 and 4 more$"):
        finding.named(modules.discover(place(made)), "m")


@pytest.mark.parametrize(
    ("value", "exact", "shown"),
    [
        (1, 1, "1.00"),
        (0.99999, 0.9999, "0.99"),
        (0.5, 0.5, "0.50"),
        (1e-9, 1e-4, "0.01"),
        (0, 0, "0.00"),
    ],
)
def test_nearly_all_is_not_all(value, exact, shown):
    found = known(value, "", remedy="go on")
    assert (found.value, f"{near(exact, 2):.2f}") == (exact, shown)
    assert bool(found.remedy) == (value < 1)


def test_a_formula_needs_a_weight(tmp_path):
    zeros = "\n".join(f"{name} = 0" for name in NAMES)
    (tmp_path / "cockpit.toml").write_text(f"[health]\n{zeros}\n")
    with pytest.raises(CockpitError, match=r"cockpit.toml: health: all weights are 0"):
        load(tmp_path)


@given(ROWS)
def test_rows_of_any_shape_are_read(rows):
    for found in measured.coverage(rows):
        assert found.percent is None or 0 <= found.percent <= 100
        assert (found.statements is None) == (found.missing is None)
    for each in history.points(rows):
        assert 0 < each.low <= each.median <= each.high
        assert type(each.seq) is int


@pytest.fixture(scope="session")
def anything(tmp_path_factory):
    """A place whose manifest and ledger are exchanged by the tests that use it."""
    from tests.conftest import ObjectRepository

    root = tmp_path_factory.mktemp("anything")
    made = ObjectRepository(root)
    made.git("init", "-q", "-b", "main")
    made.commit({**FILES})
    here = place(made)
    return here, modules.discover(here)


@given(
    rows=ROWS,
    declared=st.dictionaries(
        st.sampled_from(["module", "testing", "performance", "contracts", "matrix"]) | st.text(),
        JSON,
    ),
)
@example(rows=[coverage("HEAD")], declared={})
@example(rows=[{**BENCHMARK, "commit": "\n"}], declared={"contracts": ["\n"]})
def test_any_manifest_and_any_rows_give_health(anything, rows, declared):
    here, found = anything
    # As if they were the ledger's: a cached property is an entry of the instance.
    other = replace(here)
    other.__dict__.update(rows=rows, entries=here.entries)
    changed = [replace(found[0], declared=declared)]
    rows[:] = [{"kind": "x", **row} for row in rows]
    document = explanation.document(here, examine(Ground(other, changed), changed[0]))
    assert artifacts.validate(document, "health") == []
    assert list(explanation.lines(document))
