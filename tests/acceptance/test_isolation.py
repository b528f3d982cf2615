"""`--cockpit-on-red=isolate` on real repositories: pytest as a user runs it.

Two tests have the gates that a user has. What lies around the gates is tried with one that takes no
more than the start of its process, and is installed where only these tests find it.
"""

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
GOOD = "def f():\n    return {number}\n"
STAYS = (
    "if not __name__.startswith('candidate.'):\n"
    "    raise RuntimeError('works in the lane alone')\n\n\ndef f():\n    return {number}\n"
)
RED = "# RED\n"
ISOLATE = ("--cockpit-batch", "--cockpit-on-red=isolate", "-p", "no:cacheprovider")

GATE = """\
from pathlib import Path

from pytest_cockpit.api import Finding, Report, Rule

RULES = {
    "berth.red": "No file says that it is red.",
    "berth.beside": "No file lies beside one that it does not get along with.",
    "berth.mood": "Nothing fails now and then.",
    "berth.base": "Nothing is wrong anywhere else.",
}


class Gate:
    name = "berth"
    summary = "what lies where"
    rules = tuple(Rule(*each) for each in RULES.items())
    settings_schema = {"type": "object"}

    def check(self, context):
        if context.settings.get("lost"):
            return Report.judge("nothing to see", checked=0)
        return Report.judge("berths", checked=1, findings=list(self._found(context)))

    def _found(self, context):
        for path in context.changed:
            mark, _, other = (context.root / path).read_text().partition("\\n")[0].partition(": ")
            if mark == "# RED":
                yield Finding("berth.red", "is red", path=path)
            if mark == "# NOT BESIDE" and (context.root / other).exists():
                yield Finding("berth.beside", "is beside it", path=path)
        if (context.root / "RED").exists():
            yield Finding("berth.base", "is red", path="RED")
        mood = Path(context.settings.get("moods", "/nonexistent"))
        told = mood.read_text() if mood.exists() else ""
        if told:
            mood.write_text(told[1:])
        if told[:1] == "R":
            yield Finding("berth.mood", "failed", evidence={"test": "tests/test_mood.py::test"})

    def proofs(self):
        return []


gate = Gate()
"""


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """A third party's gate, installed where only these tests find it."""
    root = tmp_path_factory.mktemp("site")
    info = root / "berth-1.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: berth\nVersion: 1\n")
    (info / "entry_points.txt").write_text("[pytest_cockpit.gates]\nberth = berth:gate\n")
    (root / "berth.py").write_text(GATE)
    return {"PYTHONPATH": str(root), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}


class Pier:
    """A sandbox with the one gate, and the moods that the gate will have."""

    def __init__(self, sandbox, env, moods):
        self.sandbox, self.env, self._moods = sandbox, env, moods

    def __getattr__(self, name):
        return getattr(self.sandbox, name)

    def argv(self, *arguments):
        return self.sandbox.argv("-p", "pytest_cockpit.plugin", *ISOLATE, *arguments)

    def isolate(self, *arguments, moods=""):
        """A session; `moods` has one letter for each run of the gate, red where it is an R."""
        self._moods.write_text(moods)
        return self.sandbox.pytest(
            "-p", "pytest_cockpit.plugin", *ISOLATE, *arguments, env=self.env
        )


@pytest.fixture
def pier(make_sandbox, site, tmp_path):
    """Make a repository of so many modules, some of them as given, judged by the one gate."""

    def make(files=None, *, count=3, settings=""):
        moods = tmp_path / "moods"
        gate = f'[tool.cockpit.gate.berth]\nmoods = "{moods}"\n{settings}\n'
        sandbox = make_sandbox(
            {
                "pyproject.toml": f"{SETTINGS.format(gates=['berth'])}\n{gate}",
                ".gitignore": "__pycache__/\n",
                "candidate/__init__.py": "",
                **{f"candidate/deck/m{at}.py": GOOD.format(number=at) for at in range(count)},
                **(files or {}),
            }
        )
        return Pier(sandbox, site, moods)

    return make


