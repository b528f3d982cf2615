"""A patch plan from findings: each rule's action, its patch applied, and their order."""

from __future__ import annotations

import json
import re
import subprocess
import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.analysis.shim import moved_to
from pytest_cockpit.api import Finding, Lane, Move, Report, Severity, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import shims
from pytest_cockpit.promotion.remedies import (
    declaring,
    diffs,
    ground,
    markers,
    names,
    planning,
    spans,
)
from pytest_cockpit.promotion.remedies.combining import combined
from pytest_cockpit.promotion.remedies.coverage import nearest_test
from pytest_cockpit.promotion.remedies.ground import Circumstances
from pytest_cockpit.promotion.remedies.model import Action, Facts, Seen
from pytest_cockpit.promotion.remedies.planning import MOST, PatchPlan, action_for, plan
from pytest_cockpit.promotion.remedies.walks import nearest
from pytest_cockpit.records.artifacts import validate
from pytest_cockpit.runner import redact
from pytest_cockpit.sessions import red_document, red_page

PYPROJECT = '[project]\nname = "port"\nversion = "1"\n'


def facts(files, **rest):
    content = {path: text.encode() for path, text in files.items()}
    return Facts(read=content.get, paths=frozenset(files), **rest)


def seen(rule, message="m", **rest):
    gate = rule.partition(".")[0]
    return Seen(f"{gate}#0", gate, Finding(rule, message, **rest))


def applied(make_checkout, files, action, name="repo"):
    """The files after `git apply` of the action's patch, by git itself."""
    checkout = make_checkout(files, name)
    checkout.git("apply", "--index", "-", feed=action.diff.encode())
    return checkout.root


# ---------------------------------------------------------------- names that nothing serves


def test_a_name_whose_file_left_the_lane_gets_its_shim(make_checkout):
    files = {"core/tide.py": "x = 1\n", "candidate/core/other.py": ""}
    found = seen(
        "coverage.new-test-failure",
        "tests/test_tide.py: ModuleNotFoundError: No module named 'candidate.core.tide'",
        path="tests/test_tide.py",
        evidence={"test": "tests/test_tide.py"},
    )
    action = action_for(found, facts(files))
    assert (action.action, action.file) == ("add-shim", "candidate/core/tide.py")
    root = applied(make_checkout, files, action)
    content = (root / "candidate/core/tide.py").read_bytes()
    assert moved_to(content) == "core.tide"
    assert content == shims.render(
        "candidate.core.tide",
        "core.tide",
        old_path="candidate/core/tide.py",
        new_path="core/tide.py",
        is_package=False,
    )


def test_a_name_that_waits_in_the_lane_is_promoted():
    known = facts({"candidate/core/quay.py": "", "core/tide.py": ""})
    for rule, message, evidence in (
        ("imports.import-fails", "core.tide: ModuleNotFoundError: No module named 'core.quay'", {}),
        ("imports.unresolved-first-party", "nothing serves", {"name": "core.quay"}),
        ("imports.lane-import", "it imports", {"name": "candidate.core.quay", "moved_to": None}),
    ):
        action = action_for(seen(rule, message, path="core/tide.py", evidence=evidence), known)
        assert (action.action, action.file) == ("promote", "candidate/core/quay.py")
        assert action.command == "pytest --cockpit-batch --cockpit-modules core/quay"


def test_a_file_that_cannot_move_says_why():
    known = facts(
        {"candidate/core/quay.py": ""}, refused={"candidate/core/quay.py": "line 3: invalid syntax"}
    )
    action = names.served("core.quay", known)
    assert action.detail == "make it movable, then promote it: line 3: invalid syntax"
    assert action.command is None


def test_a_name_that_is_nearly_right_is_corrected():
    known = facts({"core/tides.py": "", "core/port.py": ""})
    found = seen(
        "imports.unresolved-first-party",
        path="core/port.py",
        line=2,
        evidence={"name": "core.tide"},
    )
    action = action_for(found, known)
    assert (action.action, action.detail) == (
        "correct-name",
        "import core.tides instead of core.tide",
    )
    assert (action.file, action.line) == ("core/port.py", 2)
    lost = seen(
        "imports.unresolved-first-party", path="core/port.py", evidence={"name": "core.xyz"}
    )
    assert action_for(lost, known).action == "restore"


def test_a_name_of_nobody_here_is_a_package_to_install():
    action = names.served("numpy.linalg", facts({"core/a.py": ""}))
    assert (action.action, action.command) == ("install", "python -m pip install numpy")
    assert names.served("tkinter.ttk", facts({"core/a.py": ""})) is None


@pytest.mark.parametrize(
    ("message", "name"),
    [
        ("ModuleNotFoundError: No module named 'a.b'", "a.b"),
        ("ImportError: cannot import name 'c' from 'a.b' (/x/a/b.py)", "a.b.c"),
        ("ZeroDivisionError: division by zero", None),
    ],
)
def test_the_name_is_read_from_the_message(message, name):
    assert names.lost_in(message) == name


# ---------------------------------------------------------------- the imports gate


