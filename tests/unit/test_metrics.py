from __future__ import annotations

import contextlib
import dataclasses
import os
import subprocess
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import history, leftovers, metrics, readings, snapshot
from pytest_cockpit.promotion.evidence import JUDGED, MAX_AGE, Kept, Shelf
from pytest_cockpit.promotion.metrics import Ground, Light
from pytest_cockpit.records import artifacts, ledger

NOW = datetime(2026, 11, 18, 12, tzinfo=UTC)
PATH = ".cockpit/promotions.ndjson"
SHIM = "# cockpit: moved to sea.{0}\nfrom sea.{0} import *\n"
Files = dict[str, str | None]
OID = "0123456789abcdef" * 2 + "01234567"


def batch(number: int, *names: str, kind: str = "promotion") -> dict[str, Any]:
    moves = [
        {
            "source": f"candidate/{name}.py",
            "target": f"sea/{name}.py",
            "source_blob": OID,
            "target_blob": OID,
        }
        for name in names
    ]
    row: dict[str, Any] = {
        "kind": kind,
        "batch_id": f"0123456-0000000{number}",
        "base": OID,
        "plan_sha256": "0" * 64,
        "moves": moves,
    }
    if kind == "promotion":
        return {**row, "shims": []}
    for move in moves:
        move["source"], move["target"] = move["target"], move["source"]
    return {**row, "rolls_back": "0123456-00000001"}


@dataclass
class Migration:
    """A repository whose commits lie in the past."""

    root: Path
    ledger: bytes = b""

    def git(self, *arguments: str, days: float = 0) -> str:
        moment = (NOW - timedelta(days=days)).isoformat()
        env = {**os.environ, "GIT_COMMITTER_DATE": moment}
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, env=env, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, days: float, files: Files, *rows: dict[str, Any]) -> str:
        """Commit files, None for those that go, and rows of the ledger, so many days ago."""
        if rows:
            self.ledger = ledger.extend(self.ledger, rows)
            files = {**files, PATH: self.ledger.decode()}
        for name, content in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if content is None:
                path.unlink()
            else:
                path.write_text(content)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", "x", days=days)
        return self.git("rev-parse", "HEAD")

    def ground(self, **settings: Any) -> Ground:
        head = self.git("rev-parse", "HEAD")
        return Ground(Repository.discover(self.root), Config(**settings), head, NOW)


@pytest.fixture
def migration(make_checkout) -> Migration:
    return Migration(make_checkout().root)


def lane(*names: str) -> Files:
    return {f"candidate/{name}.py": f"NAME = {name!r}\n" for name in names}


def moved(*names: str) -> Files:
    shims: Files = {f"candidate/{name}.py": SHIM.format(name) for name in names}
    return shims | {f"sea/{name}.py": f"NAME = {name!r}\n" for name in names}


# History


def test_batches_count_from_the_day_on_which_they_reached_the_first_parent_line(migration):
    migration.commit(40, lane("a", "b", "c") | {"candidate/__init__.py": "", "candidate/x.txt": ""})
    migration.git("checkout", "-q", "-b", "side")
    migration.commit(30, moved("a"), batch(1, "a"))
    migration.git("checkout", "-q", "main")
    migration.commit(25, {"other.txt": "x"})
    migration.git("merge", "-q", "--no-ff", "-m", "merged", "side", days=20)
    migration.commit(10, moved("b"), batch(2, "b"))
    ground = migration.ground()
    days = [round((NOW - one.at) / timedelta(days=1)) for one in ground.landings]
    assert days == [20, 10]
    assert [one.files for one in ground.landings] == [1, 1]
    assert [(size.files, round((NOW - size.at).days)) for size in ground.sizes] == [
        (3, 40),
        (2, 20),
        (1, 10),
    ]
    assert (ground.waiting, ground.largest) == (1, 3)


def test_a_rollback_is_counted_back(migration):
    migration.commit(40, lane("a", "b"))
    migration.commit(30, moved("a", "b"), batch(1, "a", "b"))
    migration.commit(20, lane("a", "b"), batch(2, "a", "b", kind="rollback"))
    ground = migration.ground()
    assert [one.files for one in ground.landings] == [2, -2]
    assert [size.files for size in ground.sizes] == [2, 0, 2]


