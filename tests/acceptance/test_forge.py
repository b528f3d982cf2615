"""What is sealed becomes a pull request, on a forge that checks every word it is told."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import subprocess
import threading
from pathlib import Path

import pytest

from tests.forge_server import TOKEN, running


def connected(sandbox, forge, bare, **settings):
    """A remote, and a configuration that leads to a forge which shows that remote's branches."""
    if not bare.exists():
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
    forge.state.remote = bare
    own, table = sandbox.root / "cockpit.toml", forge.table(**settings)
    if not own.exists():
        own, table = (
            own.with_name("pyproject.toml"),
            table.replace("[forge]", "[tool.cockpit.forge]"),
        )
    sandbox.commit({own.name: f"{own.read_text()}\n{table}"})
    sandbox.git("remote", "add", "origin", str(bare))
    sandbox.git("push", "-q", "origin", "main")
    return sandbox


@pytest.fixture
def port(quick, forge, tmp_path):
    """What lies around the gates is the same with one that costs next to nothing."""
    return connected(quick, forge, tmp_path / "origin.git")


@pytest.fixture
def whole(ready, forge, tmp_path):
    """A repository that is judged by every gate."""
    return connected(ready, forge, tmp_path / "origin.git")


def run(sandbox, *arguments, token=TOKEN, **more):
    env = {"GITHUB_TOKEN": token} if token else {}
    return sandbox.pytest(*(arguments or ("--cockpit-batch",)), env={**env, **more})


def green(done):
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def red(done):
    assert done.returncode == 1, done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr
    return done.stdout


def record(sandbox, mode="batch"):
    return json.loads((sandbox.root / f"artifacts/session.{mode}.json").read_text())


def remote_commit(forge, branch):
    return forge.state.head(branch.removeprefix("refs/heads/"))


def test_a_batch_opens_a_draft_and_the_next_run_brings_it_up_to_date(port, forge):
    shown = green(run(port))
    [pull] = forge.state.open_pulls
    subject, _, message = port.git("log", "-1", "--format=%B", "--branches=cockpit/*").partition(
        "\n"
    )
    sealed = record(port)["sealed"]
    assert pull["draft"]
    assert pull["labels"] == ["promotion"]
    assert pull["title"] == subject
    assert pull["body"] == (port.root / "artifacts/promotion_pr_body.md").read_text()
    assert pull["base"]["ref"] == "main"
    assert f"Batch-Id: {record(port)['batch_id']}" in message
    url = "https://github.com/o/r/pull/1"
    assert f"draft pull request #1: {url}" in shown
    assert "pushed to origin, draft pull request on 127.0.0.1" in shown
    assert record(port)["pull_request"] == {
        "number": 1,
        "url": url,
        "base": "main",
        "merged": False,
    }
    states = forge.state.shown(sealed["commit"])
    assert states == {"cockpit": "success", "cockpit/ledger": "success"}
    # Verdicts are at the sealed commit alone: a merge queue makes commits of its own.
    assert {row["sha"] for row in forge.state.statuses} == {sealed["commit"]}

    forge.state.pulls[1] |= {"title": "mine", "body": "mine", "labels": ["other"]}
    assert "already sealed" in green(run(port))
    assert forge.state.pulls[1]["title"] == subject
    assert forge.state.pulls[1]["body"] == pull["body"]
    assert forge.state.pulls[1]["labels"] == ["other", "promotion"]
    assert forge.count("POST", "/pulls") == 1
    assert len(forge.state.statuses) == len(states)


def test_an_answer_that_is_lost_and_a_limit_end_in_one_pull_request(port, forge):
    forge.fail("POST", "/pulls", drop=True, after=True)
    said = {"message": "You have exceeded a secondary rate limit."}
    forge.fail("POST", "/issues/1/labels", status=403, body=said, headers={"Retry-After": "2"})
    shown = green(run(port))
    assert "secondary rate limit.; trying again in 2 s" in shown
    assert [pull["labels"] for pull in forge.state.open_pulls] == [["promotion"]]
    assert forge.count("POST", "/pulls") == 1


def test_an_expired_token_is_red_and_the_same_command_finishes(port, forge):
    shown = red(run(port, token="ghp_" + "gone" * 9))
    assert (
        "the token of GITHUB_TOKEN is not accepted (401 Bad credentials): it is expired, revoked "
        "or mistyped"
    ) in shown
    sealed = record(port)["sealed"]
    assert remote_commit(forge, sealed["branch"]) == sealed["commit"]
    assert f"sealed here as {sealed['branch'].removeprefix('refs/heads/')} and pushed" in shown
    assert record(port)["pull_request"] is None
    assert forge.state.pulls == {}

    assert "only what was left undone runs" in green(run(port))
    [pull] = forge.state.open_pulls
    # What the first session had to say, though the second judged nothing.
    assert pull["body"] == (port.root / "artifacts/promotion_pr_body.md").read_text()
    assert forge.state.shown(sealed["commit"])["cockpit"] == "success"
    assert record(port)["pull_request"]["number"] == 1


