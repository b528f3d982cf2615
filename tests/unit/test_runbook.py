"""The phases of a runbook, its report, and its seal, without running any phase."""

from __future__ import annotations

import dataclasses
import json
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Freeze, Seal
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Result
from pytest_cockpit.promotion import transaction
from pytest_cockpit.promotion.transaction import Write
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions.runbook import beginning, chain, page, report, sealing
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import (
    AFTER,
    BASELINE,
    BEFORE,
    NAMES,
    PHASES,
    PRODUCTION,
)
from pytest_cockpit.sessions.runbook.watch import Watch

NONE = {verdict.value: 0 for verdict in Verdict}
REGISTRY = {"modules": [{"docs": ["a.md"], "tests": [], "api": {"count": 3}}]}
META = {
    "summary": {
        "inputs": {"coverage": {"known": 1}, "benchmarks": {"known": 0}},
        "health": {"over": 1, "mean": 20.25},
        "published": {"mean": None},
    }
}


@pytest.fixture
def repository(tmp_path):
    root = tmp_path / "quay"
    root.mkdir()
    repository = Repository(root, root / ".git")
    (root / "a|b.txt").write_text("old\n")
    for words in (
        ("init", "-q", "-b", "main"),
        ("config", "user.name", "N"),
        ("config", "user.email", "n@example.org"),
        ("add", "-A"),
        ("commit", "-q", "-m", "start"),
    ):
        repository.run(*words)
    return repository


def facts(phase):
    if phase in (BEFORE, AFTER):
        red = int(phase == BEFORE)
        return {"checks": {**NONE, "fail": red, "pass": 7 - red, "skip": 1}}
    if phase in (BASELINE, PRODUCTION):
        named = ("tag", "freeze", "base", "manifest", "manifest_sha256", "digest")
        return dict.fromkeys(named, "x")
    return {}


def walked(repository, phases=NAMES):
    """A chain of commits for these phases, as if each had run."""
    identity = Identity(repository.resolve("HEAD"), "5" * 64, "v1-baseline", "v1")
    files = {
        "registry": {
            f"docs/_generated/{name}": artifacts.canonical(content)
            for name, content in (("MODULE_REGISTRY.json", REGISTRY), ("META_REGISTRY.json", META))
        },
        "dashboards": {"a|b.txt": b"new\n"},
    }
    commit, done = identity.base, []
    for phase in phases:
        one = Done(
            phase,
            Verdict.PASS,
            f"{phase} | done",
            "2026-03-02T12:00:00Z",
            1.5,
            0.5,
            facts(phase),
            {"ledger": Verdict.PASS, "matriz": Verdict.SKIP} if phase == PRODUCTION else {},
        )
        writes = [Write(path, content) for path, content in files.get(phase, {}).items()]
        message = chain.message(identity, one)
        commit = transaction.build(repository, commit, writes, message=message, ref=chain.REF)
        done.append(dataclasses.replace(one, commit=commit))
    return identity, done


def refs(repository):
    listed = repository.run("for-each-ref", "--format=%(refname) %(*objectname)%(objectname)")
    return dict(line.split() for line in listed.stdout.decode().splitlines())


@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.UNKNOWN, Verdict.ERROR])
def test_only_the_first_checkpoint_goes_on_when_red(verdict):
    goes_on = [phase.name for phase in PHASES if phase.verdict(Result(verdict, "")).opens]
    assert goes_on == [BEFORE]
    assert PHASES[0].verdict(Result(verdict, "")) is Verdict.WARN
    assert [phase.name for phase in PHASES if phase.gated] == [PRODUCTION]


def test_a_report_counts_what_is_otherwise(repository):
    identity, done = walked(repository)
    data = report.document(repository, Config(), identity, done)
    assert artifacts.validate(data, "runbook_report") == []
    assert data["missing"] == []
    assert data["modified"] == ["a|b.txt"]
    assert [path.rpartition("/")[2] for path in data["created"]] == [
        "META_REGISTRY.json",
        "MODULE_REGISTRY.json",
    ]
    assert data["totals"] == {**NONE, "pass": 10, "skip": 1}
    assert data["checks"]["before"]["fail"] == 1
    metrics = {row["name"]: (row["before"], row["after"]) for row in data["metrics"]}
    assert metrics["mean health"] == (20.25, 20.25)
    assert metrics["checks: pass"] == (6, 7)
    assert metrics["checks: skip"] == (1, 1)
    assert [row["tag"] for row in data["tags"]] == ["v1-baseline", "v1"]
    assert [row["created"] for row in data["phases"]] == [0, 0, 2, 0, 0, 0, 0, 0, 0]


