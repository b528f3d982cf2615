from __future__ import annotations

import shutil
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_cockpit.api import Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion import places
from pytest_cockpit.records.baselines import Baseline
from pytest_cockpit.sessions import init, preflight_records
from pytest_cockpit.sessions.examining import Check, ExaminingConductor, Scene, named
from pytest_cockpit.sessions.preflight_place import Place


@pytest.fixture
def scene(make_checkout) -> Scene:
    checkout = make_checkout({"candidate/a.py": "X = 1\n", "big.bin": "x" * (1 << 20)})
    repository = checkout.repo
    option = SimpleNamespace(cockpit_set=())
    config = cast("pytest.Config", SimpleNamespace(option=option))
    return Scene(config, repository, Config(), repository.resolve("HEAD"))


def judged(scene: Scene, name: str, place: Place | None = None) -> Outcome:
    checks = {check.name: check.look for check in (place or Place(scene)).checks()}
    return checks[name]()


def test_a_configuration_that_git_does_not_have_is_not_committed(make_checkout):
    checkout = make_checkout({"candidate/a.py": "X = 1\n"})
    (checkout.root / "cockpit.toml").write_text("[batch]\nsize = 50\n")
    option = SimpleNamespace(cockpit_set=())
    config = cast(
        "pytest.Config",
        SimpleNamespace(option=option, invocation_params=SimpleNamespace(dir=checkout.root)),
    )
    outcome = judged(Scene.of(config), "configuration/committed")
    assert outcome.verdict is Verdict.FAIL
    assert "cockpit.toml: is not in" in outcome.summary
    checkout.git("add", "cockpit.toml")
    checkout.git("commit", "-q", "-m", "settings")
    assert judged(Scene.of(config), "configuration/committed").verdict is Verdict.PASS


def test_tolerated_failures_are_counted_and_named():
    failing = [f"test_a.py::test_{number}" for number in range(7)]
    entries = {"a.py": {"statements": 4, "missing_lines": 1}}
    kept = Baseline("coverage", entries, {"failing_tests": failing})
    assert preflight_records._counted(kept)["failing_tests"] == 7
    outcome = init._wrote("x/coverage.json", kept)
    assert outcome.verdict is Verdict.WARN
    assert outcome.summary == (
        "wrote x/coverage.json: 1 entries; 7 failing tests tolerated: "
        "test_a.py::test_0, test_a.py::test_1, test_a.py::test_2, test_a.py::test_3, "
        "test_a.py::test_4 and 2 more"
    )
    assert init._wrote("x", Baseline("coverage", entries)).verdict is Verdict.PASS


@pytest.mark.parametrize(
    "short, verdict", [(0, Verdict.PASS), (1, Verdict.FAIL), (1 << 28, Verdict.FAIL)]
)
def test_room_is_wanted_for_the_tree_and_what_gates_leave(scene, monkeypatch, short, verdict):
    place = Place(scene)
    judged(scene, "environment/disk", place)
    wanted = place.numbers["disk"]["wanted"]
    assert place.numbers["disk"]["tree"] == (1 << 20) + 6
    assert wanted > 3 << 20
    usage = shutil.disk_usage(scene.repository.root)._replace(free=wanted - short)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    outcome = judged(scene, "environment/disk")
    assert outcome.verdict is verdict
    assert ("free some disk space" in outcome.text) == (verdict is Verdict.FAIL)


@pytest.mark.parametrize("full", ["git", "tree"])
def test_room_is_wanted_where_the_private_tree_will_lie(scene, monkeypatch, tmp_path, full):
    monkeypatch.setenv(places.VARIABLE, str(tmp_path / "cache/not/yet"))
    short = {"git": scene.repository.common_dir, "tree": tmp_path}[full]
    plenty = shutil.disk_usage(tmp_path)._replace(free=1 << 40)
    free = {short: plenty._replace(free=1)}
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: free.get(folder, plenty))
    outcome = judged(scene, "environment/disk")
    assert outcome.verdict is Verdict.FAIL
    assert f"free some disk space on the disk of {short}" in outcome.text
    assert not (tmp_path / "cache").exists()


def test_a_listing_of_submodules_and_odd_names_is_counted(scene, make_checkout):
    checkout = make_checkout({"a b.py": "12345", "é\n.txt": "1"}, "odd")
    oid = checkout.text("rev-parse", "HEAD")
    checkout.git("update-index", "--add", "--cacheinfo", f"160000,{oid},sub")
    checkout.git("commit", "-q", "-m", "submodule")
    repository = checkout.repo
    odd = Scene(scene.config, repository, Config(), repository.resolve("HEAD"))
    place = Place(odd)
    assert judged(odd, "environment/disk", place).verdict is Verdict.PASS
    assert place.numbers["disk"]["tree"] == 6


def test_an_expected_error_is_unknown_and_not_a_crash():
    def look() -> Any:
        from pytest_cockpit.api import CockpitError

        raise CockpitError("x.json: not JSON; restore it")

    told = SimpleNamespace(remedies={})
    outcome = ExaminingConductor._look(cast("ExaminingConductor", told), Check("a/b", look))
    assert (outcome.verdict, outcome.summary) == (Verdict.UNKNOWN, "x.json: not JSON; restore it")
    assert told.remedies == {"a/b": ""}


def test_the_first_few_of_many_are_named():
    assert named([f"{number}" for number in range(7)]) == "0, 1, 2, 3, 4 and 2 more"
    assert named(["a\udcff"]) == "a\\udcff"
