from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import testing
from pytest_cockpit.api import (
    CockpitError,
    Context,
    Finding,
    Gate,
    Lane,
    Move,
    Report,
    Severity,
    Verdict,
)
from pytest_cockpit.measurement import configuration, outcome
from pytest_cockpit.records.artifacts import sha256
from pytest_cockpit.records.baselines import Baseline, dump, path_of
from pytest_cockpit_gates.coverage import gate, ratchet, rules
from pytest_cockpit_gates.coverage.model import (
    Bound,
    FileCoverage,
    newly_missing,
    ranges,
    seal,
    spans,
)
from pytest_cockpit_gates.coverage.proofs import QUICK
from pytest_cockpit_gates.coverage.settings import SCHEMA, Settings
from tests import warm

pytestmark = pytest.mark.usefixtures("warm_programs")
PROOFS = {proof.name: proof for proof in gate.proofs()}
BASELINE = path_of(".cockpit", "coverage")
PILOT = (
    "def climb(up):\n    if up:\n        return 1\n    return 0\n\n\ndef land():\n    return 2\n"
)
BOTH = (
    "import pilot\n\n\ndef test_up():\n    assert pilot.climb(1)\n\n\n"
    "def test_land():\n    assert pilot.land() == 2\n"
)

Files = Mapping[str, str | bytes]


def lay(folder: Path, files: Files) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)
    return folder


def context(folder: Path, files: Files, settings: Mapping[str, Any], **more: Any) -> Context:
    root = lay(folder / "checkout" / "tree", files)
    scratch = folder / "scratch"
    scratch.mkdir()
    return Context(root=root, scratch=scratch, settings={**QUICK, **settings}, **more)


def baseline_of(kept: Mapping[str, Any]) -> bytes:
    return dump(Baseline("coverage", kept["entries"], kept.get("meta", {})))


def measure(tmp_path: Path, files: Files, **more: Any) -> dict[str, Any]:
    settings = more.pop("settings", {})
    kept = gate.baseline(context(tmp_path / "before", files, settings, **more))
    assert kept is not None
    json.dumps(kept)
    return kept


def check(
    tmp_path: Path, files: Files, kept: Mapping[str, Any] | None = None, **more: Any
) -> Report:
    settings = more.pop("settings", {})
    if kept is not None:
        files = {**files, BASELINE: baseline_of(kept)}
    return gate.check(context(tmp_path / "after", files, settings, **more))


def rules_of(report: Report) -> set[str]:
    return {found.rule for found in report.findings if found.severity is not Severity.INFO}


def named(report: Report, rule: str) -> Finding:
    return next(found for found in report.findings if found.rule == rule)


# The gate as a whole


def test_it_is_a_gate() -> None:
    assert isinstance(gate, Gate)
    assert testing.check_proofs(gate) == []


@pytest.mark.parametrize("name", PROOFS)
def test_proof(name: str, tmp_path: Path) -> None:
    report = testing.prove(gate, PROOFS[name], tmp_path)
    assert testing.shortcomings(gate, PROOFS[name], report) == []
    assert Report.from_json(json.loads(json.dumps(report.to_json()))) == report


