from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError
from pytest_cockpit.records import toml


@pytest.mark.parametrize(
    ("assignment", "keys", "value"),
    [
        ("batch.size=20", ("batch", "size"), 20),
        ("gate.coverage.new_file_ratio = 0.1", ("gate", "coverage", "new_file_ratio"), 0.1),
        ("artifacts=out/here", ("artifacts",), "out/here"),
        ("gate.'odd name'.x=true", ("gate", "odd name", "x"), True),
        ('gate.a={b = 1, c = ["x"]}', ("gate", "a"), {"b": 1, "c": ["x"]}),
        ("gate.a={}", ("gate", "a"), {}),
        ("a=x=1", None, None),
        ("gates=[2026-01-02]", ("gates",), ["2026-01-02"]),
    ],
)
def test_a_setting_is_keys_and_a_toml_value(assignment, keys, value):
    if keys is None:
        with pytest.raises(CockpitError, match="expected KEY=VALUE"):
            toml.setting(assignment)
    else:
        assert toml.setting(assignment) == (keys, value)


@pytest.mark.parametrize(
    "assignment",
    ["", "=", "a", "a=", "=1", "a=1\nb=2", "[a]=1", "a.=1", "a = 1 1", "a b=1", "a=b c"],
)
def test_what_is_no_setting_is_refused(assignment):
    with pytest.raises(CockpitError, match="expected KEY=VALUE") as caught:
        toml.setting(assignment)
    assert "\n" not in str(caught.value)


@given(st.text(max_size=30) | st.text("a.=1[]{}'\"# \n", max_size=12))
def test_any_text_is_a_setting_or_refused(text):
    try:
        keys, value = toml.setting(text)
    except CockpitError as error:
        (said,) = str(error).splitlines()
        assert "expected KEY=VALUE" in said
    else:
        assert keys
        assert all(isinstance(key, str) for key in keys)
        json.dumps(value)
