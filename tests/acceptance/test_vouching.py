"""The checkpoint beside the ledger through real sessions: it grows with what it vouches for."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from pytest_cockpit.records import checkpoint, ledger_keys

LEDGER, POINT = ".cockpit/promotions.ndjson", ".cockpit/promotions.checkpoint"


def cockpit(sandbox, *words):
    argv = [sys.executable, "-m", "pytest_cockpit.cli", "ledger", *words]
    environment = sandbox.environment()
    done = subprocess.run(
        argv, cwd=sandbox.root, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def state(sandbox):
    """The number of rows, that of the checkpoint, and who has signed it."""
    note, point = checkpoint.read((sandbox.root / POINT).read_bytes())
    rows = (sandbox.root / LEDGER).read_bytes().count(b"\n")
    return rows, point.size, [one.name for one in note.signatures]


def batch_id(sandbox):
    return sandbox.git("log", "-1", "--format=%(trailers:key=Batch-Id,valueonly)").strip()


def test_an_unsigned_checkpoint_grows_with_every_session(ready):
    cockpit(ready, "checkpoint", "--origin", "port.example/promotions")
    ready.commit({}, "checkpoint")
    assert state(ready) == (1, 1, [])
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(ready) == (2, 2, [])
    done = ready.pytest("--cockpit-rollback", batch_id(ready), "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(ready) == (3, 3, [])
    assert ready.git("status", "--porcelain") == ""
    cockpit(ready, "verify")


@pytest.fixture
def signed(ready, tmp_path):
    """A repository with a signed checkpoint, and the key's file outside of it."""
    private, verifier = ledger_keys.generate("port.example")
    key = tmp_path / "port.key"
    key.write_text(private)
    text = (ready.root / "pyproject.toml").read_text()
    settings = f"\n[tool.cockpit.gate.ledger]\nkeys = {json.dumps([verifier])}\n"
    ready.write({"pyproject.toml": text + settings})
    cockpit(ready, "checkpoint", "--key", str(key))
    ready.commit({}, "checkpoint")
    return ready, key


def test_a_signed_checkpoint_grows_where_the_key_is_at_hand(signed):
    sandbox, key = signed
    done = sandbox.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(sandbox) == (2, 1, ["port.example"])
    named = {ledger_keys.KEY_VARIABLE: str(key)}
    done = sandbox.pytest("--cockpit-rollback", batch_id(sandbox), "-q", env=named)
    assert done.returncode == 0, done.stdout + done.stderr
    assert state(sandbox) == (3, 3, ["port.example"])
    cockpit(sandbox, "verify")
    kept = [path for path in sandbox.root.rglob("*") if path.is_file() and ".git" not in path.parts]
    assert not [path for path in kept if str(key).encode() in path.read_bytes()]


def test_a_session_signs_nothing_in_place_of_what_does_not_hold(signed):
    sandbox, key = signed
    row = (sandbox.root / LEDGER).read_text()
    (sandbox.root / LEDGER).write_text(row.replace('"kind":"opened"', '"kind":"forged"'))
    sandbox.commit({}, "forged")
    before = sandbox.git("rev-parse", "HEAD")
    named = {ledger_keys.KEY_VARIABLE: str(key)}
    done = sandbox.pytest("--cockpit-batch", "-q", env=named)
    assert done.returncode != 0
    told = done.stdout + done.stderr
    assert f"{POINT}: the ledger's first 1 rows are not those it was written for" in told
    assert "Traceback" not in told
    assert sandbox.git("rev-parse", "HEAD") == before
    done = sandbox.pytest("--cockpit-batch", "-q", env={ledger_keys.KEY_VARIABLE: "/nowhere/key"})
    assert done.returncode != 0
    assert "/nowhere/key: cannot read" in done.stdout + done.stderr
