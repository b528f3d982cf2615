"""Bad luck in the middle of a burst or a batch: nothing is lost, and the next run goes on."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time

import pytest

from pytest_cockpit.records import ledger

BURST = (
    "--cockpit-burst",
    "--cockpit-target=4",
    "--cockpit-batch-size=1",
    "--cockpit-checkpoint-every=2",
    "-p",
    "no:cacheprovider",
)
RESUME = ("--cockpit-burst", "--cockpit-resume", "-p", "no:cacheprovider")


QUICK = {
    "cockpit.toml": 'gates = ["ledger"]\n\n[burst]\ncheckpoint_only = []\n\n'
    "[calendar]\nstabilisation = []\n",
    "candidate/__init__.py": "",
    "candidate/deck/__init__.py": "",
    **{f"candidate/deck/m{number}.py": f"N = {number}\n" for number in range(5)},
}


def seen(done):
    return done.stdout + done.stderr


def heads(sandbox):
    rows = sandbox.git("for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads")
    return dict(row.split() for row in rows.splitlines())


def state(sandbox):
    return json.loads((sandbox.root / "artifacts/burst_checkpoint.json").read_text())


def start(sandbox, *arguments):
    return subprocess.Popen(
        sandbox.hearing(*arguments),
        cwd=sandbox.root,
        env=sandbox.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def journal(sandbox):
    """The events of the running session, as far as they are written."""
    with contextlib.suppress(OSError):
        text = (sandbox.root / ".git/cockpit/journal.ndjson").read_text()
        return [json.loads(line) for line in text.splitlines(keepends=True) if line[-1] == "\n"]
    return []


def wait_for(process, sandbox, reached):
    """Wait until the session's journal has got somewhere."""
    deadline = time.monotonic() + 120
    while not reached([row["kind"] for row in journal(sandbox) if row["pid"] == process.pid]):
        assert time.monotonic() < deadline
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.005)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small disk")
def test_a_disk_that_is_full_at_a_checkpoint_loses_nothing(quick):
    folder = quick.root / "artifacts"
    kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", folder], check=False
    )
    if mounted.returncode:
        pytest.skip("no disk can be mounted here")
    try:
        for name, content in kept.items():
            (folder / name).write_bytes(content)
        process = start(quick, *BURST)
        wait_for(
            process, quick, lambda kinds: kinds.count("sealing") == 1 and kinds[-1] == "staged"
        )
        filler = folder / "filler"
        with contextlib.suppress(OSError), filler.open("wb", buffering=0) as sink:
            while True:
                sink.write(b"x" * 512)
        said = process.communicate(timeout=120)[0]
        assert process.returncode != 0
        assert "Traceback" not in said
        assert "No space left on device" in said
        [branch] = heads(quick).keys() - {"main"}
        assert heads(quick)[branch] == state(quick)["checkpoints"][0]["commit"]
        assert not list(folder.glob(".cockpit-*"))
        filler.unlink()
        done = quick.pytest(*RESUME)
        assert done.returncode == 0, seen(done)
        assert state(quick)["state"] == "sealed"
        assert state(quick)["checkpoints"][-1]["files"] == 4
        assert heads(quick)["main"] == heads(quick)[branch]
    finally:
        subprocess.run(["umount", folder], check=True)


PHASES = {
    "planned": lambda kinds: kinds[-1:] == ["planned"],
    "staged": lambda kinds: kinds[-1:] == ["staged"],
    "judged": lambda kinds: kinds[-1:] == ["gate"],
    "kept": lambda kinds: "sealing" in kinds,
}


SHORT = (
    "--cockpit-burst",
    "--cockpit-target=2",
    "--cockpit-batch-size=1",
    "--cockpit-checkpoint-every=1",
    "-p",
    "no:cacheprovider",
)