def test_what_waits_is_what_a_plan_counts(migration):
    files = lane("a") | {
        "candidate/__init__.py": "",
        "candidate/pkg/__init__.py": "",
        "candidate/shim.py": SHIM.format("shim"),
        "candidate/says.py": "# cockpit: moved to nowhere\nX = 1\n",
        "candidate/data.json": "{}",
    }
    (migration.root / "candidate").mkdir()
    (migration.root / "candidate/link.py").symlink_to("a.py")
    commit = migration.commit(1, files)
    repository = Repository.discover(migration.root)
    assert history.waiting(repository, commit, Lane()) == 4
    assert history.waiting(repository, commit, Lane()) == len(
        snapshot.take(repository, Lane(), commit).waiting
    )


def test_a_row_that_no_commit_brought_is_not_dated(migration):
    migration.commit(9, lane("a"))
    migration.ledger = ledger.extend(b"", [batch(1, "a")])
    migration.commit(8, {PATH: migration.ledger.decode() + "torn"})
    with pytest.raises(CockpitError, match=r"promotions.ndjson|ledger"):
        _ = migration.ground().landings


def test_a_history_that_is_cut_off_tells_nothing(migration, tmp_path):
    migration.commit(9, lane("a"))
    migration.commit(8, moved("a"), batch(1, "a"))
    url = f"file://{migration.root}"
    subprocess.run(["git", "clone", "-q", "--depth", "1", url, tmp_path / "cut"], check=True)
    ground = Migration(tmp_path / "cut").ground()
    for numbers in (lambda: ground.landings, lambda: ground.sizes, ground.forecast):
        with pytest.raises(CockpitError, match="cut off"):
            numbers()
    assert {metric.light for metric in metrics.measure(ground)} == {Light.UNKNOWN}


@given(
    st.lists(st.sampled_from([b"+{", b"\x01", b"12", b"\n", b'"batch_id"', b":", b"}", b"[" * 99]))
)
def test_no_content_of_a_ledger_breaks_the_reading_of_history(pieces):
    class Answers:
        def run(self, *arguments):
            # Git puts a mark before each line of a content.
            return SimpleNamespace(stdout=b"\x011\n+" + b"".join(pieces).replace(b"\n", b"\n+"))

    list(history._entered(cast("Repository", Answers()), "HEAD", "x"))


# Numbers of git


@pytest.mark.parametrize(
    "events, light",
    [
        ([(90, lane("a", "b", "c", "d"))], Light.RED),
        ([(90, lane("a", "b", "c", "d")), (5, moved("a"))], Light.AMBER),
        ([(90, lane("a", "b", "c", "d")), (5, lane("e"))], Light.RED),
        ([(90, lane("a", "b")), (5, moved("a", "b"))], Light.GREEN),
        ([(5, lane("a", "b"))], Light.AMBER),
    ],
)
def test_the_light_of_the_lane(migration, events, light):
    for days, files in events:
        migration.commit(days, files)
    metric = metrics.measure(migration.ground())[0]
    assert (metric.name, metric.light) == ("lane", light)
    assert metric.evidence["commit"] == migration.git("rev-parse", "HEAD")


def test_what_was_promoted_this_week_is_counted_since_monday(migration):
    since = NOW.weekday() + (NOW - NOW.replace(hour=0, minute=0, second=0)) / timedelta(days=1)
    migration.commit(60, lane("a", "b", "c"))
    migration.commit(since + 0.01, moved("a"), batch(1, "a"))
    migration.commit(since / 2, moved("b", "c"), batch(2, "b", "c"))
    metric = metrics.measure(migration.ground())[1]
    assert metric.value == 2
    assert metric.evidence["batches"] == ["0123456-00000002"]
    assert metric.light is Light.GREEN


@pytest.mark.parametrize(
    "events, light, value",
    [
        ([], Light.AMBER, 0),
        ([(50, "a"), (29, "b")], Light.RED, 0),
        ([(50, "a"), (27, "b")], Light.AMBER, 0),
        ([(29, "a"), (23, "b"), (16, "c")], Light.AMBER, 0),
    ],
)
def test_the_light_of_what_was_promoted(migration, events, light, value):
    migration.commit(60, lane("a", "b", "c", "d"))
    for number, (days, name) in enumerate(events):
        migration.commit(days, moved(name), batch(number, name))
    metric = metrics.measure(migration.ground())[1]
    assert (metric.light, metric.value) == (light, value)