def test_all_that_fail_by_one_cause_are_one_action():
    cause = {"path": "core/units.py", "line": 3, "class": "exception"}
    findings = [
        Finding(
            "imports.import-fails",
            f"core.m{number}: core/units.py:3: ZeroDivisionError: division by zero",
            path=f"core/m{number}.py",
            line=1,
            evidence={"class": "transitive", "module": f"core.m{number}", "cause": cause},
        )
        for number in range(4)
    ]
    own = Finding(
        "imports.import-fails",
        "core.units: ZeroDivisionError: division by zero",
        path="core/units.py",
        line=3,
        evidence={"class": "exception", "module": "core.units"},
    )
    made = plan({"imports": Report(Verdict.FAIL, "", 5, (*findings, own))}, facts({}))
    (action,) = made.actions
    assert action.detail == "let its import not raise ZeroDivisionError: division by zero"
    assert (action.file, action.line) == ("core/units.py", 3)
    assert action.because == tuple(f"imports#{number}" for number in range(5))


def test_an_import_that_misses_its_data_gets_them():
    message = "core.tide: FileNotFoundError: [Errno 2] No such file or directory: 'core/high.txt'"
    found = seen("imports.import-fails", message, path="core/tide.py", line=3)
    known = facts({"candidate/core/high.txt": "1\n"})
    assert action_for(found, known).action == "bring-along"
    other = facts({"candidate/port/high.txt": "1\n"})
    assert action_for(found, other).action == "mend"


@pytest.mark.parametrize("there", [(), ("core/tide.py",)])
def test_a_command_makes_the_folder_that_is_new(make_checkout, there):
    message = "core.tide: FileNotFoundError: [Errno 2] No such file or directory: 'core/high.txt'"
    files = {"candidate/core/high.txt": "1\n", **dict.fromkeys(there, "")}
    copied = action_for(seen("imports.import-fails", message), facts(files))
    moved = action_for(seen("guard.new-file", path="candidate/core/high.txt"), facts(files))
    for number, action in enumerate((copied, moved)):
        assert action.command is not None
        assert ("mkdir" in action.command) == (not there)
        root = make_checkout(files, f"r{number}").root
        subprocess.run(["sh", "-ec", action.command], cwd=root, check=True)
        assert (root / "core/high.txt").read_text() == "1\n"


def test_the_patches_of_a_plan_are_one_that_git_takes(make_checkout):
    files = {"a.txt": "".join(f"{number}\n" for number in range(30)), "b.txt": "x\n"}
    lines = files["a.txt"]
    patches = [
        diffs.between("a.txt", lines.encode(), lines.replace("3\n", "three\n", 1).encode()),
        None,
        diffs.between("new/c.txt", None, b"y\n"),
        diffs.between("a.txt", lines.encode(), lines.replace("\n4\n", "\nfour\n", 1).encode()),
        diffs.between("a.txt", lines.encode(), lines.replace("27\n", "end\n", 1).encode()),
        diffs.renamed("gone.txt", "d.txt"),
        diffs.renamed("b.txt", "e.txt"),
    ]
    actions = [Action("edit", "d", 1.0, diff=diff) for diff in patches]
    checkout = make_checkout(files)
    whole = combined(actions, Repository.discover(checkout.root))
    assert (checkout.root / "a.txt").read_text() == lines
    checkout.git("apply", "-", feed=whole)
    # Of two changes at one place the first counts, and what is not there is not moved.
    now = lines.replace("3\n", "three\n", 1).replace("27\n", "end\n")
    assert (checkout.root / "a.txt").read_text() == now
    assert (checkout.root / "new/c.txt").read_text() == "y\n"
    assert (checkout.root / "e.txt").read_text() == "x\n"
    assert combined(actions[1:2], Repository.discover(checkout.root)) == b""


def test_an_import_through_a_shim_is_redirected_as_a_batch_would(make_checkout):
    shim = shims.render(
        "candidate.core.tide",
        "core.tide",
        old_path="candidate/core/tide.py",
        new_path="core/tide.py",
        is_package=False,
    ).decode()
    files = {
        "app.py": "import os\nfrom candidate.core.tide import (\n    height,  # metres\n)\n",
        "candidate/core/tide.py": shim,
        "core/tide.py": "height = 1\n",
    }
    found = seen(
        "imports.lane-import",
        path="app.py",
        line=2,
        evidence={"name": "candidate.core.tide.height", "moved_to": "core.tide"},
    )
    action = action_for(found, facts(files))
    assert action.detail == "import core.tide instead of candidate.core.tide.height"
    root = applied(make_checkout, files, action)
    assert (root / "app.py").read_text() == (
        "import os\nfrom core.tide import (\n    height,  # metres\n)\n"
    )


def test_without_the_shim_in_sight_no_patch_is_claimed():
    found = seen(
        "imports.lane-import",
        path="app.py",
        line=1,
        evidence={"name": "candidate.tide", "moved_to": "tide"},
    )
    action = action_for(found, facts({"app.py": "import candidate.tide\n", "tide.py": ""}))
    assert (action.action, action.diff) == ("redirect-import", None)


