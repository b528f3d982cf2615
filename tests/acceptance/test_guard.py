"""The guard where it stands: hooks of git and of pre-commit, sessions, and waivers with labels."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LABEL = "allow:candidate-additions"
SOON = f"{datetime.now(UTC).date() + timedelta(days=30)}"
WHY = ("--reason", "the vendor's module comes with the release", "--owner", "harbour master")
COCKPIT = (sys.executable, "-m", "pytest_cockpit.cli")


@pytest.fixture
def port(make_sandbox):
    return make_sandbox({"candidate/tide.py": "A = 1\n", "quay.py": "B = 1\n"})


@pytest.fixture(params=["git", "pre-commit"])
def hooked(request, port, tmp_path):
    """The shipped hook, installed in one of the two ways."""
    if request.param == "git":
        _install_plainly(port, tmp_path)
    else:
        _install_by_pre_commit(port)
    return port


def _install_plainly(port, tmp_path):
    hooks = tmp_path / "hooks"
    hooks.mkdir()
    for stage in ("pre-commit", "pre-merge-commit"):
        hook = hooks / stage
        hook.write_text(
            f'#!/bin/sh\nexec "{sys.executable}" -m pytest_cockpit.cli guard --staged\n'
        )
        hook.chmod(0o755)
    port.git("config", "core.hooksPath", str(hooks))


def _install_by_pre_commit(port):
    """As from the shipped manifest, but with this interpreter instead of one of its own."""
    yaml = pytest.importorskip("yaml")
    pytest.importorskip("pre_commit")
    [hook] = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
    assert hook["entry"].startswith("cockpit ")
    hook |= {"language": "system", "entry": " ".join([*COCKPIT, *hook["entry"].split()[1:]])}
    config = {"repos": [{"repo": "local", "hooks": [hook]}]}
    # JSON is YAML.
    port.commit({".pre-commit-config.yaml": json.dumps(config)}, "Add the hook")
    stages = ("--hook-type", "pre-commit", "--hook-type", "pre-merge-commit")
    done = _run(port, sys.executable, "-m", "pre_commit", "install", *stages)
    assert done.returncode == 0, done.stderr


def _run(port, *argv):
    home = port.root.parent / "home"
    return subprocess.run(
        argv,
        cwd=port.root,
        env={**port.environment(), "PRE_COMMIT_HOME": str(home), "GIT_EDITOR": "true"},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def git(port, *arguments):
    done = _run(port, "git", *arguments)
    return done.returncode, done.stdout + done.stderr


def refuses(port, *arguments):
    head = port.git("rev-parse", "HEAD")
    code, said = git(port, *arguments)
    assert code != 0, said
    assert port.git("rev-parse", "HEAD") == head
    return said


def passes(port, *arguments):
    code, said = git(port, *arguments)
    assert code == 0, said


def test_the_manifest_is_one_to_pre_commit():
    pytest.importorskip("pre_commit")
    manifest = ROOT / ".pre-commit-hooks.yaml"
    argv = [sys.executable, "-m", "pre_commit", "validate-manifest", str(manifest)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_commits_of_every_kind(hooked):
    hooked.write({"candidate/new.py": "C = 1\n", "quay.py": "B = 2\n"})
    # The working tree is not what is committed.
    passes(hooked, "commit", "-qam", "quay alone")
    hooked.git("add", "-A")
    assert "candidate/new.py: is new in the lane" in refuses(hooked, "commit", "-qm", "both")
    refuses(hooked, "commit", "-q", "--amend", "--no-edit")
    hooked.write({"quay.py": "B = 3\n"})
    refuses(hooked, "commit", "-qam", "all")
    # A commit of some paths leaves the others out.
    passes(hooked, "commit", "-qm", "quay alone", "--", "quay.py")
    refuses(hooked, "commit", "-qm", "new alone", "--", "candidate/new.py")
    hooked.git("rm", "-q", "--cached", "candidate/new.py")
    passes(hooked, "commit", "-q", "--amend", "-m", "amended")
    hooked.git("mv", "quay.py", "candidate/quay.py")
    assert "was moved into the lane from quay.py" in refuses(hooked, "commit", "-qm", "rename")


def test_from_a_linked_work_tree(hooked, tmp_path):
    linked = type(hooked)(tmp_path / "linked")
    hooked.git("worktree", "add", "-q", str(linked.root), "-b", "side")
    linked.write({"candidate/new.py": "C = 1\n"})
    linked.git("add", "-A")
    assert "candidate/new.py" in refuses(linked, "commit", "-qm", "x")


def test_a_merge_of_what_others_were_allowed(hooked):
    hooked.git("branch", "side")
    hooked.write({"candidate/allowed.py": "C = 1\n"})
    hooked.git("add", "-A")
    passes(hooked, "commit", "-q", "--no-verify", "-m", "allowed")
    hooked.git("checkout", "-q", "side")
    hooked.write({"side.py": "D = 1\n"})
    hooked.git("add", "-A")
    passes(hooked, "commit", "-qm", "side")
    passes(hooked, "merge", "-q", "--no-edit", "main")
    assert (hooked.root / "candidate/allowed.py").is_file()


def test_a_merge_that_adds_something_of_its_own(hooked):
    hooked.git("branch", "side")
    for branch, text in (("main", "B = 2\n"), ("side", "B = 3\n")):
        hooked.git("checkout", "-q", branch)
        hooked.write({"quay.py": text})
        passes(hooked, "commit", "-qam", branch)
    code, _ = git(hooked, "merge", "-q", "main")
    assert code == 1
    hooked.write({"quay.py": "B = 4\n", "candidate/new.py": "C = 1\n"})
    hooked.git("add", "-A")
    assert "candidate/new.py" in refuses(hooked, "commit", "-q", "--no-edit")
    hooked.git("rm", "-q", "-f", "candidate/new.py")
    passes(hooked, "commit", "-q", "--no-edit")


def test_a_rebase_replays_what_was_judged_and_no_more(hooked):
    hooked.git("checkout", "-qb", "side")
    hooked.write({"side.py": "D = 1\n"})
    hooked.git("add", "-A")
    passes(hooked, "commit", "-qm", "side")
    hooked.git("checkout", "-q", "main")
    hooked.write({"quay.py": "B = 2\n"})
    passes(hooked, "commit", "-qam", "main")
    hooked.git("checkout", "-q", "side")
    passes(hooked, "rebase", "-q", "main")
    # Stopped in the middle, one commits by hand, and the hook judges that.
    todo = "sed -i -e s/^pick/edit/"
    passes(hooked, "-c", f"sequence.editor={todo}", "rebase", "-q", "-i", "HEAD~1")
    hooked.write({"candidate/new.py": "C = 1\n"})
    hooked.git("add", "-A")
    refuses(hooked, "commit", "-q", "--amend", "--no-edit")
    hooked.git("rm", "-q", "--cached", "candidate/new.py")
    passes(hooked, "rebase", "--continue")


def cockpit(port, *arguments):
    return _run(port, *COCKPIT, *arguments)


def test_a_label_lets_an_addition_in_with_a_row_and_not_for_ever(make_sandbox):
    port = make_sandbox(
        {
            "candidate/tide.py": "A = 1\n",
            "cockpit.toml": 'gates = ["guard"]\n',
        }
    )
    done = cockpit(port, "waive", "guard.new-file", "--label", LABEL, *WHY, "--expires", SOON)
    assert done.returncode == 0, done.stderr
    port.commit({}, "Waive one addition")
    port.write({"candidate/vendor.py": "V = 1\n"})
    red = port.pytest("-m", "gate", "-q")
    assert red.returncode == 1, red.stdout
    assert "candidate/vendor.py: is new in the lane [guard.new-file]" in red.stdout
    labelled = port.pytest("-m", "gate", "-q", "--cockpit-label", LABEL)
    assert labelled.returncode == 0, labelled.stdout
    assert "harbour master, until" in labelled.stdout
    record = json.loads((port.root / "artifacts/session.gates.json").read_text())
    assert [row["rule"] for row in record["waivers"]] == ["guard.new-file"]
    _commit_in_a_year(port)
    late = port.pytest("-m", "gate", "-q", "--cockpit-label", LABEL)
    assert late.returncode == 1, late.stdout
    assert f"expired on {SOON}" in late.stdout


def _commit_in_a_year(port):
    """Waivers are judged by the latest day that is known; the base commit's is one."""
    when = f"{datetime.now(UTC).date() + timedelta(days=365)}T12:00:00Z"
    subprocess.run(
        ["git", "commit", "-q", "--amend", "--no-edit"],
        cwd=port.root,
        env={**os.environ, "GIT_COMMITTER_DATE": when},
        check=True,
    )


