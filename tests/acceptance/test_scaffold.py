"""Scaffolds in a real repository: what is written, and that the tests that are given can fail."""

from __future__ import annotations

import json

import pytest

from tests.acceptance.conftest import Sandbox

FILES = {
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
    "cockpit.toml": '[registry]\nexclude = ["other"]\n',
    "acme/__init__.py": "",
    "acme/core/__init__.py": "from .sums import add\n\n__all__ = ['add']\n",
    "acme/core/sums.py": (
        "import functools\n\nLIMIT = 3\n\n\n"
        "def counted(function):\n    return lambda *args: function(*args)\n\n\n"
        "def add(a, b=1, *, c=None):\n    return a + b\n\n\n"
        "@functools.lru_cache\ndef cached(a, /):\n    return a\n\n\n"
        "@counted\ndef odd(a):\n    return a\n\n\n"
        "async def later(*args, **more):\n    return args\n\n\n"
        "class Adder:\n    def __init__(self, start):\n        self.start = start\n"
    ),
    "acme/core/module.manifest.json": '{"module": "acme.core", "description": "Sums {{ 1 }}."}',
    "loose/parts.py": "def part():\n    return 1\n",
    "loose/erase.py": "import pathlib\n\npathlib.Path('erased').touch()\nprint('erased')\n",
    "loose/module.manifest.json": '{"module": "loose"}',
}


@pytest.fixture
def scaffolded(make_sandbox) -> Sandbox:
    """A repository with scaffolds, committed."""
    sandbox: Sandbox = make_sandbox(FILES)
    done = sandbox.pytest("--cockpit-scaffold=apply", "-p", "no:cacheprovider")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "19 files given; 2 modules; nothing drifted" in done.stdout
    return sandbox


def test_what_lacks_is_shown_written_once_and_then_nothing_lacks(make_sandbox):
    sandbox = make_sandbox(FILES)
    seen = sandbox.pytest("--cockpit-scaffold")
    assert seen.returncode == 1
    assert (
        "lacks CHANGELOG.md, CONTEXT.md, README.md, docs/API.md, docs/ARCHITECTURE.md and 5"
        in seen.stdout
    )
    assert "2 modules; 19 lacking" in seen.stdout
    assert sandbox.git("status", "--porcelain", "--", "acme", "loose") == ""
    listed = sandbox.pytest("--cockpit-scaffold=apply", "--co", "-q", "-n", "2")
    assert "::scaffold:all" in listed.stdout
    assert sandbox.git("status", "--porcelain", "--", "acme", "loose") == ""

    assert sandbox.pytest("--cockpit-scaffold=apply").returncode == 0
    before = sandbox.snapshot()
    again = sandbox.pytest("--cockpit-scaffold=apply", "-n", "2")
    assert (again.returncode, sandbox.snapshot()) == (0, before), again.stdout
    assert "0 files given" in again.stdout
    sandbox.commit({})
    seen = sandbox.pytest("--cockpit-scaffold", "-v")
    assert seen.returncode == 0, seen.stdout
    assert "2 modules; 0 lacking" in seen.stdout
    document = json.loads((sandbox.root / "artifacts/scaffold.json").read_text())
    assert document["totals"]["files"]["current"] == 19
    ledger = (sandbox.root / ".cockpit/promotions.ndjson").read_text().splitlines()
    assert [json.loads(row)["kind"] for row in ledger] == ["scaffold", "scaffold"]


KILLER = """
import os

from pytest_cockpit.records import artifacts

write = artifacts.write_bytes


def write_bytes(path, data):
    if path.name == "promotions.ndjson":
        os._exit(9)
    write(path, data)


artifacts.write_bytes = write_bytes
"""


def test_killed_before_the_ledger_the_next_session_that_writes_finishes(make_sandbox, tmp_path):
    sandbox = make_sandbox(FILES)
    (tmp_path / "killer.py").write_text(KILLER)
    path = {"PYTHONPATH": str(tmp_path)}
    killed = sandbox.pytest("--cockpit-scaffold=apply", "-p", "killer", env=path)
    assert killed.returncode == 9, killed.stdout + killed.stderr
    place = sandbox.root / ".cockpit/promotions.ndjson"
    assert (sandbox.root / "acme/core/README.md").exists()
    assert sandbox.pytest("--cockpit-scaffold", "-q").returncode == 0
    assert not place.exists()
    done = sandbox.pytest("--cockpit-registry", "-p", "no:cacheprovider")
    assert "cut off after 19 of 20 files; the rest was written now" in done.stdout
    rows = [json.loads(line) for line in place.read_text().splitlines()]
    assert [row["module"] for row in rows] == ["acme/core", "loose"]
    assert sum(len(row["files"]) for row in rows) == 19


