"""Whatever stands in an artifact, strict evaluation is a decision, and never one of nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import Verdict
from pytest_cockpit_gates.gemm.strict import artifacts, documents
from pytest_cockpit_gates.gemm.strict.evaluate import evaluate
from pytest_cockpit_gates.gemm.strict.policies import Policies, Row, Weekly
from tests.gemm_artifacts import replay, split
from tests.json_places import places, put

DATA = Path(__file__).parents[1] / "data" / "gemm" / "artifacts"
ARCHIVED = json.loads(next(DATA.glob("week11_block4*")).read_text())
OURS = replay(platforms=("clover",), sizes=(1400,), snapshots=6, sessions=1, iterations=4)
BOTH = split(pairs=8)
POLICIES = Policies(
    Weekly(
        "weekly.json",
        "clover",
        6,
        1e-3,
        0.08,
        0,
        3.0,
        3.0,
        8.0,
        {"auto_t5_guarded:1400": Row(1, 1e6)},
    )
)
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats()
    | st.sampled_from(["", "a\nb", "ok", "clover", "rusticl", "\ud800", "x" * 500]),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3)
    ),
    max_leaves=6,
)


def sound(document: Any, baseline: Any = None) -> str:
    found = evaluate(document, POLICIES, baseline=baseline)
    assert found.checks
    assert found.decision in ("promote", "iterate", "stop", "drop")
    assert found.decision != "promote" or found.verdict is Verdict.PASS
    for check in found.checks:
        assert check.message.isprintable(), check
        assert check.verdict in (Verdict.PASS, Verdict.FAIL, Verdict.UNKNOWN)
        # Whoever is told that something is not green is told what to do, in a line.
        assert bool(check.remedy) is (check.verdict is not Verdict.PASS), check
        assert check.remedy.isprintable(), check
    # What was said can be written, and read again.
    written = json.loads(json.dumps(documents.to_json(found), allow_nan=False))
    assert documents.from_json(written).decision == found.decision
    return found.decision


@settings(max_examples=80, deadline=None)
@given(st.sampled_from(places(OURS, 2)), VALUES)
def test_in_a_replay_of_ours(place, value):
    sound(put(OURS, place, value))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(places(BOTH, 2)), VALUES)
def test_in_a_split_of_ours(place, value):
    sound(put(BOTH, place, value))


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(places(ARCHIVED, 2)), VALUES)
def test_in_an_archived_artifact(place, value):
    assert sound(put(ARCHIVED, place, value)) != "promote"


@settings(max_examples=50, deadline=None)
@given(st.sampled_from(places(OURS, 2)), VALUES)
def test_in_a_baseline(place, value):
    sound(OURS, put(OURS, place, value))


@settings(max_examples=50, deadline=None)
@given(VALUES)
def test_in_place_of_an_artifact(value):
    assert sound(value) == "iterate"
    sound(OURS, baseline=value if value is not None else [])


FREE = {"metrics", "machine", "software", "platforms", "clover", "rusticl"}
"""Objects that may lack a key: what is missing there is unknown where it matters."""
OPTIONAL = {
    "recall",
    "critical_injections",
    "critical_detected",
    "stderr",
    "session",
    "snapshots",
    "seeds",
    "pairs",
    "pressure_pulses",
}


@pytest.mark.parametrize("document", [OURS, BOTH], ids=["replay", "split"])
def test_a_key_that_is_left_out_is_seen(document):
    for place in places(document, 2):
        if isinstance(place[-1], int) or place[0] in ("pressure", "pairs"):
            continue
        if not artifacts.problems(put(document, place, ...)):
            assert place[-1] in OPTIONAL or FREE & set(place[:-1]), place


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 400), st.binary(max_size=8))
def test_a_truncated_or_broken_file_is_no_json(at, junk):
    assert outcome(json.dumps(OURS).encode()[:at] + junk) in ("no JSON", "iterate")


def outcome(content: bytes) -> str:
    try:
        value = artifacts.parse(content)
    except ValueError as error:
        return "no JSON" if str(error).isprintable() else str(error)
    return sound(value)


def test_bottomless_nesting_is_no_artifact():
    with pytest.raises(ValueError, match="nested too deeply"):
        artifacts.parse(b"[" * 200_000)
    deep: Any = {}
    for _ in range(3000):
        deep = {"runs": deep}
    assert sound(deep) == "iterate"