def test_the_label_of_dropped_coverage_works_alike(make_sandbox):
    port = make_sandbox(
        {
            "cockpit.toml": 'gates = ["coverage"]\n',
            "candidate/x.py": "A = 1\n",
            ".coveragerc": "[run]\nsource = core\n",
            ".gitignore": "__pycache__/\n",
            "core/__init__.py": "",
            "core/tide.py": "def height(hour):\n    return hour * 2\n",
            "tests/test_tide.py": (
                "from core.tide import height\n\n\ndef test_height():\n    assert height(1) == 2\n"
            ),
        }
    )
    done = port.pytest("--cockpit-init", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    waived = cockpit(
        port, "waive", "coverage.*", "--label", "allow:coverage-drop", *WHY, "--expires", SOON
    )
    assert waived.returncode == 0, waived.stderr
    port.commit({}, "Waive a drop of coverage")
    port.commit(
        {"core/tide.py": "def height(hour):\n    return hour * 2\n\n\ndef low():\n    return 1\n"}
    )
    base = ("--cockpit-base", "HEAD~1")
    red = port.pytest("-m", "gate", "-q", *base)
    assert red.returncode == 1, red.stdout
    green = port.pytest("-m", "gate", "-q", *base, "--cockpit-label", "allow:coverage-drop")
    assert green.returncode == 0, green.stdout
    assert "waived by" in green.stdout


def test_a_batch_and_its_rollback_pass_and_a_revert_by_hand_does_not(quick):
    settings = (quick.root / "cockpit.toml").read_text()
    both = settings.replace('["ledger"]', '["guard", "ledger"]')
    start = quick.commit({"cockpit.toml": both}, "Judge by two gates")
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate:guard: pass" in done.stdout
    batch = quick.git("log", "-1", "--format=%(trailers:key=Batch-Id,valueonly)").strip()
    sealed = quick.git("rev-parse", "HEAD")
    assert cockpit(quick, "guard", "--base", start).returncode == 0
    quick.git("revert", "--no-edit", "HEAD")
    red = cockpit(quick, "guard", "--base", sealed)
    assert red.returncode == 1, red.stdout
    assert "candidate/deck/m0.py: was promoted, and is a file of its own again" in red.stdout
    quick.git("reset", "-q", "--hard", sealed)
    done = quick.pytest("--cockpit-rollback", batch, "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "gate:guard: pass" in done.stdout
    green = cockpit(quick, "guard", "--base", sealed)
    assert green.returncode == 0, green.stdout
    # What a later edit in the same change makes of it is no longer what was put back.
    quick.write({"candidate/deck/m0.py": "N = 7\n"})
    red = cockpit(quick, "guard", "--base", sealed)
    assert [line for line in red.stdout.splitlines() if "resurrected" in line] == [
        "  candidate/deck/m0.py: was promoted, and is a file of its own again [guard.resurrected]"
    ]
    assert cockpit(quick, "guard").returncode == 0


def test_a_burst_passes(quick):
    settings = (quick.root / "cockpit.toml").read_text()
    quick.commit({"cockpit.toml": settings.replace('["ledger"]', '["guard", "ledger"]')})
    done = quick.pytest("--cockpit-burst", "--cockpit-batch-size", "2", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    kept = json.loads((quick.root / "artifacts/burst_checkpoint.json").read_text())
    assert {point["verdicts"]["guard"] for point in kept["checkpoints"]} == {"pass"}
    assert len(kept["batches"]) > 1