def test_a_broken_ledger_makes_no_number(migration):
    migration.commit(9, lane("a"))
    migration.commit(8, {PATH: "{}\n"})
    metric = metrics.measure(migration.ground())[1]
    assert (metric.light, metric.value, metric.at) == (Light.UNKNOWN, None, None)


# Reports


def write(ground: Ground, name: str, data: Any) -> Path:
    path = ground.repository.root / "artifacts" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(artifacts.canonical(data))
    return path


def of(ground: Ground, **changes: str) -> dict[str, str]:
    tree, settings = ground.repository.tree(ground.commit), ground.config.digest()
    return {"tree": tree, "settings_sha256": settings, **changes}


def report(ground: Ground, gate: str, **changes: Any) -> dict[str, Any]:
    own = {"name": JUDGED, "data": of(ground)}
    judged, evidence = changes.pop("judged", own), changes.pop("evidence", [])
    return {
        "schema": "pytest-cockpit/gate-report/1",
        "gate": gate,
        "verdict": "pass",
        "summary": "fine",
        "checked": 4,
        "findings": [],
        "cases": [],
        "evidence": [*evidence, judged],
        **changes,
    }


def vouched(
    ground: Ground, *paths: Path, age: timedelta = timedelta(0), name: str = "batch"
) -> None:
    """A session's record that names these files as they are now."""
    at = (ground.now - age).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    root = ground.repository.root
    record = {
        "schema": "pytest-cockpit/session/1",
        "mode": name,
        "session_id": f"{name}-20260101T000000000000Z-1",
        "exit_status": 0,
        "started": at,
        "finished": at,
        "base": None,
        "batch_id": None,
        "plan_sha256": None,
        "planned": 0,
        "items": [],
        "totals": dict.fromkeys(("pass", "warn", "fail", "unknown", "error", "skip"), 0),
        "artifacts": [
            {
                "path": path.relative_to(root).as_posix(),
                "sha256": artifacts.sha256(path.read_bytes()),
            }
            for path in paths
        ],
        "sealed": None,
        "waivers": [],
        "extra": {},
    }
    artifacts.write(root / f"artifacts/session.{name}.json", record, "session")


CONTRACTS = [{"name": "contracts", "data": {"count": 4}}]


def matriz(ground: Ground) -> metrics.Metric:
    return metrics.measure(dataclasses.replace(ground))[2]


@pytest.fixture
def ground(migration: Migration) -> Ground:
    migration.commit(9, lane("a", "b"))
    return migration.ground(gates=("matriz", "coverage", "imports", "quarantine"))


def test_a_rate_comes_from_a_report_that_a_session_vouches_for(ground):
    bad: dict[str, Any] = {
        "rule": "matriz.schema", "message": "x", "severity": "error", "path": "c.json",
        "line": None, "pointer": None, "remedy": None, "evidence": {},
    }  # fmt: skip
    path = write(
        ground,
        "gates/matriz.json",
        report(ground, "matriz", verdict="fail", findings=[bad, bad], evidence=CONTRACTS),
    )
    vouched(ground, path, age=timedelta(hours=1))
    metric = matriz(ground)
    assert (metric.light, metric.value) == (Light.RED, 75.0)
    assert metric.to_json(NOW)["age_s"] == 3600
    assert metric.evidence["session"] == "batch-20260101T000000000000Z-1"


@pytest.mark.parametrize(
    "verdict, light",
    [
        ("pass", Light.GREEN),
        ("warn", Light.AMBER),
        ("unknown", Light.UNKNOWN),
        ("error", Light.UNKNOWN),
    ],
)
def test_the_light_of_a_report_follows_its_verdict(ground, verdict, light):
    path = write(
        ground, "gates/matriz.json", report(ground, "matriz", verdict=verdict, evidence=CONTRACTS)
    )
    vouched(ground, path)
    assert matriz(ground).light is light


