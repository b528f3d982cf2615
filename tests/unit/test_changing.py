"""What a phase wants written is written whole; what a kill cuts off, the next session completes."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.git import Entry
from pytest_cockpit.phases import Changes
from pytest_cockpit.records import artifacts, ledger
from pytest_cockpit.records.text import one_line, parse
from pytest_cockpit.sessions import changing
from tests.freezes import LEDGER, Harbour, make

BERTH = "quay/berth.py"
ODD = os.fsdecode(b"quay/caf\xe9\n.bin")
CONTENT = {"NEW.md": b"# New\n", BERTH: "BERTHS = 'ä'\n".encode(), ODD: b"\0\xff\r\n"}
CHANGES = Changes(CONTENT, ({"kind": "opened", "base": "b" * 40},))
ALL = (*CONTENT, LEDGER)


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make(tmp_path_factory.mktemp("changing") / "harbour").root


@pytest.fixture
def harbour(built: Path, tmp_path: Path) -> Harbour:
    shutil.copytree(built, tmp_path / "harbour", symlinks=True)
    return Harbour(tmp_path / "harbour")


def cut_off(harbour: Harbour, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Apply the changes, up to that many files."""
    left, write = after, artifacts.write_bytes

    def until(path: Path, data: bytes) -> None:
        nonlocal left
        if not path.is_relative_to(harbour.root / ".git"):
            if not left:
                raise KeyboardInterrupt
            left -= 1
        write(path, data)

    with monkeypatch.context() as patch:
        patch.setattr(artifacts, "write_bytes", until)
        with pytest.raises(KeyboardInterrupt):
            changing.apply(harbour.place(), CHANGES)


def contents(harbour: Harbour) -> dict[str, bytes | None]:
    places = {path: harbour.root / path for path in ALL}
    return {path: at.read_bytes() if at.exists() else None for path, at in places.items()}


def demand_all(harbour: Harbour) -> None:
    found = contents(harbour)
    rows = ledger.rows(found.pop(LEDGER) or b"")
    assert found == CONTENT
    assert [row["base"] for row in rows] == ["a" * 40, "b" * 40]
    assert changing.finish(harbour.repository) == []


def test_what_is_written_is_told(harbour: Harbour):
    assert sorted(changing.apply(harbour.place(), CHANGES)) == sorted(ALL)
    demand_all(harbour)
    # Content that is there already is no obstacle, and not written again.
    (harbour.root / LEDGER).write_bytes(harbour.place().read(LEDGER) or b"")
    assert changing.apply(harbour.place(), CHANGES) == [LEDGER]
    demand_all(harbour)


@pytest.mark.parametrize("after", range(1, len(ALL)))
def test_what_is_cut_off_is_completed(harbour: Harbour, monkeypatch, after: int):
    cut_off(harbour, monkeypatch, after)
    [said] = changing.finish(harbour.repository)
    assert said.startswith(f"cockpit: a session was cut off after {after} of 4 files; the rest")
    demand_all(harbour)


def test_of_what_was_written_whole_nothing_is_said(harbour: Harbour, monkeypatch):
    journal, unlink = changing._journal(harbour.repository), Path.unlink

    def until(path: Path, *, missing_ok: bool = False) -> None:
        if path == journal:
            raise KeyboardInterrupt
        unlink(path, missing_ok=missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", until)
        with pytest.raises(KeyboardInterrupt):
            changing.apply(harbour.place(), CHANGES)
    assert journal.exists()
    assert changing.finish(harbour.repository) == []
    demand_all(harbour)


def test_of_what_was_not_begun_nothing_is_written(harbour: Harbour, monkeypatch):
    before = contents(harbour)
    cut_off(harbour, monkeypatch, 0)
    assert changing.finish(harbour.repository) == []
    assert contents(harbour) == before
    changing.apply(harbour.place(), CHANGES)
    demand_all(harbour)


@pytest.mark.parametrize("path", [BERTH, LEDGER])
def test_what_somebody_changed_since_is_left_as_it_is(harbour: Harbour, monkeypatch, path: str):
    cut_off(harbour, monkeypatch, 2)
    (harbour.root / path).write_bytes(b"mine\n")
    before = contents(harbour)
    [said] = changing.finish(harbour.repository)
    assert f"{path} was changed since" in said
    assert contents(harbour) == before
    assert changing.finish(harbour.repository) == []


def test_nothing_is_completed_through_a_link(harbour: Harbour, monkeypatch, tmp_path: Path):
    cut_off(harbour, monkeypatch, 1)
    (harbour.root / "quay").rename(tmp_path / "quay")
    (harbour.root / "quay").symlink_to(tmp_path / "quay")
    [said] = changing.finish(harbour.repository)
    assert "was changed since" in said
    assert (tmp_path / "quay/berth.py").read_bytes() == b"BERTHS = 3\n"


@pytest.mark.parametrize("path", [BERTH, "NEW.md", ODD], ids=["edited", "untracked", "odd"])
def test_what_is_edited_or_untracked_is_nobodys_to_write(harbour: Harbour, path: str):
    (harbour.root / path).write_text("mine\n")
    before = contents(harbour)
    said = re.escape(f"{one_line(path)}: was changed or is not tracked")
    with pytest.raises(CockpitError, match=said):
        changing.apply(harbour.place(), CHANGES)
    assert contents(harbour) == before
    assert changing.finish(harbour.repository) == []


def test_what_could_not_be_written_in_the_end_is_refused_before(harbour: Harbour):
    changing.demand_committed(harbour.place(), [BERTH, "trend.csv"])
    (harbour.root / "trend.csv").write_text("mine\n")
    (harbour.root / BERTH).write_text("mine\n")
    changing.demand_committed(harbour.place(), [])
    with pytest.raises(CockpitError, match=r"^quay/berth\.py trend\.csv: .* git commit"):
        changing.demand_committed(harbour.place(), [BERTH, "trend.csv"])
    (harbour.root / LEDGER).unlink(missing_ok=True)
    (harbour.root / LEDGER).parent.mkdir(exist_ok=True)
    (harbour.root / LEDGER).write_text("{}\n")
    with pytest.raises(CockpitError, match=re.escape(f"{LEDGER}: changed or not tracked")):
        changing.demand_committed(harbour.place(), [])


def test_a_link_that_is_tracked_is_no_obstacle_where_nothing_writes_it(harbour: Harbour):
    place = harbour.place()
    oid = next(iter(place.entries.values())).oid
    place.__dict__["entries"] = {**place.entries, "link": Entry("link", "120000", "blob", oid)}
    (harbour.root / "link").symlink_to("elsewhere")
    changing.demand_committed(place, ["link"])


@given(st.binary())
def test_any_bytes_can_be_noted(data: bytes):
    [noted] = parse(artifacts.canonical([changing._text(data)]))
    assert changing._bytes(noted) == data
