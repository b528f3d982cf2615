"""What pytest-benchmark wrote is read, or refused in one line; nothing else happens."""

from __future__ import annotations

import json
import math
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.benchmarking import reading
from pytest_cockpit.benchmarking.reading import Times

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["benchmarks", "fullname", "stats", "data"]) | st.text(max_size=5),
            inner,
            max_size=3,
        )
    ),
    max_leaves=12,
)


def written(*rows):
    return json.dumps(
        {"benchmarks": [{"fullname": name, "stats": {"data": data}} for name, data in rows]}
    )


def read(text):
    return reading.times(text if isinstance(text, bytes) else text.encode(), "results.json")


def refusal(text):
    with pytest.raises(CockpitError) as caught:
        read(text)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_times_are_read_with_their_median():
    assert read(written(("t.py::a", [3, 1.0, 2]))) == {"t.py::a": Times(3, 2.0, 1, (3.0, 1.0, 2.0))}


def test_of_many_times_each_so_many_is_kept_and_the_median_is_of_all():
    found = read(written(("a", list(range(1, 1502)))))["a"]
    assert (found.count, found.median, found.every) == (1501, 751.0, 4)
    assert found.kept == tuple(map(float, range(1, 1502, 4)))


@pytest.mark.parametrize("text", ["", written()])
def test_no_benchmark_is_none(text):
    assert read(text) == {}


def test_a_name_is_one_printable_line():
    assert list(read(written(("t.py::a[\n\x1b[31m]", [1])))) == ["t.py::a[\\n\\x1b[31m]"]


@pytest.mark.parametrize(
    "text, said",
    [
        (written(("a", [1.0]))[:-3], "not JSON"),
        (written(("a", [math.nan])), "NaN"),
        (written(("a", [math.inf])), "Infinity"),
        ('{"benchmarks": [{"fullname": "a", "stats": {"data": [1e999]}}]}', "out of range"),
        (written(("a", [-1.0])), "/benchmarks/0/stats/data/0"),
        (written(("a", [1e300])), "/benchmarks/0/stats/data/0"),
        (written(("a", [])), "/benchmarks/0/stats/data"),
        (written(("", [1])), "/benchmarks/0/fullname"),
        (written(("a", ["1"])), "/benchmarks/0/stats/data/0"),
        (written(("a", [1]), ("a", [2])), "appears twice"),
        ("[]", "expected pytest-benchmark"),
        ("{}", "benchmarks"),
        (b"\xff\xfe", "not JSON"),
        ("[" * 2000, "not JSON"),
    ],
)
def test_anything_else_is_refused_in_one_line(text, said):
    assert said in refusal(text)


@given(JSON.map(lambda value: json.dumps(value).encode()) | st.binary(max_size=60))
def test_no_content_does_anything_but_be_read_or_refused(data):
    said, found = "", {}
    try:
        found = read(data)
    except CockpitError as error:
        said = str(error)
    assert "\n" not in said
    assert all(isinstance(times, Times) for times in found.values())


def test_a_file_that_is_none_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "real.json").write_text(written(("a", [1.0])))
    (tmp_path / "link.json").symlink_to("real.json")
    (tmp_path / "folder").mkdir()
    for name, said in (
        ("pipe", "regular"),
        ("link.json", "cannot be read"),
        ("folder", "cannot be read"),
    ):
        with pytest.raises(CockpitError, match=said):
            reading.load(tmp_path / name)
    assert reading.load(tmp_path / "none.json") == {}
    assert list(reading.load(tmp_path / "real.json")) == ["a"]


def test_a_file_too_large_is_not_read(tmp_path):
    with (tmp_path / "huge.json").open("wb") as stream:
        stream.truncate(reading.LARGEST + 1)
    with pytest.raises(CockpitError, match="benchmark-max-time"):
        reading.load(tmp_path / "huge.json")
