"""Figures entered in a manifest, and nothing else changed in it."""

from __future__ import annotations

import difflib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.sweep.manifest import Unfit, entered

VALUES = {"coverage_observed": 36.5, "observed_at": "2026-01-31T12:00:00Z"}
_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)
_MANIFESTS = st.builds(
    lambda table, testing: {**table, **testing},
    st.dictionaries(st.text(), _JSON, max_size=4),
    st.just({}) | st.fixed_dictionaries({"testing": st.dictionaries(st.text(), _JSON)}),
).filter(lambda table: isinstance(table.get("testing", {}), dict))


@given(
    _MANIFESTS,
    st.sampled_from([None, 1, 2, 4, "\t"]),
    st.booleans(),
    st.sampled_from(["", "\n", " \n\n"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_a_manifest_says_what_was_entered_and_what_it_said_before(
    manifest: dict[str, Any], indent: Any, escapes: bool, end: str, newline: str
):
    text = json.dumps(manifest, indent=indent, ensure_ascii=escapes).replace("\n", newline) + end
    data = text.encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return
    now = entered(data, VALUES).decode()
    wanted = {**manifest, "testing": {**manifest.get("testing", {}), **VALUES}}
    assert json.loads(now) == wanted
    assert list(json.loads(now)) == list(wanted)
    assert now.endswith(end)
    assert entered(now.encode(), VALUES).decode() == now


@pytest.mark.parametrize("indent", [2, 4, "\t"])
@pytest.mark.parametrize("testing", [{}, {"observed_at": "x"}, {"a": 1, "b": [1, 2]}, None])
def test_it_looks_as_if_it_had_always_been_there(indent: Any, testing: Any):
    manifest: dict[str, Any] = {"module": "ä", "apis": {"x": [1, {"y": 2}]}}
    if testing is not None:
        manifest["testing"] = testing
    manifest["z"] = None
    if testing is None:
        manifest.pop("z")
    before = json.dumps(manifest, indent=indent, ensure_ascii=False) + "\n"
    manifest["testing"] = {**manifest.get("testing", {}), **VALUES}
    expected = json.dumps(manifest, indent=indent, ensure_ascii=False) + "\n"
    assert entered(before.encode(), VALUES).decode() == expected


def test_lists_stay_in_the_form_that_somebody_gave_them():
    before = '{\n  "tags": [1,  2],\n  "testing": { "goal": 80 },\n  "x": "\\u00e4"\n}\n'
    now = entered(before.encode(), VALUES).decode()
    changed = [
        line
        for line in difflib.ndiff(before.splitlines(), now.splitlines())
        if line.startswith(("+ ", "- "))
    ]
    assert len(changed) == 2
    assert json.loads(now)["testing"] == {"goal": 80, **VALUES}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"{", "not JSON"),
        (b"\xff", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[]", "expected an object"),
        (b'{"testing": 1}', "testing: expected an object"),
    ],
)
def test_what_cannot_hold_figures_is_left_alone(content: bytes, said: str):
    with pytest.raises(Unfit, match=said):
        entered(content, VALUES)
