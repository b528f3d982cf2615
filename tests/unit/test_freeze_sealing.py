"""Branch and tag move together, whatever happens; and what is refused before anything is done."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from pytest_cockpit.api import CockpitError
from pytest_cockpit.freeze import phase, tagging
from pytest_cockpit.freeze.verify import verify
from pytest_cockpit.git import GitError
from pytest_cockpit.seals import checkout, tag
from pytest_cockpit.sessions import changing, freeze
from pytest_cockpit.sessions.settings import freezing_gates, load_checked
from tests.freezes import LEDGER, MANIFEST, TAG, Harbour, make

REF = tag.ref_of(TAG)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("sealing") / "harbour").root


@pytest.fixture
def harbour(built: Path, tmp_path: Path) -> Harbour:
    shutil.copytree(built, tmp_path / "harbour", symlinks=True)
    return Harbour(tmp_path / "harbour")


class Sealing:
    """A freeze of which everything is made, and nothing published."""

    def __init__(self, harbour: Harbour) -> None:
        place = harbour.place()
        result = phase.run(place, kind="baseline", tag=TAG)
        said = phase.message(result.facts)
        self.base = place.commit
        self.commit = changing.commit(
            place, result.changes, message=said, ref="refs/cockpit/freeze"
        )
        self.oid = tagging.made(place.repository, place.settings, TAG, self.commit, said)
        self.harbour = harbour

    def take(self) -> checkout.Taken:
        return checkout.take(
            self.harbour.repository,
            "refs/heads/main",
            self.base,
            self.commit,
            tags={REF: self.oid},
        )

    def demand_nothing(self) -> None:
        harbour = self.harbour
        assert harbour.git("rev-parse", "main") == self.base
        assert harbour.git("tag", "--list") == ""

    def demand_all(self) -> None:
        harbour = self.harbour
        assert harbour.git("rev-parse", "main") == self.commit
        assert harbour.git("rev-parse", REF) == self.oid
        assert harbour.git("status", "--porcelain") == ""
        assert verify(harbour.repository, harbour.settings, TAG).verdict == "pass"
        assert checkout.resume(harbour.repository) is None


def test_nothing_is_published_before_the_seal(harbour: Harbour):
    sealing = Sealing(harbour)
    sealing.demand_nothing()
    assert sealing.take().done
    sealing.demand_all()


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_session_is_killed_in_the_seal(harbour: Harbour, monkeypatch, when: str):
    """Before the refs move, and between that and the end: the next session finishes."""
    sealing = Sealing(harbour)
    name = {"before": "publish", "after": "finish"}[when]
    with monkeypatch.context() as patch:
        patch.setattr(checkout._Taking, name, lambda _: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            sealing.take()
    if when == "before":
        sealing.demand_nothing()
    taken = checkout.resume(harbour.repository)
    assert taken is not None
    assert taken.done
    sealing.demand_all()


@pytest.mark.parametrize("first", ["tag", "branch"])
def test_a_transaction_is_cut_off_between_two_refs(harbour: Harbour, monkeypatch, first: str):
    """As when the machine stops while git renames its lock files."""
    sealing = Sealing(harbour)
    with monkeypatch.context() as patch:
        patch.setattr(
            checkout._Taking, "publish", lambda _: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        with pytest.raises(KeyboardInterrupt):
            sealing.take()
    if first == "tag":
        harbour.git("update-ref", REF, sealing.oid)
    else:
        harbour.git("update-ref", "refs/heads/main", sealing.commit)
    taken = checkout.resume(harbour.repository)
    assert taken is not None
    assert taken.done
    sealing.demand_all()


@pytest.mark.parametrize("there", [TAG, f"{TAG}/more"])
def test_a_tag_that_cannot_be_had_stops_it_before_a_file_changes(harbour: Harbour, there: str):
    sealing = Sealing(harbour)
    harbour.git("tag", there, "HEAD")
    with pytest.raises(GitError, match="update-ref"):
        sealing.take()
    assert harbour.git("rev-parse", "main") == sealing.base
    assert harbour.git("rev-parse", there) == sealing.base
    assert harbour.git("status", "--porcelain") == ""
    assert checkout.resume(harbour.repository) is None


def test_a_branch_that_moved_meanwhile_stops_it(harbour: Harbour):
    sealing = Sealing(harbour)
    head = harbour.commit("meanwhile")
    assert not sealing.take().done
    assert harbour.git("rev-parse", "main") == head
    assert harbour.git("tag", "--list") == ""


def test_refs_change_all_or_none(harbour: Harbour):
    repository, head = harbour.repository, harbour.git("rev-parse", "HEAD")
    zeros = "0" * 40
    updates = [("refs/tags/a", head, zeros), ("refs/heads/main", head, "1" * 40)]
    with pytest.raises(GitError, match="update-ref"):
        repository.update_refs(updates)
    assert harbour.git("tag", "--list") == ""
    repository.update_refs(updates[:1], rehearse=True)
    assert harbour.git("tag", "--list") == ""
    repository.update_refs([*updates[:1], ("refs/tags/b", head, "")])
    assert harbour.git("tag", "--list").split() == ["a", "b"]


# What a session refuses to begin


def ready(harbour: Harbour, name: str = TAG, kind: str = "baseline") -> bool:
    return freeze._demand_ready(harbour.place(), name, kind)


def test_a_session_begins_with_whatever_else_is_uncommitted(harbour: Harbour):
    (harbour.root / "quay/berth.py").write_text("edited\n")
    (harbour.root / "new.py").write_text("")
    assert ready(harbour) is False


@pytest.mark.parametrize("path", [MANIFEST, LEDGER])
def test_what_a_freeze_writes_must_be_clean(harbour: Harbour, path: str):
    place = harbour.root / path
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text("mine\n")
    with pytest.raises(CockpitError, match=f"{path}: uncommitted"):
        ready(harbour)
    assert place.read_text() == "mine\n"


def test_a_session_is_refused(harbour: Harbour):
    with pytest.raises(CockpitError, match="no name for a tag"):
        ready(harbour, "--all")
    (harbour.root / "cockpit.toml").write_text("[freeze]\ngates = []\n")
    assert ready(harbour) is False
    (harbour.root / "cockpit.toml").write_text('[freeze]\ngates = ["ledger"]\n')
    with pytest.raises(CockpitError, match="configuration differs from the commit's"):
        ready(harbour)
    harbour.git("tag", "v1", "HEAD")
    with pytest.raises(CockpitError, match="release by a new tag"):
        ready(harbour, "v1")
    harbour.git("switch", "--quiet", "--detach")
    with pytest.raises(CockpitError, match="HEAD is detached"):
        ready(harbour)


def test_a_production_freeze_needs_a_gate_that_is_there_and_judges(tmp_path: Path):
    place = tmp_path / "cockpit.toml"
    place.write_text('gates = ["ledger"]\n[freeze]\ngates = ["leger"]\n')
    with pytest.raises(CockpitError, match=r"no gate 'leger' is installed; did you mean 'ledger'"):
        load_checked(tmp_path)
    place.write_text('gates = ["ledger", "imports"]\n[gate.ledger]\nskip = "none yet"\n')
    assert freezing_gates(load_checked(tmp_path)) == ("ledger", "imports")
    place.write_text(f'{place.read_text()}[freeze]\ngates = ["ledger"]\n')
    with pytest.raises(CockpitError, match=r"freeze\.gates: ledger: each is skipped"):
        freezing_gates(load_checked(tmp_path))


def test_a_freeze_that_is_there_is_done(harbour: Harbour):
    harbour.freeze()
    assert ready(harbour) is True
    with pytest.raises(CockpitError, match="never moved"):
        ready(harbour, kind="production")
    harbour.commit("later")
    with pytest.raises(CockpitError, match="never moved"):
        ready(harbour)
