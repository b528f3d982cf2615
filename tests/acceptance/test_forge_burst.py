"""A burst that halts shows on the forge what its checkpoints vouch for, and why it went no further."""

from __future__ import annotations

import json
import subprocess

from tests.forge_server import TOKEN

ALL = (
    "--cockpit-burst",
    "--cockpit-batch-size=2",
    "--cockpit-checkpoint-every=4",
    "--cockpit-target=100",
)
# Red at the checkpoint that moves m4, and not at the first one.
STAYS = (
    "import pathlib\n\n\ndef test_stays():\n"
    "    assert 'moved' not in pathlib.Path('candidate/deck/m4.py').read_text()\n"
)


def record(sandbox):
    return json.loads((sandbox.root / "artifacts/session.burst.json").read_text())


def test_a_halted_burst_publishes_what_is_green_and_is_finished_in_the_same_place(
    fleet, forge, tmp_path
):
    bare = tmp_path / "origin.git"
    subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    forge.state.remote = bare
    table = forge.table().replace("[forge]", "[tool.cockpit.forge]")
    text = (fleet.root / "pyproject.toml").read_text()
    fleet.commit({"pyproject.toml": f"{text}\n{table}", "tests/test_stays.py": STAYS})
    fleet.git("remote", "add", "origin", str(bare))
    fleet.git("push", "-q", "origin", "main")
    env = {"GITHUB_TOKEN": TOKEN}

    done = fleet.pytest(*ALL, env=env)
    assert done.returncode == 1, done.stdout + done.stderr
    kept = json.loads((fleet.root / "artifacts/burst_checkpoint.json").read_text())
    commit = kept["checkpoints"][-1]["commit"]
    [pull] = forge.state.open_pulls
    assert pull["title"].endswith(", halted)")
    assert "Halted" in pull["body"].partition("## Burst")[0]
    assert pull["draft"]
    assert forge.state.head(kept["branch"].removeprefix("refs/heads/")) == commit
    # What was judged green is green; what was red is no part of it.
    assert forge.state.shown(commit)["cockpit"] == "success"
    assert {row["sha"] for row in forge.state.statuses} == {commit}
    assert record(fleet)["pull_request"]["number"] == pull["number"]

    files = kept["checkpoints"][-1]["files"]
    options = ("--cockpit-burst", "--cockpit-resume", f"--cockpit-target={files}")
    done = fleet.pytest(*options, env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [each["number"] for each in forge.state.open_pulls] == [pull["number"]]
    assert "halted" not in forge.state.pulls[pull["number"]]["title"]
    assert "Halted" not in forge.state.pulls[pull["number"]]["body"]
