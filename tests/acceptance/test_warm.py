"""A forked session is what a fresh one is, and where it would not be, a fresh one is run."""

from __future__ import annotations

import re
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
    facts = (sandbox.root / "facts.json").read_text()
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
    assert "HARBOUR" not in told(sandbox)[3]
    assert told(sandbox, env={"HARBOUR": "open"})[3].count("HARBOUR") == 2
    assert started[-1] is None


def test_it_can_be_switched_off(make_sandbox, started, monkeypatch):
    monkeypatch.setenv("COCKPIT_FRESH", "1")
    sandbox = make_sandbox({"test_a.py": "def test_a(): pass\n"})
    for _ in range(5):
        assert sandbox.pytest("-q", "--version").returncode == 0
    assert started == [None] * 5