def test_the_tests_that_are_given_run_and_fail_when_a_public_name_goes(scaffolded):
    run = ("-q", "-rfs", "-p", "no:cockpit", "--strict-markers", "-W", "error")
    done = scaffolded.pytest(*run)
    assert done.returncode == 0, done.stdout
    # Imports of three files; parameters of five functions, one of them behind a decorator that
    # hides them; and what nobody has written yet.
    assert "8 passed, 3 skipped" in done.stdout
    assert "a decorator put something else in its place" in done.stdout
    assert "what the module does is not tested yet" in done.stdout
    assert not (scaffolded.root / "erased").exists()

    source = scaffolded.root / "acme/core/sums.py"
    source.write_text(source.read_text().replace("LIMIT = 3", "").replace("b=1", "b"))
    done = scaffolded.pytest(*run)
    assert done.returncode == 1
    assert "test_smoke.py::test_public_names[acme.core.sums]" in done.stdout
    assert "['LIMIT'] == []" in done.stdout
    assert "(a, b, *, c=...)" in done.stdout


def test_drift_is_shown_as_a_difference_and_never_written_over(scaffolded):
    scaffolded.commit({})
    readme = scaffolded.root / "loose/README.md"
    readme.write_text(readme.read_text().replace("has not been written down yet", "is plain"))
    parts = scaffolded.root / "loose/parts.py"
    parts.write_text(parts.read_text() + "\n\ndef another():\n    return 2\n")
    before = scaffolded.snapshot()
    done = scaffolded.pytest("--cockpit-scaffold=apply")
    assert (done.returncode, scaffolded.snapshot()) == (0, before), done.stdout
    seen = scaffolded.pytest("--cockpit-scaffold")
    assert seen.returncode == 0
    assert "scaffold:loose: outdated: docs/API.md, tests/test_smoke.py" in seen.stdout
    assert "+| `another()` | function |" in seen.stdout
    assert "edited: README.md" in seen.stdout
    assert "1 warned" in seen.stdout


def test_a_template_of_ones_own_is_taken_from_the_tracked_files(make_sandbox):
    own = {
        "cockpit.toml": '[scaffold]\ntemplate = "tools/module"\nexclude = ["acme"]\n',
        "tools/module/copier.yml": "_tasks: [touch ran]\n",
        "tools/module/NOTES.md.jinja": "# {{ title }}\n",
        "tools/module/MORE.md": "",
    }
    sandbox = make_sandbox({**FILES, **own})
    done = sandbox.pytest("--cockpit-scaffold")
    assert done.returncode == 4
    assert "tools/module: copier.yml: _tasks: templates run, load and fetch nothing" in done.stderr
    sandbox.write({"tools/module/copier.yml": ""})
    (sandbox.root / "loose/MORE.md").mkdir()
    done = sandbox.pytest("--cockpit-scaffold=apply")
    assert done.returncode == 1, done.stdout
    assert "loose/MORE.md is a folder: move it away, or exclude the module" in done.stdout
    assert "1 file given; 1 module; 1 blocked" in done.stdout
    assert sandbox.git("ls-files", "-o", "--", "acme", "loose") == "loose/NOTES.md"
    assert not (sandbox.root / "ran").exists()


def test_progress_is_told_before_there_is_a_terminal_and_past_what_captures(make_sandbox):
    own = {"cockpit.toml": '[scaffold]\ntemplate = "t"\n', "t/NOTES.txt": "notes\n"}
    many = {f"m{number}/module.manifest.json": "{}" for number in range(500)}
    sandbox = make_sandbox({**own, **many})
    listed = sandbox.pytest("--cockpit-scaffold", "--co", "-q")
    assert listed.stderr.splitlines() == [
        "cockpit: scaffold: 500 modules to look at",
        "cockpit: scaffold: 500 of 500 modules rendered",
    ]
    done = sandbox.pytest("--cockpit-scaffold=apply")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cockpit: scaffold: 500 of 500 modules rendered" in done.stdout.splitlines()