def test_nothing_heavy_is_imported_with_the_gate() -> None:
    code = (
        "import sys; import pytest_cockpit_gates.coverage; "
        "print(sorted({'coverage', 'jsonschema', 'pytest', 'sqlite3'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True)
    assert shown.stdout.strip() == "[]"


def test_the_schema_knows_every_setting_and_its_default() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    described = SCHEMA["properties"]
    for name in Settings.__slots__:
        default = getattr(Settings(), name)
        if isinstance(default, tuple):
            default = list(default)
        assert described[name].get("default") == default
        assert described[name]["description"]
    jsonschema.validate({**QUICK, "paths": ["-n", "2"], "skip": "none here"}, SCHEMA)
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate({"ratio": 1}, SCHEMA)


def test_a_tree_holds_its_own_baseline(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files, commit="c0ffee")
    assert kept["entries"] == {
        "pilot.py": {
            "missing_lines": 1,
            "missing_branches": 1,
            "excluded": 0,
            "statements": 6,
            "uncovered": "4",
        }
    }
    (run,) = kept["meta"]["measured"]
    assert run["base"] == "c0ffee"
    assert kept["meta"]["failing_tests"] == []
    assert {"coverage", "python", "pytest", "command", "digest"} <= set(run)
    assert str(tmp_path) not in json.dumps(kept)
    where = context(tmp_path / "after", {**files, BASELINE: baseline_of(kept)}, {})
    gate.check(where)
    report = gate.check(where)
    assert (report.verdict, report.checked, report.findings) == (Verdict.PASS, 1, ())
    assert report.summary == (
        "1 file, no change in missing lines, 0 new failures (2 passed, 0 known failures)"
    )
    evidence = {row.name: row.data for row in report.evidence}
    assert evidence["totals"]["missing_branches"] == 1
    assert evidence["tests"]["passed"] == 2
    assert evidence["durations"]["tests_wall_s"] > 0


def test_forked_programs_measure_what_fresh_ones_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH, "test_bad.py": "assert 0\n"}
    forked, run = [], warm.program

    def kept(*args: Any) -> warm.Ended | None:
        forked.append(run(*args))
        return forked[-1]

    monkeypatch.setattr(warm, "program", kept)
    monkeypatch.setenv("COCKPIT_FRESH", "1")
    fresh = measure(tmp_path / "fresh", files)
    assert forked == [None] * 3
    monkeypatch.delenv("COCKPIT_FRESH")
    for number in range(5):
        assert measure(tmp_path / str(number), files) == fresh
    assert None not in forked[-3:]


def test_the_tree_is_left_as_it_was(tmp_path: Path) -> None:
    measure(tmp_path, {"pilot.py": PILOT, "test_pilot.py": BOTH})
    root = tmp_path / "before" / "checkout" / "tree"
    left = sorted(path.name for path in root.rglob("*") if path.is_file())
    assert left == ["pilot.py", "test_pilot.py"]


# What loses coverage, and what does not


def test_covered_code_may_go_and_a_test_may_not(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files)
    fewer = {
        "pilot.py": PILOT.partition("\n\n\n")[0],
        "test_pilot.py": BOTH.partition("\n\n\ndef test_land")[0],
    }
    report = check(tmp_path / "code", fewer, kept)
    assert report.verdict is Verdict.PASS
    report = check(tmp_path / "test", {**files, "test_pilot.py": fewer["test_pilot.py"]}, kept)
    assert rules_of(report) == {rules.MORE_LINES}
    found = named(report, rules.MORE_LINES)
    assert (found.path, found.line) == ("pilot.py", 8)
    assert found.evidence["newly_uncovered"] == "8"
    shown = (tmp_path / "test/after/scratch/artifacts/coverage_ratchet.md").read_text()
    assert "     8      return 2" in shown
    table = json.loads(
        (tmp_path / "test/after/scratch/artifacts/coverage_ratchet.json").read_bytes()
    )
    assert table["files"]["pilot.py"]["bound"] == {
        "missing_lines": 1,
        "missing_branches": 1,
        "excluded": 0,
    }