def test_a_body_that_another_machine_wrote_is_told_by_the_commit(port, forge):
    red(run(port, token="ghp_" + "gone" * 9))
    shutil.rmtree(port.root / "artifacts")
    port.git("checkout", "-q", "--", "artifacts")
    green(run(port))
    [pull] = forge.state.open_pulls
    assert pull["body"].startswith("```text\nProblem: ")
    assert "Gate-Ledger: pass" in pull["body"]


@pytest.mark.parametrize(
    "arguments",
    [
        ("--cockpit-batch", "--cockpit-dry-run"),
        ("--cockpit-batch", "--co", "-q"),
        ("--cockpit-batch", "--cockpit-skip-pr"),
    ],
)
def test_nothing_is_asked_where_nothing_is_to_be_published(port, forge, arguments):
    green(run(port, *arguments))
    assert forge.asked == []
    assert subprocess.run(
        ["git", "for-each-ref", "--format=%(refname)"],
        cwd=forge.state.remote,
        capture_output=True,
        check=True,
        text=True,
    ).stdout.split() == ["refs/heads/main"]


def test_without_a_token_a_forge_that_is_demanded_is_red(port, forge):
    shown = red(run(port, token=None))
    assert "no token for it; set GITHUB_TOKEN" in shown
    assert "no pull request (127.0.0.1" in shown
    assert remote_commit(forge, record(port)["sealed"]["branch"])
    assert forge.asked == []
    green(run(port, "--cockpit-batch", "-q"))
    assert len(forge.state.open_pulls) == 1


def test_without_a_forge_that_is_demanded_the_seal_says_why_there_is_none(quick, tmp_path):
    subprocess.run(["git", "init", "-q", "--bare", tmp_path / "origin.git"], check=True)
    quick.git("remote", "add", "origin", str(tmp_path / "origin.git"))
    shown = green(run(quick))
    assert "pushed to origin, no pull request (the remote 'origin' is on no forge)" in shown
    assert "pushed to origin; no pull request: the remote 'origin' is on no forge" in shown