@pytest.fixture
def harbour(make_sandbox):
    """Make a repository for the built-in gates; measured and committed."""

    def make(files, *, count, gates, tests):
        sandbox = make_sandbox(
            {
                "pyproject.toml": SETTINGS.format(gates=gates),
                ".gitignore": "__pycache__/\n.pytest_cache/\n",
                "candidate/__init__.py": "",
                **{f"candidate/deck/m{at}.py": GOOD.format(number=at) for at in range(count)},
                **tests,
                **files,
            }
        )
        done = sandbox.pytest("--cockpit-init", "-q")
        assert done.returncode == 0, done.stdout + done.stderr
        sandbox.commit({}, "baselines")
        return sandbox

    return make


def red(*numbers):
    return {f"candidate/deck/m{number}.py": RED for number in numbers}


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
    tests = {"tests/test_none.py": "import candidate.deck.m0\n\n\ndef test_none():\n    pass\n"}
    culprit = {"candidate/deck/m5.py": STAYS.format(number=5)}
    sandbox = harbour(culprit, count=8, gates=["imports", "ledger"], tests=tests)
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
    # What to do is said of the batch that was red.
    told = artifact(sandbox, "on_red.json")
    assert told["batch_id"] == found["batch_id"]
    assert any("candidate/deck/m5.py" in json.dumps(action) for action in told["actions"])
    # The red report is kept beside the green one of the rest.
    assert artifact(sandbox, "gates/imports.json")["verdict"] == "fail"
    assert artifact(sandbox, "gates/rest/imports.json")["verdict"] == "pass"
    assert "m5" in json.dumps(artifact(sandbox, "import_failures.json"))
    assert "m5" not in json.dumps(artifact(sandbox, "gates/rest/artifacts/import_failures.json"))


def test_culprits_are_left_behind_with_what_needs_them(pier):
    needy = {
        "candidate/deck/m6.py": "from candidate.deck.m5 import f\n\n\ndef g():\n    return f()\n"
    }
    made = pier(red(2, 5) | needy, count=7)
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    one, other = sorted(record(made)["outcome"]["culprits"], key=lambda it: it["files"])
    assert (one["files"], one["held"]) == (["candidate/deck/m2.py"], [])
    assert (other["files"], other["held"]) == (["candidate/deck/m5.py"], ["candidate/deck/m6.py"])
    assert moved(made) == deck(0, 1, 3, 4)
    assert "held back with it: candidate/deck/m6.py" in done.stdout
    assert "session 2 of" not in done.stdout
    rest = (made.root / "artifacts/promotion_batch.rest.plan.jsonl").read_text()
    assert "needs candidate/deck/m5.py, which is to blame" in rest
    assert verdicts(made)["rest/gate:berth"] == "pass"


def test_a_pair_that_fails_only_together(pier):
    made = pier({"candidate/deck/m2.py": "# NOT BESIDE: deck/m1.py\n"})
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    [culprit] = record(made)["outcome"]["culprits"]
    assert culprit["files"] == ["candidate/deck/m2.py"]
    assert culprit["partners"] == ["candidate/deck/m1.py"]
    assert moved(made) == deck(0, 1)
    assert "only together with candidate/deck/m1.py" in done.stdout


def test_when_nothing_is_red_nothing_is_searched(pier):
    made = pier()
    listed = made.isolate("--co", "-q")
    names = [line.partition("::")[2] for line in listed.stdout.splitlines() if "::" in line]
    assert names[-6:] == [
        "transaction",
        "gate:berth",
        "isolate",
        "rest/transaction",
        "rest/gate:berth",
        "seal",
    ]
    done = made.isolate("-q", "-rs")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "isolate: skip: nothing was red" in done.stdout
    assert "rest/transaction: skip" not in done.stdout
    assert verdicts(made)["isolate"] == "skip"
    assert moved(made) == deck(0, 1, 2)
    assert not (made.root / "artifacts/isolation.json").exists()
    assert "Isolated-From" not in made.git("log", "-1", "--format=%B")


def test_without_the_option_a_red_gate_halts_and_is_asked_once(pier):
    made = pier(red(1))
    before = made.snapshot()
    done = made.isolate("--cockpit-on-red=halt", "-q", moods="GR")
    assert done.returncode == 1
    assert "isolate" not in verdicts(made)
    assert "seal" not in verdicts(made)
    assert made.snapshot() == before


