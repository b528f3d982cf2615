"""The fast way to read a row is the thorough way, only faster."""

from __future__ import annotations

import json
import string
from datetime import UTC, datetime
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records import ledger_kinds, ledger_rows, schema
from pytest_cockpit.records.ledger_rows import LedgerError, line_of, row_of
from pytest_cockpit.records.text import plain

SHA = "ab" * 32
TEXT = st.text() | st.sampled_from(
    ["\ud800", "\u2028", "\x7f", "\U0001f600", "\ue000", '"\\/\b\x00']
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**64), 2**64) | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)
ROWS = st.dictionaries(TEXT | st.sampled_from(["at", "kind"]), VALUES, max_size=4).map(
    lambda row: {"seq": 3, "prev": SHA, "kind": "x"} | row
)


def written(row, **options) -> bytes:
    return json.dumps(row, **options).encode("utf-8", "surrogatepass") + b"\n"


@given(
    ROWS,
    st.booleans(),
    st.booleans(),
    st.sampled_from([(",", ":"), (", ", ":"), (",", ": ")]),
)
def test_both_ways_agree_on_any_line(row, ordered, escaped, separators):
    line = written(row, sort_keys=ordered, ensure_ascii=escaped, separators=separators)
    assert row_of(line) == ledger_rows._thoroughly(line)


@given(ROWS)
def test_what_is_canonical_is_a_row(row):
    try:
        line = rfc8785.dumps(plain(row)) + b"\n"
    except ValueError:
        return
    found, reason = row_of(line)
    assert (found, reason) == ledger_rows._thoroughly(line)
    assert (found is None) == bool(reason)


@given(st.binary(max_size=120) | st.text(max_size=60).map(lambda text: text.encode() + b"\n"))
def test_any_bytes_are_a_row_or_not(data):
    assert row_of(data) == ledger_rows._thoroughly(data)


LINE = line_of({"kind": "x", "n": [1, {"a": "é", "b": None}]}, 0, SHA)


@given(st.data())
def test_both_ways_agree_on_a_damaged_row(data):
    at = data.draw(st.integers(0, len(LINE)))
    length = data.draw(st.integers(0, 3))
    damaged = LINE[:at] + data.draw(st.binary(max_size=3)) + LINE[at + length :]
    assert row_of(damaged) == ledger_rows._thoroughly(damaged)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"x","n":1e-05,"prev":"@","seq":0}',
        '{"kind":"x","n":1e+16,"prev":"@","seq":0}',
        '{"kind":"x","n":1.0,"prev":"@","seq":0}',
        '{"kind":"x","n":-0,"prev":"@","seq":0}',
        '{"kind":"x","n":NaN,"prev":"@","seq":0}',
        '{"kind":"x","n":-Infinity,"prev":"@","seq":0}',
        '{"kind":"x","n":9007199254740993,"prev":"@","seq":0}',
        '{"kind":"x","n":"\\u00e9","prev":"@","seq":0}',
        '{"kind":"x","n":"\\/","prev":"@","seq":0}',
        '{"kind":"x","n":"\\u001F","prev":"@","seq":0}',
        '{"kind":"x","n":"\\ud800","prev":"@","seq":0}',
        '{"kind":"x","kind":"x","prev":"@","seq":0}',
        '{"kind":"x","prev":"@","seq":true}',
        '{"kind":"x","prev":"@","seq":0} ',
        ' {"kind":"x","prev":"@","seq":0}',
        '{"kind":"x","prev":"@","seq":0}\r',
        '{"kind":"x","\ue000":1,"\U0001f600":2,"prev":"@","seq":0}',
        '["kind"]',
        "0",
    ],
)
def test_what_only_looks_canonical_is_refused(text: str):
    line = text.replace("@", SHA).encode() + b"\n"
    assert row_of(line)[0] is None
    assert row_of(line) == ledger_rows._thoroughly(line)


@pytest.mark.parametrize(
    "text",
    [
        '{"kind":"x","n":1.5,"prev":"@","seq":0}',
        '{"kind":"x","n":9007199254740991,"prev":"@","seq":0}',
        '{"kind":"x","n":"\\u001f\\b\x7f\u2028","prev":"@","seq":0}',
        '{"kind":"x","prev":"@","seq":0,"\U0001f600":2,"\ue000":1}',
    ],
)
def test_what_is_canonical_is_read_either_way(text: str):
    line = text.replace("@", SHA).encode() + b"\n"
    assert row_of(line) == (json.loads(text.replace("@", SHA)), "")


def test_nesting_is_bounded_on_every_version_of_python():
    for depth in (101, 9000):
        nested = '{"kind":"x","n":' + "[" * depth + "]" * depth + ',"prev":"@","seq":0}\n'
        row, reason = row_of(nested.replace("@", SHA).encode())
        assert row is None
        assert "nested deeper than 100 levels" in reason


