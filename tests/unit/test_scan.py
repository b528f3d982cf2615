from __future__ import annotations

import sqlite3
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.analysis.scan import (
    Facts,
    FactsCache,
    Import,
    collect,
    compile_error,
    scan,
    texts,
)
from pytest_cockpit.promotion.shims import render


def found(source: str) -> list[Import]:
    facts = scan(source.encode())
    assert facts.error is None
    return list(facts.imports)


def only(source: str) -> Import:
    [single] = found(source)
    return single


@pytest.mark.parametrize(
    ("source", "module", "level", "names"),
    [
        ("import a.b", "a.b", 0, ()),
        ("import a.b as c", "a.b", 0, ()),
        ("from a.b import c, d as e", "a.b", 0, ("c", "d")),
        ("from .x import y", "x", 1, ("y",)),
        ("from ... import y", "", 3, ("y",)),
        ("from a import *", "a", 0, ("*",)),
    ],
)
def test_the_forms_of_an_import(source, module, level, names):
    assert only(source) == Import(module, level, names, 1, False, False, False)


def test_one_statement_may_import_several_modules():
    assert [imp.module for imp in found("import a, b.c\n")] == ["a", "b.c"]


def test_imports_come_in_order_of_lines():
    source = "def f():\n    import a\nclass C:\n    import b\nimport c\n"
    assert [(imp.module, imp.line, imp.lazy) for imp in found(source)] == [
        ("a", 2, True),
        ("b", 4, False),
        ("c", 5, False),
    ]


@pytest.mark.parametrize(
    "source",
    [
        "try:\n    import a\nexcept ImportError:\n    pass",
        "try:\n    import a\nexcept (KeyError, ModuleNotFoundError):\n    pass",
        "try:\n    import a\nexcept builtins.Exception:\n    pass",
        "try:\n    import a\nexcept:\n    pass",
        "try:\n    import a\nexcept* ImportError:\n    pass",
        "try:\n    if x:\n        import a\nexcept ImportError:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    import a",
        "with contextlib.suppress(ImportError):\n    import a",
        "with suppress(KeyError, ImportError):\n    import a",
    ],
)
def test_guarded(source):
    assert only(source).guarded


@pytest.mark.parametrize(
    "source",
    [
        "import a",
        "try:\n    import a\nexcept KeyError:\n    pass",
        "try:\n    import a\nfinally:\n    pass",
        "try:\n    pass\nexcept ImportError:\n    pass\nelse:\n    import a",
        "try:\n    pass\nexcept ImportError:\n    pass\nfinally:\n    import a",
        "try:\n    pass\nexcept KeyError:\n    import a",
        "with open(x):\n    import a",
        "with suppress(KeyError):\n    import a",
        # The guard is left before the function runs.
        "try:\n    def f():\n        import a\nexcept ImportError:\n    pass",
    ],
)
def test_not_guarded(source):
    assert not only(source).guarded


@pytest.mark.parametrize(
    ("source", "lazy"),
    [
        ("async def f():\n    import a", True),
        ("class C:\n    def f(self):\n        import a", True),
        ("if __name__ == '__main__':\n    import a", True),
        ("if __name__ == '__main__':\n    pass\nelse:\n    import a", False),
        ("match x:\n    case 1:\n        import a", False),
        ("for x in y:\n    pass\nelse:\n    import a", False),
        ("while x:\n    with y:\n        import a", False),
        (
            "async def f():\n    async with x:\n        async for y in z:\n            import a",
            True,
        ),
    ],
)
def test_lazy(source, lazy):
    assert only(source).lazy is lazy


@pytest.mark.parametrize(
    ("source", "typing_only"),
    [
        ("if TYPE_CHECKING:\n    import a", True),
        ("if typing.TYPE_CHECKING:\n    import a", True),
        ("if not TYPE_CHECKING:\n    pass\nelse:\n    import a", True),
        ("if False:\n    import a", True),
        ("if TYPE_CHECKING:\n    def f():\n        import a", True),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    import a", False),
        ("if not TYPE_CHECKING:\n    import a", False),
        ("if True:\n    import a", False),
        ("if x:\n    import a", False),
    ],
)
def test_typing_only(source, typing_only):
    assert only(source).typing_only is typing_only


@pytest.mark.parametrize(
    ("source", "line"),
    [
        (b"x = 1\ndef f(:\n", 2),
        (b"x = 1\nreturn 2\n", 2),
        (b"class C:\n    return 2\n", 2),
        (b"def f():\n    from a import *\n", 2),
        (b"import a\nfrom __future__ import annotations\n", 2),
        (b"x = 1\x00\n", 1),
        (b"# coding: no-such-codec\n", 1),
        (b"# coding: base64\n", 1),
        (b"x = '\xff'\n", 1),
        (b"(" * 300, 1),
        (b"-" * 100_000 + b"1", 1),
    ],
)
def test_errors_are_facts(source, line):
    facts = scan(source)
    assert facts.error is not None
    assert facts.error[0]
    assert facts.error[1] == line
    assert facts.imports == ()
    assert not facts.dynamic


