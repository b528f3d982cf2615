"""The eight checks, each seen green, red, unknown or skipped on real repositories."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit.api import Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts, ledger, ledger_content
from pytest_cockpit.registry import checkpoint, comparing, documents
from tests.conftest import ObjectRepository, create
from tests.measured_modules import (
    ABSENT,
    BENCHMARK,
    FILES,
    JSON,
    LEDGER,
    NOW,
    content,
    coverage,
    enter,
    place,
)

OUTPUT = "docs/_generated"
META = f"{OUTPUT}/META_REGISTRY.json"
REGISTRY = f"{OUTPUT}/MODULE_REGISTRY.json"
NAMES = [
    *("registry", "meta-registry", "documentation-map", "ledger"),
    *("coverage-trend", "benchmark-trend", "registry-schema", "meta-registry-schema"),
]


def blob(made, path):
    found = Repository.discover(made.root).blob("HEAD", path)
    assert found is not None
    return found


def write(made):
    made.commit({**documents.generate(place(made))})


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """To be copied, not used."""
    made = create(tmp_path_factory.mktemp("pattern") / "repository", FILES)
    enter(made, coverage(ABSENT, content_sha256=content(made)))
    write(made)
    return made


@pytest.fixture
def sound(pattern, tmp_path):
    """A repository in which nothing is left to say."""
    shutil.copytree(pattern.root, tmp_path / "sound", symlinks=True)
    return ObjectRepository(tmp_path / "sound")


def two_rows(sound):
    """Enter a row about another module."""
    enter(sound, coverage("b" * 40, module="b"))
    write(sound)


def results(made, settings=None):
    return {name: check() for name, check in checkpoint.checks(place(made, settings))}


def only(made, *names):
    """The results of some checks; all others must be as they are where nothing is wrong."""
    found = results(made)
    odd = {name for name, result in found.items() if result.verdict not in ("pass", "skip")}
    assert odd == set(names)
    return [found[name] for name in names]


def test_seven_pass_and_one_is_skipped(sound):
    found = results(sound)
    assert list(found) == NAMES
    assert checkpoint.totals(result.verdict for result in found.values()) == "7 passed, 1 skipped"
    skipped = found["benchmark-trend"]
    assert (skipped.verdict, skipped.summary) == (
        Verdict.SKIP,
        "the ledger has no row about a benchmark",
    )
    assert found["registry-schema"].summary.endswith("1 module")
    assert found["meta-registry-schema"].summary.endswith("1 module, mean health 86.1/100 over 1")
    document = json.loads(documents.generate(place(sound))[META])
    assert artifacts.validate(document, "meta_registry") == []
    assert document["summary"]["published"] == {"mean": 20.0, "over": 1, "unknown": 0}


def test_with_benchmarks_all_eight_pass(make_repository):
    made = make_repository(FILES)
    own = {"content_sha256": content(made), "at": "2026-01-02T00:00:00Z"}
    enter(made, coverage(ABSENT, **own), {**BENCHMARK, **own})
    write(made)
    verdicts = [result.verdict for result in results(made).values()]
    assert checkpoint.totals(verdicts) == "8 passed"
    trend = "trends/bench_trend.csv"
    made.commit({trend: blob(made, trend) + b"x\n"})
    (found,) = only(made, "benchmark-trend")
    assert f"{trend}: line 3 is 'x', would be ''" in found.summary


def test_a_trend_of_benchmarks_that_no_row_gives_is_red(sound):
    sound.commit({"trends/bench_trend.csv": "date\n"})
    (found,) = only(sound, "benchmark-trend")
    assert "nothing in the tree and its ledger gives it" in found.summary
    assert found.text.endswith("\n  remove it"), "writing the registry leaves it alone"


def test_a_new_module_makes_registry_map_and_health_stale(sound):
    sound.commit({"b/module.manifest.json": '{"module": "b"}'})
    for found in only(sound, "registry", "meta-registry", "documentation-map"):
        assert found.verdict is Verdict.FAIL
        assert "pytest --cockpit-registry" in found.text
        assert f"{OUTPUT}/" in found.summary
        assert ", would be " in found.summary


def test_health_alone_is_stale_when_evidence_is(sound):
    sound.commit({"a/x.py": "X = 1\n\n"})
    (found,) = only(sound, "meta-registry")
    assert found.verdict is Verdict.FAIL


@pytest.mark.parametrize("page", ["DOCUMENTATION_MAP.md", "MODULE_INDEX.md"])
def test_an_edited_page_is_stale(sound, page):
    sound.commit({f"{OUTPUT}/{page}": "# Mine\n"})
    (found,) = only(sound, "documentation-map")
    assert found.summary.startswith(f"{OUTPUT}/{page}: line 1 is '# Mine', would be ")


def test_a_row_more_makes_the_trend_stale(sound):
    enter(sound, coverage(ABSENT, content_sha256=content(sound), missing=0))
    trend, _ = only(sound, "coverage-trend", "meta-registry")
    assert "trends/coverage_trend.csv: line 3 is '', would be '2026-01-02,a,100.00,+25.00'" in (
        trend.summary
    )


def test_figures_of_imported_history_that_none_was_imported_from_are_red(sound):
    sound.commit({"trends/coverage_trend.unverified.csv": "date\n"})
    only(sound, "coverage-trend")


def test_a_broken_ledger_is_the_gates_to_tell_and_what_needs_it_is_unknown(sound):
    two_rows(sound)
    lines = blob(sound, LEDGER).splitlines(keepends=True)
    sound.commit({LEDGER: lines[0].replace(b'"missing":1', b'"missing":0') + lines[1]})
    found = results(sound)
    assert found["ledger"].verdict is Verdict.FAIL
    assert "ledger.chain" in found["ledger"].text
    needing = ("meta-registry", "coverage-trend", "benchmark-trend")
    for name in needing:
        assert found[name].verdict is Verdict.UNKNOWN
        assert f"cannot be told: {LEDGER}: ledger line 2" in found[name].summary
    rest = set(NAMES) - {"ledger", *needing}
    assert {found[name].verdict for name in rest} == {Verdict.PASS}


def test_a_ledger_that_lost_a_row_is_red_by_its_history(sound):
    two_rows(sound)
    lines = blob(sound, LEDGER).splitlines(keepends=True)
    sound.commit({LEDGER: lines[0]})
    write(sound)
    (found,) = only(sound, "ledger")
    assert "ledger.rewritten" in found.text


def test_a_mean_says_how_many_modules_it_is_over(make_repository):
    made = make_repository(FILES | {"b/module.manifest.json": "{}", "b/x.py": ""})
    enter(made, coverage(made.git("rev-parse", "HEAD")))
    summary = json.loads(documents.generate(place(made))[META])["summary"]
    assert summary["health"] == summary["weighted"] == {"mean": 86.1, "over": 1, "unknown": 1}
    assert summary["published"] == {"mean": 10.0, "over": 2, "unknown": 0}
    assert summary["inputs"]["coverage"] == {"known": 1, "unknown": 1, "not-applicable": 0}


def test_a_bound_manifest_that_no_row_tells_of_is_red(make_repository):
    made = make_repository(FILES)
    manifest = "a/module.manifest.json"
    enter(made, ledger_content.row(manifest, FILES[manifest].encode(), None, None, 40))
    write(made)
    only(made)
    made.commit({manifest: '{"module": "a", "matrix": {"contract": "c.json"}, "x": 1}'})
    (found,) = only(made, "ledger")
    assert found.verdict is Verdict.FAIL
    assert "ledger.unbound-change" in found.text
    assert f"cockpit ledger record {manifest}" in found.text


def test_a_ledger_that_is_not_there_and_one_that_is_declared_away(make_repository):
    made = make_repository(FILES)
    write(made)
    found = results(made)
    assert (found["ledger"].verdict, "nothing was recorded yet" in found["ledger"].summary) == (
        Verdict.UNKNOWN,
        True,
    )
    skipped = results(made, Config(gate={"ledger": {"skip": "no ledger here"}}))["ledger"]
    assert skipped.verdict is Verdict.SKIP
    assert "no ledger here" in skipped.summary


@pytest.mark.parametrize(
    ("path", "check", "change"),
    [
        (REGISTRY, "registry-schema", lambda found: found.pop("module_count")),
        (REGISTRY, "registry-schema", lambda found: found["modules"][0].update(path="")),
        (META, "meta-registry-schema", lambda found: found["summary"].update(health=20.3)),
        (META, "meta-registry-schema", lambda found: found.update(generated_at="now")),
    ],
)
def test_a_document_of_another_form_is_red(sound, path, check, change):
    found = json.loads(blob(sound, path))
    change(found)
    sound.commit({path: json.dumps(found)})
    found = results(sound)[check]
    assert found.verdict is Verdict.FAIL
    assert found.summary.startswith(f"{path}: /")
    assert "pytest --cockpit-registry" in found.text


@pytest.mark.parametrize(
    ("change", "said"),
    [("{", "not JSON"), (None, "is no tracked file"), (("120000", "x"), "is no tracked file")],
)
def test_a_document_that_is_none_is_red(sound, change, said):
    sound.commit({META: change, REGISTRY: change})
    for found in only(
        sound, "registry", "meta-registry", "registry-schema", "meta-registry-schema"
    ):
        assert found.verdict is Verdict.FAIL
        assert "pytest --cockpit-registry" in found.text
    assert said in results(sound)["meta-registry-schema"].summary


def test_a_manifest_that_cannot_be_read_is_red_and_not_to_be_written_down(sound):
    path = json.loads(blob(sound, REGISTRY))["modules"][0]["manifest"]
    sound.commit({path: "{,}"})
    for found in only(sound, "registry", "meta-registry", "documentation-map"):
        assert (found.verdict, "pytest --cockpit-registry" in found.text) == (Verdict.FAIL, False)
        assert found.summary == f"{path}: not JSON; correct it first"
    write(sound)
    assert only(sound, "registry", "meta-registry", "documentation-map")


def test_a_document_that_was_written_and_never_added_is_told(sound):
    sound.commit({META: None})
    (sound.root / META).parent.mkdir(parents=True)
    (sound.root / META).write_text("{}")
    for found in only(sound, "meta-registry", "meta-registry-schema"):
        assert f"{META}: is no tracked file, though it is there; git add it" in found.summary


def test_where_history_is_cut_off_stale_health_is_unknown(make_repository):
    made = make_repository(FILES)
    enter(made, coverage(made.git("rev-parse", "HEAD")))
    write(made)
    only(made)
    cut = made.root.parent / "cut"
    made.git("clone", "-q", "--depth=1", f"file://{made.root}", str(cut))
    found = {name: check() for name, check in checkpoint.checks(_at(cut))}
    meta = found["meta-registry"]
    assert meta.verdict is Verdict.UNKNOWN
    assert "1 commit that measurements are of cannot be had" in meta.summary
    assert "git fetch --unshallow" in meta.text
    assert found["registry"].verdict is Verdict.PASS
    made.commit({META: None})
    made.git("clone", "-q", "--depth=1", f"file://{made.root}", f"{cut}2")
    missing = dict(checkpoint.checks(_at(made.root.parent / "cut2")))["meta-registry"]()
    assert missing.verdict is Verdict.FAIL


def _at(root):
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    return Place(repository, Config(), head, head, NOW)


def test_checks_of_a_work_tree_see_its_edits_and_write_nothing(sound):
    sound.git("reset", "--hard", "-q")
    (sound.root / "trends/coverage_trend.csv").write_text("mine\n")
    repository = Repository.discover(sound.root)
    status = sound.git("status", "--porcelain")
    edited = Place(repository, Config(), repository.tracked(), repository.resolve("HEAD"), NOW)
    found = {name: check() for name, check in checkpoint.checks(edited)}
    assert {name for name, result in found.items() if result.verdict is Verdict.FAIL} == {
        "coverage-trend"
    }
    assert not any(result.changes for result in found.values())
    assert sound.git("status", "--porcelain") == status


def test_totals_leave_nothing_out():
    verdicts = [*Verdict, Verdict.PASS]
    assert checkpoint.totals(verdicts) == (
        "1 failed, 1 could not run, 1 unknown, 1 warned, 2 passed, 1 skipped"
    )
    assert checkpoint.totals([]) == "no check ran"


def test_generating_again_gives_the_same_bytes(sound):
    again = documents.generate(place(sound))
    assert again == {path: blob(sound, path) for path in again}
    assert ledger.verify(blob(sound, LEDGER)) == []


@given(st.binary(), st.binary())
@example(b"", b"\n")
@example(b"a", b"a ")
def test_a_difference_is_one_line_whatever_differs(content, made):
    here = Tree(Repository(Path(), Path()), Config(), content, "", NOW)
    found = comparing.compare(here, "x.md", made)
    assert (found.verdict is Verdict.PASS) == (content == made)
    assert found.summary.isprintable()
    assert all(line.isprintable() for line in found.text.split("\n"))


class Tree(Place):
    """A place in which every file holds the same."""

    def read(self, path):
        return self.tree


@pytest.mark.parametrize(
    ("schema", "told"),
    [("module_registry", checkpoint._modules), ("meta_registry", checkpoint._healthy)],
)
@given(content=st.binary() | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_document_is_judged(schema, told, content):
    nowhere = Repository(Path(), Path())
    here = Tree(nowhere, Config(), content, "", NOW)
    found = checkpoint._Found(here).valid("x.json", schema, told)
    assert found.verdict is Verdict.FAIL
    assert found.summary.isprintable()