@given(st.dictionaries(st.sampled_from(["seq", "prev", "kind", "at"]), VALUES, max_size=4))
def test_the_fast_validator_accepts_what_the_schema_does(row):
    try:
        fit = plain(row)
    except ValueError:
        return
    assert ledger_kinds.judge("ledger-row")(fit) == (schema.problems(row, "ledger-row") == [])


GOOD: dict[str, dict[str, Any]] = {
    "promotion": {
        "batch_id": "b",
        "base": "a" * 40,
        "plan_sha256": SHA,
        "moves": [{"source": "a", "target": "b", "source_blob": "a" * 40, "target_blob": "b" * 64}],
        "shims": ["a"],
    },
    "rollback": {
        "batch_id": "c",
        "rolls_back": "b",
        "base": "a" * 40,
        "plan_sha256": SHA,
        "moves": [{"source": "b", "target": "a", "source_blob": "a" * 40, "target_blob": "b" * 64}],
    },
    "content": {"path": "a", "sha256": SHA, "blob": "a" * 40, "previous": None, "base": None},
    "epoch": {
        "verified": False,
        "files": [{"path": "a", "sha256": SHA, "bytes": 3, "rows": 1}],
    },
    "tag": {"tag": "v1", "object": "a" * 40, "commit": "a" * 40},
    "waiver": {
        "id": "w-1",
        "rule": "imports.cycle",
        "scope": {"file": "a.py"},
        "reason": "long enough to read",
        "owner": "port",
        "expires": "2026-02-01",
        "at": "2026-01-31T12:00:00Z",
    },
    "waiver-revoked": {"id": "w-1", "reason": "mended", "owner": "port"},
    "freeze": {
        "at": "2026-01-31T12:00:00Z",
        "tag": "v1",
        "freeze": "baseline",
        "base": "a" * 40,
        "manifest": "docs/_generated/BASELINE_FREEZE.json",
        "manifest_sha256": SHA,
    },
    "coverage": {
        "at": "2026-01-31T12:00:00Z",
        "module": "port",
        "commit": "a" * 40,
        "state": "failed",
        "statements": 40,
        "missing": 2,
        "tests": {"passed": 8, "failed": 1, "errors": 0, "skipped": 0},
        "data_sha256": SHA,
    },
    "benchmark": {
        "at": "2026-01-31T12:00:00Z",
        "module": "port",
        "benchmark": "port/benchmarks/test_tide.py::test_height",
        "commit": "a" * 40,
        "fingerprint": SHA,
        "unit": "s",
        "samples": 600,
        "median": 0.002,
        "low": 0.001,
        "high": 0.003,
        "data_sha256": SHA,
    },
    "scaffold": {
        "at": "2026-01-31T12:00:00Z",
        "module": "port",
        "template_sha256": SHA,
        "files": [{"path": "port/README.md", "sha256": SHA}],
    },
    "merged": {
        "common": 2,
        "first": {"rows": 4, "head": SHA},
        "second": {"rows": 3, "head": SHA},
    },
}


def test_every_kind_has_a_sample():
    assert set(GOOD) == ledger_kinds.KINDS


@pytest.mark.parametrize("kind", GOOD)
def test_a_row_has_the_keys_of_its_kind(kind: str):
    row = {"kind": kind, **GOOD[kind]}
    assert ledger_kinds.misfits(row) == []
    assert ledger_kinds.fits(row)
    for key in GOOD[kind]:
        less = {name: value for name, value in row.items() if name != key}
        assert any(f"/{key}" in str(problem) for problem in ledger_kinds.misfits(less)), key
        assert not ledger_kinds.fits(less)
        for wrong in ([3], -3, {"x": 1}, True):
            assert ledger_kinds.misfits({**row, key: wrong}), (key, wrong)
    assert ledger_kinds.misfits({"kind": "else"}) == []


@pytest.mark.parametrize("path", ["/etc/passwd", "../x", "a/../b", "a/./b", "..", "a\nb", ""])
@pytest.mark.parametrize("kind", ["content", "epoch", "scaffold"])
def test_a_row_leads_to_no_file_outside_of_the_repository(kind: str, path: str):
    row = json.loads(json.dumps({"kind": kind, **GOOD[kind]}))
    (row["files"][0] if "files" in row else row)["path"] = path
    assert ledger_kinds.misfits(row)


@given(st.datetimes(timezones=st.just(UTC)), st.sampled_from(["Z", "+00:00"]))
def test_times_are_told_by_any_name(when: datetime, zone: str):
    text = when.strftime("%Y").rjust(4, "0") + when.strftime("-%m-%dT%H:%M:%S") + zone
    row, reason = row_of(line_of({"kind": "x", "at": text}, 0, SHA))
    assert row is not None, reason


def test_a_row_that_the_ledger_numbers_itself_is_refused():
    with pytest.raises(LedgerError, match="seq: set by the ledger"):
        line_of({"kind": "x", "seq": 1}, 0, SHA)
    assert set(string.hexdigits.lower()) >= set(SHA)