@pytest.mark.parametrize(
    "source",
    [
        b"",
        b'"""Doc."""\nfrom __future__ import annotations\nfrom __future__ import division\n',
        b"def f():\n    return 1\n",
        b"for x in y:\n    if x:\n        break\n    else:\n        continue\n",
        b"def f():\n    def g():\n        nonlocal x\n    x = 1\n",
        b"\xef\xbb\xbfx = 1\n",
        b"# coding: latin-1\nx = '\xe9'\n",
        b"x = 1\x0c\r\ny = 2\r",
    ],
)
def test_no_errors(source):
    assert scan(source).error is None


def test_what_the_parser_warns_of_is_no_error():
    source = b"x = '\\d'\nif x is 1:\n    pass\n"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert scan(source).error is None
        assert compile_error(source) is None


@pytest.mark.parametrize(
    "source",
    [
        "def __getattr__(name):\n    return 1",
        "if x:\n    def __getattr__(name):\n        return 1",
        "__getattr__ = make()",
        "__path__ = extend(__path__, __name__)",
        "__path__.append(x)",
        "__path__ += [x]",
        "__path__[0] = x",
        "sys.modules['a.b'] = x",
        "sys.modules.update(x)",
        "_sys.meta_path.insert(0, x)",
        "sys.path[:] = x",
        "sys.path += x",
        "def f():\n    sys.path.append(x)",
    ],
)
def test_dynamic(source):
    assert scan(source.encode()).dynamic


@pytest.mark.parametrize(
    "source",
    [
        "class C:\n    def __getattr__(self, name):\n        return 1",
        "x = sys.modules['a']",
        "x = sys.path.copy()",
        "sys.argv.append(x)",
        "os.path.append(x)",
        "modules['a'] = x",
        "x.y = 1",
    ],
)
def test_not_dynamic(source):
    assert not scan(source.encode()).dynamic


def test_a_shim_names_where_its_module_went():
    assert scan(b"# cockpit: moved to core.x\nimport core.x\n").moved_to == "core.x"
    assert scan(b"\n# cockpit: moved to core.x\n").moved_to is None


def test_the_machinery_of_a_shim_is_not_dynamic():
    source = render(
        "candidate.p", "p", old_path="candidate/p/__init__.py", new_path="p/__init__.py",
        is_package=True,
    )  # fmt: skip
    facts = scan(source)
    assert facts.moved_to == "p"
    assert not facts.dynamic


def test_invisible_characters_by_line():
    source = "\ufeffa = 1\nb = 2\nc = '\u200b\u200b'\nd = '\u202e'\ne = '\u00ad'\n"
    facts = scan(source.encode())
    assert facts.invisible == (1, 3, 4, 5)
    assert facts.bidi == (4,)


@pytest.mark.parametrize(
    "char", "\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
)
def test_every_bidirectional_control(char):
    assert scan(f"x = 1\n# {char}\n".encode()).bidi == (2,)


def test_neighbours_of_bidirectional_controls_are_innocent():
    source = "# \u2027\u202f\u2065\u206a\u061b\u061d\u200a\u2010 e\u0301 \u4e2d\n"
    assert scan(source.encode()).invisible == ()


def test_invisible_characters_in_a_declared_encoding():
    assert scan("# coding: utf-7\n# \u202e\n".encode("utf-7")).bidi == (2,)
    latin = b"# coding: latin-1\nx = '\xe2\x80\xae'\n"
    assert scan(latin).bidi == ()


def test_the_longest_line():
    assert scan(b"").longest == 0
    assert scan(b"\n\r\n").longest == 0
    assert scan(b"a = 1\n" + b"#" * 20_000).longest == 20_000


@given(st.binary())
def test_no_bytes_raise(data):
    scan(data)


@given(st.text(alphabet="import from.*as:try\nexcept()if else\tclass #\\'\"{}\x00\ufeff"))
def test_no_text_raises(text):
    scan(text.encode())


def test_compile_error_sees_what_scan_lets_through():
    duplicate = b"def f(a, a):\n    pass\n"
    assert scan(duplicate).error is None
    message, line = compile_error(duplicate) or ("", 0)
    assert "duplicate argument" in message
    assert line == 1
    assert compile_error(b"x = 1\n") is None
    assert compile_error(b"x = 1\x00\n") is not None
    assert compile_error(b"-" * 100_000 + b"1") is not None


def test_compile_error_leaves_this_module_s_future_out():
    assert compile_error(b"def f(x: (yield)): pass\n") is not None