def test_a_circle_is_broken_at_its_edge():
    found = seen(
        "imports.new-cycle",
        path="a.py",
        line=12,
        evidence={"files": ["a.py", "b.py", "c.py", "a.py"]},
    )
    action = action_for(found, facts({}))
    assert action.action == "cut-edge"
    assert action.detail.startswith("break the circle of 3 files between a.py and b.py at a.py:12")


def test_a_contract_names_the_import_to_remove():
    found = seen(
        "imports.contract-broken",
        path="a.py",
        line=1,
        evidence={"contract": "No ports", "chain": "a -> b -> c"},
    )
    assert action_for(found, facts({})).detail == "remove the import of b from a (No ports)"


def test_a_shim_that_is_not_the_module_is_written_anew(make_checkout):
    files = {
        "core/tide.py": "x = 1\n",
        "candidate/core/tide.py": "# cockpit: moved to core.tide\nfrom core.tide import *\n",
    }
    found = seen(
        "imports.shim-not-same",
        path="candidate/core/tide.py",
        evidence={"module": "candidate.core.tide", "same_as": "core.tide"},
    )
    action = action_for(found, facts(files))
    root = applied(make_checkout, files, action)
    assert b"sys.modules[__name__]" in (root / "candidate/core/tide.py").read_bytes()
    own = {**files, "candidate/core/tide.py": "x = 2\n"}
    kept = action_for(found, facts(own))
    assert (kept.action, kept.diff) == ("add-shim", None)


# ---------------------------------------------------------------- dependencies


@pytest.mark.parametrize(
    ("file", "before", "after"),
    [
        ("requirements.txt", "attrs\n", "attrs\npyyaml\n"),
        ("requirements.txt", "attrs", "attrs\npyyaml\n"),
        ("requirements/base.in", "", "pyyaml\n"),
        (
            "pyproject.toml",
            f'{PYPROJECT}dependencies = ["attrs"]\n',
            f'{PYPROJECT}dependencies = ["attrs", "pyyaml"]\n',
        ),
        (
            "pyproject.toml",
            f"{PYPROJECT}dependencies = []\n",
            f'{PYPROJECT}dependencies = ["pyyaml"]\n',
        ),
        (
            "pyproject.toml",
            f'{PYPROJECT}dependencies = [\n    "uvicorn[standard]",  # server\n    "attrs"\n]\n[tool.x]\n',
            f'{PYPROJECT}dependencies = [\n    "uvicorn[standard]",  # server\n    "attrs",\n    "pyyaml",\n]\n[tool.x]\n',
        ),
        (
            "pyproject.toml",
            PYPROJECT,
            PYPROJECT.replace("[project]\n", '[project]\ndependencies = ["pyyaml"]\n'),
        ),
    ],
)
def test_a_requirement_is_declared_where_the_others_are(make_checkout, file, before, after):
    files = {file: before, "app.py": "import yaml\n"}
    found = seen(
        "imports.undeclared-dependency",
        path="app.py",
        line=1,
        evidence={"import": "yaml", "distributions": ["pyyaml"], "file": file},
    )
    action = action_for(found, facts(files))
    assert (action.action, action.file, action.detail) == (
        "declare-dependency",
        file,
        "declare pyyaml",
    )
    root = applied(make_checkout, files, action)
    assert (root / file).read_text() == after


@pytest.mark.parametrize(
    ("file", "before"),
    [
        ("requirements.txt", "attrs \\\n"),
        ("pyproject.toml", f'{PYPROJECT}dynamic = ["dependencies"]\n'),
        ("pyproject.toml", f'{PYPROJECT}dependencies = [\n    "attrs"  # last\n]\n'),
        ("pyproject.toml", "[tool.poetry]\n"),
        ("pyproject.toml", "[project\n"),
        ("pyproject.toml", "project = 3\n"),
        ("setup.cfg", "[options]\n"),
    ],
)
def test_where_the_place_is_not_certain_there_is_no_patch(file, before):
    found = seen(
        "imports.undeclared-dependency",
        path="app.py",
        evidence={"import": "yaml", "distributions": ["pyyaml"], "file": file},
    )
    action = action_for(found, facts({file: before}))
    assert (action.action, action.diff) == ("declare-dependency", None)


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"distributions": ["a", "b"], "file": "requirements.txt"},
        {"distributions": ["a\nb"], "file": "requirements.txt"},
        {"distributions": "pyyaml", "file": "requirements.txt"},
        {"distributions": ["pyyaml"], "file": "../requirements.txt"},
        {"distributions": ["pyyaml"], "file": 3},
    ],
)
def test_a_dependency_of_doubtful_name_or_place_keeps_its_remedy(evidence):
    found = seen("imports.undeclared-dependency", remedy="add it", evidence=evidence)
    action = action_for(found, facts({"requirements.txt": ""}))
    assert (action.action, action.detail, action.computed) == ("remedy", "add it", False)


@given(st.text('[]#"\n ,=abc\\', max_size=60))
def test_a_document_is_changed_by_one_item_or_not_at_all(middle):
    before = f"[project]\nname = 'x'\ndependencies = [{middle}]\n"
    after = declaring.with_requirement("pyproject.toml", before.encode(), "pyyaml")
    if after is not None:
        was, now = tomllib.loads(before), tomllib.loads(after.decode())
        assert now["project"]["dependencies"] == [*was["project"]["dependencies"], "pyyaml"]


