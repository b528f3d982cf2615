"""What counts as a shim: nothing that carries code of its own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.analysis.shim import is_shim
from pytest_cockpit.api import SHIM_MARK
from pytest_cockpit.promotion import shims

MARK = SHIM_MARK.encode()
PATHS = ["new/box.py", "ne'w/box.py", "n'e\"w/box.py", "n\udce9w/box.py", "näw\\/box.py"]


def rendered(path: str = "new/box.py", *, package: bool = False) -> bytes:
    return shims.render(
        "old.box", "new.box", old_path="old/box.py", new_path=path, is_package=package
    )


@pytest.mark.parametrize("package", [False, True])
@pytest.mark.parametrize("path", PATHS)
def test_what_a_move_writes_is_a_shim(path: str, package: bool) -> None:
    source = rendered(path, package=package)
    assert is_shim(source)
    assert is_shim(source.replace(b"\n", b"\r\n"))


@pytest.mark.parametrize(
    "code",
    [b"from new.box import *\n", b'"""Moved."""\nimport new.box\nfrom new.box import a, b\n'],
)
def test_imports_alone_are_a_shim(code: bytes) -> None:
    assert is_shim(MARK + b"new.box\n" + code)
    assert not is_shim(code)


@pytest.mark.parametrize(
    "source",
    [
        MARK + b"new.box\n",
        MARK + b"new.box\n'''words'''\n",
        MARK + b"new.box\ndef work():\n    return 1\n",
        MARK + b"new.box\nfrom new.box import *\nLIMIT = 1\n",
        MARK + b"new.box\nfrom new.box import (\n",
        MARK + b"new.box\nimport a\n\0",
        rendered() + b"def work():\n    return 1\n",
        rendered().replace(b'"new.box"', b'f"{print(1)}"', 1),
        rendered().replace(b"old.box moved", b'old" + str(1) + "', 1),
        rendered(package=True).replace(b"import importlib", b"import box, importlib", 1),
        b"\n" + rendered(),
        b"",
    ],
)
def test_whatever_else_it_holds_counts(source: bytes) -> None:
    assert not is_shim(source)


@given(st.binary())
def test_any_bytes_have_an_answer(data: bytes) -> None:
    assert not is_shim(data) or data.startswith(MARK)
    assert not is_shim(MARK + data) or b"import" in data
