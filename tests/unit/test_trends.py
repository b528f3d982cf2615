"""The trend of coverage, derived from the ledger; cells that anybody may have named."""

from __future__ import annotations

import csv
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.records import ledger, ledger_epoch, tables
from pytest_cockpit.registry import trends
from tests.measured_modules import JSON, LEDGER, ROWS, coverage, place

HEADER = "date,module,coverage_pct,delta_from_previous\n"
OLD = "manifests/.ledger/coverage.ndjson"


def row(day, module, statements, missing):
    measured = {"statements": statements, "missing": missing}
    return coverage("a" * 40, at=f"2026-01-{day:02}T23:59:59Z", module=module, **measured)


def test_every_measured_coverage_is_a_line_with_what_changed():
    rows = [
        row(1, "a", 3, 1),
        row(1, "b", 4, 4),
        {"kind": "promotion", "module": "a"},
        row(2, "a", 3, 2),
        row(2, "b", 4, 4),
        row(3, "c", None, None),
        row(3, "d", 0, 0),
        row(3, "a", 3, 1),
    ]
    assert trends.coverage(rows).decode() == (
        f"{HEADER}2026-01-01,a,66.67,\n2026-01-01,b,0.00,\n2026-01-02,a,33.33,-33.34\n"
        "2026-01-02,b,0.00,+0.00\n2026-01-03,a,66.67,+33.34\n"
    )
    assert trends.coverage([]).decode() == HEADER


def test_nearly_all_is_not_all_and_nearly_nothing_is_something():
    rows = [row(1, name, 100_000, missing) for name, missing in (("a", 1), ("b", 99_999))]
    lines = trends.coverage(rows).decode().splitlines()
    assert [line.split(",")[2] for line in lines[1:]] == ["99.99", "0.01"]


def test_a_longer_ledger_only_adds_lines():
    rows = [row(day, module, 7, day) for day in range(1, 7) for module in "ab"]
    for count in range(len(rows)):
        assert trends.coverage(rows).startswith(trends.coverage(rows[:count]))


@given(ROWS)
def test_rows_of_any_shape_give_four_columns(rows):
    lines = list(csv.reader(io.StringIO(trends.coverage(rows).decode(), newline="")))
    assert [len(line) for line in lines] == [4] * len(lines)


WORDS = st.text(st.sampled_from("=+-@'\"|,;\t\r\n a/cmd\u2028\uff1d\x00") | st.characters())


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "a;=1", "x,=1"])
def test_a_name_that_a_spreadsheet_would_compute_is_kept_from_it(name):
    (cell,) = csv.reader(io.StringIO(tables.table([tables.cell(name)], []).decode()))
    assert not any(re.match(r"[\s]*[=+\-@]", part) for part in re.split("[,;|]", cell[0]))


@given(WORDS)
def test_any_name_is_one_line_and_no_formula(name):
    content = tables.table(("module",), [(tables.cell(name),)]).decode()
    assert content.count("\n") == 2 - (tables.cell(name) == "" and content.count("\n") != 2)
    ((cell,),) = list(csv.reader(io.StringIO(content, newline="")))[1:] or [([""])]
    assert not any(
        re.match(r"\s*[=+\-@\uff1d\uff0b\uff0d\uff20]", part) for part in re.split("[,;|]", cell)
    )
    assert cell.isprintable()


@given(WORDS, WORDS)
def test_two_names_are_two_cells(one, other):
    printable = [name for name in (one, other) if name.isprintable() and "\\" not in name]
    if len(set(printable)) == 2:
        assert tables.cell(one) != tables.cell(other)


def imported(make_repository, *files):
    content = {path: data for path, data in files if data.strip()}
    ledger_row = ledger_epoch.row(content, [])
    return make_repository({**dict(files), LEDGER: ledger.extend(b"", [ledger_row])})


def test_imported_history_is_a_table_of_its_own(make_repository):
    old = [
        {"ts": "2025-10-05T10:10:40.649802+00:00", "module": "tide", "coverage": 4.12},
        {"timestamp": "2025-10-06T00:00:00Z", "module": "tide", "coverage_pct": 5},
        {"ts": "2025-10-06", "module": "=1", "coverage": 0.0},
        *({"ts": "soon", "module": "x", "coverage": 1}, {"module": "x", "coverage": 1}),
        *({"ts": "2025-10-06", "module": "x", "coverage": 101}, {"ts": "2025-10-06"}, []),
    ]
    data = "".join(f"{json.dumps(each)}\n" for each in old) + "no row\n"
    made = imported(make_repository, (OLD, data.encode()))
    here = place(made)
    assert trends.unverified(here).decode() == (
        f"{HEADER}2025-10-05,tide,4.12,\n2025-10-06,tide,5.00,+0.88\n2025-10-06,'=1,0.00,\n"
    )
    assert trends.coverage(here.rows).decode() == HEADER, "nobody vouches for it"
    made.commit({OLD: data.replace("4.12", "99")})
    assert trends.unverified(place(made)) is None, "no longer what was imported"


def test_without_imported_figures_there_is_no_second_table(make_repository):
    made = imported(make_repository, ("old.ndjson", b'{"ts": "2025-10-06", "tag": "v1"}\n'))
    assert trends.unverified(place(made)) is None
    made.commit({LEDGER: None})
    assert trends.unverified(place(made)) is None


@given(st.lists(st.dictionaries(st.sampled_from(["ts", "timestamp", "module", "coverage"]), JSON)))
def test_lines_of_any_shape_are_read(rows):
    content = b"".join(json.dumps(each).encode() + b"\n" for each in rows)
    for date, module, percent in trends._points(content):
        assert len(date) == 10
        assert module
        assert 0 <= percent <= 100


@given(st.binary())
def test_bytes_of_any_kind_are_read(content):
    assert list(trends._points(content)) is not None
