"""The phases of a runbook, its report, and its seal, without running any phase."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Freeze, Registry, Seal
from pytest_cockpit.freeze import phase as freeze
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Changes, Place, Result
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions import changing
from pytest_cockpit.sessions.runbook import beginning, belief, chain, page, report, sealing
from pytest_cockpit.sessions.runbook.chain import Done, Identity
from pytest_cockpit.sessions.runbook.phases import (
    AFTER,
    BASELINE,
    BEFORE,
    NAMES,
    PHASES,
    PRODUCTION,
    REPORT,
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
SETTINGS = Config(gates=("ledger", "matriz"), gate={"matriz": {"skip": "no contracts here"}})
REGISTRY_JSON = "docs/_generated/MODULE_REGISTRY.json"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITTEN = {
    "registry": {
        f"docs/_generated/{name}": artifacts.canonical(content)
        for name, content in (("MODULE_REGISTRY.json", REGISTRY), ("META_REGISTRY.json", META))
    },
    "dashboards": {"a|b.txt": b"new\n"},
}


@pytest.fixture
def repository(tmp_path):
    return started(tmp_path / "quay")


@pytest.fixture(scope="module")
def pattern(tmp_path_factory):
    """A repository with a whole runbook; to be copied, not used."""
    repository = started(tmp_path_factory.mktemp("pattern") / "quay")
    return repository, *walked(repository)


def copied(pattern, root):
    shutil.copytree(pattern[0].root, root, symlinks=True)
    return Repository(root, root / ".git"), *pattern[1:]


@pytest.fixture(scope="module")
def whole(pattern, tmp_path_factory):
    """A repository with a whole runbook, for tests that publish nothing."""
    return copied(pattern, tmp_path_factory.mktemp("whole") / "quay")


@pytest.fixture
def ended(pattern, tmp_path):
    """A repository with a whole runbook."""
    return copied(pattern, tmp_path / "quay")


def started(root):
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


def left(place, phase, identity, done):
    """What a phase leaves: freezes and the report are real, the others say what is asked for."""
    if phase in (BEFORE, AFTER):
        seventh = "fail" if phase == BEFORE else "pass"
        said = {**dict.fromkeys("abcdef", "pass"), "g": seventh, "h": "skip"}
        return Result(Verdict.PASS, "", facts={"said": said})
    if phase in (BASELINE, PRODUCTION):
        tag = {BASELINE: identity.baseline_tag, PRODUCTION: identity.tag}[phase]
        return freeze.run(place, kind=phase.partition(":")[2], tag=tag)
    if phase == REPORT:
        files = report.files(place.repository, place.settings, identity, done)
        return Result(Verdict.PASS, "", changes=Changes(files))
    return Result(Verdict.PASS, "", changes=Changes(WRITTEN.get(phase, {})))


def step(repository, identity, done, phase, *, forge=None, settings=SETTINGS):
    """A commit on top of the last one, as if a phase had run.

    Parameters
    ----------
    forge: given what the phase has left, gives what is said and written instead.
    """
    parent = done[-1].commit if done else identity.base
    place = Place(repository, settings, parent, parent, NOW)
    result = left(place, phase, identity, done)
    one = Done(
        phase,
        Verdict.WARN if phase == BEFORE else Verdict.PASS,
        f"{phase} | done",
        place.at(),
        1.5,
        0.5,
        dict(result.facts),
        {"ledger": Verdict.PASS, "matriz": Verdict.SKIP} if phase == PRODUCTION else {},
    )
    changes = result.changes
    if forge:
        one, changes = forge(one, changes)
    message = chain.message(identity, one)
    commit = changing.commit(place, changes, message=message, ref=chain.REF)
    return dataclasses.replace(one, commit=commit)


def walked(repository, phases=NAMES, settings=SETTINGS):
    """A chain of commits for these phases, as if each had run."""
    identity = Identity(repository.resolve("HEAD"), "5" * 64, "v1-baseline", "v1")
    done: list[Done] = []
    for phase in phases:
        done.append(step(repository, identity, done, phase, settings=settings))
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


def test_a_report_counts_what_is_otherwise(whole):
    repository, identity, done = whole
    data = report.document(repository, Config(), identity, done)
    assert artifacts.validate(data, "runbook_report") == []
    assert data["missing"] == []
    assert data["modified"] == ["a|b.txt"]
    assert [path.rpartition("/")[2] for path in data["created"]] == [
        "promotions.ndjson",
        "BASELINE_FREEZE.json",
        "META_REGISTRY.json",
        "MODULE_REGISTRY.json",
        "PRODUCTION_FREEZE.json",
    ]
    assert data["totals"] == {**NONE, "pass": 9, "warn": 1, "skip": 1}
    assert data["checks"]["before"]["fail"] == 1
    metrics = {row["name"]: (row["before"], row["after"]) for row in data["metrics"]}
    assert metrics["mean health"] == (20.25, 20.25)
    assert metrics["checks: pass"] == (6, 7)
    assert metrics["checks: skip"] == (1, 1)
    assert [row["tag"] for row in data["tags"]] == ["v1-baseline", "v1"]
    assert [row["created"] for row in data["phases"]] == [0, 2, 2, 0, 0, 0, 0, 0, 1]


def test_a_page_says_all_of_it_and_is_never_more_than_text(whole):
    repository, identity, done = whole
    text = page.of(report.document(repository, Config(), identity, done))
    assert "| `sweep` | pass | sweep \\| done | 1.5 | 0.5 | +0 ~0 |" in text
    assert "13.5 seconds in these phases" in text
    assert "Phases and gates: 9 pass, 1 warn, 0 unknown, 1 skip." in text
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


def test_the_seal_makes_a_branch_and_both_tags_and_takes_them(ended):
    repository, identity, done = ended
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


def test_a_seal_that_was_cut_off_is_finished(ended):
    repository, identity, done = ended
    sealing.seal(repository, Config(), identity, done)
    before = refs(repository)
    repository.update_ref(chain.REF, done[-1].commit, "0" * 40)
    sealed = sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before
    assert "main is there already" in sealed.lines


def test_what_is_taken_by_somebody_else_stops_the_seal_before_it_publishes(ended):
    repository, identity, done = ended
    repository.run("branch", f"cockpit/runbook-{identity.runbook_id}", "HEAD")
    before = refs(repository)
    with pytest.raises(CockpitError, match="exists and is never moved"):
        sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before


def test_a_tag_made_meanwhile_stops_the_seal(ended):
    repository, identity, done = ended
    sealing.demand_free(repository, identity, done)
    repository.run("tag", "v1")
    with pytest.raises(CockpitError, match="v1: a tag at"):
        sealing.demand_free(repository, identity, done)
    with pytest.raises(CockpitError, match="v1: a tag at"):
        sealing.seal(repository, Config(), identity, done)
    assert "refs/tags/v1-baseline" not in refs(repository)


@pytest.mark.parametrize("options", [(), ("--annotate", "--message=mine")])
def test_a_tag_that_somebody_else_put_on_the_frozen_commit_is_not_sealed(ended, options):
    repository, identity, done = ended
    frozen = next(one.commit for one in done if one.phase == PRODUCTION)
    repository.run("tag", *options, "v1", frozen)
    before = refs(repository)
    with pytest.raises(CockpitError, match="v1: exists, and is not the tag of this freeze"):
        sealing.seal(repository, Config(), identity, done)
    assert refs(repository) == before


def test_a_tag_made_before_anybody_had_to_sign_is_not_sealed(ended):
    repository, identity, done = ended
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


def test_the_checkout_is_left_where_that_is_asked_for_or_head_is_on_no_branch(ended):
    repository, identity, done = ended
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


def test_a_file_in_the_way_leaves_the_checkout_and_says_so(ended):
    repository, identity, done = ended
    (repository.root / "a|b.txt").write_text("mine\n")
    sealed = sealing.seal(repository, Config(), identity, done)
    assert "the checkout stays as it is: in the way: a|b.txt (changed)" in sealed.lines[-1]
    name = sealed.branch.removeprefix("refs/heads/")
    assert sealed.advice == [f"then take it here with: git merge --ff-only {name}"]
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


def test_after_the_last_phase_the_checkout_may_be_there_already(whole):
    repository, identity, done = whole
    beginning._demand_place(repository, identity, tuple(done), done[-1].commit)
    found = report.kept(repository, SETTINGS, done)
    assert found is not None
    assert found["missing"] == []


def read(repository, identity, settings=SETTINGS):
    """The names of the phases that a resumed session believes."""
    found = chain.read(repository, identity, NAMES)
    return [one.phase for one in belief.believed(repository, settings, identity, found)]


def test_what_a_runbook_has_left_is_believed(whole):
    repository, identity, done = whole
    repository.run("update-ref", chain.REF, done[-1].commit)
    assert read(repository, identity) == list(NAMES)
    assert chain.read(repository, identity, NAMES) == done


def says(**changed):
    return lambda one, changes: (dataclasses.replace(one, **changed), changes)


def states(**changed):
    return lambda one, changes: (
        dataclasses.replace(one, facts={**one.facts, **changed}),
        changes,
    )


def writes(files):
    return lambda one, changes: (
        one,
        dataclasses.replace(changes, files={**changes.files, **files}),
    )


@pytest.mark.parametrize(
    ("phase", "forged"),
    [
        (BEFORE, says(facts={})),
        (BEFORE, states(said=["pass"])),
        (BEFORE, states(said={"a": "fine"})),
        (BEFORE, writes({"a|b.txt": b"mine\n"})),
        (BASELINE, says(facts={})),
        (BASELINE, states(tag="v0")),
        (BASELINE, states(base="a" * 40)),
        (AFTER, states(said={"a": "fail"})),
        (AFTER, states(said={})),
        (AFTER, writes({"a|b.txt": b"mine\n"})),
        (PRODUCTION, says(gates={})),
        (PRODUCTION, says(gates={"ledger": Verdict.PASS})),
        (PRODUCTION, says(gates={"ledger": Verdict.FAIL, "matriz": Verdict.SKIP})),
        (PRODUCTION, says(gates={"ledger": Verdict.SKIP, "matriz": Verdict.SKIP})),
        (PRODUCTION, states(tag="v1-baseline")),
        (REPORT, writes({"a|b.txt": b"mine\n"})),
        (REPORT, writes({"docs/_generated/RUNBOOK_REPORT.md": b"# All is well\n"})),
    ],
)
def test_a_phase_that_cannot_have_left_its_commit_is_done_again(whole, phase, forged):
    repository, identity, done = whole
    before = done[: NAMES.index(phase)]
    step(repository, identity, before, phase, forge=forged)
    assert read(repository, identity) == [one.phase for one in before]


def test_documents_that_no_figures_can_be_told_by_make_no_report(whole):
    repository, identity, done = whole
    odd = step(repository, identity, done[:2], "registry", forge=writes({REGISTRY_JSON: b"{}"}))
    with pytest.raises(CockpitError, match="docs/_generated: has no documents in "):
        report.document(repository, SETTINGS, identity, [*done[:2], odd])


@pytest.mark.parametrize("phase", [BASELINE, PRODUCTION])
@pytest.mark.parametrize(
    ("forged", "said"),
    [
        (writes({"a|b.txt": b"mine\n"}), "tree: fail: not as it was frozen: "),
        (states(manifest_sha256="0" * 64), "manifest: fail: "),
    ],
)
def test_a_freeze_that_is_not_what_it_says_is_not_published(whole, phase, forged, said):
    repository, identity, done = whole
    odd = step(repository, identity, done[: NAMES.index(phase)], phase, forge=forged)
    before = refs(repository)
    with pytest.raises(CockpitError, match=f"{said}.*nothing was published"):
        sealing.seal(repository, SETTINGS, identity, [*done[: NAMES.index(phase)], odd])
    assert refs(repository) == before


def test_documents_may_lie_in_the_root(whole):
    repository, identity, done = whole
    settings = dataclasses.replace(SETTINGS, registry=Registry(output="."))
    done = [done[0], step(repository, identity, done[:1], BASELINE, settings=settings)]
    names = repository.run("ls-tree", "--name-only", done[-1].commit).stdout.decode().split()
    assert "BASELINE_FREEZE.json" in names
    assert sorted(report.files(repository, settings, identity, done)) == [
        "RUNBOOK_REPORT.json",
        "RUNBOOK_REPORT.md",
    ]