def test_a_dry_run_searches_and_seals_nothing_and_its_search_is_not_repeated(pier):
    made = pier(red(1))
    before = made.snapshot()
    done = made.isolate("--cockpit-dry-run", "-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(made) == {"candidate/deck/m1.py"}
    assert verdicts(made)["seal"] == "skip"
    assert made.snapshot() == before
    asked = record(made)["sessions"]
    done = made.isolate("-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"going on after session {len(asked)} of the search" in done.stdout
    assert record(made)["sessions"] == asked
    assert moved(made) == deck(0, 2)


def test_a_damaged_record_costs_sessions_and_no_more(pier):
    made = pier(red(0, 1), count=2)
    made.write({"artifacts/isolation.json": '{"schema": "pytest-cockpit/isolation/1"}'})
    before = made.snapshot()
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    # Nothing is left to be sealed.
    assert culprits(made) == {"candidate/deck/m0.py", "candidate/deck/m1.py"}
    assert verdicts(made)["seal"] == verdicts(made)["rest/transaction"] == "skip"
    assert "every file of the batch is to blame" in done.stdout
    assert made.snapshot() == before


def test_a_partial_selection_does_not_seal(pier):
    made = pier(red(1))
    before = made.snapshot()
    done = made.isolate("-q", "-k", "not isolate")
    assert done.returncode == 4
    assert "a partial selection cannot seal: 1 of" in done.stderr + done.stdout
    assert made.snapshot() == before


def test_a_flaky_gate_blames_nobody_and_is_told(pier):
    made = pier()
    done = made.isolate("-v", moods="R")
    assert done.returncode == 1, done.stdout + done.stderr
    said = verdicts(made)
    assert said["gate:berth"] == "fail"
    assert said["isolate"] == "warn"
    assert said["rest/gate:berth"] == "warn"
    assert said["seal"] == "pass"
    assert record(made)["outcome"]["culprits"] == []
    assert moved(made) == deck(0, 1, 2)
    assert "isolate: warn: no file is to blame: berth: red 1 of" in done.stdout
    [row] = map(json.loads, (made.root / "artifacts/flakes.ndjson").read_text().splitlines())
    assert (row["gate"], row["red"]) == ("berth", 1)
    assert row["green"] >= 3
    assert row["failing"] == ["berth.mood: tests/test_mood.py::test"]
    [flake] = artifact(made, "session.batch.json")["extra"]["flakes"]
    assert flake["red"] == 1
    message = trailers(made)
    assert "Gate-Berth: warn" in message
    assert any(line.startswith("Flaky: berth: red 1 of") for line in message)
    assert not any(line.startswith("Culprit") for line in message)
    assert "### Flaky gates" in (made.root / "artifacts/promotion_pr_body.md").read_text()


def test_a_flaky_gate_with_a_culprit_at_once(pier):
    made = pier(red(2))
    # The batch is red for its culprit alone, and all but the culprit once for nothing.
    done = made.isolate("-v", moods="GR")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(made) == {"candidate/deck/m2.py"}
    assert verdicts(made)["rest/gate:berth"] == "warn"
    assert verdicts(made)["seal"] == "pass"
    assert moved(made) == deck(0, 1)
    message = trailers(made)
    assert "Culprit: candidate/deck/m2.py" in message
    assert any(line.startswith("Flaky: berth: red 1 of") for line in message)


def test_gates_that_cannot_make_up_their_mind_seal_nothing(pier):
    made = pier(count=1)
    before = made.snapshot()
    done = made.isolate("-q", moods="RG" * 20)
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(made)["isolate"] == "unknown"
    assert "nobody is blamed: 12 verdicts on one tree decided nothing" in done.stdout
    assert "rest/transaction" not in verdicts(made)
    assert made.snapshot() == before
    assert (made.root / "artifacts/flakes.ndjson").exists()


def test_what_fails_without_a_culprit_as_well_acquits_it(pier):
    made = pier(count=2)
    before = made.snapshot()
    # The batch, all but the suspect, the suspect, and then the rest, until it is settled.
    done = made.isolate("-q", moods="RGRRGG")
    assert done.returncode == 1, done.stdout + done.stderr
    assert len(culprits(made)) == 1
    assert verdicts(made)["rest/gate:berth"] == "unknown"
    assert "is no culprit: what failed with it fails now" in done.stdout
    assert made.snapshot() == before
    # The test is known to be flaky by now, and more is asked before it convicts anybody.
    (made.root / "artifacts/isolation.json").unlink()
    done = made.isolate("-q", moods="RGRRGG")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(made) == set()
    assert record(made)["search"]["trust"]["flakes"] == 0.2
    assert verdicts(made)["seal"] == "pass"


def test_a_red_batch_that_is_green_the_next_time_is_asked_until_it_is_certain(pier):
    made = pier()
    before = made.snapshot()
    done = made.isolate("-q", "-k", "not seal and not rest", "--cockpit-dry-run", moods="R")
    assert done.returncode == 1, done.stdout + done.stderr
    assert made.snapshot() == before
    done = made.isolate("-v")
    assert done.returncode == 0, done.stdout + done.stderr
    said = verdicts(made)
    assert said["gate:berth"] == "pass"
    assert said["isolate"] == "warn"
    assert said["rest/gate:berth"] == "skip"
    assert "flaky: berth: red 1 of" in done.stdout
    assert "Gate-Berth: warn" in trailers(made)
    assert any(line.startswith("Flaky: berth: red 1 of") for line in trailers(made))
    [flake] = artifact(made, "session.batch.json")["extra"]["flakes"]
    assert flake["red"] == 1
    assert moved(made) == deck(0, 1, 2)


def test_a_red_base_is_to_blame_and_no_file(pier):
    made = pier({"RED": ""})
    before = made.snapshot()
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert verdicts(made)["isolate"] == "fail"
    assert "the base is to blame: berth red at" in done.stdout
    assert record(made)["outcome"]["culprits"] == []
    assert made.snapshot() == before


def test_what_failed_in_a_test_is_attributed_first(harbour):
    tests = {
        f"tests/test_m{number}.py": f"from candidate.deck.m{number} import f\n\n\n"
        f"def test_f():\n    assert f() == {number}\n"
        for number in range(4)
    }
    wrong = {
        "candidate/deck/m2.py": "def f():\n    return {'candidate.deck.m2': 2}[__name__]\n",
    }
    sandbox = harbour(wrong, count=4, gates=["coverage", "ledger"], tests=tests)
    done = sandbox.pytest(*ISOLATE, "-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert culprits(sandbox) == {"candidate/deck/m2.py"}
    [finding] = artifact(sandbox, "gates/coverage.json")["findings"]
    assert finding["evidence"]["frames"] == ["tests/test_m2.py", "deck/m2.py"]
    # All but the suspect first, then the suspect.
    assert len(record(sandbox)["sessions"]) == 3
    assert "red: coverage.new-test-failure: tests/test_m2.py::test_f" in done.stdout
    assert moved(sandbox) == deck(0, 1, 3)


def test_where_nothing_failed_nobody_is_looked_for(pier):
    made = pier(count=1, settings="lost = true")
    before = made.snapshot()
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "nobody is blamed, for nothing failed: berth is unknown" in done.stdout
    assert made.snapshot() == before


def test_killed_in_the_middle_it_goes_on_where_it_was(pier):
    made = pier(red(1, 3, 5), count=6)
    before = made.snapshot()
    process = subprocess.Popen(
        made.argv("-q"),
        cwd=made.root,
        env={**made.environment(), **made.env},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    path = made.root / "artifacts/isolation.json"
    while not path.exists() or len(record(made)["sessions"]) < 3:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert made.snapshot() == before
    told = record(made)["sessions"]
    assert not record(made)["outcome"]["complete"]
    done = made.isolate("-v")
    assert done.returncode == 1, done.stdout + done.stderr
    assert f"going on after session {len(told)} of the search" in done.stdout
    assert f"session {len(told)} of about" not in done.stdout
    assert record(made)["sessions"][: len(told)] == told
    assert moved(made) == deck(0, 2, 4)


def test_a_rest_that_could_not_be_pushed_is_finished_by_the_next_session(pier, tmp_path):
    made = pier(red(1))
    made.git("init", "-q", "--bare", str(tmp_path / "remote.git"))
    made.git("remote", "add", "origin", str(tmp_path / "remote.git"))
    hook = tmp_path / "remote.git/hooks/pre-receive"
    hook.write_text("#!/bin/sh\nexit 1\n")
    hook.chmod(0o755)
    done = made.isolate("-q")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "but not pushed" in done.stdout
    hook.unlink()
    done = made.isolate("-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(verdicts(made)) == ["seal"]
    rest = record(made)["rest"]["batch_id"]
    assert f"cockpit/{rest}" in made.git("ls-remote", "origin")