def test_reports_that_do_not_count(ground, tmp_path):
    def told(**changes):
        path = write(
            ground, "gates/matriz.json", report(ground, "matriz", evidence=CONTRACTS, **changes)
        )
        vouched(ground, path)
        return path

    assert "is not there" in matriz(ground).summary
    path = told()
    assert matriz(ground).light is Light.GREEN
    vouched(ground, path, age=MAX_AGE + timedelta(days=1))
    assert "is 8 days old" in matriz(ground).summary
    vouched(ground, path, age=timedelta(hours=-1))
    assert "which is to come" in matriz(ground).summary
    vouched(ground)
    assert "no session's record names it" in matriz(ground).summary
    told(judged={"name": JUDGED, "data": of(ground, tree="f" * 40)})
    assert "is of tree ffffffffffff" in matriz(ground).summary
    told(judged={"name": "timing", "data": of(ground)})
    assert "is of a working tree" in matriz(ground).summary
    told(judged={"name": JUDGED, "data": of(ground, settings_sha256="f" * 64)})
    assert "was judged by other settings" in matriz(ground).summary
    path = write(ground, "gates/matriz.json", {"gate": "matriz"})
    vouched(ground, path)
    assert "not as its schema says" in matriz(ground).summary
    path = told()
    path.write_text(path.read_text() + " ")
    assert "no session's record names it" in matriz(ground).summary
    path.unlink()
    path.symlink_to(tmp_path)
    assert "a link" in matriz(ground).summary
    path = told() if not path.unlink() else path
    path.write_text("{")
    vouched(ground, path)
    assert "not JSON" in matriz(ground).summary


def test_a_broken_record_vouches_for_nothing(ground):
    path = write(ground, "gates/matriz.json", report(ground, "matriz", evidence=CONTRACTS))
    vouched(ground, path)
    write(ground, "session.batch.json", {"schema": "pytest-cockpit/session/1"})
    assert matriz(ground).light is Light.UNKNOWN


def test_what_a_session_has_just_written_counts_for_itself(ground):
    path = write(ground, "gates/matriz.json", report(ground, "matriz", evidence=CONTRACTS))
    assert matriz(ground).light is Light.UNKNOWN
    assert matriz(dataclasses.replace(ground, own=(path,))).light is Light.GREEN


def test_an_artifact_of_another_session_does_not_go_with_a_report(ground):
    kept = write(ground, "gates/imports.json", report(ground, "imports"))
    beside = write(ground, "import_failures.json", FAILURES)
    vouched(ground, kept, beside)
    assert isinstance(ground.kept("imports", "import_failures.json"), Kept)
    vouched(ground, kept)
    vouched(ground, beside, name="gates")
    again = dataclasses.replace(ground)
    assert "is of another session" in str(again.kept("imports", "import_failures.json"))


def test_a_report_on_the_rest_of_a_red_batch_goes_with_what_was_written_beside_it(ground):
    whole = report(ground, "imports", judged={"name": JUDGED, "data": of(ground, tree="f" * 40)})
    rest = report(ground, "imports", summary="the rest")
    paths = [
        write(ground, "gates/imports.json", whole),
        write(ground, "import_failures.json", FAILURES),
        write(ground, "gates/rest/imports.json", rest),
    ]
    vouched(ground, *paths)
    said = dataclasses.replace(ground).kept("imports", "import_failures.json")
    assert "gates/imports.json: is of tree ffffffffffff" in str(said)
    beside = write(ground, "gates/rest/artifacts/import_failures.json", FAILURES)
    vouched(ground, *paths, beside)
    found = dataclasses.replace(ground).kept("imports", "import_failures.json")
    assert isinstance(found, Kept)
    assert found.report["summary"] == "the rest"


def test_gates_that_are_not_configured_or_skipped_give_no_number(migration):
    migration.commit(9, lane("a"))
    found = migration.ground(gates=("matriz",), gate={"matriz": {"skip": "no contracts"}})
    lights = {metric.name: metric for metric in metrics.measure(found)}
    assert "declared not applicable: no contracts" in lights["matriz"].summary
    assert "not among the configured gates" in lights["coverage"].summary
    assert {lights[name].light for name in ("matriz", "coverage", "quarantine", "imports")} == {
        Light.UNKNOWN
    }


FAILURE = {"module": "a", "path": "a.py", "class": "x", "message": "", "line": None}
FAILURES = {
    "schema": "pytest-cockpit/import_failures/1",
    "whole": True,
    "tried": 5,
    "failures": [{**FAILURE, "permitted": True}, FAILURE],
    "untried": [],
}
HELD = {
    "schema": "pytest-cockpit/quarantine/1",
    "day": "2026-11-21",
    "quarantined": 0,
    "permitted": 2,
    "collected": 5,
    "tests": [],
}


