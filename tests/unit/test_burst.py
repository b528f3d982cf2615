"""A burst's record: read back as written, refused as anything else, and told in figures."""

from __future__ import annotations

import dataclasses
import itertools
import json
from types import SimpleNamespace
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Evidence, Finding, Report, Verdict
from pytest_cockpit.promotion import burst, figures, readings
from pytest_cockpit.promotion.burst import Checkpoint, Done, Options, Progress
from pytest_cockpit.records import artifacts
from pytest_cockpit.sessions import beginning
from pytest_cockpit.sessions.lock import SessionLock

OID, SHA = "ab" * 20, "cd" * 32


def checkpoint(number, files, **numbers):
    return Checkpoint(number, OID, files, {"imports": "pass"}, {"imports": "fine"}, numbers)


def progress(*checkpoints):
    ends = [0, *(point.files for point in checkpoints)]
    batches = tuple(
        Done(number, f"1111111-{number:08x}", SHA, OID, after - before)
        for number, (before, after) in enumerate(itertools.pairwise(ends), 1)
    )
    return Progress(
        "1234567-12345678",
        OID,
        "refs/heads/cockpit/burst-x",
        SHA,
        Options(100, 50, 8, 100, ("core",)),
        300,
        batches,
        checkpoints,
    )


def test_a_record_is_read_back_as_it_was(tmp_path):
    whole = progress(checkpoint(1, 50, lane=250, missing_lines=None), checkpoint(2, 90))
    artifacts.write(tmp_path / "b.json", whole.to_json(), "burst_checkpoint")
    assert burst.read(tmp_path / "b.json") == whole
    assert burst.read(tmp_path / "none.json") is None


def test_a_record_without_figures_is_read(tmp_path):
    data = progress(checkpoint(1, 50)).to_json()
    del data["checkpoints"][0]["figures"]
    artifacts.write(tmp_path / "b.json", data, "burst_checkpoint")
    found = burst.read(tmp_path / "b.json")
    assert found is not None
    assert found.checkpoints[0].figures == {}


WHOLE = progress(checkpoint(1, 50, lane=250), checkpoint(2, 90)).to_json()
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw):
    """The record with something else in one place, or cut off."""
    text = json.dumps(WHOLE)
    if draw(st.booleans()):
        return text[: draw(st.integers(0, len(text)))].encode()
    data = json.loads(text)
    place, key = data, draw(st.sampled_from(sorted(data)))
    while isinstance(place[key], dict | list) and place[key] and draw(st.booleans()):
        place = place[key]
        keys = sorted(place) if isinstance(place, dict) else range(len(place))
        key = draw(st.sampled_from(keys))
    place[key] = draw(JSON)
    return json.dumps(data).encode()