def test_a_file_that_no_test_imports_counts_whole(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "tools/radio.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files)
    assert kept["entries"]["tools/radio.py"] == {
        "missing_lines": 6,
        "missing_branches": 2,
        "excluded": 0,
        "statements": 6,
        "source": seal(sha256(PILOT.encode()), (6, 2, 0, 6)),
    }


def test_what_nothing_executes_is_parsed_again_only_when_it_differs(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "radio.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files)
    report = check(tmp_path / "same", files, kept)
    totals = next(row.data for row in report.evidence if row.name == "totals")
    assert (report.verdict, report.checked, report.findings) == (Verdict.PASS, 2, ())
    assert (totals["same_as_at_the_baseline"], totals["missing_lines"]) == (1, 7)
    longer = {**files, "radio.py": f"{PILOT}\n\nSOS = 1\n"}
    report = check(tmp_path / "longer", longer, kept)
    assert [row.path for row in report.findings] == ["radio.py"]
    # Another parser may count the same bytes otherwise.
    strict = {**files, ".coveragerc": "[report]\nexclude_also = return 0\n"}
    report = check(tmp_path / "strict", strict, kept)
    totals = next(row.data for row in report.evidence if row.name == "totals")
    assert (totals["same_as_at_the_baseline"], totals["missing_lines"]) == (0, 5)


def test_a_bound_and_a_known_failure_follow_their_file(tmp_path: Path) -> None:
    broken = BOTH.replace("== 2", "== 3")
    lane = {"candidate/__init__.py": "", "candidate/pilot.py": PILOT}
    old = {
        **lane,
        "candidate/test_pilot.py": broken.replace("import pilot", "from candidate import pilot"),
    }
    kept = measure(tmp_path, old)
    assert kept["meta"]["failing_tests"] == ["candidate/test_pilot.py::test_land"]
    moves = tuple(
        Move(f"candidate/{name}", name, "0" * 40) for name in ("pilot.py", "test_pilot.py")
    )
    new = {
        "candidate/__init__.py": "",
        "candidate/pilot.py": "# cockpit: moved to pilot\nfrom pilot import *\n",
        "pilot.py": PILOT,
        "test_pilot.py": broken,
    }
    changed = tuple(new)
    report = check(tmp_path / "same", new, kept, moves=moves, changed=changed)
    assert (report.verdict, rules_of(report)) == (Verdict.PASS, set())
    assert "1 known failure" in report.summary
    worse = {**new, "test_pilot.py": "import pilot\n\n\ndef test_up():\n    assert pilot\n"}
    report = check(tmp_path / "worse", worse, kept, moves=moves, changed=changed)
    assert rules_of(report) == {rules.MORE_LINES, rules.MORE_BRANCHES}


def test_a_package_left_behind_by_its_files_is_a_warning_until_it_follows(tmp_path: Path) -> None:
    package = "import pilot_names\n\nif pilot_names:\n    NAMES = 1\n"
    lane = {"candidate/__init__.py": "X = 1\n", "candidate/air/__init__.py": package}
    test = BOTH.replace("import pilot", "from candidate.air import pilot")
    old = {
        **lane,
        "pilot_names.py": "",
        "candidate/air/pilot.py": PILOT,
        "test_pilot.py": test,
    }
    kept = measure(tmp_path, old)
    moves = (Move("candidate/air/pilot.py", "air/pilot.py", "0" * 40),)
    new = {
        **lane,
        "pilot_names.py": "",
        "candidate/air/pilot.py": "# cockpit: moved to air.pilot\nfrom air.pilot import *\n",
        "air/pilot.py": PILOT,
        "test_pilot.py": BOTH.replace("import pilot", "from air import pilot"),
    }
    report = check(tmp_path / "batch", new, kept, moves=moves, changed=tuple(new))
    behind = {found.path for found in report.findings if found.severity is Severity.WARNING}
    assert behind == {"candidate/__init__.py", "candidate/air/__init__.py"}
    assert report.verdict is Verdict.WARN
    # Without a move the same loss is what it is.
    report = check(tmp_path / "plain", new, kept)
    assert report.verdict is Verdict.FAIL


def test_a_test_of_a_file_that_could_not_be_collected_is_no_new_failure(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH, "test_lost.py": "import nowhere_at_all\n"}
    kept = measure(tmp_path, files)
    assert kept["meta"]["failing_tests"] == ["test_lost.py"]
    now = {**files, "test_lost.py": "def test_it():\n    assert 0\n"}
    report = check(tmp_path / "now", now, kept)
    assert rules.NEW_TEST_FAILURE not in rules_of(report)
    other = {**files, "test_more.py": "def test_it():\n    assert 0\n"}
    assert rules.NEW_TEST_FAILURE in rules_of(check(tmp_path / "other", other, kept))


def test_a_moved_file_that_nothing_executes_says_so(tmp_path: Path) -> None:
    kept = {"entries": {"radio.py": FileCoverage(6, (1, 2, 3, 4, 7, 8), "1-8", ((2, 2),)).entry()}}
    kept["entries"]["pilot.py"] = {"missing_lines": 1, "missing_branches": 1, "statements": 6}
    files = {"pilot.py": PILOT, "radio.py": PILOT, "test_pilot.py": BOTH}
    report = check(tmp_path, files, kept, moves=(Move("candidate/radio.py", "radio.py", "0" * 40),))
    assert report.verdict is Verdict.PASS
    assert named(report, rules.NO_DATA).severity is Severity.INFO


def test_omitting_a_bounded_file_does_not_free_it(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "radio.py": "SOS = 1\n", "test_pilot.py": f"import radio\n{BOTH}"}
    kept = measure(tmp_path, files)
    more = {**files, ".coveragerc": "[run]\nomit =\n    rad*.py\n"}
    report = check(tmp_path, more, kept)
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.NO_DATA})
    assert named(report, rules.NO_DATA).path == "radio.py"