def test_a_page_says_all_of_it_and_is_never_more_than_text(repository):
    identity, done = walked(repository)
    text = page.of(report.document(repository, Config(), identity, done))
    assert "| `sweep` | pass | sweep \\| done | 1.5 | 0.5 | +0 ~0 |" in text
    assert "13.5 seconds in all" in text
    assert "Phases and gates: 10 pass, 0 unknown, 1 skip." in text
    assert "Checkpoint before: 6 pass, 1 fail, 0 unknown, 1 skip." in text
    assert "| mean health | 20.25 | 20.25 | 0 |" in text
    assert "| mean health by the published formula | unknown | unknown | unknown |" in text
    assert "- `a\\|b.txt`" in text


def test_a_report_of_a_part_says_what_is_missing(repository):
    identity, done = walked(repository, NAMES[:4])
    data = report.document(repository, Config(), identity, done)
    assert artifacts.validate(data, "runbook_report") == []
    assert data["missing"] == list(NAMES[4:-1])
    assert [row["commit"] for row in data["tags"]] == [done[1].commit, None]
    metrics = {row["name"]: (row["before"], row["after"]) for row in data["metrics"]}
    assert metrics["modules"] == (1, None)
    text = page.of(data)
    assert "It is not complete: `sweep`, " in text
    assert "| modules | 1 | unknown | unknown |" in text
    assert report.kept(repository, Config(), done) is None


def test_a_long_list_is_cut_on_the_page_and_whole_in_the_data():
    lines = list(page._files("Created", [f"docs/{number}" for number in range(21)] + ["src/x"]))
    assert lines[2] == "22 files."
    assert lines[-2] == "- and 2 more, which the JSON lists: 1 in `docs`, 1 in `src`"


def test_a_fixed_clock_measures_nothing(monkeypatch):
    monkeypatch.delenv("SOURCE_DATE_EPOCH", raising=False)
    assert None not in Watch().spent()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "1")
    assert Watch().spent() == (None, None)


def test_the_seal_makes_a_branch_and_both_tags_and_takes_them(repository):
    identity, done = walked(repository)
    sealed = sealing.seal(repository, Config(), identity, done)
    after = refs(repository)
    last = done[-1].commit
    assert after["refs/heads/main"] == after[sealed.branch] == last
    commits = {one.phase: one.commit for one in done}
    for tag, phase in (("v1-baseline", BASELINE), ("v1", PRODUCTION)):
        assert after[f"refs/tags/{tag}"].startswith(commits[phase])
        assert repository.run("cat-file", "-t", tag).stdout == b"tag\n"
    assert chain.REF not in after
    assert (repository.root / "a|b.txt").read_text() == "new\n"
    assert repository.run("status", "--porcelain").stdout == b""
    assert sealed.advice == []


def test_a_seal_that_was_cut_off_is_finished(repository):
    identity, done = walked(repository)
    sealing.seal(repository, Config(), identity, done)
    before = refs(repository)
    repository.update_ref(chain.REF, done[-1].commit, "0" * 40)
    sealed = sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before
    assert "main is there already" in sealed.lines


def test_what_is_taken_by_somebody_else_stops_the_seal_before_it_publishes(repository):
    identity, done = walked(repository)
    repository.run("branch", f"cockpit/runbook-{identity.runbook_id}", "HEAD")
    before = refs(repository)
    with pytest.raises(CockpitError, match="exists and is never moved"):
        sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before


def test_a_tag_made_meanwhile_stops_the_seal(repository):
    identity, done = walked(repository)
    sealing.demand_free(repository, identity, done)
    repository.run("tag", "v1")
    with pytest.raises(CockpitError, match="v1: a tag at"):
        sealing.demand_free(repository, identity, done)
    with pytest.raises(CockpitError, match="v1: a tag at"):
        sealing.seal(repository, Config(), identity, done)
    assert "refs/tags/v1-baseline" not in refs(repository)


@pytest.mark.parametrize("options", [(), ("--annotate", "--message=mine")])
def test_a_tag_that_somebody_else_put_on_the_frozen_commit_is_not_sealed(repository, options):
    identity, done = walked(repository)
    frozen = next(one.commit for one in done if one.phase == PRODUCTION)
    repository.run("tag", *options, "v1", frozen)
    before = refs(repository)
    with pytest.raises(CockpitError, match="v1: exists, and is not the tag of this freeze"):
        sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before


