"""From a sealed commit to its pull request: what is told, and what is never overwritten."""

from __future__ import annotations

import dataclasses
import subprocess
from typing import cast

import pytest

from pytest_cockpit.api import CockpitError, Finding, Report, Severity, Verdict
from pytest_cockpit.config import Config, Forge
from pytest_cockpit.forge.api import Check, ForgeError, Level, PullRequest, Request, State
from pytest_cockpit.forge.api import Forge as AnyForge
from pytest_cockpit.promotion.burst import Checkpoint, Done, Options, Progress
from pytest_cockpit.seals import pull_request, push
from pytest_cockpit.sessions import dashboard, letters
from pytest_cockpit.sessions.letters import Letter, Said
from pytest_cockpit.sessions.sealing import Sealing, Subject
from tests.forge_server import TOKEN

BRANCH = "refs/heads/cockpit/1-2"
LETTER = Letter("Title", "Body\n", "`x.md`", {"imports": Said(Verdict.PASS, "fine")})


class Harbour:
    """A checkout with a remote and a forge that shows the remote's branches."""

    def __init__(self, checkout, forge, bare):
        subprocess.run(["git", "init", "-q", "--bare", "-b", "main", bare], check=True)
        self.it, self.forge, self.bare = checkout, forge, bare
        forge.state.remote = bare
        checkout.git("remote", "add", "origin", str(bare))
        checkout.git("push", "-q", "origin", "main")
        self.base = checkout.text("rev-parse", "HEAD")
        checkout.git("checkout", "-q", "-b", "work")
        self.commit = checkout.commit({"b": "2"}, "promote")
        checkout.git("checkout", "-q", "main")
        self.config = Config(forge=Forge(kind="github", url=forge.url, repository="o/r"))

    def sealing(self, **how):
        settings = {"head": "refs/heads/main", "dry_run": False, "skip_push": False, **how}
        config = settings.pop("config", self.config)
        subject = Subject("1-2", self.base, "", (), ())
        return Sealing(self.it.repo, config, subject, **settings)

    def there(self):
        return push.there(self.it.repo, push.Settings("origin", BRANCH))

    def somebody_pushes(self, parent=None):
        """A commit on the branch that is none of ours."""
        tree = f"{parent or self.base}^{{tree}}"
        made = self.it.text("commit-tree", tree, "-p", parent or self.base, "-m", "theirs")
        self.it.git("push", "-q", "origin", f"{made}:{BRANCH}")
        return made


@pytest.fixture
def harbour(make_checkout, forge, tmp_path, monkeypatch):
    monkeypatch.setenv("GITHUB_TOKEN", TOKEN)
    return Harbour(make_checkout({"a": "1"}), forge, tmp_path / "bare.git")


# ------------------------------------------------------------------ sealing


def test_branch_push_pull_request_and_verdicts(harbour):
    sealing = harbour.sealing()
    done = sealing.seal(harbour.commit, lambda: LETTER)
    assert done == [
        f"cockpit/1-2 is {harbour.commit[:12]}",
        "pushed to origin",
        "draft pull request #1: https://github.com/o/r/pull/1",
    ]
    assert sealing.facts()["number"] == 1
    assert harbour.there() == harbour.commit
    assert harbour.forge.state.shown(harbour.commit) == {
        "cockpit": "success",
        "cockpit/imports": "success",
    }
    assert "pull request: https://github.com/o/r/pull/1" in sealing.advice()
    assert harbour.sealing().seal(harbour.commit, lambda: LETTER) == done


def test_what_somebody_else_pushed_is_never_overwritten(harbour):
    other = harbour.somebody_pushes()
    with pytest.raises(CockpitError) as caught:
        harbour.sealing().seal(harbour.commit, lambda: LETTER)
    first = str(caught.value).splitlines()[0]
    assert first.startswith(f"origin has another commit as cockpit/1-2, {other[:12]} and not")
    assert "the next run plans on top of it" in first
    assert harbour.there() == other
    assert harbour.forge.asked == []


def test_a_push_that_failed_though_the_remote_has_it_is_done(harbour, monkeypatch):
    harbour.it.git("push", "-q", "origin", f"{harbour.commit}:{BRANCH}")

    def fail(repo, settings):
        raise CockpitError("the remote hung up")

    monkeypatch.setattr(push, "seal", fail)
    assert "origin has it already" in harbour.sealing().seal(harbour.commit, lambda: LETTER)


def test_a_remote_that_is_gone_is_told_in_its_own_words(harbour):
    harbour.bare.rename(harbour.bare.with_name("gone"))
    with pytest.raises(CockpitError, match=r"(?s)git push origin .*not pushed: repair the remote"):
        harbour.sealing().seal(harbour.commit, lambda: LETTER)