def test_a_move_behind_an_omit_pattern_does_not_free_a_file(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "tests/radio.py": PILOT, "test_pilot.py": BOTH}
    bound = {"missing_lines": 6, "missing_branches": 2, "statements": 6}
    kept = {"entries": {"pilot.py": bound, "candidate/radio.py": bound}}
    moves = (Move("candidate/radio.py", "tests/radio.py", "0" * 40),)
    report = check(tmp_path, files, kept, moves=moves)
    assert (report.verdict, named(report, rules.NO_DATA).path) == (
        Verdict.UNKNOWN,
        "tests/radio.py",
    )


def test_nothing_to_measure_is_no_pass(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"entries": {}}
    report = check(tmp_path, {"test_any.py": "def test_any():\n    pass\n"}, kept)
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.NO_DATA})


def test_a_moved_file_that_is_not_there(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    kept = {"entries": {"pilot.py": {"missing_lines": 1, "missing_branches": 1, "statements": 6}}}
    report = check(tmp_path, files, kept, moves=(Move("candidate/x.py", "x.py", "0" * 40),))
    assert (report.verdict, named(report, rules.NO_DATA).path) == (Verdict.UNKNOWN, "x.py")


# How tests run


def test_workers_of_xdist_are_measured(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files, settings={"paths": ["-n", "2"]})
    assert kept["entries"]["pilot.py"]["uncovered"] == "4"
    crash = f"import os\n{BOTH}\n\ndef test_crash():\n    os._exit(0)\n"
    report = check(
        tmp_path, {**files, "test_pilot.py": crash}, kept, settings={"paths": ["-n", "2"]}
    )
    assert report.verdict is Verdict.FAIL
    failed = named(report, rules.NEW_TEST_FAILURE)
    assert failed.evidence["test"] == "test_pilot.py::test_crash"


def test_child_processes_are_measured(tmp_path: Path) -> None:
    test = (
        "import os, subprocess, sys\n\n\n"
        "def test_child():\n"
        "    subprocess.run([sys.executable, 'pilot.py'], check=True)\n\n\n"
        "def test_fork():\n"
        "    import radio\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        radio.land()\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    files = {"pilot.py": f"{PILOT}\n\nclimb(1)\n", "radio.py": PILOT, "test_pilot.py": test}
    kept = measure(tmp_path, files)
    assert kept["entries"]["pilot.py"]["uncovered"] == "4,8"
    assert kept["entries"]["radio.py"]["uncovered"] == "2-4"


def test_a_test_that_leaves_is_named(tmp_path: Path) -> None:
    files = {
        "pilot.py": PILOT,
        "test_pilot.py": f"import os\n{BOTH}\n\ndef test_zz_leave():\n    os._exit(0)\n",
    }
    kept = {"entries": {"pilot.py": {"missing_lines": 1, "missing_branches": 1, "statements": 6}}}
    report = check(tmp_path, files, kept, settings={"paths": ["-p", "no:randomly"]})
    assert (report.verdict, rules_of(report)) == (Verdict.FAIL, {rules.TESTS_DID_NOT_RUN})
    assert "test_pilot.py::test_zz_leave" in named(report, rules.TESTS_DID_NOT_RUN).message
    with pytest.raises(CockpitError, match="no baseline, as the test process ended early"):
        measure(tmp_path, files)


def test_a_process_that_dies_after_its_last_test(tmp_path: Path) -> None:
    files = {
        "pilot.py": PILOT,
        "test_pilot.py": BOTH,
        "conftest.py": "import os\n\n\ndef pytest_unconfigure():\n    os._exit(7)\n",
    }
    report = check(tmp_path, files, {"entries": {}})
    assert (report.verdict, rules_of(report)) == (Verdict.FAIL, {rules.TESTS_DID_NOT_RUN})
    assert "ended early (exit status 7)" in named(report, rules.TESTS_DID_NOT_RUN).message


def test_a_test_that_hangs_is_killed_and_named(tmp_path: Path) -> None:
    test = "import time\n\n\ndef test_hang():\n    time.sleep(600)\n"
    kept: dict[str, Any] = {"entries": {}}
    files = {"pilot.py": PILOT, "test_pilot.py": test}
    report = check(tmp_path, files, kept, settings={"timeout_s": 3})
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.TESTS_DID_NOT_RUN})
    message = named(report, rules.TESTS_DID_NOT_RUN).message
    assert message.startswith("the tests did not end within 3 s")
    # On a busy machine pytest itself may not have come as far as the test.
    written = tmp_path / "after" / "scratch" / "coverage" / "tests.ndjson"
    rows = written.read_bytes() if written.exists() else b""
    assert ("during test_pilot.py::test_hang" in message) is (b'"start"' in rows)


