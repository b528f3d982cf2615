"""The coverage gate over real git histories, real tampering and real processes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Context, Finding, Lane, Move, Report, Severity, Verdict
from pytest_cockpit.records.artifacts import sha256, validate
from pytest_cockpit.records.baselines import Baseline, dump, load, path_of
from pytest_cockpit_gates.coverage import gate, past, proofs, rules
from pytest_cockpit_gates.coverage.history import History, Unknown
from pytest_cockpit_gates.coverage.tree import survey

pytestmark = pytest.mark.usefixtures("warm_programs")
BASELINE = path_of(".cockpit", "coverage")
QUICK = {**proofs.QUICK, "timeout_s": 120}
PILOT = (
    "def climb(up):\n    if up:\n        return 1\n    return 0\n\n\ndef land():\n    return 2\n"
)
BOTH = (
    "import pilot\n\n\ndef test_up():\n    assert pilot.climb(1)\n\n\n"
    "def test_land():\n    assert pilot.land() == 2\n"
)
INI = "[pytest]\npython_files = check_*.py\n"
FILES = {"pilot.py": PILOT, "test_pilot.py": BOTH}


def lay(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


class Repo:
    """A repository with a gate that judges its working tree."""

    def __init__(self, folder: Path, files: Mapping[str, str | bytes], **settings: Any) -> None:
        self.folder = folder
        self.root = folder / "tree"
        self.root.mkdir(parents=True)
        self.settings = {**QUICK, **settings}
        self.git("init", "-q", "-b", "main")
        self.base = self.commit(files)

    def git(self, *arguments: str) -> str:
        who = [*("-c", "user.name=x"), *("-c", "user.email=x@example.invalid")]
        return subprocess.run(
            ["git", *who, *arguments], cwd=self.root, check=True, capture_output=True, text=True
        ).stdout.strip()

    def commit(self, files: Mapping[str, str | bytes] | None = None) -> str:
        lay(self.root, files or {})
        self.git("add", "-A")
        self.git("commit", "-q", "-m", "x", "--allow-empty")
        self.base = self.git("rev-parse", "HEAD")
        return self.base

    def context(self, **more: Any) -> Context:
        scratch = self.folder / "scratch"
        scratch.mkdir(exist_ok=True)
        settings = {**self.settings, **more.pop("settings", {})}
        given = {"base": self.base, **more}
        return Context(root=self.root, scratch=scratch, settings=settings, **given)

    def measure(self, **more: Any) -> dict[str, Any]:
        kept = gate.baseline(self.context(**more))
        assert kept is not None
        return kept

    def init(self, **more: Any) -> dict[str, Any]:
        kept = self.measure(commit=self.base, **more)
        data = dump(Baseline("coverage", kept["entries"], kept["meta"]))
        self.commit({BASELINE: data})
        return kept

    def check(self, **more: Any) -> Report:
        listed = self.git("diff", "--name-only", "--diff-filter=d", self.base)
        others = self.git("ls-files", "--others", "--exclude-standard")
        changed = tuple(sorted({*listed.splitlines(), *others.splitlines()}))
        return gate.check(self.context(**{"changed": changed, **more}))

    def artifact(self) -> Any:
        text = (self.folder / "scratch/artifacts/coverage_ratchet.json").read_bytes()
        document = json.loads(text)
        assert validate(document, "coverage_ratchet") == []
        return document

    def edit_baseline(self, **entries: Any) -> None:
        kept = load(self.root, ".cockpit", "coverage")
        assert kept is not None
        changed = {**kept.entries, **entries}
        left = {path: entry for path, entry in changed.items() if entry is not None}
        lay(self.root, {BASELINE: dump(Baseline("coverage", left, kept.meta))})


def rules_of(report: Report) -> set[str]:
    return {found.rule for found in report.findings if found.severity is not Severity.INFO}


def named(report: Report, rule: str) -> Finding:
    return next(found for found in report.findings if found.rule == rule)


# Renames


def test_a_bound_follows_a_rename_that_git_sees(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "test_bad.py": "def test_no():\n    assert 0\n"})
    repo.init()
    # Renamed and edited, by hand and not committed: the new names are not even in the index.
    (repo.root / "pilot.py").rename(repo.root / "captain.py")
    (repo.root / "test_bad.py").rename(repo.root / "test_worse.py")
    lay(
        repo.root,
        {
            "captain.py": PILOT.replace("return 2", "return 1 + 1"),
            "test_pilot.py": BOTH.replace("import pilot", "import captain as pilot"),
        },
    )
    before = repo.git("count-objects", "-v"), (repo.root / ".git/index").read_bytes()
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.PASS, set())
    assert "1 of 1 changed statements executed" in report.summary
    assert "1 known failure" in report.summary
    row = repo.artifact()["files"]["captain.py"]
    assert row["bound"] == {"missing_lines": 1, "missing_branches": 1, "excluded": 0}
    assert (row["changed"], row["changed_uncovered"]) == (1, "")
    # Nothing was written into the repository.
    assert (repo.git("count-objects", "-v"), (repo.root / ".git/index").read_bytes()) == before
    lay(repo.root, {"test_pilot.py": BOTH.replace("pilot.land() == 2", "1")})
    (repo.root / "test_pilot.py").write_text(
        "import captain\n\n\ndef test_up():\n    assert captain.climb(1)\n"
    )
    assert rules_of(repo.check()) == {rules.MORE_LINES}


def test_a_rename_is_followed_since_the_baseline_was_measured(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    repo.git("mv", "pilot.py", "captain.py")
    repo.commit({"test_pilot.py": BOTH.replace("import pilot", "import captain as pilot")})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.PASS, set())
    assert repo.artifact()["files"]["captain.py"]["bound"]["missing_lines"] == 1
    # In a clone without that history the file is new, never free of any bound.
    repo.edit_baseline()
    kept = load(repo.root, ".cockpit", "coverage")
    lost = {**kept.meta, "measured": [{"base": "0" * 40}, {"base": "--output=x"}, {}]}
    repo.commit({BASELINE: dump(Baseline("coverage", kept.entries, lost))})
    repo.check()
    assert repo.artifact()["files"]["captain.py"]["bound"] is None
    assert not (repo.root / "x").exists()


def test_copies_and_splits_are_new_files(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "radio.py": PILOT.replace("climb", "call")})
    repo.init()
    lay(repo.root, {"copy.py": PILOT.replace("climb", "call") + "\n\nMORE = 1\n"})
    report = repo.check()
    assert named(report, rules.NEW_FILE).path == "copy.py"
    assert rules_of(report) == {rules.NEW_FILE}
    # Of two halves, one at most is the old file.
    (repo.root / "copy.py").unlink()
    (repo.root / "radio.py").unlink()
    first, _, second = PILOT.partition("\n\n\n")
    lay(repo.root, {"half.py": first.replace("climb", "call") + "\n", "other.py": second})
    report = repo.check()
    assert named(report, rules.NEW_FILE).path == "other.py"


def test_a_batch_moves_bounds_and_what_changed_is_what_it_rewrote(tmp_path: Path) -> None:
    repo = Repo(
        tmp_path,
        {
            "candidate/__init__.py": "",
            "candidate/pilot.py": PILOT,
            "test_pilot.py": BOTH.replace("import pilot", "from candidate import pilot"),
        },
    )
    repo.init()
    base = repo.base
    shim = "# cockpit: moved to pilot\nfrom pilot import *\n"
    rewritten = PILOT.replace("return 2", "return int('2')")
    commit = repo.commit({**FILES, "candidate/pilot.py": shim, "pilot.py": rewritten})
    moves = (Move("candidate/pilot.py", "pilot.py", "0" * 40),)
    report = repo.check(base=base, commit=commit, moves=moves, changed=("pilot.py",))
    assert (report.verdict, rules_of(report)) == (Verdict.PASS, set())
    assert "1 of 1 changed statements executed" in report.summary
    assert repo.artifact()["commit"] == commit


def test_the_mark_of_a_shim_excuses_no_code(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    more = "\n\ndef dive():\n    return 3\n"
    lay(repo.root, {"pilot.py": f"# cockpit: moved to captain\n{PILOT}{more}"})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.FAIL, {rules.MORE_LINES})


@pytest.mark.parametrize("bound", ["kept", "removed"])
def test_a_link_does_not_take_a_file_out_of_the_ratchet(bound: str, tmp_path: Path) -> None:
    other = {"radio.py": "x = 1\n", "test_radio.py": "import radio\n\n\ndef test_x():\n    pass\n"}
    repo = Repo(tmp_path, {**FILES, **other})
    repo.init()
    lay(repo.root, {"tests/impl.py": f"{PILOT}\n\ndef dive():\n    return 3\n"})
    (repo.root / "pilot.py").unlink()
    (repo.root / "pilot.py").symlink_to("tests/impl.py")
    if bound == "removed":
        repo.edit_baseline(**{"pilot.py": None})
    report = repo.check()
    if bound == "kept":
        assert report.verdict is not Verdict.PASS
        assert named(report, rules.NO_DATA).message.startswith("not measured: ")
    else:
        assert named(report, rules.LOOSENED).path == "pilot.py"


# The base commit


def test_a_bound_edited_by_hand_is_seen(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    kept = repo.init()
    looser = {**kept["entries"]["pilot.py"], "missing_lines": 2}
    lay(repo.root, {"test_pilot.py": BOTH.partition("\n\n\ndef test_land")[0]})
    repo.edit_baseline(**{"pilot.py": looser})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.FAIL, {rules.LOOSENED})
    repo.edit_baseline(**{"pilot.py": None})
    assert rules_of(repo.check()) == {rules.LOOSENED, rules.NEW_FILE}
    # Measured again, it is as loose as by hand.
    again = repo.measure()
    lay(repo.root, {BASELINE: dump(Baseline("coverage", again["entries"], again["meta"]))})
    assert rules_of(repo.check()) == {rules.LOOSENED}


def test_a_known_failure_added_by_hand_is_seen(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    kept = repo.init()
    meta = {**kept["meta"], "failing_tests": ["test_pilot.py::test_land"]}
    lay(repo.root, {BASELINE: dump(Baseline("coverage", kept["entries"], meta))})
    report = repo.check()
    assert (report.verdict, named(report, rules.LOOSENED).path) == (Verdict.FAIL, "test_pilot.py")


def test_two_branches_merge_to_what_both_have_tested(tmp_path: Path) -> None:
    files = {
        **FILES,
        "radio.py": PILOT,
        "test_radio.py": "import radio\n\n\ndef test_it():\n    assert radio\n",
    }
    repo = Repo(tmp_path, files)
    kept = repo.init()
    repo.git("checkout", "-q", "-b", "other")
    more = {"test_more.py": "import radio\n\n\ndef test_more():\n    assert radio.land()\n"}
    lay(repo.root, more)
    theirs = repo.measure()
    (repo.root / "test_more.py").unlink()
    low = {"test_low.py": "import pilot\n\n\ndef test_low():\n    assert not pilot.climb(0)\n"}
    lay(repo.root, low)
    mine = repo.measure()
    joined = gate.join(mine, theirs)
    for path, lines in {"pilot.py": 0, "radio.py": 3}.items():
        assert joined["entries"][path]["missing_lines"] == lines
        assert kept["entries"][path]["missing_lines"] > lines
    # The merged tree holds the merged baseline; one side's tests alone do not.
    repo.git("checkout", "-q", "main")
    lay(repo.root, {BASELINE: dump(Baseline("coverage", joined["entries"], joined["meta"]))})
    report = repo.check()
    assert (named(report, rules.MORE_LINES).path, rules_of(report)) == (
        "radio.py",
        {rules.MORE_LINES},
    )
    lay(repo.root, more)
    report = repo.check()
    assert (report.verdict, report.findings) == (Verdict.PASS, ())


def test_a_base_that_is_not_there_leaves_it_open(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    report = repo.check(base="1" * 40)
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.LOOSENED})
    report = repo.check(base="1" * 40, settings={"patch_ratio": 0.5})
    assert rules_of(report) == {rules.LOOSENED, rules.PATCH}
    assert repo.artifact()["patch"]["base"] is None
    assert repo.artifact()["patch"]["unknown"]


def test_a_base_with_a_broken_baseline_leaves_it_open(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    kept = repo.init()
    repo.commit({BASELINE: "{"})
    lay(repo.root, {BASELINE: dump(Baseline("coverage", kept["entries"], kept["meta"]))})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.LOOSENED})
    assert "not JSON" in named(report, rules.LOOSENED).message


def test_the_first_baseline_is_compared_with_none(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    kept = repo.measure()
    lay(repo.root, {BASELINE: dump(Baseline("coverage", kept["entries"], kept["meta"]))})
    assert repo.check().verdict is Verdict.PASS


# What changed


def test_patch_coverage_counts_a_statement_by_any_of_its_lines(tmp_path: Path) -> None:
    long = "def fly():\n    return dict(\n        a=1,\n        b=2,\n    )\n"
    repo = Repo(
        tmp_path,
        {
            **FILES,
            "plane.py": long,
            "test_plane.py": "import plane\ndef test_it():\n    assert plane\n",
        },
    )
    repo.init()
    lay(
        repo.root,
        {
            "plane.py": long.replace("b=2", "b=3"),
            "pilot.py": PILOT.replace("return 1", "return 1  # up\n").replace(
                "return 2", "return 1 + 1"
            ),
        },
    )
    report = repo.check(settings={"patch_ratio": 0.5})
    assert "2 of 3 changed statements executed" in report.summary
    files = repo.artifact()["files"]
    assert (files["plane.py"]["changed"], files["plane.py"]["changed_uncovered"]) == (1, "2")
    assert (files["pilot.py"]["changed"], files["pilot.py"]["changed_uncovered"]) == (2, "")
    assert report.verdict is Verdict.PASS
    report = repo.check(settings={"patch_ratio": 0.7})
    assert rules_of(report) == {rules.PATCH}
    assert named(report, rules.PATCH).message.endswith("line 2: return dict(")
    evidence = {row.name: row.data for row in report.evidence}
    assert (evidence["patch"]["statements"], evidence["patch"]["executed"]) == (3, 2)
    shown = (tmp_path / "scratch/artifacts/coverage_ratchet.md").read_text()
    assert "+     2      return dict(" in shown


def test_a_changed_file_that_no_test_executes_is_told(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "radio.py": PILOT})
    repo.init()
    lay(repo.root, {"radio.py": PILOT.replace("return 2", "return 3")})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.WARN, {rules.NO_DATA})
    assert named(report, rules.NO_DATA).path == "radio.py"
    assert repo.check(settings={"untested_change": "unknown"}).verdict is Verdict.UNKNOWN
    # A comment is no change of what runs.
    lay(repo.root, {"radio.py": f"# on air\n{PILOT}"})
    assert repo.check().verdict is Verdict.PASS


# Exclusions


def test_a_comment_does_not_do_for_a_test(tmp_path: Path) -> None:
    repo = Repo(
        tmp_path, {**FILES, "pilot.py": PILOT.replace("return 0", "return 0  # pragma: no cover")}
    )
    kept = repo.init()
    assert kept["entries"]["pilot.py"]["excluded"] == 3  # and the ways out of `if up:`
    assert repo.check().verdict is Verdict.PASS
    more = PILOT.replace("return 0", "return 0  # pragma: no cover").replace(
        "def land():", "def land():  # pragma: no cover"
    )
    lay(repo.root, {"pilot.py": more, "test_pilot.py": BOTH.partition("\n\n\ndef test_land")[0]})
    report = repo.check()
    assert rules_of(report) == {rules.MORE_EXCLUDED}
    assert named(report, rules.MORE_EXCLUDED).line == 4


def test_a_comment_does_not_take_a_branch(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    lay(repo.root, {"pilot.py": PILOT.replace("if up:", "if up:  # pragma: no branch")})
    report = repo.check()
    assert rules_of(report) == {rules.MORE_EXCLUDED}
    found = named(report, rules.MORE_EXCLUDED)
    assert (found.line, found.evidence["excluded_branches"]) == (2, 2)


def test_a_pattern_does_not_do_for_a_test_and_an_old_one_is_the_repositorys_rule(
    tmp_path: Path,
) -> None:
    own = "[report]\nexclude_lines =\n    pragma: no cover\n    raise NotImplementedError\n"
    repo = Repo(tmp_path, {**FILES, ".coveragerc": own})
    kept = repo.init()
    assert "raise NotImplementedError" in kept["meta"]["patterns"]
    assert not any("pragma" in pattern for pattern in kept["meta"]["patterns"])
    abstract = f"{PILOT}\n\ndef taxi():\n    raise NotImplementedError\n"
    lay(repo.root, {"pilot.py": abstract})
    assert repo.check().verdict is Verdict.PASS
    lay(repo.root, {".coveragerc": f"{own}    def land\n", "pilot.py": PILOT})
    report = repo.check()
    assert rules_of(report) == {rules.MORE_EXCLUDED}
    # Nor does a baseline that was measured with it.
    again = repo.measure()
    lay(repo.root, {BASELINE: dump(Baseline("coverage", again["entries"], again["meta"]))})
    report = repo.check()
    assert rules_of(report) == {rules.LOOSENED}
    assert named(report, rules.LOOSENED).evidence["added"] == ["def land"]


def test_a_new_file_full_of_comments(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    lay(repo.root, {"radio.py": PILOT.replace("):", "):  # pragma: no cover")})
    report = repo.check()
    assert (report.verdict, named(report, rules.NEW_FILE).path) == (Verdict.FAIL, "radio.py")


# A measurement that is none


TAMPERED = {
    "the trace function removed": (
        {"conftest.py": "import sys\nsys.settrace(None)\n"},
        "the trace function was removed, first seen after collection",
    ),
    "the trace function replaced": (
        {"conftest.py": "import sys\nsys.settrace(lambda *a: None)\n"},
        "the trace function was replaced, first seen after collection",
    ),
    "coverage stopped": (
        {
            "conftest.py": "import coverage, pytest\n\n\n@pytest.fixture(autouse=True)\n"
            "def stop():\n    yield\n    found = coverage.Coverage.current()\n"
            "    if found:\n        found.stop()\n"
        },
        "the running measurement was stopped, first seen after test_pilot.py::test_up",
    ),
}


@pytest.mark.parametrize(
    ("name", "paths"), [*((name, []) for name in TAMPERED), ("coverage stopped", ["-n", "1"])]
)
def test_tests_that_stop_the_measurement(name: str, paths: list[str], tmp_path: Path) -> None:
    files, said = TAMPERED[name]
    repo = Repo(tmp_path, FILES)
    repo.init()
    lay(repo.root, files)
    settings = {"paths": ["-p", "no:randomly", *paths]}
    report = repo.check(settings=settings)
    assert report.verdict is Verdict.UNKNOWN
    assert named(report, rules.DISTURBED).message == said
    assert "coverage not comparable" in report.summary
    with pytest.raises(CockpitError, match="no baseline, as the"):
        repo.measure(settings=settings)


FAKE = (
    "import sys\nfrom pathlib import Path\n"
    "Path(__file__).with_name('faked').touch()\n"
    "__version__ = '99.0.0'\n"
)


@pytest.mark.parametrize("root", [".", "src"])
def test_a_package_called_coverage_measures_nothing(root: str, tmp_path: Path) -> None:
    lane = Lane(source_roots=(root,))
    place = "" if root == "." else f"{root}/"
    repo = Repo(tmp_path, {f"{place}pilot.py": PILOT, "test_pilot.py": BOTH})
    repo.init(lane=lane)
    fake = {
        f"{place}coverage/__init__.py": FAKE,
        f"{place}coverage/__main__.py": "import sys\nsys.exit(0)\n",
    }
    lay(repo.root, fake)
    report = repo.check(lane=lane)
    assert not (repo.root / f"{place}coverage/faked").exists()
    assert report.verdict is Verdict.FAIL
    found = named(report, rules.OUTSIDE_TREE)
    assert found.path == f"{place}coverage/__init__.py"
    assert found.remedy == "rename it: what measures has this name"


def test_a_sitecustomize_that_brings_its_own_coverage(tmp_path: Path) -> None:
    lane = Lane(source_roots=("src",))
    repo = Repo(tmp_path, {"src/pilot.py": PILOT, "test_pilot.py": BOTH})
    kept = repo.init(lane=lane)
    lay(
        repo.root,
        {
            "src/sitecustomize.py": "import sys, types\n"
            "sys.modules['coverage'] = types.ModuleType('coverage')\n"
            "sys.modules['coverage.cmdline'] = types.ModuleType('coverage.cmdline')\n"
            "sys.modules['coverage.cmdline'].main = lambda *a: 0\n"
        },
    )
    report = repo.check(lane=lane)
    assert repo.artifact()["files"]["src/pilot.py"]["missing_lines"] == 1
    assert kept["entries"]["src/pilot.py"]["missing_lines"] == 1
    assert report.verdict in {Verdict.PASS, Verdict.FAIL}
    assert rules_of(report) <= {rules.NEW_FILE}


def test_an_installed_package_of_the_same_name(tmp_path: Path) -> None:
    """The real one, put first by a path entry as an installation would be."""
    found = pytest.importorskip("sortedcontainers")
    site = str(Path(found.__file__).parents[1])
    tree = {
        "sortedcontainers/__init__.py": PILOT,
        "checks/test_it.py": "import sortedcontainers\n\n\ndef test_it():\n    assert sortedcontainers\n",
        "checks/conftest.py": f"import sys\nsys.path.insert(0, {site!r})\n",
    }
    repo = Repo(tmp_path, tree)
    entry = {"missing_lines": 6, "missing_branches": 2, "statements": 6}
    repo.commit({BASELINE: dump(Baseline("coverage", {"sortedcontainers/__init__.py": entry}))})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (
        Verdict.FAIL,
        {rules.OUTSIDE_TREE, rules.NO_DATA},
    )
    assert "site-packages" in named(report, rules.OUTSIDE_TREE).message


@pytest.mark.parametrize(
    ("files", "settings"),
    [
        ({"conftest.py": "collect_ignore_glob = ['*']\n"}, {}),
        ({"pytest.ini": "[pytest]\naddopts = -k nothing_is_called_so\n"}, {}),
        ({"pytest.ini": "[pytest]\npython_files = none_*.py\n"}, {}),
        (
            {
                "conftest.py": "def pytest_collection_modifyitems(config, items):\n"
                "    config.hook.pytest_deselected(items=list(items))\n    items.clear()\n"
            },
            {},
        ),
        ({"conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n"}, {}),
        (
            {
                "conftest.py": "def pytest_collection_modifyitems(items):\n    items.clear()\n\n\n"
                "def pytest_sessionfinish(session):\n    session.exitstatus = 0\n"
            },
            {},
        ),
        ({}, {"paths": ["--collect-only"]}),
    ],
)
def test_tests_that_are_not_run_show_nothing(
    files: dict[str, str], settings: dict[str, Any], tmp_path: Path
) -> None:
    repo = Repo(tmp_path, FILES)
    repo.init()
    lay(repo.root, files)
    report = repo.check(settings=settings)
    assert not report.verdict.opens
    assert rules_of(report) & {rules.TESTS_DID_NOT_RUN, rules.NO_DATA, rules.MORE_LINES}


def test_skipped_tests_are_counted(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    kept = repo.init()
    assert (kept["meta"]["passed"], kept["meta"]["skipped"]) == (2, 0)
    lay(repo.root, {"test_pilot.py": f"import pytest\npytestmark = pytest.mark.skip\n{BOTH}"})
    report = repo.check()
    assert rules.MORE_LINES in rules_of(report)
    assert named(report, rules.MORE_SKIPPED).evidence == {"skipped": 2, "baseline": 0}


# Processes


CHILDREN = """\
import multiprocessing, os, signal, sys

