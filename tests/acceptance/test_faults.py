"""Bad input and bad luck: one clear line, and nothing changed."""

from __future__ import annotations

import getpass
import json
import os
import resource
import signal
import subprocess
import time

import pytest

PLAN = "artifacts/promotion_batch.plan.jsonl"


def refused(sandbox, *arguments, code=4, **kwargs):
    """Run a batch that must be refused as a usage error; return the one line it gives."""
    before = sandbox.snapshot()
    done = sandbox.pytest("--cockpit-batch", *arguments, **kwargs)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    assert sandbox.snapshot() == before
    lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def branches(sandbox):
    return sandbox.git("for-each-ref", "--format=%(refname:short)", "refs/heads/cockpit")


def test_not_a_repository(tmp_path, quick):
    outside = type(quick)(tmp_path / "plain")
    outside.write({"candidate/a.py": ""})
    done = outside.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "git repository" in done.stderr


def test_no_commits(tmp_path, quick):
    empty = type(quick)(tmp_path / "empty")
    empty.root.mkdir()
    empty.git("init", "-q")
    done = empty.pytest("--cockpit-batch")
    assert done.returncode == 4
    assert "no commit" in done.stderr


def test_no_lane(make_sandbox):
    sandbox = make_sandbox(
        {"app.py": "X = 1\n", "cockpit.toml": "[calendar]\nstabilisation = []\n"}
    )
    assert "candidate" in refused(sandbox)


def test_shallow_clone(quick, tmp_path):
    quick.commit({"x.txt": "1"})
    clone = type(quick)(tmp_path / "shallow")
    subprocess.run(
        ["git", "clone", "-q", "--depth=1", f"file://{quick.root}", clone.root], check=True
    )
    assert "unshallow" in refused(clone)


def test_detached_head_is_sealed_as_a_branch_and_stays_where_it_is(quick):
    quick.git("switch", "-q", "--detach")
    head, files = quick.git("rev-parse", "HEAD"), quick.snapshot()["files"]
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
    assert "git switch cockpit/" in done.stdout
    assert branches(quick)
    assert quick.git("rev-parse", "HEAD") == head
    assert quick.snapshot()["files"] == files


def test_a_dirty_touched_path_is_left_alone_and_the_branch_waits(quick):
    main = quick.root / "app.py"
    main.write_text(main.read_text() + "\n# mine, not committed\n")
    head, files = quick.git("rev-parse", "HEAD"), quick.snapshot()["files"]
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
    assert "app.py" in done.stdout
    assert "git merge --ff-only cockpit/" in done.stdout
    assert quick.git("rev-parse", "HEAD") == head
    assert quick.snapshot()["files"] == files


def test_a_dirty_untouched_path_survives(quick):
    quick.write({"notes.txt": "mine\n", "staged.txt": "staged\n"})
    quick.git("add", "staged.txt")
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
    assert quick.git("status", "--porcelain").splitlines() == ["A  staged.txt", "?? notes.txt"]
    assert quick.git("rev-parse", "HEAD") == quick.git("rev-parse", branches(quick))


def test_a_missing_identity_is_said_before_anything_is_built(quick):
    for key in ("user.name", "user.email"):
        quick.git("config", "--unset", key)
    before = quick.snapshot()
    done = quick.pytest(
        "--cockpit-batch",
        env={"HOME": "/nonexistent", "GIT_CONFIG_GLOBAL": "/dev/null", "EMAIL": ""},
    )
    assert done.returncode in (1, 4)
    assert "user.name" in done.stdout + done.stderr or "user.email" in done.stdout + done.stderr
    assert quick.snapshot() == before


def test_a_plan_edited_by_hand(quick):
    assert quick.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    path = quick.root / PLAN
    path.write_text(path.read_text().replace("deck/m0.py", "deck/m9.py"))
    assert "edited by hand" in refused(quick, PLAN)