def test_of_two_operators_one_is_told_what_to_do(port, forge, tmp_path):
    other = shutil.copytree(port.root, tmp_path / "other", symlinks=True)
    second = type(port)(other)
    second.git("config", "user.name", "Second Mate")
    done = {}

    def work(name, sandbox):
        done[name] = run(sandbox)

    threads = [threading.Thread(target=work, args=item) for item in (("a", port), ("b", second))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(each.returncode for each in done.values()) == [0, 1]
    assert len(forge.state.pulls) == 1
    [loser] = [each.stdout for each in done.values() if each.returncode]
    assert "origin has another commit as cockpit/" in loser
    assert "It was not overwritten" in loser
    assert "Traceback" not in loser
    # Nor does trying again.
    again = red(run(port if done["a"].returncode else second))
    assert "origin has another commit as cockpit/" in again


def descendants(pid):
    """The processes that a process has started, and theirs."""
    for tasks in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found = tasks.read_text().split()
        except OSError:
            continue
        for child in found:
            yield child
            yield from descendants(child)


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="processes are seen in /proc")
def test_the_token_is_nowhere_to_be_found(port, forge, monkeypatch):
    # The command line that is looked for is that of an interpreter of its own.
    monkeypatch.setenv("COCKPIT_FRESH", "1")
    seen, over = set(), threading.Event()

    def watch():
        while not over.wait(0.02):
            for pid in descendants(os.getpid()):
                with contextlib.suppress(OSError):
                    seen.add(Path(f"/proc/{pid}/cmdline").read_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    forge.fail("POST", "/pulls", status=422, body={"message": f"no {TOKEN}"})
    flags = ("--log-level=DEBUG", "--log-file=debug.log", "--showlocals", "--junitxml=junit.xml")
    try:
        done = run(port, "--cockpit-batch", "-vv", "--full-trace", *flags)
    finally:
        over.set()
        watcher.join()
    shown = red(done) + done.stderr
    assert "422 no ***" in shown
    assert TOKEN not in shown
    # What the run starts was looked at, git and all, and none of it has the token in its words.
    assert any(b"--cockpit-batch" in line for line in seen)
    assert any(line.startswith(b"git\0") for line in seen)
    assert not any(TOKEN.encode() in line for line in seen)
    for folder, _, names in os.walk(port.root):
        for name in names:
            path = Path(folder, name)
            assert path.is_symlink() or TOKEN.encode() not in path.read_bytes(), path


def test_no_gate_and_no_test_sees_the_token(whole):
    whole.commit(
        {
            "tests/test_spy.py": (
                "import os\n\n\ndef test_spy():\n"
                '    assert not [name for name in os.environ if "TOKEN" in name]\n'
            )
        }
    )
    whole.git("push", "-q", "origin", "main")
    green(run(whole, "--cockpit-batch", "-q"))


def test_a_rollback_opens_a_pull_request_of_its_own(port, forge):
    green(run(port, "--cockpit-batch", "-q"))
    batch = record(port)["batch_id"]
    port.git("merge", "-q", "--ff-only", record(port)["sealed"]["branch"])
    port.git("push", "-q", "origin", "main")
    green(run(port, "--cockpit-rollback", batch))
    *_, pull = forge.state.open_pulls
    assert pull["title"].startswith("rollback: 6 files back to candidate")
    assert pull["body"].startswith("## Rollback ")
    assert f"Undoes batch {batch}" in pull["body"]
    assert "| `candidate/deck/m0.py` | as before the batch |" in pull["body"]
    assert pull["draft"]


def test_a_burst_opens_one_pull_request_for_all_its_batches(fleet, forge, tmp_path):
    port = connected(fleet, forge, tmp_path / "origin.git", context="lanes")
    options = ("--cockpit-target=6", "--cockpit-batch-size=3", "--cockpit-checkpoint-every=6")
    green(run(port, "--cockpit-burst", *options))
    [pull] = forge.state.open_pulls
    burst = record(port, "burst")
    assert pull["title"] == f"promote: 6 files in 2 batches (burst {burst['batch_id']})"
    assert pull["body"].rstrip() == (port.root / "artifacts/burst_pr_body.md").read_text().rstrip()
    states = forge.state.shown(burst["sealed"]["commit"])
    assert states["lanes"] == "success"
    assert states["lanes/coverage"] == "success"
    assert burst["pull_request"]["number"] == pull["number"]
    [comment] = forge.state.comments_on(pull["number"])
    demand_known(comment["body"])


def demand_known(dashboard):
    """What each gate found is in the dashboard; the sandbox declares that it has no contracts."""
    rows = re.findall(r"^\| \S+ (\w+) \| ([\w ]+) \| ([^|]+) \|", dashboard, re.MULTILINE)
    found = {title: (light, value) for light, title, value in rows}
    assert found["Coverage beyond the baseline"][0] == "green"
    assert found["Tests in quarantine"] == ("green", "0 tests")
    # A batch tries its own modules alone; two of the sandbox are known to fail.
    assert found["Import failures"] == ("amber", "2 modules")
    assert found["Contracts without errors"] == ("unknown", "unknown")


def test_gitlab_is_served_by_the_same_command(quick, tmp_path):
    from tests.gitlab_server import GitLabServer

    server = GitLabServer("g/s", "r")
    server.start()
    try:
        port = connected(quick, server, tmp_path / "origin.git", kind="gitlab")
        shown = green(run(port, "--cockpit-batch", token=None, GITLAB_TOKEN=TOKEN))
    finally:
        server.stop()
    assert server.violations == []
    [pull] = server.requests.values()
    assert pull["title"].startswith("Draft: promote(")
    assert pull["labels"] == ["promotion"]
    assert f"draft pull request #1: {pull['web_url']}" in shown
    assert {row["name"]: row["status"] for row in server.shown}["cockpit"] == "success"


def test_a_remote_that_redirects_elsewhere_gets_nothing(port, forge):
    with running() as thief:
        forge.fail("*", ".*", status=307, headers={"Location": thief.url}, times=99)
        shown = red(run(port))
        assert thief.asked == []
    assert "leads to another host, 127.0.0.1, where the token is not sent" in shown


def test_every_gate_is_shown_and_its_number_is_in_the_dashboard(whole, forge):
    shown = green(run(whole, "--cockpit-batch", "--cockpit-batch-size=3"))
    sealed = record(whole)["sealed"]["commit"]
    gates = ("coverage", "imports", "ledger", "guard", "quarantine", "matriz")
    assert forge.state.shown(sealed) == {"cockpit": "success"} | {
        f"cockpit/{name}": "success" for name in gates
    }
    [comment] = forge.state.comments_on(1)
    assert comment["body"].startswith("<!-- pytest-cockpit:dashboard -->\n## Migration dashboard\n")
    assert "| 🟢 green | Files promoted this week | 3 files |" in comment["body"]
    assert f"As of `{sealed[:12]}`" in comment["body"]
    demand_known(comment["body"])
    assert f"cockpit: dashboard: {comment['html_url']}" in shown

    # A session that finds all done has judged nothing, and knows what the first one found.
    assert "already sealed" in green(run(whole, "--cockpit-batch", "--cockpit-batch-size=3"))
    [again] = forge.state.comments_on(1)
    text = again["body"]
    demand_known(text)

    # A pipeline for the pull request keeps it up to date.
    whole.git("reset", "-q", "--hard", sealed)
    env = {"GITHUB_TOKEN": TOKEN, "CI": "true", "GITHUB_REF": "refs/pull/1/merge"}
    whole.pytest("--cockpit-dashboard", env=env)
    [again] = forge.state.comments_on(1)
    assert again["id"] == comment["id"]
    assert again["body"] != text