# ---------------------------------------------------------------- contracts


@pytest.mark.parametrize(
    ("rule", "pointer", "evidence", "value"),
    [
        (
            "matriz.stale-module",
            "/module",
            {"module": "candidate.a", "moved_to": "core.a"},
            "core.a",
        ),
        ("matriz.tier-numbers", "/identity/numbers", {"expected": [2, 3]}, [2, 3]),
        ("matriz.webauthn-missing", "/identity/webauthn_required", {}, True),
    ],
)
def test_a_contract_gets_the_value_that_follows(make_checkout, rule, pointer, evidence, value):
    document = {
        "module": "candidate.a",
        "identity": {"numbers": [1, 2], "webauthn_required": False},
    }
    files = {"contracts/matrix_a.json": json.dumps(document, indent=2) + "\n"}
    found = seen(rule, path="contracts/matrix_a.json", line=2, pointer=pointer, evidence=evidence)
    action = action_for(found, facts(files))
    assert action.detail == f"set {pointer} to {json.dumps(value)}"
    root = applied(make_checkout, files, action)
    now = json.loads((root / "contracts/matrix_a.json").read_text())
    keys = pointer.strip("/").split("/")
    for key in keys:
        now = now[key]
    assert now == value


def test_a_value_that_is_not_there_is_told_and_not_patched():
    found = seen("matriz.webauthn-missing", path="m.json", pointer="/identity/webauthn_required")
    action = action_for(found, facts({"m.json": '{"identity": {}}'}))
    assert (action.action, action.diff) == ("set-value", None)


def test_a_function_and_a_measured_value_are_told():
    known = facts({"core/common.py": ""})
    function = seen(
        "matriz.function-missing",
        path="m.json",
        pointer="/x",
        evidence={"module": "core.common", "function": "total"},
    )
    assert action_for(function, known).file == "core/common.py"
    broken = seen(
        "matriz.gate-broken",
        path="m.json",
        evidence={"metric": "coverage", "value": 89.9, "source": "metrics.json"},
    )
    assert "coverage is 89.9 in metrics.json" in action_for(broken, known).detail


SMALL = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text('a"\\/~é', max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.text('a"\\/~é', max_size=3), inner, max_size=3)
    ),
    max_leaves=10,
)


def pointers(value, above=""):
    items = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in items:
        token = str(key).replace("~", "~0").replace("/", "~1")
        yield f"{above}/{token}"
        yield from pointers(inner, f"{above}/{token}")


@given(SMALL, SMALL, st.sampled_from([None, 1, 3]), st.text("/~01ab", max_size=6))
def test_a_span_is_replaced_exactly(document, value, indent, odd):
    source = json.dumps(document, indent=indent, ensure_ascii=False).encode()
    for pointer in pointers(document):
        changed = spans.replaced(source, pointer, value)
        assert changed is not None
        now = json.loads(changed)
        assert spans.replaced(changed, pointer, _at(document, pointer)) is not None
        assert _at(now, pointer) == value
    spans.replaced(source, odd, value)


def _at(document, pointer):
    for token in pointer[1:].split("/"):
        key = token.replace("~1", "/").replace("~0", "~")
        document = document[int(key)] if isinstance(document, list) else document[key]
    return document


# ---------------------------------------------------------------- coverage

GRAPH = {
    "tests/test_far.py": ("app.py",),
    "tests/test_near.py": ("candidate/core/tide.py",),
    "app.py": ("candidate/core/tide.py",),
}


def test_missing_lines_name_the_nearest_test_file():
    known = facts({}, sources={"core/tide.py": "candidate/core/tide.py"}, ask_graph=lambda: GRAPH)
    found = seen(
        "coverage.more-missing-lines",
        path="core/tide.py",
        line=4,
        evidence={"uncovered": "4,8-9", "newly_uncovered": "8-9"},
    )
    action = action_for(found, known)
    assert action.detail == (
        "let a test execute lines 8-9 of core/tide.py; the nearest test file is tests/test_near.py"
    )
    assert action.file == "candidate/core/tide.py"


def test_a_file_that_no_test_imports_is_told_so():
    found = seen("coverage.new-file", path="a.py", line=1, evidence={"uncovered": "1-8"})
    assert action_for(found, facts({})).detail.endswith("no test file imports it")
    assert nearest_test("core/a.py", facts({"tests/test_a.py": ""})) == "tests/test_a.py"


def test_branches_name_the_lines_that_they_leave():
    found = seen(
        "coverage.more-missing-branches",
        path="a.py",
        line=2,
        evidence={"untaken": [[2, 1], [9, 2], [10, 1], [12, 1]]},
    )
    told = (
        "let tests take every way out of line 2, 9, 10 and 1 more of a.py; no test file imports it"
    )
    assert action_for(found, facts({})).detail == told