@pytest.mark.parametrize("target", ["../outside.py", "/etc/outside.py", ".git/hooks/pre-commit"])
def test_a_plan_with_a_target_outside(quick, target):
    assert quick.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    path = quick.root / PLAN
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    next(row for row in rows if row["kind"] == "move")["target"] = target
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert PLAN in refused(quick, PLAN)


def test_a_plan_from_another_commit(quick):
    assert quick.pytest("--cockpit-batch", "--co", "-q").returncode == 0
    quick.commit({"x.txt": "1"})
    assert "plan again" in refused(quick, PLAN)


def test_a_positional_argument_that_is_no_plan(quick):
    assert "plan file only" in refused(quick, "tests")


def test_a_wrong_configuration_names_file_and_key(quick):
    quick.write({"cockpit.toml": '[batch]\nsize = "many"\n'})
    line = refused(quick)
    assert "cockpit.toml" in line
    assert "batch.size" in line


def test_an_unknown_gate_is_an_error_not_a_pass(ready):
    ready.write({"pyproject.toml": '[tool.cockpit]\ngates = ["imports", "nosuch"]\n'})
    ready.commit({})
    before = ready.snapshot()
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode in (1, 4)
    assert "nosuch" in done.stdout + done.stderr
    assert ready.snapshot() == before


WAITS = """
import pathlib, time


def test_slow():
    end = time.monotonic() + 60
    while not pathlib.Path(FLAG).exists() and time.monotonic() < end:
        time.sleep(0.05)
"""


