from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import filelock
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import artifacts, ledger, ledger_append
from pytest_cockpit.records.ledger import Break, LedgerError


def made(count: int) -> bytes:
    return ledger.extend(b"", ({"kind": "promotion", "number": number} for number in range(count)))


def lines(data: bytes) -> list[bytes]:
    return data.splitlines(keepends=True)


# Chains


def test_rows_are_chained_by_the_digest_of_the_row_before():
    data = ledger.extend(b"", [{"kind": "a", "at": "2026-01-31T12:00:00Z"}, {"kind": "b"}])
    first, second = lines(data)
    assert first == (
        b'{"at":"2026-01-31T12:00:00Z","kind":"a","prev":"' + b"0" * 64 + b'","seq":0}\n'
    )
    assert json.loads(second) == {"kind": "b", "prev": artifacts.sha256(first), "seq": 1}
    assert ledger.verify(data) == []
    assert ledger.rows(data) == [json.loads(first), json.loads(second)]
    assert ledger.head(data) == artifacts.sha256(second)


def test_an_empty_ledger_is_whole():
    assert ledger.verify(b"") == []
    assert ledger.rows(b"") == []
    assert ledger.head(b"") == ledger.START == "0" * 64
    assert ledger.verify(b"", head=ledger.START) == []


@given(
    st.lists(
        st.dictionaries(
            st.text().filter(lambda key: key not in {"seq", "prev", "kind", "at"}),
            st.integers(0, 9) | st.text() | st.floats(-1e9, 1e9) | st.none(),
        ),
        max_size=5,
    ),
    st.integers(0, 5),
)
def test_extending_twice_is_extending_once(payloads, cut):
    rows = [{**payload, "kind": "x"} for payload in payloads]
    data = ledger.extend(ledger.extend(b"", rows[:cut]), rows[cut:])
    assert data == ledger.extend(b"", rows)
    assert ledger.verify(data, ledger.head(data)) == []
    stripped = [
        {key: value for key, value in row.items() if key not in {"seq", "prev"}}
        for row in ledger.rows(data)
    ]
    assert stripped == rows


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "ledger row: /kind: missing"),
        ({"kind": "Two Words"}, "ledger row: /kind: expected lower-case words joined by hyphens"),
        ({"kind": "x", "seq": 3}, "ledger row: seq: set by the ledger; leave it out"),
        ({"kind": "x", "prev": ""}, "ledger row: prev: set by the ledger; leave it out"),
        ({"kind": "x", "at": "yesterday"}, "ledger row: /at: expected UTC time such as"),
        ({"kind": "x", "at": "2026-01-31T12:00:00+02:00"}, "ledger row: /at: expected UTC time"),
        ({"kind": "x", "at": "2026-13-31T12:00:00Z"}, 'ledger row: /at: "2026-13-31T12:00:00Z" is'),
        ({"kind": "x", "y": float("nan")}, "ledger row: /y: nan is no JSON number"),
        ({"kind": "x", "y": {1, 2}}, "ledger row: /y: set has no form in JSON"),
        ({"kind": "x", "y": 2**53}, "exceeds safe integer domain"),
        ({"kind": "x", "y": 6.8e16}, "ledger row: not a JSON row"),
        ({"kind": "torn-tail"}, "ledger row: /file: missing"),
    ],
)
def test_rows_that_do_not_fit_are_refused_and_nothing_is_written(
    tmp_path: Path, row: dict[str, Any], words: str
):
    path = tmp_path / "x.ndjson"
    ledger.append(path, {"kind": "x"})
    before = path.read_bytes()
    for attempt in (lambda: ledger.extend(b"", [row]), lambda: ledger.append(path, row)):
        with pytest.raises(CockpitError) as caught:
            attempt()
        assert words in str(caught.value)
    assert path.read_bytes() == before


# Tampering


def edited(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[2].replace(b'"number":2', b'"number":7'), *rows[3:]]


def deleted(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], *rows[3:]]


def deleted_first(rows: list[bytes]) -> list[bytes]:
    return rows[1:]


