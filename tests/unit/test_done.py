from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pytest_cockpit import cli
from pytest_cockpit.api import CockpitError, Report, Verdict
from pytest_cockpit.config import Config
from pytest_cockpit.items import Outcome
from pytest_cockpit.promotion.evidence import Kept
from pytest_cockpit.records import ledger
from pytest_cockpit.sessions.done import DoneConductor

if TYPE_CHECKING:
    from pathlib import Path


def written(folder: Path, *names: str) -> DoneConductor:
    """A session that has written these artifacts."""
    own = [folder / name for name in names]
    return cast("DoneConductor", SimpleNamespace(folder=folder, written=own))


@pytest.mark.parametrize("content", ["[]", "{", "\udcff", None])
def test_a_document_that_no_gate_wrote_is_none(tmp_path, content):
    path = tmp_path / "quarantine.json"
    path.write_text('{"quarantined": 0}')
    assert DoneConductor._written(written(tmp_path, path.name), path.name) == {"quarantined": 0}
    if content is not None:
        path.write_bytes(content.encode("utf-8", "surrogateescape"))
    # Left by an earlier session, it says nothing of this commit.
    session = written(tmp_path) if content is None else written(tmp_path, path.name)
    with pytest.raises(CockpitError, match=r"quarantine\.json: the gate wrote no"):
        DoneConductor._written(session, path.name)


def test_a_gate_that_fails_for_another_reason_names_no_tests():
    beside = {
        "schema": "pytest-cockpit/quarantine/1",
        "day": "2026-11-21",
        "quarantined": 0,
        "permitted": 2,
        "collected": 5,
        "tests": [],
    }
    report = {"verdict": "fail", "summary": "a marker without an owner", "beside": beside}
    session = cast("DoneConductor", SimpleNamespace(_report=lambda *_: report))
    outcome = DoneConductor._quarantine(session)
    assert outcome.verdict is Verdict.FAIL
    assert outcome.summary == "no test is in quarantine; the gate is fail"
    assert "a marker without an owner" in outcome.text


def test_the_first_baseline_is_looked_for_by_its_very_name(make_checkout):
    repository = make_checkout({"x/coverage.json": "{}"}).repo
    scene = SimpleNamespace(repository=repository, head=repository.resolve("HEAD"))
    session = SimpleNamespace(scene=scene, _baseline="[x]/coverage.json")
    with pytest.raises(CockpitError, match="was never committed"):
        DoneConductor._first_coverage(cast("DoneConductor", session))


def test_an_open_waiver_is_ended_by_a_command_that_there_is(capsys):
    now = datetime(2026, 6, 1, tzinfo=UTC)
    row = {
        "kind": "waiver",
        "id": "w-1",
        "rule": "imports.missing",
        "scope": {"file": "app/**"},
        "reason": "waits for the vendor's release",
        "owner": "harbour master",
        "expires": "2026-06-30",
        "at": "2026-05-20T10:00:00Z",
    }
    held = ledger.extend(b"", [row])
    scene = SimpleNamespace(settings=Config(), ground=SimpleNamespace(now=now), blob=lambda _: held)
    session = cast("DoneConductor", SimpleNamespace(scene=scene))
    outcome = DoneConductor._waivers(session)
    assert outcome.verdict is Verdict.FAIL
    _, _, command = outcome.text.rpartition("cockpit ")
    with pytest.raises(SystemExit):
        cli.main([*command.split(), "--help"])
    assert "usage: cockpit unwaive" in capsys.readouterr().out


@pytest.mark.parametrize("whole", [True, False])
def test_a_report_on_a_part_of_the_tree_is_asked_again(whole):
    kept = Kept({"verdict": "pass"}, {"whole": whole}, "a batch", datetime.now(UTC))
    fresh = Report.judge("fine", checked=1, findings=[])
    bench = SimpleNamespace(judge=lambda *_, **__: (fresh, Outcome(fresh.verdict, "fine")))
    ground = SimpleNamespace(kept=lambda *_: kept)
    scene = SimpleNamespace(settings=Config(gates=("imports",)), ground=ground, head="0" * 40)
    told = SimpleNamespace(scene=scene, bench=bench, _written=lambda _: {"whole": True})
    report = DoneConductor._report(cast("DoneConductor", told), "imports", "import_failures.json")
    assert isinstance(report, dict)
    assert report["beside"] == {"whole": True}
    assert ("gate" in report) is not whole


@pytest.mark.parametrize("verdict", ["pass", "fail", "unknown", "error"])
def test_a_gate_that_could_not_tell_is_asked_again(verdict):
    kept = Kept({"verdict": verdict}, {}, "an earlier session", datetime.now(UTC))
    fresh = Report.judge("fine", checked=1, findings=[])
    bench = SimpleNamespace(judge=lambda *_, **__: (fresh, Outcome(fresh.verdict, "fine")))
    ground = SimpleNamespace(kept=lambda *_: kept)
    scene = SimpleNamespace(settings=Config(gates=("matriz",)), ground=ground, head="0" * 40)
    session = cast("DoneConductor", SimpleNamespace(scene=scene, bench=bench))
    report = DoneConductor._report(session, "matriz")
    assert isinstance(report, dict)
    assert report["verdict"] == {"fail": "fail"}.get(verdict, "pass")
    assert ("gate" in report) == (verdict in ("unknown", "error"))