def test_texts_are_the_string_constants():
    assert texts(b'x = "a/b.json"\ny = f"{x}c"\n\'\\d\'\n') == {"a/b.json", "c", "\\d"}


FACTS = Facts(
    imports=(
        Import("a.b", 0, (), 1, True, False, False),
        Import("", 2, ("x", "*"), 3, False, True, True),
    ),
    error=("invalid \udcff", 7),
    dynamic=True,
    moved_to="core.x",
    invisible=(1, 2),
    bidi=(2,),
    longest=12,
)


def test_the_cache_gives_back_what_was_put(tmp_path):
    cache = FactsCache(tmp_path / "new" / "facts.sqlite")
    assert cache.get_many(["a"]) == {}
    cache.put_many({"a": FACTS, "b": Facts()})
    again = FactsCache(tmp_path / "new" / "facts.sqlite")
    assert again.get_many(["a", "b", "b", "c"]) == {"a": FACTS, "b": Facts()}


@given(st.binary())
def test_the_cache_keeps_any_facts(data):
    facts = scan(data)
    with FactsCacheInMemory() as cache:
        cache.put_many({"x": facts})
        assert cache.get_many(["x"]) == {"x": facts}


class FactsCacheInMemory(FactsCache):
    """The same cache without the file, for many examples."""

    def __init__(self) -> None:
        super().__init__(Path("unused"))
        self.database = sqlite3.connect(":memory:")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.database.close()

    def _act(self, act):
        self._prepare(self.database)
        act(self.database)


@pytest.mark.parametrize("damage", [b"", b"no database", b"SQLite format 3\x00" + b"\xff" * 4096])
def test_a_corrupt_cache_is_discarded(tmp_path, damage):
    path = tmp_path / "facts.sqlite"
    path.write_bytes(damage)
    cache = FactsCache(path)
    cache.put_many({"a": FACTS})
    assert cache.get_many(["a"]) == {"a": FACTS}


@pytest.mark.parametrize("data", ["", "[]", "null", "{}", "[[[1]],0,0,0,0,0,0]", b"\xff"])
def test_a_corrupt_row_is_scanned_again(tmp_path, data):
    path = tmp_path / "facts.sqlite"
    cache = FactsCache(path)
    cache.put_many({"a": FACTS})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE facts SET data = ?", (data,))
    database.close()
    assert cache.get_many(["a"]) == {}


def test_rows_of_another_python_or_schema_do_not_count(tmp_path):
    path = tmp_path / "facts.sqlite"
    cache = FactsCache(path)
    cache.put_many({"a": FACTS})
    with sqlite3.connect(path) as database:
        database.execute("UPDATE facts SET python = 'another'")
    database.close()
    assert cache.get_many(["a"]) == {}


def test_a_cache_that_cannot_be_opened_is_none(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "facts.sqlite", tmp_path):
        cache = FactsCache(path)
        cache.put_many({"a": FACTS})
        assert cache.get_many(["a"]) == {}


def test_processes_share_a_cache(tmp_path):
    path = tmp_path / "facts.sqlite"
    code = (
        "import sys, pathlib\n"
        "from pytest_cockpit.analysis.scan import Facts, FactsCache\n"
        "cache = FactsCache(pathlib.Path(sys.argv[1]))\n"
        "for n in range(40):\n"
        "    cache.put_many({f'{sys.argv[2]}-{n}': Facts(longest=n)})\n"
    )
    children = [
        subprocess.Popen([sys.executable, "-c", code, str(path), str(number)])
        for number in range(3)
    ]
    assert [child.wait(60) for child in children] == [0, 0, 0]
    wanted = [f"{number}-{n}" for number in range(3) for n in range(40)]
    assert len(FactsCache(path).get_many(wanted)) == 120


def test_collect_reads_only_what_is_not_known(tmp_path):
    blobs = {"a": b"import x\n", "b": b"import y\n", "gone": None}
    asked: list[list[str]] = []

    def read(oids):
        asked.append(list(oids))
        return [(oid, blobs[oid]) for oid in asked[-1]]

    cache = FactsCache(tmp_path / "facts.sqlite")
    first = collect(read, ["a", "gone", "a"], cache)
    assert first["gone"] is None
    assert first["a"] == scan(b"import x\n")
    second = collect(read, ["b", "a", "gone"], cache)
    assert second == {"a": first["a"], "b": scan(b"import y\n"), "gone": None}
    assert asked == [["a", "gone"], ["b", "gone"]]


def test_collect_without_a_cache():
    assert collect(lambda oids: [(oid, b"") for oid in oids], ["a"]) == {"a": scan(b"")}
    assert collect(lambda _: pytest.fail("asked for nothing"), []) == {}