def inserted(rows: list[bytes]) -> list[bytes]:
    forged = lines(ledger.extend(b"".join(rows[:2]), [{"kind": "forged"}]))[2]
    return [*rows[:2], forged, *rows[2:]]


def reordered(rows: list[bytes]) -> list[bytes]:
    return [*rows[:2], rows[3], rows[2], *rows[4:]]


def duplicated(rows: list[bytes]) -> list[bytes]:
    return [*rows[:3], *rows[2:]]


def duplicated_last(rows: list[bytes]) -> list[bytes]:
    return [*rows, rows[-1]]


@pytest.mark.parametrize(
    ("tamper", "breaks"),
    [
        (edited, [Break(3, 4, "prev is not the digest of the row before")]),
        (deleted, [Break(3, 3, "seq is 3, expected 2")]),
        (deleted_first, [Break(1, 1, "seq is 1, expected 0")]),
        (inserted, [Break(2, 4, "seq is 2, expected 3")]),
        (
            reordered,
            [
                Break(3, 3, "seq is 3, expected 2"),
                Break(2, 4, "seq is 2, expected 4"),
                Break(4, 5, "seq is 4, expected 3"),
            ],
        ),
        (duplicated, [Break(2, 4, "seq is 2, expected 3")]),
        (duplicated_last, [Break(4, 6, "seq is 4, expected 5")]),
    ],
    ids=lambda value: value.__name__ if callable(value) else "",
)
def test_tampering_is_found_where_it_is(tamper, breaks: list[Break]):
    damaged = b"".join(tamper(lines(made(5))))
    assert ledger.verify(damaged) == breaks
    for use in (ledger.rows, lambda data: ledger.extend(data, [])):
        with pytest.raises(LedgerError, match=rf"^ledger line {breaks[0].line}: seq ") as caught:
            use(damaged)
        assert "restore the ledger from git" in str(caught.value)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"\n", "not a JSON row (Expecting value: line 2 column 1 (char 1))"),
        (b"{}\n", "not a ledger row (/kind: missing)"),
        (b'{"seq":1,"seq":1}\n', 'not a JSON row (key "seq" appears twice in one object)'),
        (b"\0\0\0\n", "not a JSON row (Expecting value: line 1 column 1 (char 0))"),
    ],
)
def test_lines_that_are_no_rows_are_found(line: bytes, reason: str):
    assert ledger.verify(made(1) + line) == [Break(1, 2, reason)]


def test_the_same_row_in_another_form_is_found():
    data = made(3)
    spaced = data.replace(b',"number":1', b', "number":1')
    assert [found.reason for found in ledger.verify(spaced)] == [
        "not in canonical form",
        "prev is not the digest of the row before",
    ]
    windows = data.replace(b"\n", b"\r\n")
    assert {found.reason for found in ledger.verify(windows)} >= {"not in canonical form"}


def test_a_changed_end_is_found_by_the_head_kept_elsewhere():
    data = made(3)
    head = ledger.head(data)
    shorter = b"".join(lines(data)[:-1])
    changed = data.replace(b'"number":2', b'"number":7')
    for damaged, line in ((shorter, 2), (changed, 3), (b"", 1)):
        assert ledger.verify(damaged) == []
        [found] = ledger.verify(damaged, head)
        assert (found.line, found.reason) == (line, "the last row is not the expected head")


WHOLE = made(4)
HEAD = ledger.head(WHOLE)


@given(st.data())
def test_no_change_of_a_byte_goes_unseen(data):
    at = data.draw(st.integers(0, len(WHOLE)))
    length = data.draw(st.integers(0, len(WHOLE) - at))
    damaged = WHOLE[:at] + data.draw(st.binary(max_size=5)) + WHOLE[at + length :]
    assert (ledger.verify(damaged, HEAD) == []) == (damaged == WHOLE)


@given(st.binary() | st.lists(st.sampled_from([*lines(WHOLE), b"{}\n", b"x"])).map(b"".join))
def test_any_bytes_are_judged(data):
    breaks = ledger.verify(data)
    assert ledger.head(data)
    try:
        rows = ledger.rows(data)
    except LedgerError:
        rows = None
    assert (rows is None) == bool(breaks)
    assert all("\n" not in found.reason and found.line >= 1 for found in breaks)