# Two of the signals end the process alike, so that each is sent in half of the phases.
@pytest.mark.parametrize(
    "phase, number",
    [
        *((phase, signal.SIGINT) for phase in PHASES),
        *(("planned", signal.SIGHUP), ("staged", signal.SIGTERM)),
        *(("judged", signal.SIGHUP), ("kept", signal.SIGTERM)),
    ],
)
def test_a_signal_in_any_phase_leaves_a_checkpoint_or_nothing(quick, phase, number):
    before, files = heads(quick), quick.snapshot()["files"]
    process = start(quick, *SHORT)
    wait_for(process, quick, PHASES[phase])
    process.send_signal(number)
    said = process.communicate(timeout=120)[0]
    # Ctrl-C ends a session in order; the other signals end the process there and then.
    assert process.returncode in ((2, 1) if number is signal.SIGINT else (-number,)), said
    assert heads(quick)["main"] == before["main"]
    assert quick.snapshot()["files"] == files
    kept = heads(quick).keys() - before.keys()
    if kept:
        assert heads(quick)[kept.pop()] == state(quick)["checkpoints"][-1]["commit"]
        done = quick.pytest(*RESUME)
    else:
        done = quick.pytest(*SHORT)
    assert done.returncode == 0, seen(done)
    assert state(quick)["checkpoints"][-1]["files"] == 2
    if number is not signal.SIGINT:
        assert "the last session was cut off after" in done.stdout


BACKWARDS = """
import datetime, os, pathlib
from pytest_cockpit.sessions import conductor, lock

place = pathlib.Path(os.environ["CLOCK"])

def now():
    hour = int(place.read_text())
    place.write_text(str(hour - 1))
    return datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC) + datetime.timedelta(hours=hour)

conductor._now = now
"""


def test_a_clock_that_goes_backwards_breaks_nothing(quick, tmp_path):
    (tmp_path / "backwards.py").write_text(BACKWARDS)
    (tmp_path / "hour").write_text("0")
    env = {"PYTHONPATH": str(tmp_path), "CLOCK": str(tmp_path / "hour")}
    one = ("--cockpit-batch-size=1", "-p", "backwards", "-q")
    names = []
    for hour, mode in enumerate(["--cockpit-batch", "--cockpit-batch", "--cockpit-burst"]):
        dated = {
            f"GIT_{who}_DATE": f"{1_700_000_000 - hour} +0000" for who in ("AUTHOR", "COMMITTER")
        }
        done = quick.pytest(
            mode, *one, *(["--cockpit-target=1"] * (hour == 2)), env={**env, **dated}
        )
        assert done.returncode == 0, seen(done)
        record = json.loads(
            (quick.root / f"artifacts/session.{mode.removeprefix('--cockpit-')}.json").read_text()
        )
        assert record["finished"] < record["started"]
        names.append(record["session_id"])
    rows = [
        json.loads(line)
        for line in (quick.root / "artifacts/sessions.ndjson").read_text().splitlines()
    ]
    moments = [row["at"] for row in rows if row["session_id"] in names]
    assert moments == sorted(moments, reverse=True)
    assert len(set(names)) == 3
    batch = quick.git("log", "-1", "--format=%(trailers:key=Batch-Id,valueonly)").strip()
    done = quick.pytest("--cockpit-rollback", batch, "-q", "-p", "backwards", env=env)
    assert done.returncode == 0, seen(done)
    for path in (".cockpit/promotions.ndjson", "artifacts/sessions.ndjson"):
        assert ledger.verify((quick.root / path).read_bytes()) == []


def test_no_two_sessions_have_one_id_though_the_clock_stands_still(quick, tmp_path):
    (tmp_path / "still.py").write_text(
        "import datetime\nfrom pytest_cockpit.sessions import conductor\n"
        "conductor._now = lambda: datetime.datetime(2026, 3, 2, tzinfo=datetime.UTC)\n"
        "conductor.os = type('os', (), {'getpid': staticmethod(lambda: 1)})\n"
    )
    names = set()
    for _ in range(2):
        done = quick.pytest(
            "--cockpit-batch",
            "--cockpit-dry-run",
            "-q",
            "-p",
            "still",
            env={"PYTHONPATH": str(tmp_path)},
        )
        assert done.returncode == 0, seen(done)
        record = json.loads((quick.root / "artifacts/session.batch.json").read_text())
        names.add(record["session_id"])
    assert len(names) == 2