import pilot


def test_processes():
    context = multiprocessing.get_context("{method}")
    child = context.Process(target=pilot.{call})
    child.start()
    child.join()
"""
MODULE = f"{PILOT}\n\ndef leave():\n    import os\n    land()\n    os._exit(3)\n\n\ndef die():\n    import os\n    land()\n    os.kill(os.getpid(), 9)\n"


@pytest.mark.parametrize(
    ("method", "paths"),
    [("fork", []), ("spawn", []), ("forkserver", []), ("fork", ["-n", "2"])],
)
def test_what_processes_execute_is_counted(method: str, paths: list[str], tmp_path: Path) -> None:
    files = {"pilot.py": MODULE, "test_pilot.py": CHILDREN.format(method=method, call="leave")}
    repo = Repo(tmp_path, files, paths=paths)
    entry = repo.init()["entries"]["pilot.py"]
    # The functions `climb` and `die` are left; all of `leave` and `land` ran in the child.
    assert entry["uncovered"] == "2-4,18-20"


def test_a_killed_child_loses_its_lines_and_that_is_no_pass(tmp_path: Path) -> None:
    files = {"pilot.py": MODULE, "test_pilot.py": CHILDREN.format(method="fork", call="leave")}
    repo = Repo(tmp_path, files)
    repo.init()
    lay(repo.root, {"test_pilot.py": CHILDREN.format(method="fork", call="die")})
    report = repo.check()
    assert (report.verdict, rules_of(report)) == (Verdict.FAIL, {rules.MORE_LINES})


def test_all_of_it_together(tmp_path: Path) -> None:
    tests = {
        f"test_{name}.py": f"import subprocess, sys\n\nimport pilot\n\n\ndef test_it():\n    {body}\n"
        for name, body in {
            "one": "assert pilot.climb(1)",
            "two": "subprocess.run([sys.executable, '-c', 'import pilot; pilot.climb(0)'], check=True)",
            "three": "assert pilot.land()",
        }.items()
    }
    repo = Repo(tmp_path, {"pilot.py": PILOT, **tests}, paths=["-n", "2"], pythonpath=["."])
    entry = repo.init()["entries"]["pilot.py"]
    assert (entry["missing_lines"], entry["missing_branches"]) == (0, 0)


# The artifact


def test_the_artifact_says_all_that_others_read(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "radio.py": PILOT, "broken.py": "def\n"})
    repo.init()
    repo.check(commit=repo.base)
    document = repo.artifact()
    assert document["commit"] == document["base"] == repo.base
    assert set(document["versions"]) == {"coverage", "python", "implementation", "pytest"}
    assert document["files"]["pilot.py"] == {
        "sha256": sha256(PILOT.encode()),
        "statements": 6,
        "missing_lines": 1,
        "branches": 2,
        "missing_branches": 1,
        "excluded": 0,
        "uncovered": "4",
        "changed": 0,
        "changed_uncovered": "",
        "bound": {"missing_lines": 1, "missing_branches": 1, "excluded": 0},
    }
    # What was not even parsed has all it needs, too.
    assert document["files"]["radio.py"]["sha256"] == sha256(PILOT.encode())
    assert document["files"]["radio.py"]["uncovered"] == "all"
    assert document["totals"]["same_as_at_the_baseline"] == 1
    assert (document["totals"]["statements"], document["totals"]["branches"]) == (12, 4)
    assert list(document["unreadable"]) == ["broken.py"]


def test_a_seal_with_other_counts_spares_nothing(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "radio.py": PILOT})
    kept = repo.init()
    entry = kept["entries"]["radio.py"]
    repo.edit_baseline(**{"radio.py": {**entry, "missing_lines": 5, "statements": 5}})
    report = repo.check()
    assert rules_of(report) == {rules.MORE_LINES}
    assert repo.artifact()["totals"]["same_as_at_the_baseline"] == 0


def test_a_target_is_not_reached_by_what_was_not_parsed(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {**FILES, "radio.py": PILOT})
    repo.init()
    report = repo.check(settings={"production_target": {"lines": 10}})
    assert rules_of(report) == {rules.BELOW_TARGET}
    assert named(report, rules.BELOW_TARGET).path == "radio.py"


# Git, alone


def history(repo: Repo) -> History:
    work = repo.folder / "work"
    work.mkdir(exist_ok=True)
    return History(repo.root, work)


def test_what_differs_line_by_line(tmp_path: Path) -> None:
    odd = 'caf\u00e9 "x"\t.py'
    text = "".join(f"line = {n}\n" for n in range(20))
    repo = Repo(tmp_path, {"a.py": text, "gone.py": text[:40], odd: text, "notes.txt": text})
    lines = text.splitlines(keepends=True)
    lines[1:3] = ["x = 1\n"]
    lines += ["diff --git a/x b/x\n", "@@ -1 +1 @@\n"]
    lay(
        repo.root,
        {
            "a.py": "".join(lines),
            odd: text + "more = 1\n",
            "notes.txt": "",
            "new.py": "a = 1\nb = 1\n",
            "empty.py": "",
            "b\nc.py": "x = 1\n",
        },
    )
    (repo.root / "gone.py").unlink()
    (repo.root / "link.py").symlink_to("a.py")
    since = history(repo).since(repo.base)
    assert since.renames == {}
    assert since.lines == {
        "a.py": ((2, 2), (20, 21)),
        odd: ((21, 21),),
        "new.py": ((1, 2),),
        "empty.py": (),
        "b\nc.py": ((1, 1),),
        "link.py": ((1, 1),),
    }


@pytest.mark.parametrize("attribute", ["-diff", "binary", "diff=unknown"])
def test_a_tree_cannot_call_its_sources_binary(attribute: str, tmp_path: Path) -> None:
    repo = Repo(tmp_path, {"a.py": "x = 1\ny = 1\n"})
    lay(repo.root, {"a.py": "x = 1\ny = 2\n", ".gitattributes": f"*.py {attribute}\n"})
    assert history(repo).since(repo.base).lines == {"a.py": ((2, 2),)}


def test_users_settings_change_no_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = tmp_path / "gitconfig"
    config.write_text(
        "[diff]\n noprefix = true\n mnemonicPrefix = true\n renames = copies\n external = false\n"
        " interHunkContext = 30\n orderFile = /nonexistent\n[color]\n ui = always\n"
        "[core]\n quotePath = false\n"
    )
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / ".gitconfig").write_text(config.read_text())
    text = "".join(f"line = {n}\n" for n in range(20))
    repo = Repo(tmp_path / "r", {"a.py": text, "b.py": text.replace("line", "name")})
    (repo.root / "b.py").rename(repo.root / "c.py")
    lay(repo.root, {"a.py": text.replace("= 3\n", "= x\n").replace("= 9\n", "= y\n")})
    since = history(repo).since(repo.base)
    assert since.lines == {"a.py": ((4, 4), (10, 10)), "c.py": ()}
    assert since.renames == {"c.py": "b.py"}


def test_what_git_cannot_say(tmp_path: Path) -> None:
    repo = Repo(tmp_path, {"a.py": ""})
    asked = history(repo)
    assert asked.present
    assert asked.knows(repo.base)
    for commit in ("0" * 40, "HEAD", "--help", "", repo.base[:4]):
        assert not asked.knows(commit)
    assert asked.content(repo.base, "a.py") == b""
    assert asked.content(repo.base, "*.py") is None
    with pytest.raises(Unknown):
        asked.since("0" * 40)
    with pytest.raises(Unknown):
        asked.content("0" * 40, "a.py")
    with pytest.raises(Unknown):
        asked.between("HEAD:a.py", "HEAD:b.py")
    (tmp_path / "bare").mkdir()
    assert not History(tmp_path / "bare", tmp_path).present


def test_a_tree_below_another_checkout_has_no_past(tmp_path: Path) -> None:
    repo = Repo(tmp_path, FILES)
    root = lay(repo.root / "inner", FILES)
    scratch = tmp_path / "s"
    scratch.mkdir()
    context = Context(root=root, scratch=scratch, base=repo.base)
    assert past.of(context, survey(context), Baseline("coverage")) == past.Past()


def test_the_starter_of_the_tests_is_like_pythons_own(tmp_path: Path) -> None:
    """The working directory comes first on the path, as under `python -m pytest`."""
    files = {
        "pilot.py": PILOT,
        "checks/test_path.py": "import os, sys\n\nimport pilot\n\n\ndef test_it():\n"
        "    assert sys.path.count(os.getcwd()) == 1\n    assert pilot.land()\n",
    }
    repo = Repo(tmp_path, files, paths=["--import-mode=importlib"])
    assert repo.init()["meta"]["failing_tests"] == []
    assert os.fspath(tmp_path) not in json.dumps(repo.init())
    assert sys.executable not in json.dumps(repo.init()["meta"])


@pytest.mark.parametrize(
    "files, reason",
    [
        ({"pilot.py": PILOT}, "no tests in this repository"),
        ({"pilot.py": PILOT, "test_pilot.py": ""}, None),
        ({"pilot.py": PILOT, "check_pilot.py": BOTH, "pytest.ini": INI}, None),
    ],
)
def test_a_repository_without_tests_has_nothing_to_judge(tmp_path, files, reason):
    context = Repo(tmp_path, files).context()
    assert gate.not_applicable(context) == reason
