"""What nights are held against: pure figures, no device."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest

from benchmarks import gemm_history
from benchmarks.gemm_history import Night
from pytest_cockpit.api import CockpitError

NIGHT = Night(
    at="2026-11-21T02:00:00+00:00",
    commit="0123456789ab",
    machine="abc",
    platform="pocl",
    version="OpenCL 3.0 PoCL 3.1",
    device="a CPU",
    kernel="static",
    variant="panels-6x16-v8",
    size=512,
    pairs=8,
    wall_s=0.002,
    cpu_s=0.004,
    best_s=0.0019,
    openblas=(1.0, 0.98, 1.02),
)


def nights(count, spread=0.01, seed=1):
    chance = random.Random(seed)
    return [faster(math.exp(chance.gauss(0, spread))) for _ in range(count)]


def faster(times):
    return replace(NIGHT, openblas=(times, times * 0.98, times * 1.02))


def test_rows_come_back_as_they_were_written(tmp_path):
    rows = [NIGHT, replace(NIGHT, openblas=None, clblast=(3.0, 2.9, 3.1))]
    gemm_history.write(tmp_path / "new", rows)
    assert gemm_history.read(tmp_path / "new") == rows
    head, first, second = (tmp_path / "new/trend.csv").read_text().splitlines()
    assert first.split(",")[head.split(",").index("gflops")] == "134.218"
    assert second.endswith(",,,,3.0000")


def test_no_history_is_no_error(tmp_path):
    assert gemm_history.read(tmp_path / "nowhere") == []


@pytest.mark.parametrize(
    "change",
    [
        ("{", "["),
        ('"wall_s":0.002', '"wall_s":0'),
        ('"wall_s":0.002', '"wall_s":NaN'),
        ('"size":512', '"size":"x"'),
        ('"kernel"', '"kernels"'),
        ("[1", '["x"'),
        ("[1", "[1,1"),
    ],
)
def test_a_line_that_is_no_row_is_named(tmp_path, change):
    gemm_history.write(tmp_path, [NIGHT, NIGHT])
    path = tmp_path / gemm_history.NAME
    first, second = path.read_text().splitlines()
    assert change[0] in second
    path.write_text(f"{first}\n{second.replace(*change, 1)}\n")
    with pytest.raises(CockpitError, match=r"history\.ndjson: line 2 is no row of a night"):
        gemm_history.read(tmp_path)


def test_little_history_says_nothing():
    for before in (0, 9):
        [said] = gemm_history.judged([faster(0.1)], nights(before))
        assert said.verdict == "unknown"
    [said] = gemm_history.judged([replace(NIGHT, openblas=None)], nights(30))
    assert said.verdict == "unknown"


def test_what_is_slower_is_seen_and_what_is_faster_is_no_complaint():
    past = nights(30)
    said = gemm_history.judged([faster(0.85), faster(1.0), faster(1.3)], past)
    assert [it.verdict for it in said] == ["slower", "as before", "as before"]
    assert "expected at most" in said[0].words


@pytest.mark.parametrize("other", ["machine", "platform", "version", "device", "kernel"])
def test_only_nights_alike_are_compared_with(other):
    past = [replace(night, **{other: "another"}) for night in nights(30)]
    [said] = gemm_history.judged([faster(0.5)], past)
    assert said.verdict == "unknown"


def test_a_night_in_which_nothing_changed_seldom_complains():
    """1 % of nights at most; twelve of 400 are three times that."""
    alarms = 0
    for seed in range(400):
        past = nights(20, seed=seed)
        rows = nights(6, seed=10_000 + seed)
        alarms += any(it.verdict == "slower" for it in gemm_history.judged(rows, past))
    assert alarms <= 12


def test_a_ratio_takes_six_pairs_and_holds_the_truth():
    assert gemm_history.ratio([(1.0, 2.0)] * 5) is None
    found = gemm_history.ratio([(1.0, 2.0), (1.0, 2.2), (1.0, 1.8)] * 4)
    assert found is not None
    estimate, low, high = found
    assert low < 2.0 < high
    assert low <= estimate <= high
