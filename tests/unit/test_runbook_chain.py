"""What a runbook's commits say, and when they are believed."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion import transaction
from pytest_cockpit.sessions.runbook import chain
from pytest_cockpit.sessions.runbook.chain import Done, Identity

PHASES = ("first", "second", "third")
IDENTITY = Identity("a" * 40, "5" * 64, "v1-baseline", "v1")
DONE = Done(
    "first",
    Verdict.WARN,
    "1 of 2 modules; tests of héron fail",
    "2026-03-02T12:00:00Z",
    1.25,
    0.5,
    {"modules": 2, "said": {"a": "pass"}},
    {"ledger": Verdict.PASS, "coverage": Verdict.SKIP},
)


def raw(message, parent=IDENTITY.base):
    return f"tree {'b' * 40}\nparent {parent}\nauthor A <a@b> 1 +0000\n\n{message}"


def test_what_a_phase_did_comes_back_from_its_commit():
    found = chain.parsed(
        raw(chain.message(IDENTITY, DONE)), IDENTITY, phase="first", parent=IDENTITY.base
    )
    assert found == DONE


@example({"a": "\x85\u2028"})
@given(st.dictionaries(st.text(), st.text() | st.integers(-9, 9) | st.booleans()))
def test_no_fact_is_lost_on_the_way(facts):
    done = dataclasses.replace(DONE, facts=facts)
    message = raw(chain.message(IDENTITY, done))
    assert chain.parsed(message, IDENTITY, phase="first", parent=IDENTITY.base) == done


def test_a_fixed_clock_leaves_no_seconds():
    done = dataclasses.replace(DONE, wall_s=None, cpu_s=None)
    message = chain.message(IDENTITY, done)
    assert "Runbook-Seconds: - -\n" in message
    found = chain.parsed(raw(message), IDENTITY, phase="first", parent=IDENTITY.base)
    assert (found.wall_s, found.cpu_s) == (None, None)


def test_a_long_summary_is_cut_in_the_subject_alone():
    message = chain.message(IDENTITY, dataclasses.replace(DONE, summary="long " * 40))
    subject, _, body = message.partition("\n\n")
    assert len(subject) <= 72
    assert body.startswith("long " * 40)


@pytest.mark.parametrize(
    "identity",
    [
        dataclasses.replace(IDENTITY, base="c" * 40),
        dataclasses.replace(IDENTITY, settings_sha256="6" * 64),
        dataclasses.replace(IDENTITY, baseline_tag="v0"),
        dataclasses.replace(IDENTITY, tag="v2"),
    ],
    ids=["base", "settings", "baseline-tag", "tag"],
)
def test_a_phase_of_another_runbook_is_not_believed(identity):
    text = raw(chain.message(IDENTITY, DONE))
    assert chain.parsed(text, identity, phase="first", parent=IDENTITY.base) is None


def test_a_phase_of_another_version_is_not_believed(monkeypatch):
    text = raw(chain.message(IDENTITY, DONE))
    monkeypatch.setattr("pytest_cockpit.__version__", "99")
    assert chain.parsed(text, IDENTITY, phase="first", parent=IDENTITY.base) is None


@pytest.mark.parametrize(
    "old, new",
    [
        ("Runbook-Verdict: warn", "Runbook-Verdict: fine"),
        ("Runbook-Verdict: warn", "Runbook-Verdict: fail"),
        ("Runbook-Verdict: warn", "Runbook-Verdict: unknown"),
        ("Runbook-Seconds: 1.250", "Runbook-Seconds: nan"),
        ("Runbook-Seconds: 1.250", "Runbook-Seconds: 1.250 7.000"),
        ('Runbook-Facts: {"modules"', 'Runbook-Facts: ["modules"'),
        ("Runbook-Facts: {", "Runbook-Facts: [] {"),
        ("Runbook-At: ", "Runbook-When: "),
        ("Gate-Ledger: pass", "Gate-Ledger: well"),
        ("Runbook-Phase: first", "Runbook-Phase: second"),
        (f"parent {IDENTITY.base}", f"parent {'d' * 40}"),
        (f"parent {IDENTITY.base}", f"parent {IDENTITY.base}\nparent {'d' * 40}"),
    ],
)
def test_a_commit_that_says_something_else_is_not_believed(old, new):
    text = raw(chain.message(IDENTITY, DONE))
    assert old in text
    changed = text.replace(old, new)
    assert chain.parsed(changed, IDENTITY, phase="first", parent=IDENTITY.base) is None


@given(st.text(), st.integers(0, 2000), st.integers(0, 2000))
def test_no_message_breaks_the_reader(junk, start, end):
    text = raw(chain.message(IDENTITY, DONE))
    torn = text[:start] + junk + text[end:]
    found = chain.parsed(torn, IDENTITY, phase="first", parent=IDENTITY.base)
    assert found is None or found.phase == "first"


@pytest.fixture
def repository(tmp_path):
    repository = Repository(tmp_path, tmp_path / ".git")
    for words in (
        ("init", "-q"),
        ("config", "user.name", "N"),
        ("config", "user.email", "n@example.org"),
        ("commit", "-q", "--allow-empty", "-m", "start"),
    ):
        repository.run(*words)
    return repository


def grown(repository, identity, phases):
    """The private ref with a commit for each of these phases."""
    commit = identity.base
    for phase in phases:
        message = chain.message(identity, dataclasses.replace(DONE, phase=phase))
        commit = transaction.build(repository, commit, [], message=message, ref=chain.REF)
    return commit


def test_phases_are_believed_up_to_the_first_that_is_out_of_order(repository):
    identity = dataclasses.replace(IDENTITY, base=repository.resolve("HEAD"))
    assert chain.begun(repository) is None
    assert chain.read(repository, identity, PHASES) == []
    tip = grown(repository, identity, ("first", "second"))
    assert chain.begun(repository) == identity
    assert [one.phase for one in chain.read(repository, identity, PHASES)] == ["first", "second"]
    assert chain.read(repository, identity, PHASES)[-1].commit == tip
    grown(repository, identity, ("first", "third", "second"))
    assert [one.phase for one in chain.read(repository, identity, PHASES)] == ["first"]
    grown(repository, identity, ("second",))
    assert chain.read(repository, identity, PHASES) == []


@pytest.mark.parametrize("base", ["", "HEAD", "--output=x", "a" * 40])
def test_a_runbook_from_no_commit_that_is_here_is_told_with_the_remedy(repository, base):
    message = chain.message(dataclasses.replace(IDENTITY, base=base), DONE)
    tip = repository.resolve("HEAD")
    transaction.build(repository, tip, [], message=message, ref=chain.REF)
    with pytest.raises(CockpitError, match="git update-ref -d refs/cockpit/runbook"):
        chain.begun(repository)


def test_a_ref_that_is_no_runbooks_is_told_with_the_remedy(repository):
    commit = repository.resolve("HEAD")
    transaction.build(repository, commit, [], message="anything", ref=chain.REF)
    with pytest.raises(CockpitError, match="git update-ref -d refs/cockpit/runbook"):
        chain.begun(repository)