def test_a_file_that_cannot_be_collected_is_a_failure_with_its_name(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH, "test_radio.py": "import radio_is_gone\n"}
    kept = measure(tmp_path, files)
    assert kept["meta"]["failing_tests"] == ["test_radio.py"]
    assert kept["entries"]["pilot.py"]["missing_lines"] == 1
    assert check(tmp_path / "known", files, kept).verdict is Verdict.PASS
    kept["meta"]["failing_tests"] = []
    report = check(tmp_path / "new", files, kept)
    assert rules_of(report) == {rules.NEW_TEST_FAILURE}
    assert "radio_is_gone" in named(report, rules.NEW_TEST_FAILURE).message


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"paths": ["--no-such-option"]}, "unrecognized arguments: --no-such-option"),
        ({"paths": ["no/such/path"]}, "no/such/path"),
        ({"command": ["-m", "no_such_module"]}, "no_such_module"),
        ({"paths": ["-k", "nothing_is_called_so"]}, "found no test to run"),
    ],
)
def test_a_run_that_never_was_is_unknown(
    settings: dict[str, Any], said: str, tmp_path: Path
) -> None:
    kept: dict[str, Any] = {"entries": {}}
    report = check(tmp_path, {"pilot.py": PILOT, "test_pilot.py": BOTH}, kept, settings=settings)
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.TESTS_DID_NOT_RUN})
    found = named(report, rules.TESTS_DID_NOT_RUN)
    assert said in found.message
    assert found.evidence["last_lines"]


def test_a_runner_of_ones_own(tmp_path: Path) -> None:
    files = {
        "run_tests.py": "import sys\nimport pytest\nsys.exit(pytest.main(sys.argv[1:]))\n",
        "pilot.py": PILOT,
        "test_pilot.py": BOTH,
    }
    kept = measure(tmp_path, files, settings={"command": ["run_tests.py"], "paths": ["-q"]})
    assert kept["entries"]["pilot.py"]["uncovered"] == "4"
    assert kept["entries"]["run_tests.py"]["missing_lines"] == 0


def test_no_tests_give_no_baseline(tmp_path: Path) -> None:
    assert gate.baseline(context(tmp_path, {"pilot.py": PILOT}, {})) is None


def test_a_python_without_coverage(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"entries": {}}
    bare = tmp_path / "python"
    bare.write_text(f'#!/bin/sh\nexec "{sys.executable}" -S "$@"\n')
    bare.chmod(0o755)
    report = check(tmp_path, {"pilot.py": PILOT}, kept, python=str(bare))
    assert (report.verdict, rules_of(report)) == (Verdict.UNKNOWN, {rules.TESTS_DID_NOT_RUN})
    assert "No module named 'coverage'" in named(report, rules.TESTS_DID_NOT_RUN).message


# Which files are meant


def test_src_layout_wins_over_an_installed_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = lay(tmp_path / "installed", {"acme/__init__.py": "", "acme/pilot.py": "climb = 0\n"})
    files = {
        "src/acme/__init__.py": "",
        "src/acme/pilot.py": PILOT,
        "checks/test_pilot.py": BOTH.replace("import pilot", "from acme import pilot"),
        "checks/conftest.py": f"import sys\nsys.path.append({str(copy)!r})\n",
    }
    kept = measure(tmp_path, files, lane=Lane(source_roots=("src",), root="src"))
    assert kept["entries"]["src/acme/pilot.py"]["uncovered"] == "4"
    # Without the source root, the copy is what the tests import.
    with pytest.raises(CockpitError, match="executed no statement of the tree; they imported"):
        measure(
            tmp_path / "wrong",
            {
                **files,
                "checks/test_pilot.py": "from acme import pilot\ndef test_any():\n    pass\n",
            },
        )