def test_all_that_is_not_executed_in_a_file_is_one_action():
    findings = (
        Finding("coverage.more-missing-lines", "m", path="a.py", evidence={"uncovered": "3"}),
        Finding("coverage.more-missing-branches", "m", path="a.py", evidence={"untaken": [[2, 1]]}),
    )
    (action,) = plan({"coverage": Report(Verdict.FAIL, "", 1, findings)}, facts({})).actions
    assert len(action.because) == 2
    assert "execute lines 3 of a.py" in action.detail
    assert "every way out of line 2 of a.py" in action.detail


def test_what_is_not_executed_because_a_test_fails_is_mended_with_it(make_checkout):
    files = {"candidate/core/tide.py": "", "candidate/core/high.txt": "1 2\n"}
    known = facts(
        files, sources={"core/tide.py": "candidate/core/tide.py"}, ask_graph=lambda: GRAPH
    )
    lost = "FileNotFoundError: [Errno 2] No such file or directory: '/tree/x/core/high.txt'"
    findings = (
        Finding(
            "coverage.new-test-failure",
            f"tests/test_far.py: {lost}",
            path="tests/test_far.py",
            evidence={"test": "tests/test_far.py"},
        ),
        Finding(
            "coverage.more-missing-lines", "m", path="core/tide.py", evidence={"uncovered": "1-9"}
        ),
        Finding("coverage.new-file", "m", path="other.py", evidence={"uncovered": "1-9"}),
    )
    first, second = plan({"coverage": Report(Verdict.FAIL, "", 1, findings)}, known).actions
    assert (first.action, first.file) == ("bring-along", "core/high.txt")
    assert first.because == ("coverage#0", "coverage#1")
    assert (second.action, second.file) == ("cover", "other.py")
    root = applied(make_checkout, files, first)
    assert (root / "core/high.txt").read_text() == "1 2\n"


def test_the_innermost_changed_file_of_a_traceback_comes_first():
    known = facts({}, changed=frozenset({"a.py", "b.py"}), sources={"core/b.py": "b.py"})
    found = seen(
        "coverage.new-test-failure",
        "t: E",
        path="tests/t.py",
        evidence={"test": "tests/t.py::x", "frames": ["tests/t.py", "a.py", "core/b.py", "c.py"]},
    )
    action = action_for(found, known)
    assert action.file == "b.py"
    assert action.detail.endswith("they lead to b.py, a.py")


def test_a_failing_test_names_the_moved_files_it_imports():
    known = facts(
        {},
        changed=frozenset({"candidate/core/tide.py", "candidate/core/quay.py"}),
        ask_graph=lambda: GRAPH,
    )
    found = seen(
        "coverage.new-test-failure",
        "tests/test_far.py::test_x: AssertionError",
        path="tests/test_far.py",
        line=9,
        evidence={"test": "tests/test_far.py::test_x"},
    )
    action = action_for(found, known)
    assert action.file == "candidate/core/tide.py"
    assert action.detail == (
        "make the tests of tests/test_far.py pass; of what changed they lead to candidate/core/tide.py"
    )
    alone = action_for(found, facts({}, ask_graph=lambda: GRAPH))
    assert (alone.file, alone.line) == ("tests/test_far.py", 9)
    assert "imports nothing that changed" in alone.detail


def test_tests_that_do_not_run_for_want_of_a_package_say_which():
    found = seen(
        "coverage.tests-did-not-run",
        evidence={
            "command": "python -m pytest -q",
            "last_lines": ["E   ModuleNotFoundError: No module named 'yaml'"],
        },
    )
    assert action_for(found, facts({})).command == "python -m pip install yaml"
    other = seen("coverage.tests-did-not-run", evidence={"command": "python -m pytest -q"})
    assert action_for(other, facts({})).command == "python -m pytest -q"


def test_the_nearest_of_several_come_by_name():
    assert nearest({"a"}, {"a": ("c", "b"), "b": ("d",)}, frozenset("bcd")) == ["b", "c"]
    assert nearest({"a"}, {"a": ("a",)}, frozenset("z")) == []


# ---------------------------------------------------------------- ledger, guard, quarantine


def test_rows_are_brought_back_by_one_command():
    found = seen(
        "ledger.rewritten",
        path=".cockpit/promotions.ndjson",
        evidence={"parent": "7a1ad72456a46c9be7147b077fd23670938e625b"},
    )
    assert action_for(found, facts({})).command == (
        "git checkout 7a1ad72456a4 -- .cockpit/promotions.ndjson"
    )
    odd = seen("ledger.rewritten", path="x", remedy="r", evidence={"parent": "--force"})
    assert action_for(odd, facts({})).action == "remedy"


def test_a_copy_outside_the_tree_is_looked_for_by_a_name_alone():
    found = seen("imports.outside-tree", evidence={"module": "ring.left"})
    assert action_for(found, facts({})).command == "python -c 'import ring; print(ring.__file__)'"
    odd = seen("imports.outside-tree", evidence={"module": "a'; touch x; '"})
    assert action_for(odd, facts({})).command is None


def test_a_bound_file_is_recorded_with_its_name_quoted():
    found = seen("ledger.unbound-change", path="a b$(x).json")
    assert action_for(found, facts({})).command == "cockpit ledger record 'a b$(x).json'"


