"""`--cockpit-on-red=isolate` on real repositories, with real gates."""

from __future__ import annotations

import json
import signal
import subprocess
import time

import pytest

SETTINGS = """\
[project]
name = "port"
version = "1"

[tool.pytest.ini_options]
testpaths = ["tests"]

[tool.cockpit]
gates = {gates}

[tool.cockpit.calendar]
stabilisation = []
"""
STAYS = (
    "if not __name__.startswith('candidate.'):\n"
    "    raise RuntimeError('works in the lane alone')\n\n\ndef f():\n    return {number}\n"
)
GOOD = "def f():\n    return {number}\n"
ISOLATE = ("--cockpit-batch", "--cockpit-on-red=isolate", "-p", "no:cacheprovider")


@pytest.fixture
def harbour(make_sandbox):
    """Make a repository of so many modules, some of them as given; measured and committed."""

    def make(files, *, count=8, gates='["imports", "ledger"]', tests=None):
        modules = {
            f"candidate/deck/m{number}.py": GOOD.format(number=number) for number in range(count)
        }
        everything = {
            "pyproject.toml": SETTINGS.format(gates=gates),
            ".gitignore": "__pycache__/\n.pytest_cache/\n",
            "candidate/__init__.py": "",
            "tests/test_none.py": "import candidate.deck.m0\n\n\ndef test_none():\n    pass\n",
            **modules,
            **(tests or {}),
        }
        sandbox = make_sandbox({**everything, **files})
        done = sandbox.pytest("--cockpit-init", "-q")
        assert done.returncode == 0, done.stdout + done.stderr
        sandbox.commit({}, "baselines")
        return sandbox

    return make


def stays(*numbers):
    return {f"candidate/deck/m{number}.py": STAYS.format(number=number) for number in numbers}


def artifact(sandbox, name):
    return json.loads((sandbox.root / "artifacts" / name).read_text(encoding="utf-8"))


def verdicts(sandbox):
    return {row["name"]: row["verdict"] for row in artifact(sandbox, "session.batch.json")["items"]}


def record(sandbox):
    return artifact(sandbox, "isolation.json")


def culprits(sandbox):
    return {path for it in record(sandbox)["outcome"]["culprits"] for path in it["files"]}


def trailers(sandbox, revision="HEAD"):
    message = sandbox.git("log", "-1", "--format=%B", revision)
    return [line for line in message.split("\n\n")[-1].splitlines() if line]


def moved(sandbox):
    """The modules of the deck that are out of the lane at HEAD."""
    return {path for path in sandbox.git("ls-files", "deck").splitlines() if path}


def deck(*numbers):
    return {f"deck/m{number}.py" for number in numbers}


