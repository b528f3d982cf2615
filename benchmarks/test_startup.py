"""What it costs to have the plugin installed and not to use it."""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import time
import zipfile
from importlib.metadata import distribution
from pathlib import Path

import pytest

PAIRS = 31
_PYTEST = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    """A folder with pytest and what it needs, and nothing else that has entry points."""
    folder = tmp_path_factory.mktemp("bare")
    for name in _PYTEST:
        for file in distribution(name).files or ():
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (folder / top).exists():
                (folder / top).symlink_to(distribution(name).locate_file(top))
    return folder


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A folder that holds our wheel as an installer would have left it."""
    pytest.importorskip("hatchling")
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder / "dist"],
        cwd=Path(__file__).parents[1],
        check=True,
        capture_output=True,
    )
    [wheel] = (folder / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


@pytest.mark.benchmark(group="startup: `pytest --co -q` over one test")
def test_installed_and_unused(meter, bare, installed, tmp_path):
    """Interleaved runs in random order, so that what disturbs one disturbs all."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    ways = {
        "not installed": ([bare], ()),
        "installed, `-p no:cockpit`": ([bare, installed], ("-p", "no:cockpit")),
        "installed, unused": ([bare, installed], ()),
    }
    for paths, options in ways.values():
        _run(paths, options, tmp_path)
    costs: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}

    def interleaved():
        for name in random.sample(list(ways), len(ways)):
            costs[name].append(_run(*ways[name], tmp_path))

    meter.cost(interleaved, rounds=PAIRS)
    for name, pairs in costs.items():
        meter.enter(name, *(statistics.median(values) for values in zip(*pairs, strict=True)))
    for name, goal in (("not installed", "≤ 15 ms CPU"), ("installed, `-p no:cockpit`", "")):
        both = zip(costs["installed, unused"], costs[name], strict=True)
        added = [(ours[0] - theirs[0], ours[1] - theirs[1]) for ours, theirs in both]
        low, cpu, high = statistics.quantiles((one[0] for one in added), n=4)
        meter.enter(
            f"added to {name}",
            cpu,
            statistics.median(one[1] for one in added),
            goal=goal,
            note=f"{PAIRS} pairs, quartiles {1000 * low:.1f} and {1000 * high:.1f} ms",
        )


@pytest.mark.parametrize(
    ("options", "imported"),
    [
        ((), {"pytest_cockpit", "pytest_cockpit.hookspecs", "pytest_cockpit.plugin"}),
        (("-p", "no:cockpit"), set()),
    ],
)
def test_what_is_imported(bare, installed, tmp_path, options, imported):
    """The pairs compare what they say they do."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    script = (
        "import sys, pytest; pytest.main(['--co', '-q', *sys.argv[1:]]);"
        "print(*(name for name in sys.modules if name.startswith('pytest_cockpit')))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, *options],
        cwd=tmp_path,
        env=_environment([bare, installed]),
        check=True,
        capture_output=True,
        text=True,
    )
    assert set(done.stdout.splitlines()[-1].split()) == imported


def _environment(paths):
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PYTEST", "PYTHON", "COV"))
    }
    return {**kept, "PYTHONPATH": os.pathsep.join(map(str, paths))}


def _run(paths, options, cwd):
    """CPU and wall seconds of one run; `-S` keeps out what this environment has installed."""
    child = subprocess.Popen(
        [sys.executable, "-S", "-m", "pytest", "--co", "-q", "-p", "no:cacheprovider", *options],
        cwd=cwd,
        env=_environment(paths),
        stdout=subprocess.DEVNULL,
    )
    start = time.perf_counter()
    _, status, usage = os.wait4(child.pid, 0)
    child.returncode = os.waitstatus_to_exitcode(status)
    assert child.returncode == 0
    return usage.ru_utime + usage.ru_stime, time.perf_counter() - start