def test_a_tag_goes_back_to_where_it_was_recorded():
    oid = "a" * 40
    remedy = f"put it back: git update-ref refs/tags/v1.0 {oid}"
    found = seen("ledger.moved-tag", remedy=remedy, evidence={"recorded": [oid, oid]})
    assert action_for(found, facts({})).command == f"git update-ref refs/tags/v1.0 {oid}"
    other = seen("ledger.moved-tag", remedy=remedy, evidence={"recorded": ["b" * 40]})
    assert action_for(other, facts({})).action == "remedy"


def test_a_new_lane_file_moves_to_where_it_belongs(make_checkout):
    files = {"candidate/core/new.py": "x = 1\n"}
    action = action_for(seen("guard.new-file", path="candidate/core/new.py"), facts(files))
    assert action.command == "mkdir -p -- core && git mv -- candidate/core/new.py core/new.py"
    root = applied(make_checkout, files, action)
    assert (root / "core/new.py").read_text() == "x = 1\n"
    assert not (root / "candidate/core/new.py").exists()
    taken = facts({**files, "core/new.py": ""})
    assert action_for(seen("guard.new-file", path="candidate/core/new.py"), taken).computed is False


def test_a_file_moved_into_the_lane_moves_back():
    found = seen(
        "guard.renamed-in",
        "was moved into the lane from core/tide.py, 97 % alike",
        path="candidate/core/tide.py",
    )
    action = action_for(found, facts({"candidate/core/tide.py": ""}))
    assert action.command == "mkdir -p -- core && git mv -- candidate/core/tide.py core/tide.py"
    link = seen("guard.link-in-lane", path="candidate/l.py")
    assert action_for(link, facts({"candidate/l.py": ""})).action == "remove"


def test_what_is_promoted_does_not_come_back_by_a_patch():
    files = {"candidate/a.py": "x = 2\n", "a.py": "x = 1\n"}
    action = action_for(seen("guard.resurrected", path="candidate/a.py"), facts(files))
    assert (action.action, action.diff) == ("add-shim", None)
    assert action.detail.startswith("carry over to a.py what is new in it; then add a shim")


TESTS = """\
import pytest


class TestPort:
    @pytest.mark.slow
    @pytest.mark.authz_quarantine(
        issue="#1",
        owner="port", expires="2026-12-01",
    )
    def test_open(self):
        assert True


@pytest.mark.authz_quarantine(issue="#2", owner="port", expires="2026-12-01")
def test_shut():
    assert True
"""


def test_a_marker_that_has_served_is_removed(make_checkout):
    found = seen(
        "quarantine.passes",
        path="tests/test_port.py",
        line=6,
        evidence={"test": "tests/test_port.py::TestPort::test_open", "issue": "#1"},
    )
    files = {"tests/test_port.py": TESTS}
    action = action_for(found, facts(files))
    root = applied(make_checkout, files, action)
    text = (root / "tests/test_port.py").read_text()
    assert text.count("authz_quarantine") == 1
    assert "    @pytest.mark.slow\n    def test_open(self):" in text


@pytest.mark.parametrize(
    "source",
    [
        b"def test_shut(): pass\n",
        b"@x.authz_quarantine(\ndef f(:\n",
        b"\xff@x.authz_quarantine()\ndef test_shut(): pass\n",
        b"pytestmark = x.authz_quarantine()\ndef test_shut(): pass\n",
    ],
)
def test_a_marker_that_is_not_plainly_there_stays(source):
    assert markers.without_marker(source, "t.py::test_shut", "#1") is None


def test_a_marker_that_other_cases_share_stays():
    source = b"@x.authz_quarantine()\ndef test_shut(n): pass\n"
    assert markers.without_marker(source, "t.py::test_shut[1]", "#1") is None
    case = b"@x.parametrize('n', [p(1, marks=x.authz_quarantine()), 2])\ndef test_shut(n): pass\n"
    after = b"@x.parametrize('n', [p(1), 2])\ndef test_shut(n): pass\n"
    assert markers.without_marker(case, "t.py::test_shut[1]", "#1") == after


# ---------------------------------------------------------------- diffs