def test_one_culprit_is_left_behind_and_the_rest_is_sealed(harbour):
    sandbox = harbour(stays(5))
    base = sandbox.git("rev-parse", "HEAD")
    done = sandbox.pytest(*ISOLATE, "-v", "--junitxml=junit.xml", "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    # Nothing is hidden: the red gate of the whole batch stays red.
    said = verdicts(sandbox)
    assert said["gate:imports"] == "fail"
    assert said["gate:ledger"] == said["isolate"] == "pass"
    assert said["rest/gate:imports"] == said["rest/gate:ledger"] == said["seal"] == "pass"
    assert 'failures="1"' in (sandbox.root / "junit.xml").read_text()
    assert "isolate FAIL" not in done.stdout
    assert "session 2 of about 3: 7 files, narrowing it down" in done.stdout
    assert "session 3 of about 3: 1 file, once more, with nothing but what it" in done.stdout
    assert "red: imports.import-fails: deck/m5.py" in done.stdout
    assert "to blame: candidate/deck/m5.py" in done.stdout
    assert "  red in sessions 1, 3, green without it in session 2" in done.stdout
    assert "was red; sealed is the rest of it, without 1 file" in done.stdout
    # What is sealed is a batch of its own, judged by every gate.
    assert moved(sandbox) == deck(0, 1, 2, 3, 4, 6, 7)
    assert sandbox.git("rev-parse", "HEAD^") == base
    found, session = record(sandbox), artifact(sandbox, "session.batch.json")
    said = trailers(sandbox)
    assert f"Batch-Id: {found['rest']['batch_id']}" in said
    assert f"Plan-Sha256: {found['rest']['plan_sha256']}" in said
    assert {"Gate-Imports: pass", "Gate-Ledger: pass"} <= set(said)
    assert said[-2:] == [f"Isolated-From: {found['batch_id']}", "Culprit: candidate/deck/m5.py"]
    assert session["batch_id"] == found["rest"]["batch_id"] != found["batch_id"]
    assert session["sealed"]["branch"] == f"refs/heads/cockpit/{session['batch_id']}"
    assert session["extra"]["isolation"]["culprits"] == ["candidate/deck/m5.py"]
    # The evidence: sessions, what failed in them, and what the gate found.
    [culprit] = found["outcome"]["culprits"]
    assert culprit["files"] == ["candidate/deck/m5.py"]
    assert culprit["red_with"] == [1, 3]
    assert culprit["green_without"] == [2]
    assert culprit["findings"][0]["rule"] == "imports.import-fails"
    assert culprit["findings"][0]["path"] == "deck/m5.py"
    body = (sandbox.root / "artifacts/promotion_pr_body.md").read_text()
    assert "### Left behind" in body
    assert "| `candidate/deck/m5.py` | `imports.import-fails: deck/m5.py` |" in body
    rest = (sandbox.root / "artifacts/promotion_batch.rest.plan.jsonl").read_text()
    assert '"rule":"stays-behind"' in rest.replace(" ", "")
    # The red report is kept beside the green one of the rest.
    assert artifact(sandbox, "gates/imports.json")["verdict"] == "fail"
    assert artifact(sandbox, "gates/rest/imports.json")["verdict"] == "pass"


def test_two_culprits(harbour):
    sandbox = harbour(stays(2, 6))
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m2.py", "candidate/deck/m6.py"}
    assert moved(sandbox) == deck(0, 1, 3, 4, 5, 7)
    assert "session 2 of" not in done.stdout


def test_what_needs_a_culprit_is_held_back_and_not_blamed(harbour):
    needy = {
        "candidate/deck/m6.py": "from candidate.deck.m5 import f\n\n\ndef g():\n    return f()\n"
    }
    sandbox = harbour(stays(5) | needy)
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    [culprit] = record(sandbox)["outcome"]["culprits"]
    assert culprit["files"] == ["candidate/deck/m5.py"]
    assert culprit["held"] == ["candidate/deck/m6.py"]
    assert moved(sandbox) == deck(0, 1, 2, 3, 4, 7)
    assert "held back with it: candidate/deck/m6.py" in done.stdout
    rest = (sandbox.root / "artifacts/promotion_batch.rest.plan.jsonl").read_text()
    assert "needs candidate/deck/m5.py, which is to blame" in rest


def test_a_pair_that_fails_only_together(harbour):
    pair = {
        "candidate/deck/m6.py": "import importlib.util\n\n"
        "if not __name__.startswith('candidate.') and importlib.util.find_spec('deck.m1'):\n"
        "    raise RuntimeError('not beside m1')\n"
    }
    sandbox = harbour(pair)
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    [culprit] = record(sandbox)["outcome"]["culprits"]
    assert culprit["files"] == ["candidate/deck/m6.py"]
    assert culprit["partners"] == ["candidate/deck/m1.py"]
    assert moved(sandbox) == deck(0, 1, 2, 3, 4, 5, 7)
    assert "only together with candidate/deck/m1.py" in done.stdout


def test_when_nothing_is_red_nothing_is_searched(harbour):
    sandbox = harbour({}, count=3)
    listed = sandbox.pytest(*ISOLATE, "--co", "-q")
    names = [line.partition("::")[2] for line in listed.stdout.splitlines() if "::" in line]
    assert names[-8:] == [
        "transaction",
        "gate:imports",
        "gate:ledger",
        "isolate",
        "rest/transaction",
        "rest/gate:imports",
        "rest/gate:ledger",
        "seal",
    ]
    done = sandbox.pytest(*ISOLATE, "-q", "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "isolate: skip: nothing was red" in done.stdout
    assert "rest/transaction: skip" not in done.stdout
    assert verdicts(sandbox)["isolate"] == "skip"
    assert moved(sandbox) == deck(0, 1, 2)
    assert not (sandbox.root / "artifacts/isolation.json").exists()
    assert "Isolated-From" not in sandbox.git("log", "-1", "--format=%B")


def test_without_the_option_a_red_gate_halts_and_is_asked_once(harbour):
    sandbox = harbour(stays(1), count=3)
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-batch", "--cockpit-on-red=halt", "-q")
    assert done.returncode == 1
    assert "isolate" not in verdicts(sandbox)
    assert "gate:ledger" not in verdicts(sandbox)
    assert sandbox.snapshot() == before


def test_a_dry_run_searches_and_seals_nothing_and_its_search_is_not_repeated(harbour):
    sandbox = harbour(stays(1), count=5)
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "--cockpit-dry-run", "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m1.py"}
    assert verdicts(sandbox)["seal"] == "skip"
    assert sandbox.snapshot() == before
    asked = record(sandbox)["sessions"]
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"going on after session {len(asked)} of the search" in done.stdout
    assert record(sandbox)["sessions"] == asked
    assert moved(sandbox) == deck(0, 2, 3, 4)


def test_nothing_is_sealed_when_every_file_is_to_blame(harbour):
    sandbox = harbour(stays(0, 1), count=2)
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m0.py", "candidate/deck/m1.py"}
    assert verdicts(sandbox)["seal"] == verdicts(sandbox)["rest/transaction"] == "skip"
    assert "every file of the batch is to blame" in done.stdout
    assert sandbox.snapshot() == before


def test_a_partial_selection_does_not_seal(harbour):
    sandbox = harbour(stays(1), count=3)
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q", "-k", "not isolate")
    assert done.returncode == 4
    assert "a partial selection cannot seal: 1 of" in done.stderr + done.stdout
    assert sandbox.snapshot() == before
    done = sandbox.pytest(*ISOLATE, "-q", "-k", "not seal and not rest")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m1.py"}
    assert sandbox.snapshot() == before


FLAG = """\
from pathlib import Path

from candidate.deck import m0

FLAG = Path({path!r})


def test_flaky():
    assert m0.f() == 0
    told = FLAG.read_text() if FLAG.exists() else ""
    FLAG.write_text(told[1:])
    assert told[:1] != "R"
"""


@pytest.fixture
def moody(harbour, tmp_path):
    """A repository with a test that fails where the file has an R for the run."""

    def make(count=4):
        flag = tmp_path / "flag"
        tests = {"tests/test_flaky.py": FLAG.format(path=str(flag))}
        return harbour({}, count=count, gates='["coverage", "ledger"]', tests=tests), flag

    return make


def test_a_flaky_test_blames_nobody_and_is_told(moody):
    sandbox, flag = moody()
    flag.write_text("R")
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    said = verdicts(sandbox)
    assert said["gate:coverage"] == "fail"
    assert said["isolate"] == "warn"
    assert said["rest/gate:coverage"] == "warn"
    assert said["seal"] == "pass"
    assert record(sandbox)["outcome"]["culprits"] == []
    assert moved(sandbox) == deck(0, 1, 2, 3)
    assert "isolate: warn: no file is to blame: coverage: red 1 of" in done.stdout
    [row] = map(json.loads, (sandbox.root / "artifacts/flakes.ndjson").read_text().splitlines())
    assert row["gate"] == "coverage"
    assert row["red"] == 1
    assert row["green"] >= 3
    assert row["failing"] == ["coverage.new-test-failure: tests/test_flaky.py::test_flaky"]
    [flake] = artifact(sandbox, "session.batch.json")["extra"]["flakes"]
    assert flake["red"] == 1
    message = trailers(sandbox)
    assert "Gate-Coverage: warn" in message
    assert any(line.startswith("Flaky: coverage: red 1 of") for line in message)
    assert not any(line.startswith("Culprit") for line in message)


def test_gates_that_cannot_make_up_their_mind_seal_nothing(moody):
    sandbox, flag = moody(count=1)
    flag.write_text("RG" * 20)
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(sandbox)["isolate"] == "unknown"
    assert "nobody is blamed: 12 verdicts on one tree decided nothing" in done.stdout
    assert "rest/transaction" not in verdicts(sandbox)
    assert sandbox.snapshot() == before
    assert (sandbox.root / "artifacts/flakes.ndjson").exists()


def test_what_fails_without_a_culprit_as_well_acquits_it(moody):
    sandbox, flag = moody(count=2)
    # The batch, all but the suspect, the suspect, and then the rest, until it is settled.
    flag.write_text("RGRRGG")
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m0.py"}
    assert verdicts(sandbox)["rest/gate:coverage"] == "unknown"
    assert "candidate/deck/m0.py is no culprit: what failed with it fails now" in done.stdout
    assert sandbox.snapshot() == before
    # The test is known to be flaky by now, and more is asked before it convicts anybody.
    flag.write_text("RGRRGG")
    (sandbox.root / "artifacts/isolation.json").unlink()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == set()
    assert record(sandbox)["search"]["trust"]["flakes"] == 0.2
    assert verdicts(sandbox)["seal"] == "pass"


def test_a_red_batch_that_is_green_the_next_time_is_asked_until_it_is_certain(moody):
    sandbox, flag = moody()
    flag.write_text("R")
    done = sandbox.pytest(*ISOLATE, "-q", "-k", "not seal and not rest", "--cockpit-dry-run")
    assert done.returncode == 1, done.stdout + done.stderr
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    said = verdicts(sandbox)
    assert said["gate:coverage"] == "pass"
    assert said["isolate"] == "warn"
    assert said["rest/gate:coverage"] == "skip"
    assert "flaky: red 1 of" in done.stdout
    assert "Gate-Coverage: warn" in trailers(sandbox)
    assert moved(sandbox) == deck(0, 1, 2, 3)


def test_a_red_base_is_to_blame_and_no_file(harbour):
    tests = {"tests/test_base.py": "def test_base():\n    pass\n"}
    sandbox = harbour({}, count=4, gates='["coverage", "ledger"]', tests=tests)
    sandbox.commit({"tests/test_base.py": "def test_base():\n    assert 0\n"})
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(sandbox)["isolate"] == "fail"
    assert "the base is to blame: coverage red at" in done.stdout
    assert record(sandbox)["outcome"]["culprits"] == []
    assert sandbox.snapshot() == before


def test_what_failed_in_a_test_is_attributed_first(harbour):
    tests = {
        f"tests/test_m{number}.py": f"from candidate.deck.m{number} import f\n\n\n"
        f"def test_f():\n    assert f() == {number}\n"
        for number in range(8)
    }
    wrong = {
        "candidate/deck/m3.py": "def f():\n    return {'candidate.deck.m3': 3}[__name__]\n",
    }
    sandbox = harbour(wrong, gates='["coverage", "ledger"]', tests=tests)
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m3.py"}
    [finding] = artifact(sandbox, "gates/coverage.json")["findings"]
    assert finding["evidence"]["frames"] == ["tests/test_m3.py", "deck/m3.py"]
    # All but the suspect first, then the suspect.
    assert len(record(sandbox)["sessions"]) == 3
    assert "red: coverage.new-test-failure: tests/test_m3.py::test_f" in done.stdout
    assert moved(sandbox) == deck(0, 1, 2, 4, 5, 6, 7)


GATE = """\
from pytest_cockpit.api import Finding, Proof, Report, Rule, Severity, Verdict


class Gate:
    name = "berth"
    summary = "no two files that do not get along"
    rules = (Rule("berth.apart", "Files lie apart."),)
    settings_schema = {"type": "object"}

    def check(self, context):
        if context.settings.get("lost"):
            return Report.judge("nothing to see", checked=0)
        found = [
            Finding("berth.apart", "must not lie here", path=path)
            for path in context.changed
            if b"APART" in (context.root / path).read_bytes()
        ]
        return Report.judge("berths", checked=1, findings=found)

    def proofs(self):
        return []


gate = Gate()
"""


@pytest.fixture
def site(tmp_path):
    """A third party's gate, installed where only this test finds it."""
    info = tmp_path / "site" / "berth-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: berth\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest_cockpit.gates]\nberth = berth:gate\n")
    (tmp_path / "site" / "berth.py").write_text(GATE)
    return {"PYTHONPATH": str(tmp_path / "site")}