def test_a_remote_that_refuses_to_go_on_is_told_in_its_own_words(harbour):
    harbour.it.git("push", "-q", "origin", f"{harbour.base}:{BRANCH}")
    hook = harbour.bare / "hooks" / "pre-receive"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\necho the harbour is closed >&2\nexit 1\n")
    hook.chmod(0o755)
    with pytest.raises(CockpitError) as caught:
        harbour.sealing().seal(harbour.commit, lambda: LETTER)
    assert "the harbour is closed" in str(caught.value)
    assert "somebody else" not in str(caught.value)


def test_commits_that_somebody_added_to_the_pull_request_are_told(harbour):
    harbour.sealing().seal(harbour.commit, lambda: LETTER)
    added = harbour.somebody_pushes(harbour.commit)
    # Ours is part of it, so the push has nothing to do; the pull request shows more than we judged.
    with pytest.raises(CockpitError, match=added[:12]):
        harbour.sealing().seal(harbour.commit, lambda: LETTER)
    assert harbour.there() == added


@pytest.mark.parametrize("how", [{"skip_push": True}, {"dry_run": True}])
def test_nothing_is_asked_where_nothing_is_published(harbour, how):
    sealing = harbour.sealing(**how)
    assert sealing.partial(harbour.commit, lambda: LETTER) == []
    assert sealing.connection.forge is None
    assert harbour.there() is None
    assert harbour.forge.asked == []


def test_a_part_is_published_from_the_branch_that_is_there(harbour):
    harbour.it.git("update-ref", BRANCH, harbour.commit)
    sealing = harbour.sealing()
    assert sealing.partial(harbour.commit, lambda: LETTER) == [
        "pushed to origin",
        "draft pull request #1: https://github.com/o/r/pull/1",
    ]
    assert not sealing.sealed


def test_a_part_that_cannot_be_published_is_told_and_raises_nothing(harbour, monkeypatch):
    harbour.it.git("update-ref", BRANCH, harbour.commit)
    monkeypatch.setenv("GITHUB_TOKEN", "ghp_gone")
    pushed, said = harbour.sealing().partial(harbour.commit, lambda: LETTER)
    assert pushed == "pushed to origin"
    assert "the token of GITHUB_TOKEN is not accepted" in said


def test_a_detached_head_needs_a_base(harbour):
    sealing = harbour.sealing(head=None)
    assert "no pull request (HEAD is detached: set tool.cockpit.forge.base" in sealing.intent()
    forge = dataclasses.replace(harbour.config.forge, base="main")
    config = dataclasses.replace(harbour.config, forge=forge)
    assert "draft pull request on" in harbour.sealing(head=None, config=config).intent()


def test_the_letter_is_not_written_for_nobody(harbour):
    config = dataclasses.replace(harbour.config, forge=Forge(kind="none"))
    done = harbour.sealing(config=config).seal(harbour.commit, lambda: pytest.fail("written"))
    assert done[-1] == 'no pull request: tool.cockpit.forge.kind is "none"'


@pytest.mark.parametrize("behind", ["", "d" * 40])
def test_the_dashboard_is_of_the_sealed_commit_whatever_the_forge_shows(harbour, behind):
    sealing = harbour.sealing()
    sealing.seal(harbour.commit, lambda: LETTER)
    sealing.pull = dataclasses.replace(sealing.pull, commit=behind)
    [said] = dashboard.below(sealing, dashboard.page(sealing, ()))
    assert said.startswith("dashboard: https://")
    [comment] = harbour.forge.state.comments_on(1)
    assert f"As of `{harbour.commit[:12]}`" in comment["body"]
    assert "0 of 0 files wait" in comment["body"]


# ------------------------------------------------------------------ the seal of its own


class Slow:
    """A forge whose answer is a moment behind."""

    name = "slow"

    def __init__(self, commit):
        self.commit = commit
        self.seen = []

    def publish(self, request):
        return PullRequest(1, "https://x/1", request.head, request.base, self.commit, draft=True)

    def show(self, commit, check):
        self.seen.append((commit, check.name))
        if check.name == "red":
            raise ForgeError("the token may not")


def sealed(slow, pushed, *checks):
    return pull_request.seal(cast("AnyForge", slow), settings(*checks), lambda: pushed)


def settings(*checks):
    return pull_request.Settings(Request("h", "b", "t", "t", commit="a" * 40), checks)


def test_a_forge_that_is_behind_its_repository_is_believed_to_come_after():
    slow = Slow("b" * 40)
    assert sealed(slow, "a" * 40).number == 1
    with pytest.raises(ForgeError, match=r"#1 is at bbbbbbbbbbbb, not at the sealed commit aaaaa"):
        sealed(slow, "c" * 40)


