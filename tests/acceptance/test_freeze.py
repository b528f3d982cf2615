"""`--cockpit-freeze`: a commit is judged, and sealed under a tag; a kill leaves nothing or all."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from pytest_cockpit import cli
from pytest_cockpit.records import artifacts, ledger
from tests.acceptance.conftest import Sandbox, create

KILLS = int(os.environ.get("COCKPIT_KILLS", "4")) // 4
FILES = {
    "cockpit.toml": 'gates = ["ledger"]\n[lane]\npath = "lane"\n',
    "lane/x.py": "",
    "quay/module.manifest.json": '{"module": "quay"}\n',
    "quay/README.md": "# Quay\n",
    "quay/berth.py": "BERTHS = 3\n",
}
BASELINE = ("--cockpit-freeze=baseline", "--cockpit-tag=v0.01-baseline")
PRODUCTION = ("--cockpit-freeze=production", "--cockpit-tag=v0.02-prod")
LEDGER = ".cockpit/promotions.ndjson"
FOLLOWER = """
def pytest_cockpit_sealed(batch_id, branch, commit):
    print(f"\\nsealed {batch_id} {branch} {commit}")
"""


@pytest.fixture(scope="module")
def registered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository whose checkpoint is green; to be copied, not used."""
    sandbox = create(tmp_path_factory.mktemp("registered") / "repo", FILES)
    base = sandbox.git("rev-parse", "HEAD")
    opened = ledger.extend(b"", [{"kind": "opened", "base": base}])
    sandbox.commit({LEDGER: opened.decode()}, "open the ledger")
    done = sandbox.pytest("--cockpit-registry", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    sandbox.commit({}, "registry")
    return sandbox.root


@pytest.fixture
def port(registered: Path, tmp_path: Path) -> Sandbox:
    return copied(registered, tmp_path / "repo")


def copied(template: Path, target: Path) -> Sandbox:
    subprocess.run(["cp", "-a", template, target], check=True)
    return Sandbox(target)


def refs(sandbox: Sandbox) -> str:
    return sandbox.git("for-each-ref", "refs/heads", "refs/tags")


def test_a_freeze_from_baseline_to_production(port: Sandbox, tmp_path: Path, monkeypatch, capsys):
    (port.root / "quay/berth.py").write_text("BERTHS = 'uncommitted'\n")
    base = port.git("rev-parse", "HEAD")
    (tmp_path / "follower.py").write_text(FOLLOWER)
    ledger.append(port.root / ".git/cockpit/journal.ndjson", {"kind": "gate", "gate": "imports"})
    words = ("-p", "no:cacheprovider", "-n", "2", "-p", "follower", "-s")
    done = port.pytest(*BASELINE, *words, env={"PYTHONPATH": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "cockpit: the last session was cut off after 'gate imports'" in done.stdout
    sealed = f"sealed v0.01-baseline refs/heads/main {port.git('rev-parse', 'main')}"
    assert sealed in done.stdout
    assert "git push" not in done.stdout, "there is no remote"
    assert port.git("rev-parse", "v0.01-baseline^{commit}~1") == base
    assert port.git("rev-parse", "main") == port.git("rev-parse", "v0.01-baseline^{commit}")
    assert port.git("status", "--porcelain", "--untracked-files=no") == "M quay/berth.py"
    port.git("restore", "quay/berth.py")
    told = artifacts.read(port.root / "docs/_generated/BASELINE_FREEZE.json", "freeze")
    assert (told["gates"], len(told["checks"])) == ([], 8)

    port.git("remote", "add", "origin", "../nowhere")
    done = port.pytest(*PRODUCTION, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "10 passed, 1 skipped" in done.stdout
    assert "publish both with: git push --atomic origin main v0.02-prod" in done.stdout
    told = artifacts.read(port.root / "docs/_generated/PRODUCTION_FREEZE.json", "freeze")
    assert told["gates"] == [{"name": "ledger", "verdict": "pass"}]
    verdicts = {check["name"]: check["verdict"] for check in told["checks"]}
    assert verdicts.pop("benchmark-trend") == "skip"
    assert set(verdicts.values()) == {"pass"}
    record = artifacts.read(port.root / "artifacts/session.freeze.json", "session")
    commit = port.git("rev-parse", "v0.02-prod^{commit}")
    assert record["sealed"] == {"branch": "refs/heads/main", "commit": commit}
    assert record["extra"]["freeze"]["digest"] == told["digest"]
    assert port.git("for-each-ref", "refs/cockpit/freeze") == ""

    again, before = port.pytest(*PRODUCTION), refs(port)
    assert (again.returncode, refs(port)) == (0, before)
    assert "1 passed" in again.stdout
    monkeypatch.chdir(port.root)
    assert [cli.main(["freeze", "verify", name]) for name in ("v0.01-baseline", "v0.02-prod")] == [
        0,
        0,
    ]
    capsys.readouterr()
    assert cli.main(["freeze", "diff", "v0.01-baseline", "v0.02-prod", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["files"]["added"] == ["docs/_generated/PRODUCTION_FREEZE.json"]
    metrics = {row["name"]: (row["before"], row["after"]) for row in found["metrics"]}
    assert metrics["modules"] == (1, 1)
    assert metrics["checks passing"] == (7, 7)
    assert metrics["documentation files"] == (1, 1)
    assert metrics["modules with coverage"] == (0, 0)


def test_a_red_check_stops_a_production_freeze_and_no_baseline(port: Sandbox):
    port.commit({"quay/MORE.md": "# More\n"})
    before = refs(port)
    done = port.pytest(*PRODUCTION)
    assert done.returncode == 1
    assert "halted at registry" in done.stdout
    assert refs(port) == before
    part = port.pytest(*PRODUCTION, "-k", "manifest or seal")
    assert (part.returncode, refs(port)) == (4, before)
    assert "a partial selection cannot seal" in part.stderr + part.stdout
    looked = port.pytest(*PRODUCTION, "--collect-only", "-q")
    assert (looked.returncode, refs(port)) == (0, before)
    assert "freeze.plan.jsonl::seal" in looked.stdout
    done = port.pytest(*BASELINE, "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "freeze.plan.jsonl::registry WARN" in done.stdout
    told = artifacts.read(port.root / "docs/_generated/BASELINE_FREEZE.json", "freeze")
    verdicts = {check["name"]: check["verdict"] for check in told["checks"]}
    assert verdicts["registry"] == "fail"
    assert verdicts["ledger"] == "pass"


def test_a_red_gate_stops_a_production_freeze(port: Sandbox):
    settings = FILES["cockpit.toml"].replace("ledger", "imports")
    port.commit({"cockpit.toml": settings, "lane/x.py": "import no_such_thing\n"})
    assert port.pytest("--cockpit-registry", "-q").returncode == 0
    port.commit({}, "registry")
    before = refs(port)
    done = port.pytest(*PRODUCTION)
    assert (done.returncode, refs(port)) == (1, before), done.stdout + done.stderr
    assert "halted at gate:imports" in done.stdout


def test_killed_anywhere_it_is_nothing_or_everything(registered: Path, tmp_path: Path):
    whole = copied(registered, tmp_path / "whole")
    start = time.monotonic()
    assert whole.pytest(*BASELINE, "-q", fresh=True).returncode == 0
    duration = time.monotonic() - start
    chooser, points = random.Random(20261121), 0
    for attempt in range(4 * KILLS):
        port = copied(registered, tmp_path / f"k{attempt}")
        before = refs(port)
        process = subprocess.Popen(
            port.argv(*BASELINE, "-q"),
            cwd=port.root,
            env=port.environment(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            process.wait(timeout=chooser.uniform(0.5, 1.0) * duration)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)
            process.wait()
            points += 1
        seen = refs(port)
        assert (seen == before) or (
            "v0.01-baseline" in seen and port.git("rev-parse", "main") != ""
        )
        done = port.pytest(*BASELINE, "-q")
        assert done.returncode == 0, done.stdout + done.stderr
        assert port.git("rev-parse", "main") == port.git("rev-parse", "v0.01-baseline^{commit}")
        assert port.git("status", "--porcelain") == ""
        if points == KILLS:
            return
