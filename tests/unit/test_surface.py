"""What a file offers by name, and what its functions and classes are called with."""

from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import griffe
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pytest_cockpit
from pytest_cockpit.registry import surface

PACKAGE = Path(pytest_cockpit.__file__).parent


def read(text):
    return surface.read(dedent(text).encode())


def names(text):
    return {name: str(found) for name, found in read(text).names.items()}


def test_what_each_kind_of_statement_binds():
    assert names(
        """
        import os.path
        import a.b as c
        from x import y
        from . import z as z
        from ..up.on import top as over

        LIMIT = first, (second, *rest) = 1, (2, 3)
        note: str = ""
        nothing: int

        def total(rows, start=0, /, *more, skip=(), **rest): ...
        async def fetch(*, url): ...

        class Ledger:
            def __init__(self, limit=5): ...
        class Empty: ...

        for turn in (): ...
        with open("x") as handle: ...
        """
    ) == {
        "os": "import os",
        "c": "import a.b",
        "y": "import x.y",
        "z": "import .z",
        "over": "import ..up.on.top",
        "LIMIT": "constant",
        "first": "variable",
        "second": "variable",
        "rest": "variable",
        "note": "variable",
        "total": "function (rows, start=..., /, *more, skip=..., **rest)",
        "fetch": "async function (*, url)",
        "Ledger": "class (limit=...)",
        "Empty": "class",
        "turn": "variable",
        "handle": "variable",
    }


def test_only_what_runs_on_import_binds():
    assert names(
        """
        from typing import TYPE_CHECKING
        import typing

        if TYPE_CHECKING:
            from x import A
        if typing.TYPE_CHECKING:
            from x import B
        else:
            C = 1
        if __name__ == "__main__":
            D = 1

        def function():
            E = 1
        """
    ) == {
        "TYPE_CHECKING": "import typing.TYPE_CHECKING",
        "typing": "import typing",
        "C": "constant",
        "function": "function ()",
    }


def test_what_stands_in_for_another_does_not_hide_it():
    assert names(
        """
        try:
            from fast import parse
        except ImportError:
            def parse(text): ...
            slow = True
        if fast:
            def load(path): ...
        else:
            load = None
        match fast:
            case 1:
                load = 2
        def wrapped(a): ...
        wrapped = decorate(wrapped)
        gone = 1
        del gone
        """
    ) == {
        "parse": "import fast.parse",
        "slow": "variable",
        "load": "function (path)",
        "wrapped": "function (a)",
    }


@pytest.mark.parametrize(
    ("text", "exports"),
    [
        ("x = 1", None),
        ("__all__ = ['a', 'b']", ("a", "b")),
        ("__all__: list[str] = ['a']", ("a",)),
        ("__all__ = 'a', 'b'", ("a", "b")),
        ("__all__ = ['a'] + ['b', 'a']", ("a", "b")),
        (
            "__all__ = ['a']\n__all__ += ('b',)\n__all__.extend(['c'])\n__all__.append('d')",
            tuple("abcd"),
        ),
        ("__all__ = ['a']\n__all__ = ['b']", ("b",)),
        ("__all__ = sorted(['b', 'a'])", ("b", "a")),
        ("__all__ = []", ()),
        ("if x:\n    __all__ = ['a']\n    __all__ += ['b']", ("a", "b")),
    ],
)
def test_what_all_lists(text, exports):
    found = surface.read(text.encode())
    assert (found.exports, found.open) == (exports, False)


@pytest.mark.parametrize(
    "text",
    [
        "__all__ = [name for name in x]",
        "__all__ = ['a', b]",
        "__all__ = ['a']\n__all__.remove('a')",
        "globals()['a'] = 1",
        "def __getattr__(name): ...",
        "import sys\nsys.modules[__name__] = x",
    ],
)
def test_a_file_is_open_where_only_running_it_would_tell(text):
    assert surface.read(text.encode()).open


def test_the_all_of_others_is_followed_by_name():
    found = read(
        """
        from .parts import *
        from . import parts, more
        from .deep import inner
        __all__ = ['a'] + parts.__all__ + list(inner.more.__all__)
        """
    )
    assert (found.stars, found.exports) == ((".parts",), ("a",))
    assert (found.extended, found.open) == (("parts", "inner.more"), False)