def test_a_verdict_that_could_not_be_shown_names_the_pull_request():
    slow = Slow("a" * 40)
    checks = (Check("ok", State.SUCCESS, ""), Check("red", State.SUCCESS, ""))
    with pytest.raises(ForgeError, match=r"pull request #1 is there, https://x/1: the token may"):
        sealed(slow, "a" * 40, *checks)
    assert slow.seen == [("a" * 40, "ok"), ("a" * 40, "red")]


# ------------------------------------------------------------------ letters


def report(verdict, *findings):
    return Report(verdict, "said", 1, findings)


def finding(path, line=None, severity=Severity.WARNING):
    return Finding("imports.x", "odd ``` name", severity, path, line, remedy="mend it")


@pytest.mark.parametrize(
    "verdicts, total",
    [
        ((Verdict.PASS, Verdict.WARN), State.SUCCESS),
        ((Verdict.PASS, Verdict.SKIP), State.SUCCESS),
        ((Verdict.SKIP, Verdict.SKIP), State.FAILURE),
        ((Verdict.PASS, Verdict.UNKNOWN), State.FAILURE),
        ((Verdict.PASS, Verdict.FAIL), State.FAILURE),
        ((Verdict.PASS, Verdict.ERROR), State.FAILURE),
        ((), State.FAILURE),
    ],
)
def test_the_total_is_green_only_when_something_judged_and_nothing_was_red(verdicts, total):
    gates = {f"g{number}": Said(verdict, "") for number, verdict in enumerate(verdicts)}
    *each, last = Letter("t", "b", "r", gates).checks("cockpit", "batch 1")
    assert (last.name, last.state) == ("cockpit", total)
    assert [check.name for check in each] == [f"cockpit/{name}" for name in gates]
    assert all(
        check.state is not State.SUCCESS or v.opens for check, v in zip(each, verdicts, strict=True)
    )


def test_findings_become_annotations():
    gates = {
        "imports": letters._said(
            report(
                Verdict.WARN,
                finding("a.py", 3),
                finding("b\udcff.py", 3),
                finding(None),
                finding("c.json", severity=Severity.ERROR),
            )
        )
    }
    check, _ = Letter("t", "b", "r", gates).checks("cockpit", "batch 1")
    assert [(item.path, item.line, item.level) for item in check.annotations] == [
        ("a.py", 3, Level.WARNING),
        ("c.json", 1, Level.FAILURE),
    ]
    assert check.annotations[0].message == "odd ``` name; mend it"
    assert check.text.startswith("````text\ncockpit/imports: WARN: said\n")


def test_a_letter_of_a_commit_reads_verdicts_from_its_trailers(make_checkout):
    made = make_checkout({"a": "1"})
    message = "promote: x\n\nProblem: y.\nGate-Forged: pass\n\nBatch-Id: 1-2\nGate-Matriz: skip\nGate-Imports: pass\nGate-Odd: what\n"
    commit = made.commit({}, message)
    rest = made.root / "body.md"
    letter = letters.of_commit(made.repo, commit, {}, None, rest)
    assert letter.title == "promote: x"
    assert letter.body.startswith("```text\nProblem: y.")
    assert {name: said.verdict for name, said in letter.gates.items()} == {
        "matriz": Verdict.SKIP,
        "imports": Verdict.PASS,
    }
    rest.write_text("## Batch 9-9\n\nanother's\n")
    assert letters.of_commit(made.repo, commit, {}, None, rest).body.startswith(
        "```text\nProblem: y."
    )
    rest.write_text("## Batch 1-2\n\nours\n")
    assert letters.of_commit(made.repo, commit, {}, None, rest).body == "## Batch 1-2\n\nours\n"
    judged = letters.of_commit(made.repo, commit, {"imports": report(Verdict.WARN)}, "b", rest)
    assert (judged.gates["imports"].verdict, judged.body) == (Verdict.WARN, "b")
    assert judged.rest == "`body.md`"


def test_a_letter_of_a_burst_that_halted_begins_with_the_reason():
    progress = Progress(
        "b1",
        "a" * 40,
        BRANCH,
        "d" * 64,
        Options(100, 50, 8, 50),
        500,
        (Done(1, "x-1", "d" * 64, "c" * 40, 50),),
        (Checkpoint(1, "c" * 40, 50, {"imports": "pass"}, {"imports": "fine"}),),
        "halted",
    )
    letter = letters.of_burst(progress, {}, "`x`", "## Halted\n\nbatch 2 was red\n")
    assert letter.title == "promote: 50 files in 1 batch (burst b1, halted)"
    assert letter.body.startswith("## Halted\n\nbatch 2 was red\n\n## Burst b1\n")
    assert letter.gates == {"imports": Said(Verdict.PASS, "fine")}
