"""Benchmarks of real modules: what was made slower is seen, and nothing else is."""

from __future__ import annotations

import csv
import json
import signal
import subprocess
import time

import pytest

from pytest_cockpit.benchmarking import machine
from pytest_cockpit.records import artifacts, ledger

SETTINGS = """\
[tool.cockpit.bench]
command = [
    "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:hypothesispytest",
    "--benchmark-max-time=0.01", "--benchmark-min-rounds=5",
]
threshold = 0.5
pairs = 8
"""
BENCH = """\
import pathlib, sys

sys.path.insert(0, str(pathlib.Path(__file__).parents[2]))
from tide.height import height, metres


def test_height(benchmark):
    benchmark(height)


def test_metres(benchmark):
    benchmark(metres)
"""
HEIGHT = """\
def height():
    return sum(number * number for number in range({work}))


def metres():
    return sum(number for number in range(4000))
"""


def manifest(name):
    return json.dumps({"module": name})


FILES = {
    "pyproject.toml": SETTINGS,
    ".gitignore": "artifacts/\n__pycache__/\n.pytest_cache/\n.benchmarks/\n",
    "tide/module.manifest.json": manifest("tide"),
    "tide/height.py": HEIGHT.format(work=4000),
    "tide/benchmarks/test_height.py": BENCH,
    "crane/module.manifest.json": manifest("crane"),
    "crane/lift.py": "",
}
OTHERS = {
    "buoy/module.manifest.json": manifest("buoy"),
    "buoy/benchmarks/test_none.py": "def test_none():\n    assert True\n",
    "dredger/module.manifest.json": manifest("dredger"),
    "dredger/benchmarks/test_mud.py": "import os\n\n\ndef test_mud(benchmark):\n    os._exit(9)\n",
}


def trend(sandbox):
    with (sandbox.root / "trends/bench_trend.csv").open(newline="") as stream:
        return list(csv.DictReader(stream))


def rows(sandbox):
    return ledger.rows((sandbox.root / ".cockpit/promotions.ndjson").read_bytes())


def test_what_became_slower_fails_and_nothing_else_does(make_sandbox):
    sandbox = make_sandbox(FILES)
    base = sandbox.git("rev-parse", "HEAD")
    head = sandbox.commit({"tide/height.py": HEIGHT.format(work=64000)}, "slower")
    done = sandbox.pytest("--cockpit-bench", "--cockpit-base", base, "-v", "-n", "2")
    assert done.returncode == 1, done.stdout + done.stderr
    for said in (
        "bench:tide FAIL",
        "record PASSED",
        "2 benchmarks: 1 slower, 1 passed",
        "slower by more than 50%",
    ):
        assert said in done.stdout, said
    assert "bench:crane" not in done.stdout

    data = artifacts.read(sandbox.root / "artifacts/benchmarks/tide.json", "bench")
    judged = {each["name"].rpartition("::")[2]: each for each in data["benchmarks"]}
    assert [judged[name]["verdict"] for name in ("test_height", "test_metres")] == ["fail", "pass"]
    assert judged["test_height"]["ratio"]["low"] > 1.5
    assert (data["commit"], data["base"]) == (head, base)
    assert sorted(each["commit"] for each in data["processes"]) == sorted([head, base] * 8)
    assert data["fingerprint"] == machine.fingerprint(data["machine"])

    digest = artifacts.sha256((sandbox.root / "artifacts/benchmarks/tide.json").read_bytes())
    found = rows(sandbox)
    assert [row["module"] for row in found] == ["tide", "tide"]
    assert {(row["commit"], row["data_sha256"]) for row in found} == {(head, digest)}
    assert [row["delta_from_previous"] for row in trend(sandbox)] == ["", ""]
    assert sandbox.git("status", "--porcelain").split() == ["??", ".cockpit/", "??", "trends/"]


def test_without_a_base_first_runs_are_recorded_and_a_crash_harms_nobody_else(make_sandbox):
    sandbox = make_sandbox({**FILES, **OTHERS})
    done = sandbox.pytest("--cockpit-bench", "-rs")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "10 more runs on a machine like this needed" in done.stdout
    assert "pytest ended with exit code 9" in done.stdout
    assert "no test takes the fixture `benchmark`" in done.stdout
    assert "1 failed, 1 passed, 1 skipped, 1 unknown" in done.stdout
    record = artifacts.read(sandbox.root / "artifacts/session.bench.json", "session")
    assert record["extra"]["bench"]["not_measured"] == ["dredger"]
    assert len(rows(sandbox)) == 2
    assert "wrote trends/bench_trend.csv" in done.stdout
    again = sandbox.pytest("--cockpit-bench")
    assert (again.returncode, "process" in again.stdout) == (4, False), again.stdout
    assert "trends/bench_trend.csv: changed or not tracked" in again.stderr
    # The trend is a document of the registry: generated again, it is the same.
    before = (sandbox.root / "trends/bench_trend.csv").read_bytes()
    sandbox.commit({}, "recorded")
    written = sandbox.pytest("--cockpit-registry", "-q")
    assert written.returncode == 0, written.stdout + written.stderr
    assert (sandbox.root / "trends/bench_trend.csv").read_bytes() == before


def test_what_cannot_be_run_is_a_warning_where_that_is_declared(make_sandbox):
    files = {path: text for path, text in OTHERS.items() if path.startswith("dredger/")}
    sandbox = make_sandbox({"cockpit.toml": '[bench]\nfailures = "warn"\n', **files})
    done = sandbox.pytest("--cockpit-bench")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 skipped, 1 warned" in done.stdout
    assert "bench:dredger: pytest ended with exit code 9" in done.stdout


@pytest.mark.parametrize("arguments", [(), ("--co",)])
def test_without_benchmarks_there_is_one_skip(make_sandbox, arguments):
    sandbox = make_sandbox({"tide/module.manifest.json": manifest("tide"), "tide/height.py": ""})
    done = sandbox.pytest("--cockpit-bench", "-rs", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert ("no benchmarks" in done.stdout) is not bool(arguments)
    assert not (sandbox.root / "trends").exists()


def test_an_unknown_base_is_refused_before_anything_runs(make_sandbox):
    sandbox = make_sandbox(FILES)
    done = sandbox.pytest("--cockpit-bench", "--cockpit-base", "nowhere")
    assert done.returncode == 4
    assert "nowhere: names no commit" in done.stderr


def test_an_interrupted_session_records_nothing_and_leaves_nothing_running(make_sandbox):
    slow = "import time\n\n\ndef test_slow(benchmark):\n    time.sleep(40)\n"
    sandbox = make_sandbox({**FILES, "tide/benchmarks/test_height.py": slow})
    process = subprocess.Popen(
        sandbox.hearing("--cockpit-bench"),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    for line in process.stdout:
        if line.startswith("collected"):
            break
    time.sleep(1)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 2, rest
    assert sandbox.git("status", "--porcelain") == ""
    assert sandbox.pytest("--cockpit-bench", "--co", "-q").returncode == 0
