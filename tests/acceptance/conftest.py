"""Real repositories, and pytest run in them as a user runs it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests import warm

# Loading these takes as long as all of a short session, and the last one collects garbage at its
# end, which takes a sixth of it; tests about them load them again.
APART = (
    "-p no:anyio -p no:benchmark -p no:hypothesispytest -p no:pytest_cov -p no:randomly "
    "-p no:unraisableexception"
)

PYPROJECT = f"""\
[project]
name = "port"
version = "1"

[project.entry-points."port.plugins"]
tide = "candidate.core.tide:height"

[tool.pytest.ini_options]
testpaths = ["tests"]
addopts = "{APART}"

[tool.cockpit.calendar]
stabilisation = []

[tool.cockpit.gate.matriz]
skip = "no contracts here"
"""

# What runs in the background is started with some signals ignored, and hands that on.
HEARS = """\
import os, signal, sys
for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""

FILES: Mapping[str, str] = {
    "pyproject.toml": PYPROJECT,
    ".gitignore": "__pycache__/\n.pytest_cache/\n",
    "app/__init__.py": "",
    "app/main.py": (
        "from candidate.core.tide import height\n\n\ndef level(hour):\n    return height(hour) + 1\n"
    ),
    "candidate/__init__.py": "",
    "candidate/core/__init__.py": '"""Core."""\n',
    "candidate/core/tide.py": (
        "from .units import metres\n\n\ndef height(hour):\n    return metres(hour * 2)\n"
    ),
    "candidate/core/units.py": "def metres(value):\n    return float(value)\n",
    "candidate/ring/__init__.py": "",
    "candidate/ring/left.py": (
        "from candidate.ring import right\n\n\ndef go(n):\n    return right.go(n - 1) if n else 0\n"
    ),
    "candidate/ring/right.py": (
        "from candidate.ring import left\n\n\ndef go(n):\n    return left.go(n - 1) if n else 1\n"
    ),
    "candidate/broken.py": "def oops(:\n",
    "candidate/lost.py": "from candidate.core.nowhere import x\n",
    "candidate/clash.py": "VALUE = 1\n",
    "clash.py": "VALUE = 2\n",
    "tests/test_app.py": (
        "from unittest import mock\n\n"
        "from app.main import level\n"
        "from candidate.ring import left\n\n\n"
        "def test_level():\n    assert level(3) == 7.0\n\n\n"
        "def test_ring():\n    assert left.go(3) in (0, 1)\n\n\n"
        "def test_patched():\n"
        '    with mock.patch("candidate.core.tide.metres", return_value=5):\n'
        "        assert level(1) == 6\n"
    ),
}


CONFIG = """\
[user]
\tname = Port Master
\temail = port@example.org
[maintenance]
\tauto = false
"""


