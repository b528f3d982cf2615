"""Benchmarks run for real, and every way in which a process leaves nothing to judge."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.benchmarking.running import Runner, Unmeasured
from pytest_cockpit.config import Bench, Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.promotion.staging import StagedTree
from tests.conftest import ObjectRepository

QUICK = "--benchmark-max-time=0.001 --benchmark-min-rounds=3 -p no:hypothesispytest"
FILES = {
    "pyproject.toml": '[tool.pytest.ini_options]\naddopts = "-p no:cacheprovider"\n',
    "b/test_good.py": "def test_good(benchmark):\n    benchmark(sum, range(100))\n",
    "b/test_plain.py": "def test_plain():\n    assert True\n",
    "b/test_red.py": "def test_red(benchmark):\n    benchmark(lambda: 1 / 0)\n",
    "b/test_told.py": (
        "import os\n"
        "def test_told(benchmark):\n"
        "    assert not os.environ['TIDE_STATION'], 'ghp_0123456789abcdef'\n"
    ),
    "b/test_killed.py": "import os\ndef test_killed(benchmark):\n    os.kill(os.getpid(), 9)\n",
    "b/test_left.py": "import os\ndef test_left(benchmark):\n    os._exit(7)\n",
    "b/test_quit.py": "import os\ndef test_quit(benchmark):\n    os._exit(0)\n",
    "b/test_hang.py": "import time\ndef test_hang(benchmark):\n    time.sleep(600)\n",
    "b/test_broken.py": "def test_broken(:\n",
    "b/test_forged.py": (
        "import os, sys\n"
        "def test_forged(benchmark):\n"
        "    [path] = [a.partition('=')[2] for a in sys.argv if 'benchmark-json' in a]\n"
        "    os.unlink(path) if os.path.exists(path) else None\n"
        "    os.symlink('/etc/hostname', path)\n"
        "    benchmark(sum, [])\n"
    ),
}


@pytest.fixture(scope="module")
def at(tmp_path_factory):
    """A place with these files, whatever a test changes of its settings."""
    root = tmp_path_factory.mktemp("benches") / "repository"
    root.mkdir()
    made = ObjectRepository(root)
    made.git("init", "-q", "-b", "main")
    first = made.commit({"b/test_good.py": FILES["b/test_good.py"]})
    head = made.commit(FILES)
    repository = Repository.discover(root)

    def place(options=QUICK, passed=(), **settings):
        command = (*Bench().command, *options.split())
        config = Config(pass_environment=passed, bench=Bench(command=command, **settings))
        return Place(repository, config, head, head, datetime(2026, 1, 2, tzinfo=UTC)), first

    return place


def run(at, *names, **settings):
    place, _ = at(**settings)
    files = tuple(f"b/test_{name}.py" for name in names)
    return Runner(place, StagedTree(place.repository), files).run(place.commit)


def unmeasured(at, *names, **settings):
    with pytest.raises(Unmeasured) as caught:
        run(at, *names, **settings)
    return caught.value


def test_times_are_measured_by_a_process_of_its_own(at):
    ran = run(at, "good", "plain")
    [(name, times)] = ran.times.items()
    assert name == "b/test_good.py::test_good"
    assert times.count >= 3
    assert times.median > 0
    assert ran.wall_s > 0


def test_files_that_are_not_there_yet_are_left_out(at):
    place, first = at()
    tree = StagedTree(place.repository)
    both = Runner(place, tree, ("b/test_good.py", "b/test_red.py")).run(first)
    assert list(both.times) == ["b/test_good.py::test_good"]
    assert Runner(place, tree, ("b/test_red.py",)).run(first).times == {}


def test_a_file_without_benchmarks_has_none(at):
    assert run(at, "plain").times == {}


@pytest.mark.parametrize(
    "name, verdict, said",
    [
        ("red", Verdict.FAIL, "benchmarks fail"),
        ("killed", Verdict.ERROR, "its process was killed by signal 9"),
        ("left", Verdict.ERROR, "pytest ended with exit code 7"),
        ("quit", Verdict.ERROR, "its process left before pytest had come to its end"),
        ("broken", Verdict.ERROR, "pytest ended with exit code 2"),
        ("forged", Verdict.ERROR, "results.json: cannot be read"),
    ],
)
def test_a_process_that_breaks_says_how(at, name, verdict, said):
    found = unmeasured(at, name)
    assert (found.verdict, said in found.said) == (verdict, True), found.said


def test_a_process_that_hangs_is_killed(at):
    found = unmeasured(at, "hang", timeout_s=2.5)
    assert (found.verdict, found.said) == (
        Verdict.ERROR,
        "not done after 2.5 s (bench.timeout_s), and killed",
    )


def test_last_words_are_kept_and_cannot_steer_a_terminal(at):
    found = unmeasured(at, "red")
    assert "ZeroDivisionError" in found.text
    assert found.text.replace("\n", "").isprintable()


def test_last_words_hold_no_secret(at, monkeypatch):
    monkeypatch.setenv("TIDE_STATION", "harbour-14-key")
    found = unmeasured(at, "told", passed=("TIDE_STATION",))
    assert "assert not '***'" in found.text
    assert "harbour-14-key" not in found.text
    assert "ghp_" not in found.text


def test_without_pytest_benchmark_the_remedy_is_told(at):
    found = unmeasured(at, "good", options="-p no:benchmark -p no:xdist")
    assert found.verdict is Verdict.UNKNOWN
    assert "pip install pytest-benchmark" in found.text