def test_a_burst_that_goes_on_keeps_to_its_forecast(make_sandbox):
    """Rewriting a file that waits makes it a recent one, which would rank before others."""
    needs = {"candidate/deck/m4.py": "from candidate.deck import m0\n\nN = m0.N + 4\n"}
    sandbox = make_sandbox({**QUICK, **needs})
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    sandbox.commit({}, "baselines")
    process = start(sandbox, *BURST)
    wait_for(process, sandbox, lambda kinds: "sealing" in kinds and kinds[-1] == "staged")
    process.kill()
    process.communicate()
    plan = (sandbox.root / "artifacts/burst.plan.jsonl").read_text().splitlines()
    rows = [json.loads(line) for line in plan]
    planned = [row["sources"] for row in rows if row["kind"] == "batch"]
    done = sandbox.pytest(*RESUME)
    assert done.returncode == 0, seen(done)
    text = (sandbox.root / ".cockpit/promotions.ndjson").read_text().splitlines()
    promotions = [row for row in map(json.loads, text) if row["kind"] == "promotion"]
    assert [[move["source"] for move in row["moves"]] for row in promotions] == planned


PLUGINS = {
    "xfail": """
import pytest

def pytest_collection_modifyitems(items):
    for item in items:
        if "gate:imports" in item.name:
            item.add_marker(pytest.mark.xfail(reason="known"))
""",
    "skip": """
import pytest

def pytest_runtest_setup(item):
    if "gate:imports" in item.name:
        pytest.skip("slow")
""",
    "passed": """
import pytest

@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item):
    report = yield
    report.outcome = "passed"
    return report
""",
}


@pytest.mark.parametrize("plugin", PLUGINS)
def test_no_plugin_lets_a_burst_build_on_what_is_red(make_sandbox, tmp_path, plugin):
    """What later checkpoints judge begins where the red one ended."""
    gates = QUICK["cockpit.toml"].replace('"ledger"', '"imports"').replace("[]", '["imports"]', 1)
    sandbox = make_sandbox({**QUICK, "cockpit.toml": gates})
    assert sandbox.pytest("--cockpit-init", "-q").returncode == 0
    # All of them: which ones go first is also a matter of when they were committed.
    red = {f"candidate/deck/m{number}.py": "raise RuntimeError\n" for number in range(5)}
    before = sandbox.commit(red, "red")
    (tmp_path / "expecting.py").write_text(PLUGINS[plugin])
    env = {"PYTHONPATH": str(tmp_path)}
    done = sandbox.pytest(*BURST, "-p", "expecting", env=env)
    assert done.returncode == 1, seen(done)
    assert "halted at checkpoint-1/gate:imports" in done.stdout
    assert heads(sandbox) == {"main": before}


def test_a_record_that_names_what_no_gate_has_seen_is_not_believed(quick):
    process = start(quick, *BURST)
    wait_for(process, quick, lambda kinds: "sealing" in kinds and kinds[-1] == "staged")
    process.kill()
    process.communicate()
    [branch] = heads(quick).keys() - {"main"}
    kept, path = state(quick), quick.root / "artifacts/burst_checkpoint.json"
    tree = quick.git("rev-parse", "HEAD^{tree}")
    first, last = kept["batches"]
    message = quick.git("log", "-1", "--format=%B", last["commit"])
    for said, parent in (
        ("promote: trust me", first["commit"]),
        (message.replace("Gate-Ledger: pass", "Gate-Ledger: fail"), first["commit"]),
        (message, kept["base"]),
    ):
        forged = quick.git("commit-tree", tree, "-p", parent, "-m", said)
        quick.git("update-ref", f"refs/heads/{branch}", forged)
        path.write_text(json.dumps(kept).replace(last["commit"], forged))
        done = quick.pytest(*RESUME, "--cockpit-target=2")
        assert done.returncode == 4, seen(done)
        assert "is not batch 2 as the burst made and judged it" in done.stderr
    quick.git("update-ref", f"refs/heads/{branch}", last["commit"])
    quick.git("update-ref", "refs/heads/mine", last["commit"])
    path.write_text(json.dumps({**kept, "branch": "refs/heads/mine"}))
    done = quick.pytest(*RESUME, "--cockpit-target=2")
    assert done.returncode == 4, seen(done)
    assert "head or branch is not the burst's own" in done.stderr
    path.write_text(json.dumps(kept))
    done = quick.pytest(*RESUME, "--cockpit-target=2")
    assert done.returncode == 0, seen(done)
