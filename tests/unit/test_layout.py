from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.analysis.layout import Layout, is_name
from pytest_cockpit.api import Lane

DEFAULT = Layout(Lane())
SRC = Layout(
    Lane(path="src/acme/candidate", root="src/acme", source_roots=(".", "src", "src/acme/vendored"))
)


@pytest.mark.parametrize(
    ("layout", "path", "module"),
    [
        (DEFAULT, "candidate/core/x.py", "candidate.core.x"),
        (DEFAULT, "candidate/core/__init__.py", "candidate.core"),
        (DEFAULT, "x.py", "x"),
        (DEFAULT, "__init__.py", None),
        (DEFAULT, "candidate/core/x.pyi", None),
        (DEFAULT, "candidate/core/x", None),
        (DEFAULT, "candidate/two words/x.py", None),
        (DEFAULT, "candidate/for/x.py", None),
        (DEFAULT, "candidate/core/my-module.py", None),
        (DEFAULT, "candidate/core/.py", None),
        (DEFAULT, "=2.0.0.py", None),
        (DEFAULT, "candidate/\u039bx.py", "candidate.\u039bx"),
        # Python reads the ligature as two letters, so no import reaches this file.
        (DEFAULT, "candidate/\ufb01x.py", None),
        (DEFAULT, "candidate/\udcff.py", None),
        (SRC, "src/acme/candidate/x.py", "acme.candidate.x"),
        (SRC, "src/acme/vendored/six.py", "six"),
        (SRC, "src/__init__.py", None),
        (SRC, "tools/x.py", "tools.x"),
        (Layout(Lane(source_roots=("src",))), "tools/x.py", None),
    ],
)
def test_module_names(layout, path, module):
    assert layout.module_of(path) == module


def test_targets():
    assert DEFAULT.target_of("candidate/core/x.py") == "core/x.py"
    assert SRC.target_of("src/acme/candidate/core/x.py") == "src/acme/core/x.py"
    with pytest.raises(ValueError, match="not below 'candidate'"):
        DEFAULT.target_of("candidates/x.py")


def test_the_lane_is_what_lies_below_its_folder():
    assert DEFAULT.is_lane("candidate/x.py")
    assert DEFAULT.is_lane("candidate/data.json")
    assert not DEFAULT.is_lane("candidate.py")
    assert not DEFAULT.is_lane("src/candidate/x.py")


def test_folders_may_be_written_with_slashes():
    layout = Layout(Lane(path="candidate/", root="./", source_roots=("./",)))
    assert layout.target_of("candidate/x.py") == "x.py"
    assert layout.module_of("candidate/x.py") == "candidate.x"


def test_the_lane_has_a_name():
    assert DEFAULT.lane_module == "candidate"
    assert SRC.lane_module == "acme.candidate"
    assert Layout(Lane(source_roots=("candidate",))).lane_module is None


def test_packages():
    assert DEFAULT.is_package("candidate/__init__.py")
    assert DEFAULT.is_package("__init__.py")
    assert not DEFAULT.is_package("candidate/my__init__.py")


@pytest.mark.parametrize("part", ["match", "type", "_", "__x__", "\u540d", "x1"])
def test_names(part):
    assert is_name(part)


@pytest.mark.parametrize(
    "part", ["", "1x", "x y", " x", "$(date)", "class", "None", "x.y", "\U0001f600"]
)
def test_no_names(part):
    assert not is_name(part)


@given(st.lists(st.text(st.characters(), min_size=1).filter(lambda part: "/" not in part)))
def test_a_module_name_leads_back_to_its_path(parts):
    path = "/".join([*parts, "x.py"])
    module = DEFAULT.module_of(path)
    if module is not None:
        assert module.replace(".", "/") + ".py" == path
