"""A runbook from its first phase to its seal, halted, looked at and gone on with."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime

import pytest

from pytest_cockpit import config
from pytest_cockpit.api import Verdict
from pytest_cockpit.freeze import verify
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import checkpoint
from pytest_cockpit.sessions.runbook import chain
from pytest_cockpit.sessions.runbook.phases import NAMES
from tests.acceptance.conftest import Sandbox, create
from tests.yard import FILES, RESUME, RUNBOOK

ANEW = ("--cockpit-runbook", "--cockpit-tag=v2", "--cockpit-dry-run")
FOLLOWER = """
def pytest_cockpit_sealed(batch_id, branch, commit):
    print(f"\\nsealed {batch_id} {branch} {commit}")
"""


@pytest.fixture(scope="module")
def tried(tmp_path_factory):
    """A repository after a dry run, with what it was before and what the session said."""
    yard = create(tmp_path_factory.mktemp("tried") / "yard", FILES)
    before = yard.snapshot()
    done = yard.pytest(*RUNBOOK, "--cockpit-dry-run", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    return yard, before, done.stdout


@pytest.fixture(scope="module")
def sealed(tried, tmp_path_factory):
    """The same with what the dry run judged sealed."""
    root = tmp_path_factory.mktemp("sealed") / "yard"
    shutil.copytree(tried[0].root, root, symlinks=True)
    yard = Sandbox(root)
    (root.parent / "follower.py").write_text(FOLLOWER)
    done = yard.pytest(*RESUME, "-p", "follower", "-s", env={"PYTHONPATH": str(root.parent)})
    assert done.returncode == 0, done.stdout + done.stderr
    return yard, done.stdout


def report(yard, folder="docs/_generated"):
    return json.loads((yard.root / folder / "RUNBOOK_REPORT.json").read_text())


def test_until_the_seal_nothing_of_the_users_changes(tried):
    yard, before, said = tried
    assert yard.snapshot() == before
    assert "seal: skip: dry run: all green, nothing was sealed" in said
    assert "seal it with --cockpit-runbook --cockpit-resume" in said
    assert report(yard, "artifacts")["missing"] == []


def test_a_runbook_shows_what_it_does_and_what_each_check_says(tried):
    said = tried[2]
    assert "\ncockpit: running 1 module in processes of their own\n" in said
    assert "checkpoint:before: 6 failed, 1 unknown, 1 skipped\n  registry: fail: " in said
    after = said.partition("checkpoint:after: pass: 7 passed, 1 skipped\n")[2].splitlines()
    assert [line.split(": ")[1] for line in after[:8]] == [*["pass"] * 5, "skip", *["pass"] * 2]
    assert after[5] == "  benchmark-trend: skip: the ledger has no row about a benchmark"
    assert "uncommitted" not in said


def test_the_seal_publishes_a_commit_for_each_phase(sealed):
    yard, said = sealed
    assert "10 of 10 phases done, the last report" in said
    assert "2 passed" in said
    assert "\ngate:ledger: pass: " in said
    subjects = yard.git("log", "--reverse", "--format=%s").splitlines()[1:]
    assert [subject.partition(")")[0] for subject in subjects] == [f"runbook({n}" for n in NAMES]
    assert yard.git("status", "--porcelain", "--untracked-files=no") == ""
    [branch] = yard.git("for-each-ref", "--format=%(refname)", "refs/heads/cockpit").splitlines()
    assert yard.git("rev-parse", branch) == yard.git("rev-parse", "HEAD")
    number = branch.removeprefix("refs/heads/cockpit/runbook-")
    assert f"sealed {number} {branch} {yard.git('rev-parse', 'HEAD')}" in said
    assert yard.git("rev-parse", "v1^{}") == yard.git("rev-parse", "HEAD^")
    assert yard.git("for-each-ref", chain.REF) == ""


def test_what_a_runbook_leaves_is_green_by_every_check(sealed):
    yard, _ = sealed
    repository, settings = Repository.discover(yard.root), config.load(yard.root)
    head = repository.resolve("HEAD")
    place = Place(repository, settings, head, head, datetime.now(UTC))
    checks = {name: look().verdict for name, look in checkpoint.checks(place)}
    assert checks.pop("benchmark-trend") is Verdict.SKIP
    assert set(checks.values()) == {Verdict.PASS}, checks
    for tag in ("v1-baseline", "v1"):
        found = verify.verify(repository, settings, tag)
        assert found.verdict is Verdict.PASS, list(found.lines())


def test_the_report_has_figures_of_before_and_after(sealed):
    yard, _ = sealed
    data = report(yard)
    assert artifacts.validate(data, "runbook_report") == []
    metrics = {row["name"]: (row["before"], row["after"]) for row in data["metrics"]}
    assert metrics["modules"] == (2, 2)
    assert metrics["modules with known coverage"] == (0, 1)
    assert metrics["checks: pass"] == (0, 7)
    assert metrics["rows of the ledger: coverage"] == (0, 2)
    assert metrics["rows of the ledger: freeze"] == (0, 2)
    assert metrics["documents of modules"][1] > metrics["documents of modules"][0] == 0
    assert data["checks"]["after"]["skip"] == 1
    assert data["phases"][4]["cpu_s"] > 0
    assert "yard/gate/README.md" in data["created"]
    assert data["modified"] == ["yard/cranes/module.manifest.json"]
    page = (yard.root / "docs/_generated/RUNBOOK_REPORT.md").read_text()
    assert "| modules with known coverage | 0 | 1 | +1 |" in page
    assert report(yard, "artifacts") == data


@pytest.mark.parametrize(
    "arguments, said",
    [
        (RUNBOOK, "v1-baseline: a tag at"),
        (RESUME, "no runbook was halted or killed here"),
        (("--cockpit-runbook",), "needs --cockpit-tag"),
        ((*RUNBOOK, "--cockpit-set=sweep.failures='warn'"), "add --cockpit-dry-run"),
        ((*ANEW, "--cockpit-set=gate.ledger.skip='none'"), "ledger: each is skipped"),
        ((*ANEW, "--cockpit-set=freeze.signers=['me']"), "freeze.signers: 'me' is no line"),
    ],
)
def test_what_cannot_begin_is_told_at_the_start(sealed, arguments, said):
    done = sealed[0].pytest(*arguments)
    assert done.returncode == 4
    assert said in done.stderr


def test_a_red_gate_halts_before_the_freeze(tmp_path):
    settings = "gates = ['imports', 'ledger']\n[sweep]\nexclude = ['yard/cranes/']\n"
    yard = create(
        tmp_path / "yard", {**FILES, "cockpit.toml": settings, "lost.py": "import nowhere_at_all\n"}
    )
    before = yard.snapshot()
    halted = yard.pytest(*RUNBOOK)
    assert halted.returncode == 1
    assert "cockpit: halted at gate:imports; nothing after it ran" in halted.stdout
    assert "8 phases kept; if nothing has to be committed go on with " in halted.stdout
    assert yard.snapshot() == before
    assert report(yard, "artifacts")["missing"] == ["freeze:production"]
    assert yard.git("log", "-1", "--format=%s", chain.REF).startswith("runbook(checkpoint:after)")

    planned = yard.pytest(*RESUME, "--co", "-q")
    listed = [line.partition("::")[2] for line in planned.stdout.splitlines() if "::" in line]
    assert listed == ["gate:imports", "gate:ledger", "freeze:production", "report", "seal"]
    again = yard.pytest(*RESUME)
    assert again.returncode == 1
    assert "8 of 10 phases done, the last checkpoint:after" in again.stdout
    assert "cockpit: halted at gate:imports" in again.stdout

    yard.git("rm", "-q", "lost.py")
    yard.git("commit", "-q", "-m", "repair")
    moved = yard.pytest(*RESUME)
    assert moved.returncode == 4
    assert "put HEAD back, or leave out --cockpit-resume" in moved.stderr
    anew = yard.pytest(*RUNBOOK, "--co")
    assert "cockpit: begins anew; what an earlier runbook has kept is given up" in anew.stdout


def test_a_part_of_a_runbook_is_looked_at_and_not_sealed(tmp_path):
    yard = create(tmp_path / "yard", FILES)
    late = yard.pytest(*RUNBOOK, "-k", "registry")
    assert late.returncode == 1
    assert "registry: is built on checkpoint:before, which did not run" in late.stdout
    part = yard.pytest(*RUNBOOK, "-k", "not sweep")
    assert part.returncode == 4
    assert "a partial selection cannot seal" in part.stderr + part.stdout