def test_a_module_named_like_an_installed_package(tmp_path: Path) -> None:
    files = {
        "sortedcontainers/__init__.py": PILOT,
        "checks/test_pilot.py": BOTH.replace("import pilot", "import sortedcontainers as pilot"),
    }
    kept = measure(tmp_path, files)
    assert kept["entries"]["sortedcontainers/__init__.py"]["uncovered"] == "4"


def test_sources_in_other_encodings_and_without_statements(tmp_path: Path) -> None:
    files: Files = {
        "latin.py": "# -*- coding: latin-1 -*-\nNAME = 'Ångström'\n".encode("latin-1"),
        "broken.py": b"NAME = '\xff'\n",
        "nul.py": b"NAME = 1\0\n",
        "platform_only.py": "def windows():  # pragma: no cover\n    return 1\n",
        "empty.py": "",
        "test_all.py": "import latin, platform_only\n\n\ndef test_name():\n    assert latin.NAME\n",
    }
    kept = measure(tmp_path, files)
    nothing = {"missing_lines": 0, "missing_branches": 0, "excluded": 0, "statements": 0}
    assert kept["entries"] == {
        "latin.py": {**nothing, "statements": 1},
        "platform_only.py": {**nothing, "excluded": 2},
        "empty.py": nothing,
    }
    assert check(tmp_path / "as-is", files, kept).verdict is Verdict.PASS
    report = check(tmp_path / "touched", files, kept, changed=("broken.py", "empty.py"))
    assert (report.verdict, named(report, rules.NO_DATA).path) == (Verdict.UNKNOWN, "broken.py")