@pytest.mark.parametrize(
    "failures, light",
    [([], Light.GREEN), ([{**FAILURE, "permitted": True}], Light.AMBER), ([FAILURE], Light.RED)],
)
def test_the_light_of_imports(ground, failures, light):
    kept = write(ground, "gates/imports.json", report(ground, "imports"))
    vouched(ground, kept, write(ground, "import_failures.json", {**FAILURES, "failures": failures}))
    metric = metrics.measure(ground)[5]
    assert (metric.light, metric.value) == (light, len(failures))


@pytest.mark.parametrize("known", [0, 2])
def test_a_batch_that_tried_its_own_modules_alone_makes_imports_not_green(ground, known):
    kept = write(ground, "gates/imports.json", report(ground, "imports"))
    untried = [{"path": f"{number}.py", "class": "exception"} for number in range(known)]
    part = {**FAILURES, "whole": False, "tried": 3, "failures": [], "untried": untried}
    vouched(ground, kept, write(ground, "import_failures.json", part))
    metric = metrics.measure(ground)[5]
    assert (metric.light, metric.value) == (Light.AMBER, known)
    more = "; 2 more known from the baseline, not tried" if known else ""
    said = "0 of the 3 modules that the batch touched fail to import, 0 of them known"
    assert metric.summary == said + more


def test_what_does_not_say_what_was_tried_makes_no_number(ground):
    kept = write(ground, "gates/imports.json", report(ground, "imports"))
    old = {key: FAILURES[key] for key in ("schema", "failures")}
    vouched(ground, kept, write(ground, "import_failures.json", old))
    assert metrics.measure(ground)[5].light is Light.UNKNOWN


@pytest.mark.parametrize(
    "verdict, count, light",
    [
        ("pass", 0, Light.GREEN),
        ("pass", 2, Light.AMBER),
        ("fail", 3, Light.RED),
        ("unknown", 0, Light.UNKNOWN),
    ],
)
def test_the_light_of_quarantine(ground, verdict, count, light):
    kept = write(ground, "gates/quarantine.json", report(ground, "quarantine", verdict=verdict))
    vouched(ground, kept, write(ground, "quarantine.json", {**HELD, "quarantined": count}))
    assert metrics.measure(ground)[4].light is light


def coverage_row(missing: int, bound: int | None) -> dict[str, Any]:
    return {
        "sha256": "0" * 64,
        "statements": 50,
        "missing_lines": missing,
        "branches": 0,
        "missing_branches": 0,
        "excluded": 0,
        "uncovered": "",
        "changed": 0,
        "changed_uncovered": "",
        "bound": None
        if bound is None
        else {"missing_lines": bound, "missing_branches": 0, "excluded": 0},
    }


def coverage_document(**rows: dict[str, Any]) -> dict[str, Any]:
    totals = (
        "files", "statements", "missing_lines", "branches", "missing_branches", "excluded",
        "same_as_at_the_baseline", "unreadable", "omitted",
    )  # fmt: skip
    return {
        "schema": "pytest-cockpit/coverage_ratchet/1",
        "commit": None,
        "base": None,
        "versions": {"coverage": "7", "python": "3", "implementation": "c", "pytest": "9"},
        "totals": dict.fromkeys(totals, 0),
        "tests": {"exit": 0, "passed": 1, "failed": 0, "skipped": 0, "failures": {}},
        "patch": {"base": None, "unknown": None, "statements": 0, "executed": 0},
        "files": {f"{name}.py": row for name, row in rows.items()},
        "unreadable": {},
    }


@pytest.mark.parametrize(
    "verdict, missing, light, value",
    [
        ("pass", 10, Light.GREEN, 0.0),
        ("pass", 5, Light.GREEN, 5.0),
        ("warn", 5, Light.AMBER, 5.0),
        ("fail", 12, Light.RED, -2.0),
        ("fail", 10, Light.RED, 0.0),
        ("unknown", 10, Light.UNKNOWN, None),
    ],
)
def test_the_light_of_coverage(ground, verdict, missing, light, value):
    kept = write(ground, "gates/coverage.json", report(ground, "coverage", verdict=verdict))
    document = coverage_document(
        a=coverage_row(missing, 10), b=coverage_row(3, 3), c=coverage_row(9, None)
    )
    vouched(ground, kept, write(ground, "coverage_ratchet.json", document))
    metric = metrics.measure(ground)[3]
    assert (metric.light, metric.value) == (light, value)