def test_a_tag_made_before_anybody_had_to_sign_is_not_sealed(repository):
    identity, done = walked(repository)
    sealing.seal(repository, Config(), identity, done)
    repository.update_ref(chain.REF, done[-1].commit, "0" * 40)
    chosen = Config(freeze=Freeze(signers=("a@example.org ssh-ed25519 AAAA",)))
    with pytest.raises(CockpitError, match=r"unsigned, and tool\.cockpit\.freeze\.signers"):
        sealing.seal(repository, chosen, identity, done)


@pytest.mark.parametrize("name", ["-x", "a..b", "HEAD"])
def test_a_name_that_is_none_for_a_tag_is_refused(repository, name):
    identity = Identity(repository.resolve("HEAD"), "5" * 64, name, "v1")
    with pytest.raises(CockpitError, match="no name for a tag"):
        sealing.demand_free(repository, identity, [])


def test_the_checkout_is_left_where_that_is_asked_for_or_head_is_on_no_branch(repository):
    identity, done = walked(repository)
    repository.run("remote", "add", "origin", "https://example.org/quay.git")
    chosen = Config(seal=Seal(take="never"))
    sealed = sealing.seal(repository, chosen, identity, done)
    name = sealed.branch.removeprefix("refs/heads/")
    assert repository.resolve("HEAD") == identity.base
    assert sealed.advice == [
        f"take it here with: git merge --ff-only {name}",
        f"publish it with: git push --atomic origin {name} v1-baseline v1",
    ]
    repository.run("switch", "-q", "--detach")
    repository.update_ref(chain.REF, done[-1].commit, "0" * 40)
    sealed = sealing.seal(repository, Config(), identity, done)
    assert repository.resolve("HEAD") == identity.base
    assert sealed.advice[0] == f"take it with: git switch {name}"


def test_a_file_in_the_way_leaves_the_checkout_and_says_so(repository):
    identity, done = walked(repository)
    (repository.root / "a|b.txt").write_text("mine\n")
    sealed = sealing.seal(repository, Config(), identity, done)
    assert "the checkout stays as it is: in the way: a|b.txt (changed)" in sealed.lines[-1]
    assert (repository.root / "a|b.txt").read_text() == "mine\n"


def options(**given: str) -> Any:
    names = ("cockpit_tag", "cockpit_baseline_tag")
    return SimpleNamespace(option=SimpleNamespace(**{**dict.fromkeys(names), **given}))


def test_a_runbook_needs_two_tags():
    with pytest.raises(CockpitError, match="needs --cockpit-tag"):
        beginning._asked(options(), Config(), "a" * 40)
    same = options(cockpit_tag="v1", cockpit_baseline_tag="v1")
    with pytest.raises(CockpitError, match="name another one"):
        beginning._asked(same, Config(), "a" * 40)
    assert beginning._asked(options(cockpit_tag="v1"), Config(), "a" * 40).baseline_tag == (
        "v1-baseline"
    )


def test_a_runbook_goes_on_with_what_it_was_begun_with(repository):
    with pytest.raises(CockpitError, match="no runbook was halted or killed here"):
        beginning._stopped(options(), repository, Config())
    identity, done = walked(repository, NAMES[:2])
    with pytest.raises(CockpitError, match="the configuration has changed"):
        beginning._stopped(options(), repository, Config())
    chosen: Any = SimpleNamespace(digest=lambda: identity.settings_sha256)
    assert beginning._stopped(options(cockpit_tag="v1"), repository, chosen) == identity
    with pytest.raises(CockpitError, match="--cockpit-tag: the runbook was begun with v1;"):
        beginning._stopped(options(cockpit_tag="v2"), repository, chosen)
    with pytest.raises(CockpitError, match="holds no phase that this version can go on from"):
        beginning._demand_place(repository, identity, (), identity.base)
    with pytest.raises(CockpitError, match="put HEAD back"):
        beginning._demand_place(repository, identity, tuple(done), done[-1].commit)
    beginning._demand_place(repository, identity, tuple(done), identity.base)


def test_after_the_last_phase_the_checkout_may_be_there_already(repository):
    identity, done = walked(repository)
    beginning._demand_place(repository, identity, tuple(done), done[-1].commit)
    assert json.loads(json.dumps(report.kept(repository, Config(), done))) == {}