def test_a_third_partys_gate_is_searched_by(make_sandbox, site):
    files = {f"candidate/deck/m{number}.py": GOOD.format(number=number) for number in range(5)}
    files["candidate/deck/m4.py"] = "# APART\n"
    sandbox = make_sandbox(
        {
            "pyproject.toml": SETTINGS.format(gates='["berth"]'),
            ".gitignore": "__pycache__/\n",
            "candidate/__init__.py": "",
            **files,
        }
    )
    done = sandbox.pytest(*ISOLATE, "-q", env=site)
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m4.py"}
    assert moved(sandbox) == deck(0, 1, 2, 3)


def test_where_nothing_failed_nobody_is_looked_for(make_sandbox, site):
    settings = SETTINGS.format(gates='["berth"]') + "\n[tool.cockpit.gate.berth]\nlost = true\n"
    sandbox = make_sandbox(
        {
            "pyproject.toml": settings,
            ".gitignore": "__pycache__/\n",
            "candidate/__init__.py": "",
            "candidate/deck/m0.py": "",
        }
    )
    before = sandbox.snapshot()
    done = sandbox.pytest(*ISOLATE, "-q", env=site)
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nobody is blamed, for nothing failed: berth is unknown" in done.stdout
    assert sandbox.snapshot() == before