@given(damaged() | st.binary(max_size=60))
def test_whatever_else_lies_there_is_an_expected_error(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "burst-fuzzed.json"
    path.write_bytes(content)
    try:
        found = burst.read(path)
    except CockpitError:
        return
    else:
        assert found is not None
        assert found.files == (found.checkpoints[-1].files if found.checkpoints else 0)
        assert burst.read(path) == found


def test_going_back_a_checkpoint_forgets_its_batches():
    whole = progress(checkpoint(1, 50), checkpoint(2, 90))
    assert whole.without_last().files == 50
    assert whole.without_last().without_last() == progress()


@pytest.mark.parametrize(
    ("option", "other", "own"),
    [
        ("batch_size", 2, "50"),
        ("max_batches", 2, "8"),
        ("checkpoint_every", 2, "100"),
        ("modules", ("core", "deck"), "core"),
        ("target", 2, None),
    ],
)
def test_a_burst_is_gone_on_with_by_its_own_options(option, other, own):
    options = Options(100, 50, 8, 100, ("core",))

    def demand(**given):
        named = {field.name: None for field in dataclasses.fields(options)} | given
        spelled = {f"cockpit_{name}": value for name, value in named.items()}
        config = SimpleNamespace(option=SimpleNamespace(**spelled))
        beginning._demand_same(cast("pytest.Config", config), options)

    demand()
    demand(**{option: getattr(options, option)})
    if own is None:
        demand(**{option: other})
        return
    flag = f"--cockpit-{option.replace('_', '-')}"
    with pytest.raises(CockpitError, match=f"{flag}: .* keeps to its own, which is {own};"):
        demand(**{option: other})


def report(verdict=Verdict.PASS, findings=(), **evidence):
    rows = tuple(Evidence(name, data) for name, data in evidence.items())
    return Report(verdict, "said", 7, findings, rows)


def test_figures_come_from_evidence(tmp_path):
    reports = {
        "matriz": report(
            findings=(
                Finding("matriz.x", "no", path="c.json"),
                Finding("matriz.y", "n", path="c.json"),
            ),
            contracts={"count": 7},
        ),
        "coverage": report(totals={"statements": 40, "missing_lines": 12}),
        "imports": report(classes={"healthy": 9, "exception": 2, "transitive": 1}),
    }
    found = figures.at(reports, tmp_path, OID, 250)
    assert found == {
        "lane": 250,
        "missing_lines": 12,
        "missing_lines_change": None,
        "contracts": 7,
        "contracts_with_errors": 1,
        "import_failures": 3,
    }


@pytest.mark.parametrize("commit", [OID, "ef" * 20])
def test_a_document_of_another_commit_does_not_count(tmp_path, monkeypatch, commit):
    monkeypatch.setattr(readings, "coverage_delta", lambda _: (1.0, 5, 1))
    (tmp_path / "coverage_ratchet.json").write_text(json.dumps({"commit": commit}))
    found = figures.at({}, tmp_path, OID, 1)["missing_lines_change"]
    assert found == (-5 if commit == OID else None)


@pytest.mark.parametrize(
    "evidence",
    [
        {},
        {"classes": None},
        {"classes": {"exception": "many"}},
        {"totals": {"statements": "x"}, "contracts": {"count": None}},
        {"totals": [], "contracts": [], "classes": []},
    ],
)
def test_evidence_of_another_shape_is_unknown(tmp_path, evidence):
    reports = {name: report(**evidence) for name in ("matriz", "coverage", "imports")}
    (tmp_path / "coverage_ratchet.json").write_text("[1]")
    found = dict(figures.at(reports, tmp_path, OID, 3))
    assert found.pop("lane") == 3
    assert set(found.values()) == {None}


def test_rows_go_from_checkpoint_to_checkpoint():
    points = [
        checkpoint(
            1,
            100,
            lane=200,
            missing_lines_change=-24,
            contracts=60,
            contracts_with_errors=0,
            import_failures=8,
        ),
        checkpoint(
            2,
            150,
            lane=150,
            missing_lines_change=-20,
            contracts=60,
            contracts_with_errors=2,
            import_failures=6,
        ),
    ]
    assert list(figures.rows(points, 300)) == [
        ("1", "-100", "-24", "0 of 60", "8"),
        ("2", "-50", "+4", "2 of 60", "6"),
        ("in all", "-150", "-20", "2 of 60", "14"),
    ]
    assert figures.line(points, 300) == (
        "in all: files in the lane -150, missing lines -20, contracts with errors 2 of 60, "
        "import failures 14"
    )


def test_what_one_checkpoint_does_not_know_is_unknown_in_all():
    points = [checkpoint(1, 100, lane=200), checkpoint(2, 150, lane=150, import_failures=1)]
    assert list(figures.rows(points, 300)) == [
        ("1", "-100", "unknown", "unknown", "unknown"),
        ("2", "-50", "unknown", "unknown", "1"),
        ("in all", "-150", "unknown", "unknown", "unknown"),
    ]


@given(JSON | st.binary(max_size=20))
def test_whatever_names_the_holder_of_a_lock_is_told_in_one_line(tmp_path_factory, content):
    folder = tmp_path_factory.mktemp("git")
    first = SessionLock(folder)
    first.acquire("batch")
    try:
        data = content if isinstance(content, bytes) else json.dumps(content).encode()
        (folder / "cockpit/session.holder").write_bytes(data)
        with pytest.raises(CockpitError, match="held by another session") as caught:
            SessionLock(folder).acquire("burst")
        assert len(str(caught.value).splitlines()) == 1
    finally:
        first.release()
    assert not (folder / "cockpit/session.holder").exists()
