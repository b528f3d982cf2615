"""What it costs to have the plugin installed and not to use it."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys

import pytest

PAIRS = 15


def _cpu(arguments, cwd):
    before = os.times()
    subprocess.run(
        [sys.executable, "-m", "pytest", "--co", "-q", *arguments],
        cwd=cwd,
        check=True,
        stdout=subprocess.DEVNULL,
    )
    after = os.times()
    user = after.children_user - before.children_user
    return user + after.children_system - before.children_system


@pytest.mark.benchmark(group="startup")
def test_installed_and_unused(benchmark, tmp_path):
    """CPU seconds of `pytest --co -q` with the plugin, less the same without it, in pairs."""
    (tmp_path / "test_one.py").write_text("def test_one():\n    assert True\n")
    without = ("-p", "no:cockpit")
    for arguments in ((), without):
        _cpu(arguments, tmp_path)
    # os.times counts in hundredths of a second: enough runs in each sample to see milliseconds.
    differences = []

    def pair():
        batch = 10
        ours = sum(_cpu((), tmp_path) for _ in range(batch)) / batch
        theirs = sum(_cpu(without, tmp_path) for _ in range(batch)) / batch
        differences.append(ours - theirs)

    benchmark.pedantic(pair, rounds=PAIRS // 3, iterations=1)
    benchmark.extra_info["cpu_ms_added_median"] = round(1000 * statistics.median(differences), 2)
    benchmark.extra_info["goal_ms"] = 15