def test_numbers_are_a_valid_artifact(ground):
    document = metrics.document(ground, metrics.measure(ground))
    assert artifacts.validate(document, "metrics") == []
    assert [row["name"] for row in document["metrics"]] == [
        "lane",
        "promoted",
        "matriz",
        "coverage",
        "quarantine",
        "imports",
    ]


# Readings

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(st.text(max_size=8), ANYTHING, max_size=5))
def test_no_document_breaks_a_reading(document):
    for reading in (readings.coverage_delta, readings.quarantined, readings.import_failures):
        with pytest.raises(CockpitError):
            reading(document)
    with contextlib.suppress(CockpitError):
        readings.coverage_of_baseline(document)


@given(
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(["contracts", "totals", JUDGED]),
                "data": st.dictionaries(
                    st.sampled_from(["count", "statements", "missing_lines", "tree"]), ANYTHING
                ),
            }
        ),
        max_size=3,
    )
)
def test_no_evidence_breaks_a_reading(evidence):
    document = {"gate": "matriz", "evidence": evidence, "findings": [], "checked": 2}
    for reading in (readings.matriz, readings.coverage):
        with contextlib.suppress(CockpitError):
            reading(document)


@pytest.mark.parametrize("entries", [{}, {"a.py": 3}, {"a.py": {"statements": "x"}}])
def test_a_baseline_without_statements_is_none(entries):
    with pytest.raises(CockpitError, match="no statement"):
        readings.coverage_of_baseline(entries)


def test_the_shelf_lies_in_the_repository(tmp_path):
    (tmp_path / "repo").mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "repo/artifacts").symlink_to(tmp_path / "outside")
    shelf = Shelf(tmp_path / "repo", "artifacts", (), NOW, "")
    assert "a link leads elsewhere" in str(shelf.kept("matriz", OID, NOW))


@given(ANYTHING | st.binary(max_size=30), ANYTHING | st.binary(max_size=30))
def test_no_file_breaks_the_shelf(record, found):
    def written(value):
        return value if isinstance(value, bytes) else artifacts.canonical(value)

    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve() / "artifacts"
        (folder / "gates").mkdir(parents=True)
        (folder / "session.batch.json").write_bytes(written(record))
        path = folder / "gates/matriz.json"
        path.write_bytes(written(found))
        shelf = Shelf(folder.parent, "artifacts", (path,), NOW, "")
        assert isinstance(shelf.kept("matriz", OID, NOW), str)


# Leftovers


def test_users_of_the_lane_are_told_by_every_form_of_import(migration):
    migration.commit(
        1,
        moved("a", "b", "c", "d")
        | lane("own")
        | {
            "candidate/__init__.py": "",
            "app/one.py": "import candidate.a as x\n",
            "app/two.py": "from candidate import b\n",
            "app/three.py": "try:\n    from candidate.c import NAME\nexcept ImportError:\n    pass\n",
            "app/four.py": "def f(of):\n    return of.import_module('candidate.d')\n",
            "app/not.py": "import candidates\nfrom other.candidate import a\n",
            "app/broken.py": "from candidate import (\n",
            "candidate/uses.py": "from .d import NAME\n",
            "conf.toml": 'entry = "candidate.a:NAME"\n',
        },
    )
    head = migration.git("rev-parse", "HEAD")
    found = leftovers.find(Repository.discover(migration.root), head, Lane())
    assert [(use.path, use.line, use.module) for use in found.uses] == [
        ("app/four.py", 2, "candidate.d"),
        ("app/one.py", 1, "candidate.a"),
        ("app/three.py", 2, "candidate.c.NAME"),
        ("app/two.py", 1, "candidate.b"),
    ]
    assert {shim.module: shim.users for shim in found.shims} == {
        "candidate.a": ("app/one.py", "conf.toml"),
        "candidate.b": ("app/two.py",),
        "candidate.c": ("app/three.py",),
        "candidate.d": ("app/four.py", "candidate/uses.py"),
    }


@pytest.mark.parametrize(
    "path, is_test",
    [
        ("tests/a.py", True),
        ("pkg/test/a.py", True),
        ("test_a.py", True),
        ("pkg/a_test.py", True),
        ("conftest.py", True),
        ("app/testing.py", False),
        ("app/contest.py", False),
    ],
)
def test_tests_are_told_from_production(path, is_test):
    assert leftovers.Use(path, 1, "candidate").in_test is is_test