# Appending


def test_append_makes_the_ledger_and_returns_digests(tmp_path: Path):
    path = tmp_path / "a" / "x.ndjson"
    digests = [ledger.append(path, {"kind": "x", "number": number}) for number in range(3)]
    data = path.read_bytes()
    assert digests == [artifacts.sha256(line) for line in lines(data)]
    stripped = [{"kind": "x", "number": number} for number in range(3)]
    assert data == ledger.extend(b"", stripped)


def test_append_reads_the_end_of_a_ledger_with_rows_of_any_length(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    for size in (10, 200_000, 64 * 1024, 10, 300_000, 1):
        ledger.append(path, {"kind": "x", "text": "x" * size})
    assert ledger.verify(path.read_bytes()) == []


@pytest.mark.parametrize(
    "torn", [b"{", b'{"kind":"x","numb', b"\0" * 5000, b"\xff\xfe", b"x" * 99_999]
)
def test_a_torn_tail_is_told_kept_aside_and_recorded(tmp_path: Path, torn: bytes):
    path = tmp_path / "x.ndjson"
    path.write_bytes(made(2) + torn)
    assert ledger.verify(path.read_bytes()) == [Break(2, 3, "torn")]
    with pytest.raises(LedgerError, match="line 3: seq 2: torn"):
        ledger.rows(path.read_bytes())
    ledger.append(path, {"kind": "x", "at": "2026-01-31T12:00:00Z"})
    data = path.read_bytes()
    assert ledger.verify(data) == []
    assert data.startswith(made(2))
    note, row = ledger.rows(data)[2:]
    assert {key: value for key, value in note.items() if key not in {"prev", "seq"}} == {
        "kind": "torn-tail",
        "sha256": artifacts.sha256(torn),
        "length": len(torn),
        "file": "x.ndjson.torn-1",
        "at": "2026-01-31T12:00:00Z",
    }
    assert row["kind"] == "x"
    assert (tmp_path / "x.ndjson.torn-1").read_bytes() == torn


def test_a_ledger_that_is_all_torn_starts_again(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    path.write_bytes(b"half")
    ledger.append(path, {"kind": "x"})
    assert [row["kind"] for row in ledger.rows(path.read_bytes())] == ["torn-tail", "x"]


def test_torn_tails_do_not_overwrite_each_other_and_one_is_kept_once(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    for torn in (b"one", b"two", b"one"):
        with path.open("ab") as stream:
            stream.write(torn)
        ledger.append(path, {"kind": "x"})
    kept = {found.name: found.read_bytes() for found in tmp_path.glob("*.torn-*")}
    assert kept == {"x.ndjson.torn-1": b"one", "x.ndjson.torn-2": b"two"}
    notes = [row for row in ledger.rows(path.read_bytes()) if row["kind"] == "torn-tail"]
    assert [note["file"][-1] for note in notes] == ["1", "2", "1"]


def test_nothing_is_appended_after_a_last_row_that_is_none(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    path.write_bytes(made(2) + b"no row\n")
    with pytest.raises(LedgerError) as caught:
        ledger.append(path, {"kind": "x"})
    assert str(caught.value).startswith(f"{path}: last row: not a JSON row (")
    assert path.read_bytes() == made(2) + b"no row\n"


def test_what_stands_in_the_way_is_named(tmp_path: Path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").write_bytes(b"")
    for path in (tmp_path / "folder", tmp_path / "file" / "x"):
        with pytest.raises(CockpitError) as caught:
            ledger.append(path, {"kind": "x"})
        assert str(caught.value).startswith(f"{path}: cannot append (")


def test_a_lock_that_is_held_for_too_long_is_named(tmp_path: Path, monkeypatch):
    path = tmp_path / "x.ndjson"
    ledger.append(path, {"kind": "x"})
    monkeypatch.setattr(ledger_append, "_LOCK_SECONDS", 0.05)
    with (
        filelock.FileLock(f"{path}.lock"),
        pytest.raises(CockpitError, match=r"x\.ndjson\.lock: held by another process for"),
    ):
        ledger.append(path, {"kind": "x"})


# Real processes

PRELUDE = """
import os, resource, signal, sys
from pathlib import Path
from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import ledger
path = Path(sys.argv[1])
"""


def start(code: str, *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PRELUDE + code, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )


def test_eight_writers_lose_no_row(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    code = (
        "for n in range(15): print(ledger.append(path, {'kind': 'x', 'by': sys.argv[2], 'n': n}))"
    )
    writers = [start(code, path, number) for number in range(8)]
    said = [writer.communicate(timeout=60) for writer in writers]
    assert [error for _, error in said] == [""] * 8
    data = path.read_bytes()
    assert ledger.verify(data) == []
    rows = ledger.rows(data)
    for number in range(8):
        assert [row["n"] for row in rows if row["by"] == str(number)] == list(range(15))
    told = {digest for output, _ in said for digest in output.split()}
    assert told == {artifacts.sha256(line) for line in lines(data)}


def test_a_writer_killed_within_a_row_leaves_a_torn_tail_that_the_next_one_records(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    ledger.append(path, {"kind": "x"})
    # The kernel writes up to the limit and kills the process when it goes on: within the row.
    code = (
        "resource.setrlimit(resource.RLIMIT_CORE, (0, 0))\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_DFL)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "ledger.append(path, {'kind': 'x', 'text': 'x' * 5000})\n"
    )
    writer = start(code, path)
    writer.communicate(timeout=60)
    assert writer.returncode < 0
    assert path.stat().st_size == 2000
    assert [found.reason for found in ledger.verify(path.read_bytes())] == ["torn"]
    ledger.append(path, {"kind": "after"})
    rows = ledger.rows(path.read_bytes())
    assert [row["kind"] for row in rows] == ["x", "torn-tail", "after"]
    assert (tmp_path / rows[1]["file"]).stat().st_size == rows[1]["length"]


def test_a_full_disk_adds_nothing(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    ledger.append(path, {"kind": "x"})
    before = path.read_bytes()
    code = (
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "try: ledger.append(path, {'kind': 'x', 'text': 'x' * 5000})\n"
        "except CockpitError as error: print(error)\n"
    )
    output, error = start(code, path).communicate(timeout=60)
    assert error == ""
    assert (
        output
        == f"{path}: cannot append (File too large); raise the file size limit and run again\n"
    )
    assert path.read_bytes() == before


def test_kill_9_at_any_moment_loses_no_row_that_was_acknowledged(tmp_path: Path):
    path = tmp_path / "x.ndjson"
    code = (
        "while True:\n"
        "    print(ledger.append(path, {'kind': 'x', 'text': 'x' * 300_000}), flush=True)\n"
    )
    told: list[str] = []
    moments = random.Random(3)
    for _ in range(8):
        writer = start(code, path)
        assert writer.stdout
        told.append(writer.stdout.readline().strip())
        time.sleep(moments.uniform(0.01, 0.15))
        writer.kill()
        output, _ = writer.communicate(timeout=60)
        # The last digest may itself be torn; a whole one has 64 digits.
        told += [word for word in output.split() if len(word) == 64]
        assert {found.reason for found in ledger.verify(path.read_bytes())} <= {"torn"}
    ledger.append(path, {"kind": "after"})
    data = path.read_bytes()
    assert ledger.verify(data) == []
    digests = [artifacts.sha256(line) for line in lines(data)]
    positions = [digests.index(digest) for digest in told]
    assert positions == sorted(positions)
    assert len(told) >= 8
    assert sorted(found.name for found in tmp_path.glob(".cockpit-*")) == []


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@given(st.binary(max_size=200))
def test_appending_to_any_bytes_makes_it_whole_or_is_refused(folder: Path, data):
    path = folder / "x.ndjson"
    path.write_bytes(data)
    try:
        ledger.append(path, {"kind": "x"})
    except LedgerError:
        assert path.read_bytes() == data
    for aside in folder.glob("*.torn-*"):
        aside.unlink()