def test_a_name_that_is_no_text(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    kept = measure(tmp_path, files)
    root = lay(tmp_path / "after" / "checkout" / "tree", {})
    (root / os.fsdecode(b"caf\xe9.py")).write_text("A = 1\n")
    report = check(tmp_path, files, kept, changed=(os.fsdecode(b"caf\xe9.py"),))
    assert named(report, rules.NEW_FILE).path == r"caf\udce9.py"
    json.dumps(report.to_json(), ensure_ascii=False).encode()


def test_links_are_not_counted_twice(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT, "test_pilot.py": BOTH}
    root = lay(tmp_path / "before" / "checkout" / "tree", {})
    (root / "alias.py").symlink_to("pilot.py")
    (root / "dangling.py").symlink_to("nowhere.py")
    lay(tmp_path, {"outside.py": PILOT})
    (root / "outside.py").symlink_to(tmp_path / "outside.py")
    assert list(measure(tmp_path, files)["entries"]) == ["pilot.py"]


def test_only_what_git_knows_or_would_add(tmp_path: Path) -> None:
    files = {
        "pilot.py": PILOT,
        "test_pilot.py": BOTH,
        "build/lib/pilot.py": PILOT,
        ".gitignore": "/build/\n",
    }
    root = lay(tmp_path / "before" / "checkout" / "tree", {})
    subprocess.run(["git", "init", "-q", str(root)], check=True)
    assert list(measure(tmp_path, files)["entries"]) == ["pilot.py"]


# What must not matter


def test_settings_above_the_tree_do_not_reach_it(tmp_path: Path) -> None:
    lay(
        tmp_path / "before" / "checkout",
        {
            "pytest.ini": "[pytest]\naddopts = --no-such-option\n",
            "conftest.py": "raise RuntimeError\n",
            ".coveragerc": "[run]\nomit = *\n",
        },
    )
    files = {"pyproject.toml": "[project]\nname = 'x'\n", "pilot.py": PILOT, "test_pilot.py": BOTH}
    assert measure(tmp_path, files)["entries"]["pilot.py"]["uncovered"] == "4"


def test_a_checkout_below_a_folder_called_tests(tmp_path: Path) -> None:
    files = {
        "pilot.py": PILOT,
        "tests/helper.py": "A = 1\n",
        "pkg/tests/helper.py": "A = 1\n",
        "tests/test_pilot.py": BOTH,
    }
    kept = measure(tmp_path / "tests" / "deep", files)
    assert list(kept["entries"]) == ["pilot.py"]


def test_the_repositorys_own_coverage_settings_count(tmp_path: Path) -> None:
    pyproject = (
        "[tool.coverage.run]\nomit = ['radio.py']\nsource = ['nowhere']\n"
        "[tool.coverage.report]\nexclude_also = ['return 0$']\nfail_under = 100\n"
        "[tool.pytest.ini_options]\naddopts = '-x --strict-markers'\n"
    )
    files = {
        "pyproject.toml": pyproject,
        "pilot.py": PILOT,
        "radio.py": PILOT,
        "test_a.py": "def test_first():\n    assert 0\n",
        "test_pilot.py": BOTH,
    }
    kept = measure(tmp_path, files)
    entry = kept["entries"]["pilot.py"]
    assert (entry["missing_lines"], entry["statements"]) == (0, 5)
    assert "radio.py" not in kept["entries"]
    assert kept["meta"]["failing_tests"] == ["test_a.py::test_first"]


def test_a_second_tracer_is_kept_out(tmp_path: Path) -> None:
    found = pytest.importorskip("pytest_cov")
    settings = {"pythonpath": [str(Path(found.__file__).parents[1])]}
    files = {
        "pytest.ini": "[pytest]\naddopts = --cov=pilot --cov-fail-under=100\n",
        "pilot.py": PILOT,
        "test_pilot.py": BOTH,
    }
    one = measure(tmp_path, files, settings=settings)
    assert one["entries"]["pilot.py"]["uncovered"] == "4"
    two = measure(tmp_path / "two", files, settings={**settings, "paths": ["-n", "2"]})
    assert two["entries"]["pilot.py"]["uncovered"] == "4"


def test_a_baseline_edited_by_hand(tmp_path: Path) -> None:
    files = {"pilot.py": PILOT}
    with pytest.raises(CockpitError, match=r"coverage\.json: pilot\.py: missing_lines: expected"):
        check(tmp_path / "count", files, {"entries": {"pilot.py": {"missing_lines": -1}}})
    bound = {"missing_lines": 1, "missing_branches": 0, "statements": 2, "uncovered": "1-"}
    with pytest.raises(CockpitError, match="uncovered: expected lines such as"):
        check(tmp_path / "lines", files, {"entries": {"pilot.py": bound}})
    with pytest.raises(CockpitError, match="failing_tests: expected a list"):
        check(tmp_path / "tests", files, {"entries": {}, "meta": {"failing_tests": "all"}})


# The pure part


LINES = st.lists(st.integers(1, 60), unique=True).map(sorted)


@st.composite
def files_of_a_tree(draw: st.DrawFn) -> dict[str, FileCoverage]:
    names = draw(st.lists(st.sampled_from(["a.py", "b.py", "c/d.py"]), unique=True))
    found = {}
    for name in names:
        statements = draw(LINES)
        missing = tuple(line for line in statements if draw(st.booleans()))
        untaken = tuple((line, draw(st.integers(1, 3))) for line in missing if draw(st.booleans()))
        found[name] = FileCoverage(len(statements), missing, ranges(missing), untaken)
    return found


def bounds(files: Mapping[str, FileCoverage]) -> dict[str, Bound]:
    return {path: Bound.of(now.entry(), path) for path, now in files.items()}


def compare(files: Mapping[str, FileCoverage], held: Mapping[str, Bound]) -> list[Finding]:
    return list(ratchet.compare(files, held, sources={}, moved=(), new_file_ratio=0.2))


@given(files_of_a_tree())
def test_every_tree_holds_its_own_bounds(files: dict[str, FileCoverage]) -> None:
    assert compare(files, bounds(files)) == []
    assert ratchet.slack(files, bounds(files), {}) == {}


@given(files_of_a_tree(), st.data())
def test_code_that_is_gone_breaks_no_bound(
    files: dict[str, FileCoverage], data: st.DataObject
) -> None:
    left = {}
    for path, now in files.items():
        if data.draw(st.booleans()):
            missing = tuple(line for line in now.missing if data.draw(st.booleans()))
            untaken = tuple(row for row in now.untaken if row[0] in missing)
            left[path] = FileCoverage(now.statements, missing, ranges(missing), untaken)
    assert compare(left, bounds(files)) == []


@given(files_of_a_tree(), st.integers(61, 99))
def test_one_more_missing_line_anywhere_is_seen(files: dict[str, FileCoverage], line: int) -> None:
    for path, now in files.items():
        missing = (*now.missing, line)
        worse = FileCoverage(now.statements + 1, missing, ranges(missing), now.untaken)
        found = compare({**files, path: worse}, bounds(files))
        assert [(row.path, row.rule) for row in found] == [(path, rules.MORE_LINES)]
        if now.executed or not now.missing:
            assert found[0].evidence["newly_uncovered"] == str(line)


@given(files_of_a_tree())
def test_bounds_follow_moves(files: dict[str, FileCoverage]) -> None:
    sources = {f"new/{path}": path for path in files}
    moved = {f"new/{path}": now for path, now in files.items()}
    found = ratchet.compare(
        moved, bounds(files), sources=sources, moved=sources.values(), new_file_ratio=0
    )
    assert list(found) == []
    lost = ratchet.compare(moved, {}, sources=sources, moved=sources.values(), new_file_ratio=0)
    assert {row.path for row in lost} == {path for path, now in moved.items() if now.missing}


@given(LINES)
def test_ranges_and_back(lines: list[int]) -> None:
    back = [line for first, last in spans(ranges(lines)) for line in range(first, last + 1)]
    assert back == lines


def test_what_is_newly_missing_is_told_where_it_can_be() -> None:
    now = FileCoverage(9, (3, 4, 9), "3-4,9")
    assert newly_missing(now, Bound(0, 0, 9)) == (3, 4, 9)
    assert newly_missing(now, Bound(2, 0, 9, "3-5")) == (9,)
    assert newly_missing(now, Bound(2, 0, 9)) == ()


@pytest.mark.parametrize(("missing", "allowed"), [(29, True), (30, False)])
def test_a_share_is_counted_as_it_is_written(missing: int, allowed: bool) -> None:
    lines = tuple(range(1, missing + 1))
    files = {"a.py": FileCoverage(100, lines, ranges(lines))}
    found = list(ratchet.compare(files, {}, sources={}, moved=(), new_file_ratio=0.29))
    assert (found == []) is allowed


@given(
    st.binary()
    | st.lists(
        st.sampled_from(
            [
                b'{"row": "session", "pytest": "9"}',
                b'{"row": "start", "id": "a"}',
                b'{"row": "end"}',
                b'{"row": "report", "id": 1}',
                b'{"row": "finish", "exit": 0}',
                b'{"row": []}',
                b"[]",
                b"{",
                b'{"row": "report", "id": "a", "outcome": "failed", "message": ""}',
                b'{"row": "modules", "outside": {"a": 1}}',
            ]
        )
    ).map(b"\n".join)
)
def test_any_bytes_are_a_report_of_tests(data: bytes) -> None:
    run = outcome.read(data)
    assert run.started is (b'{"row": "session"' in data)


def test_a_test_is_as_bad_as_its_worst_phase() -> None:
    rows = [
        {"row": "report", "id": "t", "outcome": phase, "message": "m", "line": 3}
        for phase in ("passed", "failed", "passed", "rerun")
    ]
    run = outcome.read("\n".join(map(json.dumps, rows)).encode())
    assert (dict(run.counts), run.failures) == ({"failed": 1}, {"t": outcome.Failure("m", 3)})


@given(st.text(st.characters(codec="utf-8")), st.text(st.characters(codec="utf-8")))
def test_coverage_reads_the_settings_written_for_it(pattern: str, root: str) -> None:
    import tomllib

    options = dict.fromkeys(
        [
            *(f"run:{name}" for name in ("concurrency", "core", "plugins", "sigterm", "timid")),
            *("run:patch", "run:disable_warnings", "report:partial_branches"),
            "report:partial_branches_always",
        ]
    )
    probed = {"options": {**options, "report:exclude_lines": [pattern]}, "plugins": {root: {}}}
    document = tomllib.loads(configuration.merged(probed, root=root, data="d"))["tool"]["coverage"]
    assert document["report"]["exclude_lines"] == [pattern.replace("$", "$$")]
    assert document["run"]["source"] == [root.replace("$", "$$")]


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({}, False),
        ({"pytest.ini": ""}, True),
        ({"pyproject.toml": "[project]\nname = 'x'\n"}, False),
        ({"pyproject.toml": "[tool.pytest.ini_options]\n"}, True),
        ({"pyproject.toml": "not toml"}, True),
        ({"tox.ini": "[tox]\n"}, False),
        ({"tox.ini": "[pytest]\n"}, True),
        ({"setup.cfg": "[tool:pytest]\n"}, True),
    ],
)
def test_where_pytest_finds_its_settings(
    files: dict[str, str], found: bool, tmp_path: Path
) -> None:
    assert configuration.has_pytest_settings(lay(tmp_path, files)) is found