def test_two_sessions_at_once(ready, tmp_path):
    flag = tmp_path / "flag"
    ready.commit({"tests/test_slow.py": WAITS.replace("FLAG", repr(str(flag)))})
    first = subprocess.Popen(
        ready.argv("--cockpit-batch", "-q"),
        cwd=ready.root,
        env=ready.environment(),
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        deadline = time.monotonic() + 120
        holder = ready.root / ".git/cockpit/session.holder"
        while not (holder.exists() and json.loads(holder.read_text())["pid"] == first.pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)
        done = ready.pytest("--cockpit-batch", "-q")
        assert done.returncode == 4
        user = getpass.getuser()
        assert f"held by another session (process {first.pid} of {user} on " in done.stderr
        assert ", a batch since 2" in done.stderr
    finally:
        flag.touch()
        first.communicate(timeout=120)
    assert first.returncode == 0


def test_push_to_a_bare_remote_and_a_remote_that_refuses(quick, tmp_path):
    bare = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    quick.git("remote", "add", "origin", str(bare))
    hook = bare / "hooks" / "pre-receive"
    hook.write_text("#!/bin/sh\necho no promotions on Sundays >&2\nexit 1\n")
    hook.chmod(0o755)
    head = quick.git("rev-parse", "HEAD")
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 1, done.stdout
    assert quick.git("rev-parse", "HEAD") == head
    branch = branches(quick)
    assert branch
    hook.unlink()
    done = quick.pytest("--cockpit-batch", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "already sealed" in done.stdout
    assert "1 passed" in done.stdout
    remote = subprocess.run(
        ["git", "-C", bare, "rev-parse", branch], capture_output=True, text=True, check=True
    )
    assert remote.stdout.strip() == quick.git("rev-parse", branch)


def test_skip_pr_pushes_nothing(quick, tmp_path):
    bare = tmp_path / "remote.git"
    subprocess.run(["git", "init", "-q", "--bare", bare], check=True)
    quick.git("remote", "add", "origin", str(bare))
    assert quick.pytest("--cockpit-batch", "--cockpit-skip-pr", "-q").returncode == 0
    heads = subprocess.run(
        ["git", "-C", bare, "for-each-ref"], capture_output=True, text=True, check=True
    )
    assert heads.stdout == ""
    assert quick.git("rev-parse", "HEAD") == quick.git("rev-parse", branches(quick))


def test_a_full_disk_leaves_everything_as_it_was(quick):
    before = quick.snapshot()
    done = subprocess.run(
        quick.argv("--cockpit-batch", "-q", "-p", "no:cacheprovider"),
        cwd=quick.root,
        env=quick.environment(),
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (600, 600)),
    )
    assert done.returncode != 0
    assert quick.snapshot() == before
    assert not list((quick.root / "artifacts").glob("*.tmp*"))


def test_a_read_only_lane_file_moves(quick):
    (quick.root / "candidate/deck/m0.py").chmod(0o444)
    done = quick.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
    assert (quick.root / "deck/m0.py").is_file()


def test_a_submodule_and_odd_names_do_not_stop_the_rest(ready, make_sandbox):
    inner = make_sandbox({"m.py": "X = 1\n"}, name="inner")
    ready.git(
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "add",
        "-q",
        str(inner.root),
        "candidate/vendored",
    )
    odd = {
        "candidate/$(date +%Y).py": "",
        "candidate/ padded .py": "",
        "candidate/=2.0.0": "",
        "candidate/Λ.py": "VALUE = 1\n",
        "candidate/🚀.py": "",
    }
    ready.write(odd)
    (ready.root / "candidate/dangling.py").symlink_to("nowhere.py")
    (ready.root / os.fsdecode(b"candidate/caf\xe9.py")).write_bytes(b"")
    ready.commit({})
    assert ready.pytest("--cockpit-init", "-q").returncode == 0
    ready.commit({})
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    rows = [json.loads(line) for line in (ready.root / PLAN).read_text().splitlines()]
    rules = {row["source"]: row["rule"] for row in rows if row["kind"] == "refusal"}
    assert rules["candidate/$(date +%Y).py"] == "not-a-module-name"
    assert rules["candidate/ padded .py"] == "not-a-module-name"
    assert rules["candidate/🚀.py"] == "not-a-module-name"
    assert rules["candidate/dangling.py"] == "symlink"
    assert rules["candidate/vendored"] == "gitlink"
    assert rules["candidate/caf\\udce9.py"] == "non-utf8-name"
    assert "Λ.py" in {row["target"] for row in rows if row["kind"] == "move"}


def interrupted(sandbox, event, number):
    """Start a batch, signal it a moment after its journal has this event, wait for its end."""
    process = subprocess.Popen(
        sandbox.hearing("--cockpit-batch", "-q"),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    journal = sandbox.root / ".git/cockpit/journal.ndjson"
    deadline = time.monotonic() + 120
    while event and f'"kind":"{event}","pid":{process.pid}' not in (
        journal.read_text() if journal.exists() else ""
    ):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(number)
    return process.wait(timeout=60)


DEAF = """\
import os
import signal


class Dropped:
    def __del__(self):
        # What is raised here, Python prints and drops.
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            pass


def pytest_cockpit_gate_report():
    Dropped()
"""


def test_ctrl_c_that_python_dropped_still_seals_nothing(quick, tmp_path):
    (tmp_path / "deaf.py").write_text(DEAF)
    before = quick.snapshot()
    done = subprocess.run(
        quick.hearing("--cockpit-batch", "-p", "deaf"),
        cwd=quick.root,
        env={**quick.environment(), "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert "gate:ledger" in done.stdout
    assert done.returncode == 2, done.stdout + done.stderr
    assert quick.snapshot() == before


def test_ctrl_c_leaves_nothing_and_the_next_run_finishes(ready):
    ready.commit({"tests/test_slow.py": "import time\n\n\ndef test_slow():\n    time.sleep(1)\n"})
    assert ready.pytest("--cockpit-init", "-q").returncode == 0
    ready.commit({})
    before = ready.snapshot()
    for event in ("", "planned", "staged"):
        code = interrupted(ready, event, signal.SIGINT)
        assert code in (2, -signal.SIGINT, 1, 4), code
        assert ready.snapshot() == before
    done = ready.pytest("--cockpit-batch", "-q")
    assert done.returncode == 0, done.stdout
