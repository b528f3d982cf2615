"""`cockpit guard` as a hook starts it, in a repository of 10,000 files, beside git's part alone."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from synthetic import git

FILES = (4_900, 2_450, 4_900)
"""With the packages' markers 10,000 files, a quarter of them in the lane."""
CHANGED = 20

_GROUP = pytest.mark.benchmark(group="guard: a commit of 20 files among 10,000, none in the lane")
_ROUNDS = 15


@pytest.fixture(scope="module")
def port(checked_out):
    """The repository with a change of production staged."""
    root = checked_out(*FILES)
    for path in git(root, "ls-files", "prod").splitlines()[:CHANGED]:
        with (root / path).open("a") as stream:
            stream.write("MORE = 1\n")
    git(root, "add", "--all")
    return root


def _guard(root, *arguments):
    argv = [sys.executable, "-m", "pytest_cockpit.cli", "guard", *arguments]
    done = subprocess.run(argv, cwd=root, capture_output=True, text=True, check=False)
    assert done.stdout.startswith(f"guard: PASS: {CHANGED} paths changed since ")


@_GROUP
def test_staged(meter, port):
    note = "the whole process"
    meter(
        "`cockpit guard --staged`",
        lambda: _guard(port, "--staged"),
        rounds=_ROUNDS,
        ours=True,
        goal="≤ 150 ms CPU",
        note=note,
    )


@_GROUP
def test_working_tree(meter, port):
    meter("`cockpit guard`", lambda: _guard(port), rounds=_ROUNDS, goal="≤ 150 ms CPU")


@_GROUP
def test_floor_of_the_index(meter, port):
    meter(
        "floor: `git diff --cached --raw HEAD`",
        lambda: git(port, "diff", "--cached", "--raw", "HEAD"),
        rounds=_ROUNDS,
    )


@_GROUP
def test_floor_of_the_working_tree(meter, port):
    def run():
        git(port, "diff", "--raw", "HEAD")
        git(port, "ls-files", "--others", "--exclude-standard")

    meter("floor: `git diff --raw HEAD` and `git ls-files --others`", run, rounds=_ROUNDS)


@_GROUP
def test_an_interpreter_that_does_nothing(meter):
    argv = [sys.executable, "-c", "import argparse, dataclasses, enum, subprocess, tomllib"]
    meter(
        "an interpreter that imports argparse, dataclasses, subprocess and tomllib",
        lambda: subprocess.run(argv, check=True, env=dict(os.environ)),
        rounds=_ROUNDS,
    )
