"""A forked session is what a fresh one is, and where it would not be, a fresh one is run."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests import warm

SEEN = """\
import atexit, json, os, sys, tempfile
import pytest

FACTS = {
    "cwd": os.getcwd(),
    "argv": sys.argv[1:],
    "first": sys.path[0],
    "path": [it for it in sys.path if it],
    "variables": sorted(os.environ),
    "started_with": sorted(
        row.partition("=")[0] for row in open("/proc/self/environ").read().split("\\0") if row
    ),
    "temporary": tempfile.gettempdir(),
    "named": __name__,
    "rewritten": type(sys.modules["pytest_cockpit.plugin"].__loader__).__name__,
    "left": getattr(pytest, "left_behind", None),
}
pytest.left_behind = os.environ["LEFT"] = "by an earlier session"
atexit.register(lambda: print("at the end"))


def test_facts():
    sys.stderr.write("to stderr\\n")
    open("facts.json", "w").write(json.dumps(FACTS))


def test_red():
    assert 0
"""
pytestmark = pytest.mark.skipif(
    not Path("/proc/self/environ").exists(), reason="processes are seen in /proc"
)


@pytest.fixture
def started(monkeypatch):
    """The answers of `warm.session`: None where a fresh interpreter was run."""
    given = []
    monkeypatch.delenv("COCKPIT_FRESH", raising=False)
    session = warm.session

    def kept(*args, **kwargs):
        given.append(session(*args, **kwargs))
        return given[-1]

    monkeypatch.setattr(warm, "session", kept)
    return given


def told(sandbox, **more):
    done = sandbox.pytest("-q", "-s", "-p", "no:cacheprovider", "test_a.py", **more)
    facts = json.loads((sandbox.root / "facts.json").read_text())
    # One that forks is started without what only matters as it is read, and with a fixed seed.
    facts["started_with"] = set(facts["started_with"]) - warm.FREE - {warm.SEED[0]}
    return done.returncode, re.sub(r"in [0-9.]+s", "", done.stdout), done.stderr, facts


def test_it_is_as_a_fresh_one(make_sandbox, started):
    sandbox = make_sandbox({"test_a.py": SEEN})
    fresh = told(sandbox, fresh=True)
    seen = [told(sandbox) for _ in range(6)]
    assert None not in started[-2:]
    assert seen == [fresh] * 6
    code, out, err, _ = fresh
    assert code == 1
    assert out.rstrip().endswith("at the end")
    assert "to stderr" in err


def test_a_module_that_would_be_imported_in_the_place_of_a_loaded_one_is(make_sandbox, started):
    sandbox = make_sandbox({"test_a.py": "def test_a(): pass\n"})
    for _ in range(4):
        sandbox.pytest("-q", "-p", "no:cacheprovider")
    assert started[-1] is not None
    for name in ("networkx.py", "pluggy/__init__.py", "json.cpython-311-x86_64-linux-gnu.so"):
        sandbox.write({name: "raise SystemExit('mine')\n"})
        sandbox.pytest("-q", "--version")
        assert started[-1] is None, name
        sandbox.git("clean", "-qfdx")
    sandbox.pytest("-q", "--version")
    assert started[-1] is not None


def test_what_a_process_was_started_with_is_not_changed(make_sandbox, started):
    sandbox = make_sandbox({"test_a.py": SEEN})
    assert "HARBOUR" not in str(told(sandbox)[3])
    assert str(told(sandbox, env={"HARBOUR": "open"})[3]).count("HARBOUR") == 2
    assert started[-1] is None


def test_it_can_be_switched_off(make_sandbox, started, monkeypatch):
    monkeypatch.setenv("COCKPIT_FRESH", "1")
    sandbox = make_sandbox({"test_a.py": "def test_a(): pass\n"})
    for _ in range(5):
        assert sandbox.pytest("-q", "--version").returncode == 0
    assert started == [None] * 5


GATE = """\
import os, sys

from pytest_cockpit.api import Report, Rule


class Gate:
    name = "party"
    summary = "what its process sees"
    rules = (Rule("party.never", "Never found."),)
    settings_schema = {"type": "object"}

    def check(self, context):
        loaded = "networkx" in sys.modules
        seen = [os.getcwd() == str(context.scratch), sys.path[:3], sorted(os.environ), loaded]
        os.write(2, b"word")
        if os.environ.get("COCKPIT_QUARANTINE"):
            os.abort()
        return Report.judge(repr(seen), checked=1)

    def proofs(self):
        return ()


gate = Gate()
"""


def test_the_processes_of_its_gates_are_as_fresh_ones(make_sandbox, started, tmp_path):
    site = tmp_path / "site"
    (site / "party-1.dist-info").mkdir(parents=True)
    (site / "party-1.dist-info/METADATA").write_text("Name: party\nVersion: 1\n")
    (site / "party-1.dist-info/entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nparty_marker = party:gate\n"
    )
    (site / "party.py").write_text(GATE)
    sandbox = make_sandbox({"cockpit.toml": 'gates = ["party"]\n'})

    def judged(**more):
        env = {"PYTHONPATH": str(site), **more.pop("env", {})}
        sandbox.pytest("-q", "-m", "party_marker", env=env, **more)
        report = json.loads((sandbox.root / "artifacts/gates/party.json").read_text())
        return report["verdict"], report["summary"]

    verdict, seen = judged(fresh=True)
    assert (verdict, seen.endswith("False]")) == ("pass", True)
    told = [judged() for _ in range(4)]
    assert started[-1] is not None
    assert told[-1] == ("pass", seen.replace("False]", "True]"))
    verdict, said = judged(env={"COCKPIT_QUARANTINE": "1"})
    assert (verdict, "killed by signal 6" in said) == ("error", True)


OWNER = """\
import os
from pathlib import Path
from tests import warm
for _ in range(4):
    warm.session(["-q", "-p", "no:cacheprovider"], Path.cwd(), dict(os.environ), 60)
"""
SLOW = """\
import os, pathlib, time

def test_slow():
    pathlib.Path("begun").write_text(str(os.getpid()))
    time.sleep(60)
"""


def test_it_does_not_outlive_who_asked_for_it(make_sandbox):
    sandbox = make_sandbox({"test_a.py": SLOW})
    env = {**sandbox.environment(), "PYTHONPATH": str(Path(warm.__file__).parents[1])}
    with subprocess.Popen([sys.executable, "-c", OWNER], cwd=sandbox.root, env=env) as owner:
        begun = sandbox.root / "begun"
        until(lambda: begun.exists() and begun.read_text())
        owner.kill()
    until(lambda: not runs(int(begun.read_text())))


def until(holds):
    deadline = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def runs(pid):
    """Whether there is such a process, and not only nobody yet who asked how it ended."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False
