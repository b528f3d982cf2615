from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Move
from pytest_cockpit.records import baselines
from pytest_cockpit.records.baselines import Baseline

VALUES = st.integers(-(2**53), 2**53) | st.text() | st.none() | st.booleans() | st.floats(-1, 1)
ENTRIES = st.dictionaries(st.text(min_size=1), st.dictionaries(st.text(), VALUES))
BASELINE = Baseline("coverage", {"a.py": {"lines": 0.5}, "b.py": {"lines": 1.0}}, {"tool": "7.6"})


def move(source: str, target: str) -> Move:
    return Move(source, target, "0" * 40)


@given(ENTRIES, st.dictionaries(st.text(), VALUES))
def test_what_is_dumped_is_parsed(entries, meta):
    baseline = Baseline("coverage", entries, meta)
    data = baselines.dump(baseline)
    assert baselines.parse(data, "x.json") == baseline
    assert baselines.dump(baselines.parse(data, "x.json")) == data


def test_dumping_again_gives_no_difference():
    turned = Baseline("coverage", dict(reversed(list(BASELINE.entries.items()))), BASELINE.meta)
    assert baselines.dump(BASELINE) == baselines.dump(turned)
    assert json.loads(baselines.dump(BASELINE)) == {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "coverage",
        "entries": {"a.py": {"lines": 0.5}, "b.py": {"lines": 1.0}},
        "meta": {"tool": "7.6"},
    }


@given(st.binary() | ENTRIES.map(lambda entries: json.dumps(entries).encode()))
def test_any_bytes_are_parsed_or_refused_in_lines_that_name_the_file(data):
    found: Baseline | str
    try:
        found = baselines.parse(data, "x.json")
    except CockpitError as error:
        found = str(error)
    if isinstance(found, str):
        assert all(line.startswith("x.json: ") for line in found.split("\n"))
    else:
        assert baselines.parse(baselines.dump(found), "x.json") == found


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"[]", "x.json: (top level): expected baseline, got an empty array"),
        (b"{", "x.json: not JSON (Expecting property name"),
        (b'{"a":1,"a":1}', 'x.json: not JSON (key "a" appears twice in one object); restore it'),
        (b"[" * 100_000, "x.json: not JSON (nested deeper than 100 levels); restore it from git"),
        (
            b'{"schema":"pytest-cockpit/baseline/9","gate":"x","entries":{"":{},"a":1},"meta":{}}',
            (
                'x.json: /entries/: expected path, got ""\n'
                "x.json: /entries/a: expected object, got 1\n"
                'x.json: /schema: expected "pytest-cockpit/baseline/1", got "pytest-'
            ),
        ),
    ],
)
def test_errors_name_file_and_key(document: bytes, words: str):
    with pytest.raises(CockpitError) as caught:
        baselines.parse(document, "x.json")
    assert str(caught.value).startswith(words)


def test_bounds_follow_their_files():
    after = baselines.renamed(BASELINE, [move("a.py", "core/a.py"), move("z.py", "y.py")])
    assert after.entries == {"core/a.py": {"lines": 0.5}, "b.py": {"lines": 1.0}}
    assert (after.gate, after.meta) == (BASELINE.gate, BASELINE.meta)
    assert BASELINE.entries.keys() == {"a.py", "b.py"}


def test_moves_happen_at_once_and_a_stale_bound_gives_way():
    swapped = baselines.renamed(BASELINE, [move("a.py", "b.py"), move("b.py", "a.py")])
    assert swapped.entries == {"a.py": {"lines": 1.0}, "b.py": {"lines": 0.5}}
    over = baselines.renamed(BASELINE, [move("a.py", "b.py")])
    assert over.entries == {"b.py": {"lines": 0.5}}


def test_names_that_are_no_utf_8_are_found_as_they_are_written():
    written = baselines.parse(baselines.dump(Baseline("x", {"a\udcff.py": {}})), "x.json")
    assert baselines.renamed(written, [move("a\udcff.py", "b\udcff.py")]).entries == {
        "b\\udcff.py": {}
    }


def test_loading_finds_the_file_of_the_gate(tmp_path: Path):
    assert baselines.path_of(".cockpit", "coverage") == ".cockpit/baselines/coverage.json"
    assert baselines.load(tmp_path, ".cockpit", "coverage") is None
    path = tmp_path / ".cockpit/baselines/coverage.json"
    path.parent.mkdir(parents=True)
    path.write_bytes(baselines.dump(BASELINE))
    assert baselines.load(tmp_path, ".cockpit", "coverage") == BASELINE


def test_a_baseline_that_cannot_be_used_is_not_taken_for_a_missing_one(tmp_path: Path):
    folder = tmp_path / ".cockpit/baselines"
    folder.mkdir(parents=True)
    (folder / "imports.json").write_bytes(baselines.dump(BASELINE))
    (folder / "empty.json").write_bytes(b"")
    (folder / "folder.json").mkdir()
    (folder / "gone.json").symlink_to("nowhere")
    expected = {
        "imports": '/gate: expected "imports", got "coverage"',
        "empty": "not JSON (Expecting value",
        "folder": "cannot read (Is a directory)",
        "gone": "a link to nothing",
    }
    for gate, words in expected.items():
        with pytest.raises(CockpitError) as caught:
            baselines.load(tmp_path, ".cockpit", gate)
        assert f"baselines/{gate}.json: {words}" in str(caught.value)


@pytest.mark.parametrize("gate", ["../x", "", "a/b", "A", "x\n"])
def test_a_gates_name_cannot_lead_elsewhere(gate: str):
    with pytest.raises(CockpitError, match="gate's name is"):
        baselines.path_of(".cockpit", gate)