@given(st.text("ab\n\r\x0c\u2028é", max_size=30), st.text("ab\n\r\x0c\u2028é", max_size=30))
def test_a_patch_is_taken_by_git(tmp_path_factory, before, after):
    folder = tmp_path_factory.mktemp("patch")
    (folder / "f.txt").write_bytes(before.encode())
    patch = diffs.between("f.txt", before.encode(), after.encode())
    if before == after or not before:
        return
    done = subprocess.run(
        ["git", "apply", "--whitespace=nowarn", "-"],
        cwd=folder,
        input=patch.encode(),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    now = (folder / "f.txt").read_bytes() if (folder / "f.txt").exists() else b""
    assert now == after.encode()


def test_no_patch_for_names_that_git_quotes_or_bytes_that_are_no_text():
    assert diffs.between("a b.py", None, b"x") is None
    assert diffs.between("a.py", b"\xff", b"x") is None
    assert diffs.between("a.py", b"x", b"x") is None
    assert diffs.renamed("a\n.py", "b.py") is None


# ---------------------------------------------------------------- the plan


def made(findings, **rest):
    return plan({"party": Report(Verdict.FAIL, "", 1, tuple(findings), **rest)}, facts({}))


def test_what_no_rule_knows_keeps_its_remedy_and_says_so():
    (with_remedy, without) = made(
        [
            Finding("party.no", "it says no", path="a.py", line=2, remedy="say yes"),
            Finding("party.no", "it says no", path="b.py"),
        ]
    ).actions
    assert (with_remedy.detail, with_remedy.computed) == ("say yes", False)
    assert (with_remedy.file, with_remedy.line) == ("a.py", 2)
    assert without.detail == "mend what party.no says: it says no"


def test_warnings_and_notes_are_nobodys_action():
    findings = [Finding("party.no", "m", severity=each) for each in Severity]
    assert made(findings).findings == 2


def test_the_least_effort_for_the_most_findings_comes_first():
    fails = [
        Finding("imports.import-fails", "m: E: x", path="c.py", line=1, evidence={"n": number})
        for number in range(9)
    ]
    reports = {
        "imports": Report(
            Verdict.FAIL,
            "",
            1,
            (
                Finding(
                    "imports.new-cycle", "m", path="a.py", line=1, evidence={"files": ["a", "b"]}
                ),
                *fails,
                Finding(
                    "imports.lane-import", "m", path="b.py", evidence={"name": "x", "moved_to": "y"}
                ),
            ),
        )
    }
    made_plan = plan(reports, facts({}))
    assert [action.action for action in made_plan.actions] == [
        "mend",
        "redirect-import",
        "cut-edge",
    ]
    assert len(made_plan.actions[0].because) == 9
    assert made_plan.covered == made_plan.findings == 11


def test_a_plan_has_an_end():
    findings = [Finding("party.no", f"m{n}", remedy=f"r{n:04}" + "x" * 900) for n in range(900)]
    made_plan = made(findings)
    assert (len(made_plan.actions), made_plan.left_out) == (MOST, 870)
    assert made_plan.findings == 900
    assert made_plan.covered == MOST
    assert max(len(action.detail) for action in made_plan.actions) == 400


def test_a_patch_that_is_too_long_is_left_out():
    files = {"core/tide.py": "", "requirements.txt": "x" * 9_000 + "\n"}
    found = seen(
        "imports.undeclared-dependency",
        evidence={"import": "yaml", "distributions": ["pyyaml"], "file": "requirements.txt"},
    )
    (action,) = plan(
        {"imports": Report(Verdict.FAIL, "", 1, (found.finding,))}, facts(files)
    ).actions
    assert action.diff is None
    assert action.detail.endswith("the patch is too long to be shown")


def test_a_patch_beside_a_secret_is_not_shown():
    files = {"requirements.txt": "--extra-index-url https://me:hunter2@index.example\n"}
    found = seen(
        "imports.undeclared-dependency",
        evidence={"import": "yaml", "distributions": ["pyyaml"], "file": "requirements.txt"},
    )
    made_plan = plan({"imports": Report(Verdict.FAIL, "", 1, (found.finding,))}, facts(files))
    assert "hunter2" in (made_plan.actions[0].diff or "")
    (action,) = planning.without_secrets(made_plan, redact).actions
    assert action.diff is None
    assert action.detail.endswith("because it stands beside what looks like a secret")


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=6,
)
KEYS = st.sampled_from(
    ["name", "moved_to", "files", "cause", "untaken", "test", "document", "pointer", "command",
     "last_lines", "frames", "module", "function", "expected", "distributions", "file", "same_as", "chain",
     "contract", "parent", "recorded", "metric", "source", "value", "needs", "uncovered"]
)  # fmt: skip


@given(
    st.lists(
        st.builds(
            Finding,
            st.sampled_from(sorted(planning._REMEDIES)),
            st.text(min_size=1, max_size=20),
            st.sampled_from(list(Severity)),
            st.none() | st.text(min_size=1, max_size=8).filter(lambda path: path[0] != "/"),
            st.none() | st.integers(1, 9),
            st.none() | st.just("/a"),
            st.none() | st.text(max_size=9),
            st.dictionaries(KEYS, ANY, max_size=6),
        ),
        max_size=4,
    )
)
def test_no_evidence_is_too_odd(findings):
    reports = {"party": Report(Verdict.FAIL, "s", 1, tuple(findings))}
    known = facts({"core/a.py": "import x\n", "candidate/b.py": ""}, ask_graph=lambda: GRAPH)
    row = {"name": "gate:party", "kind": "gate", "verdict": "fail", "summary": "s"}
    document = red_document.document(
        [row], reports, plan(reports, known), mode="gates", base=None, batch_id=None, artifacts={}
    )
    assert validate(document, "on_red") == []
    red_page.page(document)


# ---------------------------------------------------------------- document and page

ROW = {"name": "gate:imports", "kind": "gate", "verdict": "fail", "summary": "1 error"}
EVIL = "x | <img src=x> @team `a` \u202e\n## head\n::error::y"