@pytest.mark.parametrize(
    "source", [b"def f(:\n", b"x = '\0'\n", b"\xff\xfe", b"# coding: zip\nx = 1\n", b"(" * 5000]
)
def test_what_does_not_parse_is_broken(source):
    assert surface.read(source) == surface.Surface(broken=True)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (
            "@dataclass\nclass C:\n    a: int\n    b: int = 1\n    c: ClassVar[int] = 2\n",
            "(a, b=...)",
        ),
        ("@dataclasses.dataclass(kw_only=True)\nclass C(Generic[T]):\n    a: int\n", "(*, a)"),
        (
            "@dataclass\nclass C:\n    a: int\n    _: KW_ONLY\n    b: 'InitVar[int]' = 1\n",
            "(a, *, b=...)",
        ),
        (
            "@dataclass\nclass C:\n    a: list = field(default_factory=list)\n    b: int = field(init=False)\n    c: int = field(kw_only=True)\n",
            "(a=..., *, c)",
        ),
        ("@dataclass\nclass C:\n    a: 'ClassVar[int]' = 2\n", "()"),
        ("@dataclass\nclass C(Base):\n    a: int\n", ""),
        ("@dataclass(init=False)\nclass C:\n    a: int\n", ""),
        ("class C:\n    a: int\n", ""),
        ("class C:\n    def __init__(self, /, a): ...\n", "(a)"),
        ("class C:\n    def __init__(*args): ...\n", "(*args)"),
    ],
)
def test_what_a_class_is_called_with(text, shown):
    assert surface.read(text.encode()).names["C"].detail == shown


@given(st.one_of(st.binary(), st.text().map(str.encode)))
def test_any_bytes_have_a_surface(source):
    found = surface.read(source)
    assert found.broken or all(name.isidentifier() for name in found.names)


STATEMENTS = st.sampled_from(
    [
        "import a",
        "from . import *",
        "from .a import b as b",
        "__all__ = ['a', 'b']",
        "__all__ += a.__all__",
        "a = b = 1",
        "del a",
        "def a(b, /, c=1): ...",
        "class b: ...",
        "if x:\n    a: int = 1\nelse:\n    import b",
        "try:\n    import a\nexcept* E:\n    a = None",
        "match x:\n    case 1:\n        b = 1",
    ]
)


@given(st.lists(STATEMENTS))
def test_any_statements_have_the_names_that_are_in_them(statements):
    source = "\n".join(statements)
    found = surface.read(source.encode())
    assert not found.broken
    assert set(found.names) <= {"a", "b"}
    assert found.exports is None or set(found.exports) <= {"a", "b"}


def test_griffe_reads_the_same_from_this_package():
    compared = 0
    loaded = griffe.load(str(PACKAGE), allow_inspection=False, resolve_aliases=False)
    for module in _modules(loaded):
        found = surface.read(module.filepath.read_bytes())
        theirs = {
            name: member
            for name, member in module.members.items()
            if not member.is_alias and (member.is_function or member.is_class)
        }
        ours = {name: each for name, each in found.names.items() if each.kind in surface.DEFINED}
        assert set(ours) == set(theirs), module.path
        for name, member in theirs.items():
            called = _called(member)
            if called is not None and (ours[name].detail or not member.bases):
                assert _parameters(ours[name].detail) == called, f"{module.path}.{name}"
                compared += 1
        if module.exports is not None:
            assert found.exports == tuple(map(str, module.exports))
    assert compared > 500


def _modules(module):
    yield module
    for member in module.members.values():
        if not member.is_alias and member.is_module:
            yield from _modules(member)


def _called(member):
    """Kind, name and whether it may be left out, of each parameter."""
    if member.is_class:
        member = member.members.get("__init__")
        if member is None:
            return None
        return [_told(each) for each in member.parameters][1:]
    return [_told(each) for each in member.parameters]


def _told(parameter):
    return parameter.kind.name, parameter.name, parameter.default is not None


def _parameters(detail):
    function = ast.parse(f"def f{detail}: ...").body[0]
    assert isinstance(function, ast.FunctionDef)
    found = function.args
    plain = [*found.posonlyargs, *found.args]
    rows = [
        (
            "positional_only" if index < len(found.posonlyargs) else "positional_or_keyword",
            each.arg,
            index >= len(plain) - len(found.defaults),
        )
        for index, each in enumerate(plain)
    ]
    if found.vararg:
        rows.append(("var_positional", found.vararg.arg, True))
    rows += [
        ("keyword_only", each.arg, default is not None)
        for each, default in zip(found.kwonlyargs, found.kw_defaults, strict=True)
    ]
    if found.kwarg:
        rows.append(("var_keyword", found.kwarg.arg, True))
    return rows