def test_killed_in_the_middle_it_goes_on_where_it_was(harbour):
    sandbox = harbour(stays(3, 7, 11), count=14)
    before = sandbox.snapshot()
    process = subprocess.Popen(
        sandbox.argv(*ISOLATE, "-q"),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = sandbox.root / "artifacts/isolation.json"
    deadline = time.monotonic() + 120
    while not path.exists() or len(record(sandbox)["sessions"]) < 3:
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert sandbox.snapshot() == before
    told = record(sandbox)["sessions"]
    assert not record(sandbox)["outcome"]["complete"]
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"going on after session {len(told)} of the search" in done.stdout
    assert f"session {len(told)} of about" not in done.stdout
    assert record(sandbox)["sessions"][: len(told)] == told
    assert moved(sandbox) == deck(0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"schema": "pytest-cockpit/isolation/1"}'])
def test_a_damaged_record_costs_sessions_and_no_more(harbour, text):
    sandbox = harbour(stays(1), count=3)
    sandbox.write({"artifacts/isolation.json": text})
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert moved(sandbox) == deck(0, 2)


def test_a_rest_that_could_not_be_pushed_is_finished_by_the_next_session(harbour, tmp_path):
    sandbox = harbour(stays(1), count=3)
    sandbox.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    sandbox.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    hook = tmp_path / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "but not pushed" in done.stdout
    hook.unlink()
    done = sandbox.pytest(*ISOLATE, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(verdicts(sandbox)) == ["seal"]
    rest = record(sandbox)["rest"]["batch_id"]
    assert f"cockpit/{rest}" in sandbox.git("ls-remote", "origin")