def page_of(finding, **row):
    reports = {"imports": Report(Verdict.FAIL, EVIL, 1, (finding,))}
    document = red_document.document(
        [{**ROW, **row}],
        reports,
        plan(reports, facts({})),
        mode="batch",
        base="a" * 40,
        batch_id="1a2b3c4-5d6e7f80",
        artifacts={"imports": "artifacts/gates/imports.json"},
    )
    assert validate(document, "on_red") == []
    return red_page.page(document)


def test_nothing_of_the_repository_is_markup():
    found = Finding(
        "imports.import-fails", EVIL, path=EVIL, line=1, remedy=EVIL, evidence={EVIL: EVIL}
    )
    text = page_of(found)
    outside = re.sub(r"(?<!`)(`+)(?!`)(.*?)(?<!`)\1(?!`)", "", text)
    assert "<img" not in outside
    assert "@team" not in outside
    assert "\u202e" not in text
    assert not any(line.lstrip().startswith(("::", "## head")) for line in text.splitlines())
    rows = [line for line in text.splitlines() if line.startswith("| imports")]
    assert [line.replace("\\|", "").count("|") for line in rows] == [4]


def test_a_page_says_what_is_red_what_to_do_and_where_it_is_from():
    found = Finding(
        "imports.new-cycle",
        "it closes a circle",
        path="a.py",
        line=2,
        evidence={"files": ["a.py", "b.py"]},
    )
    text = page_of(found)
    assert text.startswith("## Batch `1a2b3c4-5d6e7f80` is red: imports\n")
    assert "1. `a.py:2`: break the circle" in text
    assert "(1 finding: imports#0)" in text
    assert "All of it: `artifacts/gates/imports.json`" in text


def test_an_excerpt_has_the_worst_first_and_counts_the_rest():
    findings = [
        *(Finding("p.w", "w", Severity.WARNING) for _ in range(3)),
        *(Finding("p.e", "e" * 9_999, evidence={"k": "v" * 9_999}) for _ in range(4)),
        Finding("p.i", "i", Severity.INFO),
    ]
    reports = {"imports": Report(Verdict.FAIL, "s", 1, tuple(findings))}
    document = red_document.document(
        [ROW], reports, PatchPlan((), 4), mode="gates", base=None, batch_id=None, artifacts={}
    )
    (gate,) = document["gates"]
    assert [row["id"] for row in gate["excerpt"]] == [
        "imports#3", "imports#4", "imports#5", "imports#6", "imports#0"
    ]  # fmt: skip
    assert gate["left_out"] == 2
    assert gate["findings"] == {"warning": 3, "error": 4, "info": 1}
    assert len(gate["excerpt"][0]["message"]) == 500
    assert len(gate["excerpt"][0]["evidence"]["k"]) == 200


def test_a_step_that_is_no_gate_is_told_in_its_own_words():
    row = {
        "name": "transaction",
        "kind": "transaction",
        "verdict": "error",
        "summary": "disk full\nx",
    }
    document = red_document.document(
        [row], {}, PatchPlan((), 0), mode="batch", base=None, batch_id=None, artifacts={}
    )
    assert document["steps"] == [
        {"name": "transaction", "verdict": "error", "message": "disk full"}
    ]
    assert red_page.page(document).startswith("## Batch stopped at transaction\n")


# ---------------------------------------------------------------- facts of a repository


def test_facts_of_a_working_tree_stay_within_it(make_checkout, tmp_path):
    (tmp_path / "secret.txt").write_text("s")
    checkout = make_checkout(
        {"a.py": "import b\n", "b.py": "", "gone.py": "", ".gitignore": "i.py\n"}
    )
    (checkout.root / "gone.py").unlink()
    (checkout.root / "link.py").symlink_to(tmp_path / "secret.txt")
    checkout.write({"new.py": "n\n", "i.py": ""})
    known = ground.facts_of(Circumstances(checkout.repo, _config()))
    assert known.paths == {".gitignore", "a.py", "b.py", "link.py", "new.py"}
    assert known.read("new.py") == b"n\n"
    for path in ("link.py", "../secret.txt", str(tmp_path / "secret.txt"), "a\0", ".", "none"):
        assert known.read(path) is None
    assert known.graph["a.py"] == ("b.py",)


def test_facts_of_a_batch_are_those_of_its_base(make_checkout):
    checkout = make_checkout({"candidate/a.py": "x = 1\n"})
    move = Move("candidate/a.py", "a.py", "0" * 40)
    base = checkout.repo.resolve("HEAD")
    checkout.write({"candidate/a.py": "x = 2\n"})
    known = ground.facts_of(Circumstances(checkout.repo, _config(), base=base, moves=(move,)))
    assert known.here("a.py") == "candidate/a.py"
    assert known.read("candidate/a.py") == b"x = 1\n"
    assert known.changed == {"candidate/a.py"}


def test_outside_git_nothing_is_known():
    known = ground.facts_of(Circumstances(None, _config()))
    assert known.paths == frozenset()
    assert isinstance(action_for(seen("imports.lane-import", remedy="r"), known), Action)


def _config():
    return Config(lane=Lane())