@dataclass(frozen=True)
class Sandbox:
    """A real repository and ways to act on it from outside."""

    root: Path

    def git(self, *arguments: str) -> str:
        """Run git and return its standard output, stripped."""
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def write(self, files: Mapping[str, str]) -> None:
        """Write text files below the root."""
        for name, text in files.items():
            path = self.root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def commit(self, files: Mapping[str, str], message: str = "change") -> str:
        """Write and commit; return the commit id."""
        self.write(files)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def environment(self) -> dict[str, str]:
        """The environment of a fresh shell, where this project is importable."""
        names = ("PATH", "HOME", "LANG", "TMPDIR", "PYTHONPATH", "SYSTEMROOT", "COCKPIT_CACHE")
        kept = {name: os.environ[name] for name in names if name in os.environ}
        return {**kept, "PYTEST_ADDOPTS": APART}

    def argv(self, *arguments: str) -> list[str]:
        """The command line of one pytest run."""
        return [sys.executable, "-m", "pytest", *arguments]

    def hearing(self, *arguments: str) -> list[str]:
        """The same, deaf to no signal that this process may have been started to ignore."""
        return [sys.executable, "-c", HEARS, *self.argv(*arguments)]

    def pytest(
        self, *arguments: str, env: Mapping[str, str] | None = None, fresh: bool = False
    ) -> subprocess.CompletedProcess[str]:
        """Run pytest in the repository; in an interpreter that has loaded nothing if `fresh`."""
        environment = {**self.environment(), **(env or {})}
        if not fresh and (forked := warm.session(arguments, self.root, environment, timeout=300)):
            return forked
        return subprocess.run(
            self.argv(*arguments),
            cwd=self.root,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def snapshot(self) -> dict[str, object]:
        """HEAD, branches, index and every file of the checkout but the artifacts and caches."""
        skip = (".git", "artifacts", ".pytest_cache", "__pycache__")
        files = {
            path.relative_to(self.root).as_posix(): (path.read_bytes(), path.stat().st_mode)
            for path in sorted(self.root.rglob("*"))
            if path.is_file() and not set(path.relative_to(self.root).parts) & set(skip)
        }
        return {
            "head": (self.root / ".git" / "HEAD").read_text(),
            "branches": self.git("for-each-ref", "refs/heads", "refs/tags"),
            "index": self.git("ls-files", "-s"),
            "files": files,
        }


def create(root: Path, files: Mapping[str, str] = FILES) -> Sandbox:
    """A repository with the given files committed."""
    root.mkdir()
    sandbox = Sandbox(root)
    # Its samples of hooks would be most of what is written, and copied.
    sandbox.git("init", "-q", "-b", "main", "--template=")
    with (root / ".git/config").open("a") as config:
        config.write(CONFIG)
    sandbox.commit(files, "start")
    return sandbox


@pytest.fixture
def make_sandbox(tmp_path: Path) -> Callable[..., Sandbox]:
    """Create a repository with the given files committed."""

    def make(files: Mapping[str, str] = FILES, name: str = "repo") -> Sandbox:
        return create(tmp_path / name, files)

    return make


@pytest.fixture
def sandbox(make_sandbox: Callable[..., Sandbox]) -> Sandbox:
    """A small repository with a lane, a cycle, a collision and files that cannot move."""
    return make_sandbox()


@pytest.fixture(scope="session")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Such a repository with its baselines measured and committed; to be copied, not used."""
    sandbox = create(tmp_path_factory.mktemp("measured") / "repo")
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.commit({}, "baselines")
    return sandbox.root


@pytest.fixture(scope="session")
def first_batch(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Sandbox:
    """The same with one batch sealed and brought forward; to be looked at or copied, not used."""
    root = tmp_path_factory.mktemp("first") / "repo"
    shutil.copytree(measured, root, symlinks=True)
    sandbox = Sandbox(root)
    done = sandbox.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    return sandbox


@pytest.fixture
def ready(measured: Path, tmp_path: Path) -> Sandbox:
    """A small repository in which a batch can be run."""
    shutil.copytree(measured, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo")


DECK = {
    f"candidate/deck/m{number}.py": f"def f():\n    return {number}\n" for number in range(5)
} | {
    "tests/test_deck.py": "from candidate.deck import m0, m1, m2, m3, m4\n\n\n"
    "def test_deck():\n    assert [m.f() for m in (m0, m1, m2, m3, m4)] == [0, 1, 2, 3, 4]\n",
}


@pytest.fixture(scope="session")
def measured_fleet(measured: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The measured repository with more in its lane, measured again; to be copied, not used."""
    root = tmp_path_factory.mktemp("fleet") / "repo"
    shutil.copytree(measured, root, symlinks=True)
    sandbox = Sandbox(root)
    sandbox.commit(DECK)
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.commit({}, "baselines")
    return root


@pytest.fixture
def fleet(measured_fleet: Path, tmp_path: Path) -> Sandbox:
    """A repository with files for several batches."""
    shutil.copytree(measured_fleet, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo")


# One cheap gate: for tests of what lies around the gates.
QUICK = {
    "cockpit.toml": 'gates = ["ledger"]\n\n[burst]\ncheckpoint_only = []\n\n'
    "[calendar]\nstabilisation = []\n",
    ".gitignore": "__pycache__/\n",
    "pytest.ini": f"[pytest]\naddopts = {APART}\n",
    "app.py": "".join(f"from candidate.deck import m{number}\n" for number in range(5)),
    "candidate/__init__.py": "",
    "candidate/deck/__init__.py": "",
    **{f"candidate/deck/m{number}.py": f"N = {number}\n" for number in range(5)},
}


@pytest.fixture(scope="session")
def measured_quick(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with that gate's baseline committed; to be copied, not used."""
    sandbox = create(tmp_path_factory.mktemp("quick") / "repo", QUICK)
    done = sandbox.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.commit({}, "baselines")
    return sandbox.root


@pytest.fixture
def quick(measured_quick: Path, tmp_path: Path) -> Sandbox:
    """A repository whose batches and bursts take little more than the engine's own time."""
    shutil.copytree(measured_quick, tmp_path / "repo", symlinks=True)
    return Sandbox(tmp_path / "repo")
