"""A session that a gate conducts itself: its hook, its phases, its ledger, and what it may write."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pytest_cockpit.api import Campaign, CockpitError, Context
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.records import campaigns
from pytest_cockpit.sessions import campaign_left, campaign_plan
from pytest_cockpit.sessions.campaign_record import Attempt
from tests import warm

TOY = '''
"""A gate that counts sheep, and the plugin that asks it to."""
import os
import time
from pathlib import Path

from pytest_cockpit.api import (
    Campaign, CockpitError, Evidence, Preparation, Report, Rule, Verdict
)

PHASES = ("plan", "count", "close")


def pytest_addoption(parser):
    parser.addoption("--flock", action="append", default=[])
    parser.addoption("--flock-out")
    parser.addoption("--flock-write", action="append", default=[])
    parser.addoption("--flock-unrecorded", action="store_true")
    parser.addoption("--flock-seed")
    parser.addoption("--flock-book")


def pytest_cockpit_campaign(options):
    if not options.flock:
        return None
    return Campaign(
        gate="flock",
        mode="flock",
        title="sheep",
        phases=PHASES,
        closing=("close",),
        options={"say": options.flock, "output_prefix": options.flock_out or "",
                 "seed": options.flock_seed, "book": options.flock_book or ""},
        inputs=("sheep.txt",),
        recorded=not options.flock_unrecorded,
        output=options.flock_out,
        writes=tuple(options.flock_write),
        paths={"book": "--flock-book", "output": "--flock-out"},
    )


class Flock:
    name = "flock"
    summary = "All sheep are there."
    rules = (Rule("flock.lost", "A sheep is lost."),)
    settings_schema = {
        "type": "object",
        "properties": {"dog": {"type": "string"}},
        "additionalProperties": False,
    }

    def check(self, context):
        return Report.judge("fine", checked=1)

    def proofs(self):
        return ()

    def contradictions(self, settings):
        return ["dog: 'wolf' is no dog; name a dog"] if settings.get("dog") == "wolf" else []

    def prepare(self, context, options):
        book = options["book"]
        if book and not (context.root / book).is_file():
            return Preparation(problems=(f"--flock-book: {book}: no such book", "and no sheep"))
        if options["say"] == ["plan=puzzled"]:
            raise CockpitError("sheep.txt: no numbers in it; write some")
        sheep = (context.root / "sheep.txt").read_text().strip()
        return Preparation(
            lines=(f"{sheep} sheep, by {book or 'heart'}",),
            subject={"sheep": sheep, "say": options["say"]},
            replaces=("plan.md", "left.md"),
        )

    def conduct(self, phase, context, options):
        asked = dict(word.split("=") for word in options["say"])
        heard = context.scratch / "heard"
        before = heard.read_text().split() if heard.is_file() else []
        heard.write_text(" ".join([*before, phase]))
        (context.scratch / "artifacts").mkdir(exist_ok=True)
        for path in ("kept/note.txt", "other.txt"):
            left = context.scratch / "tree" / path
            left.parent.mkdir(parents=True, exist_ok=True)
            left.write_text(phase)
        (context.scratch / "artifacts" / f"{phase}.md").write_text(f"# {phase}")
        with (context.scratch / "progress").open("a") as stream:
            stream.write(f"{phase} begins\\nhalf a li")
        said = asked.get(phase, "pass")
        if said == "raise":
            raise CockpitError("sheep.txt: no sheep; buy one")
        if said == "die":
            os.kill(os.getpid(), 9)
        if said == "wait":
            Path(os.environ["FLOCK_PID"]).write_text(str(os.getpid()))
            time.sleep(60)
        summary = f"{phase}: {options['attempt']} {before} {sorted(options['verdicts'].items())}"
        record = Evidence("record", {phase: said})
        return Report(Verdict(said), summary, checked=1, evidence=(record,))


gate = Flock()
'''


LOADED = ("-p", "flock")


@dataclass(frozen=True)
class Meadow:
    """A repository with the toy gate installed beside it, and pytest run in it."""

    root: Path
    package: Path
    variables: tuple[tuple[str, str], ...] = ()
    folder: str = "."

    def argv(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pytest", *LOADED, *arguments]

    def environment(self) -> dict[str, str]:
        kept = {key: os.environ[key] for key in ("PATH", "HOME", "COCKPIT_CACHE")}
        lean = "-p no:anyio -p no:benchmark -p no:hypothesispytest -p no:pytest_cov -p no:randomly"
        own = {"PYTHONPATH": str(self.package), "PYTEST_ADDOPTS": lean}
        return {**kept, **own, **dict(self.variables)}

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        place, environment = self.root / self.folder, self.environment()
        if forked := warm.session([*LOADED, *arguments], place, environment, timeout=120):
            return forked
        return subprocess.run(
            self.argv(*arguments),
            cwd=place,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def git(self, *arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=self.root, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def rows(self):
        return campaigns.rows(campaigns.path_of(self.root, ".cockpit"))

    def verdicts(self):
        record = json.loads((self.root / "artifacts/session.flock.json").read_text())
        return {row["name"]: row["verdict"] for row in record["items"]}


@pytest.fixture
def meadow(tmp_path) -> Meadow:
    package, root = tmp_path / "third", tmp_path / "repo"
    (package / "flock-1.dist-info").mkdir(parents=True)
    (package / "flock-1.dist-info/METADATA").write_text("Name: flock\nVersion: 1\n")
    (package / "flock-1.dist-info/entry_points.txt").write_text(
        "[pytest_cockpit.gates]\nflock_marker = flock:gate\n"
    )
    (package / "flock.py").write_text(TOY)
    root.mkdir()
    made = Meadow(root, package)
    (root / "cockpit.toml").write_text('gates = ["flock"]\n')
    (root / "sheep.txt").write_text("two\n")
    (root / "conftest.py").write_text("raise RuntimeError('no code of the repository runs here')\n")
    made.git("init", "-q", "-b", "main")
    made.git("config", "user.name", "Shepherd")
    made.git("config", "user.email", "shepherd@example.org")
    made.git("add", "-A")
    made.git("commit", "-q", "-m", "start")
    return made


def test_phases_run_in_order_share_a_scratch_and_know_what_came_before(meadow):
    done = meadow.run("--flock", "plan=pass", "-v")
    assert done.returncode == 0, done.stdout + done.stderr
    assert meadow.verdicts() == dict.fromkeys(("phase:plan", "phase:count", "phase:close"), "pass")
    assert (
        "phase:close: pass: close: 1 ['plan', 'count'] [('count', 'pass'), ('plan', 'pass')]"
        in done.stdout
    )
    assert "cockpit: sheep at " in done.stdout
    assert "attempt 1, plan " in done.stdout
    assert "cockpit: two sheep, by heart" in done.stdout
    assert "cockpit: count begins" in done.stdout
    assert "half a li" not in done.stdout
    assert (meadow.root / "artifacts/flock/count.md").read_text() == "# count"
    report = json.loads((meadow.root / "artifacts/campaigns/flock/count.json").read_text())
    assert report["gate"] == "flock"
    assert "written: artifacts/flock/close.md" in done.stdout
    record = json.loads((meadow.root / "artifacts/session.flock.json").read_text())
    assert record["extra"]["campaign"]["attempt"] == 1
    assert "artifacts/flock/plan.md" in {row["path"] for row in record["artifacts"]}
    assert not list((meadow.root / ".git/cockpit/scratch").iterdir())


@pytest.mark.parametrize("said", ["unknown", "raise", "die", "unkept"])
def test_after_a_red_phase_only_closing_ones_are_done(meadow, said):
    if said == "unkept":
        (meadow.root / "artifacts/campaigns/flock/plan.json").mkdir(parents=True)
    done = meadow.run("--flock", f"plan={'pass' if said == 'unkept' else said}", "-v", "-x")
    assert done.returncode == 1, done.stdout
    verdict = said if said == "unknown" else "error"
    assert meadow.verdicts() == {
        "phase:plan": verdict,
        "phase:count": "skip",
        "phase:close": "pass",
    }
    assert "not done: a phase before it is not green" in done.stdout
    begun, ended = meadow.rows()
    assert (begun["kind"], ended["kind"]) == (campaigns.BEGUN, campaigns.ENDED)
    assert ended["verdict"] == verdict
    assert ended["phases"]["close"] == "pass"
    plan, count, close = ended["timeline"]
    assert (count["phase"], count["verdict"], "begun" in count) == ("count", "skip", False)
    assert begun["at"] <= plan["begun"] <= plan["ended"] <= close["begun"] <= close["ended"]
    assert ended["record"]["close"] == "pass"


def test_each_attempt_of_a_plan_is_counted_and_another_plan_begins_anew(meadow):
    def attempts(*more):
        return [row["attempt"] for row in more]

    quiet = meadow.run("--flock", "plan=warn", "-q")
    assert quiet.returncode == 0, quiet.stdout
    assert "phase:plan: warn: plan: 1 []" in quiet.stdout
    assert meadow.run("--flock", "plan=warn", "--flock-out", "other").returncode == 0
    same = meadow.rows()
    assert attempts(*same) == [1, 1, 2, 2]
    assert len({row["plan_sha256"] for row in same}) == 1
    assert same[0]["session_id"] == same[1]["session_id"] != same[2]["session_id"]
    (meadow.root / "sheep.txt").write_text("three\n")
    assert meadow.run("--flock", "plan=warn").returncode == 0
    changed = meadow.rows()[4:]
    assert attempts(*changed) == [1, 1]
    assert len({row["judged_sha256"] for row in [*same, *changed]}) == 2


def test_neither_another_seed_nor_a_commit_of_records_begins_anew(meadow):
    def run(*more):
        assert meadow.run("--flock", "plan=warn", *more).returncode == 0
        return meadow.rows()[-1]["attempt"]

    assert run("--flock-seed", "1") == 1
    assert run("--flock-seed", "2") == 2
    plans = {row["plan_sha256"] for row in meadow.rows()}
    assert len(plans) == 2
    meadow.git("add", "-f", ".cockpit", "artifacts")
    meadow.git("commit", "-q", "-m", "keep records")
    assert run("--flock-seed", "3") == 3
    (meadow.root / "wolf.txt").write_text("one\n")
    meadow.git("add", "wolf.txt")
    meadow.git("commit", "-q", "-m", "see a wolf")
    assert run() == 1


def test_attempts_that_are_in_git_cannot_be_taken_away(meadow):
    book = campaigns.path_of(meadow.root, ".cockpit")
    repository = Repository.discover(meadow.root)

    def attempt(session="s"):
        base = repository.resolve("HEAD")
        return Attempt.of(campaign(), repository, Config(), base, {}, session)

    def commit(words):
        meadow.git("add", "-A")
        meadow.git("commit", "-q", "-m", words)
        return meadow.git("rev-parse", "--short=12", "HEAD").strip()

    def refused(by):
        told = f"attempts that are in {by} are not in it; bring them back: git checkout {by} -- "
        with pytest.raises(CockpitError, match=told):
            attempt()

    attempt().begin()
    first = commit("an attempt")
    attempt().begin()
    assert attempt().number == 3
    book.unlink()
    refused(first)
    commit("take it away")
    refused(first)
    base = repository.resolve("HEAD")
    Attempt.of(campaign(recorded=False), repository, Config(), base, {}, "other").begin()
    refused(first)
    anew = commit("begin anew")
    refused(first)
    meadow.git("checkout", "-q", first, "--", ".cockpit/campaigns.ndjson")
    refused(anew)
    commit("bring it back")
    assert attempt().number == 2
    attempt().begin()
    assert attempt().number == 3


def test_a_campaign_that_is_not_recorded_leaves_no_row(meadow):
    assert meadow.run("--flock", "plan=pass", "--flock-unrecorded").returncode == 0
    assert meadow.rows() == []
    assert not (meadow.root / ".cockpit").exists()
    skipped = meadow.run("--flock", "plan=pass", "--cockpit-set", 'gate.flock.skip="winter"')
    assert skipped.returncode == 0, skipped.stdout + skipped.stderr
    assert "phase:plan: skip: declared not applicable: winter" in skipped.stdout
    assert meadow.rows() == []


def test_collecting_alone_does_nothing(meadow):
    done = meadow.run("--flock", "plan=pass", "--collect-only", "-q")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "artifacts/flock.plan.jsonl::phase:count" in done.stdout
    assert meadow.rows() == []
    done = meadow.run("--flock", "plan=pass", "--collect-only")
    assert "cockpit: two sheep, by heart" in done.stdout


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (("--flock-book", "gone"), "ERROR: --flock-book: gone: no such book\nand no sheep"),
        (("--flock-out", ".git/x"), "--flock-out: .git/x: git's own; name another folder"),
        (("--flock", "plan=puzzled"), "flock: sheep.txt: no numbers in it; write some"),
        (("--cockpit-set", 'gate.flock.dog="wolf"'), "gate.flock.dog: 'wolf' is no dog; name a"),
    ],
)
def test_what_is_of_no_use_is_told_before_anything_is_written(meadow, asked, said):
    words = asked if "--flock" in asked else ("--flock", "plan=pass", *asked)
    for more in ([], ["--collect-only"]) if "gone" in asked else ([],):
        done = meadow.run(*words, *more)
        assert done.returncode == 4, done.stdout + done.stderr
        assert said in done.stderr
        assert not (meadow.root / "artifacts").exists()
        assert meadow.rows() == []


def test_paths_are_taken_from_the_folder_in_which_pytest_was_called(meadow):
    folder = meadow.root / "barn"
    folder.mkdir()
    (folder / "book").write_text("")
    done = replace(meadow, folder="barn").run(
        "--flock", "plan=pass", "--collect-only", "--flock-book", "book"
    )
    assert done.returncode == 0, done.stderr
    assert "cockpit: two sheep, by barn/book" in done.stdout


def campaign(**given) -> Campaign:
    flags = {"book": "--book", "books": "--books", "output": "--out"}
    return Campaign(gate="flock", mode="flock", title="", phases=(), paths=flags, **given)


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("book", "barn/book"),
        ("top", "top"),
        ("none", "none"),
        ("../top", "top"),
        ("../none", "none"),
        ("{root}/barn/book", "barn/book"),
        ("{link}/barn/none", "barn/none"),
    ],
)
def test_phases_are_given_paths_from_the_root(tmp_path, given, told):
    root = tmp_path / "real"
    (root / "barn").mkdir(parents=True)
    for path in ("barn/book", "top"):
        (root / path).write_text("")
    (tmp_path / "link").symlink_to(root)
    path = given.format(root=root, link=tmp_path / "link")
    asked = campaign(options={"book": path, "books": [path], "a": path}, inputs=("x", path))
    made = campaign_plan.from_root(
        replace(asked, output=path), tmp_path / "link", tmp_path / "link/barn"
    )
    assert made.options == {"book": told, "books": [told], "a": path}
    assert (made.inputs, made.output) == (("x", told), told)


def test_what_is_kept_of_killed_campaigns_is_of_this_mode_and_of_the_last_time(tmp_path):
    place = tmp_path / "cut-off"
    for round_, names in enumerate((("a.md", "b.md"), ("a.md",), ())):
        for name in ("campaign-x-abc_d01", "campaign-x-2-abc_d02", "campaign-x-own_0001"):
            folder = tmp_path / "scratch" / name / "artifacts"
            folder.mkdir(parents=True, exist_ok=True)
            for file in names:
                (folder / file).write_text(f"{name} {round_}")
        said = campaign_left.salvage(
            tmp_path / "scratch/campaign-x-own_0001",
            "campaign-x-",
            place,
            lambda left: Context(root=tmp_path, scratch=left),
        )
        assert said == list(names)
        # Where nothing is left to keep, what was kept before stays.
        found = {path.name: path.read_text() for path in place.iterdir()}
        assert found == {
            file: f"campaign-x-abc_d01 {min(round_, 1)}" for file in names or ("a.md",)
        }
        left = {path.name for path in (tmp_path / "scratch").iterdir()}
        assert left == {"campaign-x-2-abc_d02", "campaign-x-own_0001"}


@pytest.mark.parametrize("path", ["../../x", "/etc/hosts", "../../real-not/x"])
def test_a_path_outside_is_refused_by_its_flag(tmp_path, path):
    (tmp_path / "real/barn").mkdir(parents=True)
    for option in ({"options": {"book": path}}, {"options": {"books": [path]}}, {"output": path}):
        with pytest.raises(CockpitError, match=r"^--(books?|out): \S+: outside the repository; "):
            campaign_plan.from_root(campaign(**option), tmp_path / "real", tmp_path / "real/barn")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (".git", "git's own"),
        ("link/x", "git's own"),
        ("sheep.txt", "a file"),
        ("sheep.txt/x/y", "a file"),
    ],
)
def test_no_artifact_is_put_where_something_else_is(tmp_path, path, said):
    (tmp_path / ".git").mkdir()
    (tmp_path / "sheep.txt").write_text("")
    (tmp_path / "link").symlink_to(".git")
    repository = Repository(tmp_path, tmp_path / ".git")
    with pytest.raises(CockpitError, match=f"^--out: {path}: {said}; name a"):
        campaign_plan.output(repository, Config(), campaign(output=path))
    assert campaign_plan.output(repository, Config(), campaign(output="new/x")).name == "x"


def test_a_folder_that_cannot_be_written_is_told_before_anything_is_measured(tmp_path, monkeypatch):
    (tmp_path / "out").mkdir()
    asked = []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    repository = Repository(tmp_path, tmp_path / ".git")
    with pytest.raises(CockpitError, match=r"^--out: out/x: cannot be written; name "):
        campaign_plan.output(repository, Config(), campaign(output="out/x"))
    assert asked == [(tmp_path / "out", os.W_OK | os.X_OK)]


def test_what_a_session_before_has_left_is_put_aside(meadow):
    out = meadow.root / "artifacts/flock"
    out.mkdir(parents=True)
    for name in ("left.md", "mine.md"):
        (out / name).write_text("old")
    done = meadow.run("--flock", "count=fail", "-v")
    assert "of the session before: 1 files, now in artifacts/campaigns/flock/before" in done.stdout
    assert sorted(path.name for path in out.iterdir()) == [
        "close.md", "count.md", "mine.md", "plan.md"
    ]  # fmt: skip
    before = meadow.root / "artifacts/campaigns/flock/before"
    assert (before / "left.md").read_text() == "old"
    assert meadow.run("--flock", "plan=pass").returncode == 0
    assert [path.name for path in before.iterdir()] == ["plan.md"]


def test_a_phase_is_not_done_without_those_before_it(meadow):
    done = meadow.run("--flock", "plan=pass", "-v", "-k", "count or close")
    assert done.returncode == 1, done.stdout
    assert meadow.verdicts() == {"phase:count": "unknown", "phase:close": "unknown"}
    assert "not done: plan was not; deselect nothing" in done.stdout
    assert meadow.rows() == []
    done = meadow.run("--flock", "plan=pass", "artifacts/flock.plan.jsonl::phase:plan")
    assert done.returncode == 0, done.stdout
    assert meadow.rows()[-1]["verdict"] == "unknown"


def test_only_declared_paths_of_green_phases_come_into_the_work_tree(meadow):
    asked = ("--flock-write", "kept/note.txt", "--flock-unrecorded")
    assert meadow.run("--flock", "count=fail", "--flock", "close=fail", *asked).returncode == 1
    assert (meadow.root / "kept/note.txt").read_text() == "plan"
    assert meadow.run("--flock", "plan=fail", "--flock", "close=warn", *asked).returncode == 1
    assert (meadow.root / "kept/note.txt").read_text() == "close"
    assert not (meadow.root / "other.txt").exists()


@pytest.mark.parametrize(
    ("option", "path"),
    [("--flock-out", "../out"), ("--flock-out", "link/out"), ("--flock-write", "/out")],
)
def test_nothing_is_written_outside_the_repository(meadow, tmp_path, option, path):
    (meadow.root / "link").symlink_to(tmp_path)
    done = meadow.run("--flock", "plan=pass", option, path)
    assert done.returncode == 4, done.stdout
    assert f"{path}: outside the repository; name a path below its root" in done.stderr
    assert meadow.rows() == []


def test_one_mode_at_a_time(meadow):
    done = meadow.run("--flock", "plan=pass", "--cockpit-checkpoint")
    assert done.returncode == 4
    assert "--cockpit-checkpoint, and the campaign flock: one mode at a time" in done.stderr


def test_a_broken_ledger_is_told_before_anything_runs(meadow):
    (meadow.root / ".cockpit").mkdir()
    (meadow.root / ".cockpit/campaigns.ndjson").write_text("{}\n")
    done = meadow.run("--flock", "plan=pass")
    assert done.returncode == 4
    assert "campaigns.ndjson: ledger line 1" in done.stderr


def test_a_wrong_setting_is_told_before_anything_runs(meadow):
    (meadow.root / "cockpit.toml").write_text('gates = ["flock"]\n[gate.flock]\ndog = 1\n')
    done = meadow.run("--flock", "plan=pass")
    assert done.returncode == 4
    assert "cockpit.toml: gate.flock.dog: " in done.stderr


def until(meadow: Meadow, tmp_path: Path, act: Callable[[subprocess.Popen[bytes], int], None]):
    """Run a campaign whose second phase waits, act on it then, and wait for its end."""
    told = tmp_path / "pid"
    waiting = replace(meadow, variables=(("FLOCK_PID", str(told)),))
    process = subprocess.Popen(
        waiting.argv("--flock", "count=wait"),
        cwd=waiting.root,
        env=waiting.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    for _ in range(600):
        if told.is_file() and told.read_text():
            break
        time.sleep(0.05)
    child = int(told.read_text())
    act(process, child)
    out, _ = process.communicate(timeout=60)
    for _ in range(100):
        if not Path(f"/proc/{child}").exists():
            break
        time.sleep(0.05)
    assert not Path(f"/proc/{child}").exists()
    return process.returncode, out.decode()


def test_ctrl_c_ends_the_phase_and_is_on_record(meadow, tmp_path):
    code, said = until(meadow, tmp_path, lambda process, _: process.send_signal(signal.SIGINT))
    assert code == 2, said
    assert meadow.verdicts() == {"phase:plan": "pass"}
    assert meadow.rows()[-1]["verdict"] == "unknown"
    assert "not all phases were done: the same command begins anew; attempt 1 is on record" in said
    # What the phase had left by then is kept.
    assert (meadow.root / "artifacts/flock/count.md").read_text() == "# count"


def test_a_killed_session_leaves_its_attempt_on_record(meadow, tmp_path):
    code, _ = until(meadow, tmp_path, lambda process, _: process.kill())
    assert code == -signal.SIGKILL
    assert [row["kind"] for row in meadow.rows()] == [campaigns.BEGUN]
    done = meadow.run("--flock", "count=wait", "artifacts/flock.plan.jsonl::phase:plan")
    assert done.returncode == 0, done.stdout
    assert meadow.rows()[-1]["attempt"] == 2
    assert (
        "the last flock was cut off; kept in artifacts/campaigns/flock/cut-off: count.md"
        in done.stdout
    )
    assert (meadow.root / "artifacts/campaigns/flock/cut-off/count.md").read_text() == "# count"
    assert not list((meadow.root / ".git/cockpit/scratch").iterdir())
    (meadow.root / ".git/cockpit/scratch/campaign-flock-x").mkdir()
    done = meadow.run("--flock", "plan=pass", "artifacts/flock.plan.jsonl::phase:plan")
    assert "cockpit: the last flock was cut off; it left nothing" in done.stdout
