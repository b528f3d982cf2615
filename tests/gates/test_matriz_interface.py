from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import SHIM_MARK, Lane, Severity, Verdict
from pytest_cockpit.testing import run_gate
from pytest_cockpit_gates.matriz import gate
from pytest_cockpit_gates.matriz.contracts import Contract
from pytest_cockpit_gates.matriz.faults import located
from pytest_cockpit_gates.matriz.interface import called, offers
from pytest_cockpit_gates.matriz.lookup import Answer, Lookup
from pytest_cockpit_gates.matriz.namespaces import namespace

FOUND, MISSING, NOT, UNKNOWN = (
    Answer.FOUND,
    Answer.MISSING,
    Answer.NO_FUNCTION,
    Answer.UNKNOWN,
)


def tree(tmp_path, files):
    for path, source in files.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(source if isinstance(source, bytes) else source.encode())
    return tmp_path


def answer(tmp_path, files, name, module="m", **lane):
    files = {"m.py": files} if isinstance(files, str) else files
    return Lookup(tree(tmp_path, files), Lane(**lane)).function(module, name)


# The name in a signature


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("total", "total"),
        (" total ", "total"),
        ("total()", "total"),
        ("BioEngine() -> bool", "BioEngine"),
        ("get(id: str) -> dict", "get"),
        ("get(id: str,\n    more: int = (1 + 2)) -> dict[str, int]", "get"),
        ("Store.get(key)", "Store.get"),
        ("a.b.c", "a.b.c"),
        ("async get(id)", "get"),
        ("def get(id)", "get"),
        ("async def get(id) -> None", "get"),
        ("get -> dict", "get"),
        ("über_größe()", "über_größe"),
        ("asyncio_run()", "asyncio_run"),
        ("define", "define"),
        ("", None),
        (" ", None),
        ("1total", None),
        ("total total", None),
        ("total(", None),
        ("total)", None),
        ("a..b", None),
        (".a", None),
        ("a.", None),
        ("get/one", None),
        ("total() x", None),
    ],
)
def test_the_name_is_taken_from_a_signature(text, name):
    assert called(text) == name


def test_a_full_name_is_counted_from_its_module():
    assert called("core.common.total()", "core.common") == "total"
    assert called("core.commons.total", "core.common") == "core.commons.total"
    assert called("core.common", "core.common") == "core.common"


@given(st.text(alphabet="ab.()-> \n:é1", max_size=30))
def test_any_text_has_a_name_or_none(text):
    name = called(text)
    assert name is None or (name in text and all(map(str.isidentifier, name.split("."))))


# What a module has

PLAIN = """
import os
import os.path as paths
from json import dumps, loads as read
LIMIT: int = 3
NAMES = ["a"]
text = f"{LIMIT}"
declared: int
other = dumps
deep = os.path.join
made = make_it()
one, (two, *three) = make_it()
total += 1

def function(): ...
async def coroutine(): ...
class Class: ...
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("function", FOUND),
        ("coroutine", FOUND),
        ("Class", FOUND),
        ("dumps", FOUND),
        ("read", FOUND),
        ("other", FOUND),
        ("deep", FOUND),
        ("made", FOUND),
        ("one", FOUND),
        ("two", FOUND),
        ("three", FOUND),
        ("total", FOUND),
        ("os", NOT),
        ("paths", NOT),
        ("LIMIT", NOT),
        ("NAMES", NOT),
        ("text", NOT),
        ("declared", MISSING),
        ("loads", MISSING),
        ("functions", MISSING),
        ("path", MISSING),
        ("function.cache_clear", UNKNOWN),
        ("dumps.cache_clear", UNKNOWN),
        ("made.attribute", UNKNOWN),
        ("LIMIT.bit_length", UNKNOWN),
        ("os.path.join", UNKNOWN),
        ("nothing.at_all", MISSING),
    ],
)
def test_a_statement_binds_a_name(tmp_path, name, expected):
    assert answer(tmp_path, PLAIN, name).answer is expected


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("if x:\n    def f(): ...", FOUND),
        ("if x:\n    pass\nelse:\n    def f(): ...", FOUND),
        ("try:\n    from a import f\nexcept ImportError:\n    f = None", FOUND),
        ("try:\n    pass\nexcept A:\n    def f(): ...", FOUND),
        ("try:\n    pass\nexcept A:\n    pass\nelse:\n    def f(): ...", FOUND),
        ("try:\n    pass\nfinally:\n    def f(): ...", FOUND),
        ("try:\n    pass\nexcept* A:\n    def f(): ...", FOUND),
        ("with x:\n    def f(): ...", FOUND),
        ("with x as f:\n    pass", FOUND),
        ("with x as (g, f):\n    pass", FOUND),
        ("for f in x:\n    pass", FOUND),
        ("for g in x:\n    def f(): ...", FOUND),
        ("for g in x:\n    pass\nelse:\n    def f(): ...", FOUND),
        ("while x:\n    def f(): ...", FOUND),
        ("match x:\n    case 1:\n        def f(): ...", FOUND),
        ("if (f := x()):\n    pass", FOUND),
        ("print(f := x())", FOUND),
        ("def g():\n    (f := x())", MISSING),
        ("def g():\n    f = 1", MISSING),
        ("class G:\n    def f(self): ...", MISSING),
        ("if TYPE_CHECKING:\n    def f(): ...", MISSING),
        ("if typing.TYPE_CHECKING:\n    def f(): ...", MISSING),
        ("if not TYPE_CHECKING:\n    def f(): ...", FOUND),
        ("if TYPE_CHECKING:\n    pass\nelse:\n    def f(): ...", FOUND),
        ("if not TYPE_CHECKING:\n    pass\nelse:\n    def f(): ...", MISSING),
        ("if 0:\n    def f(): ...", MISSING),
        ("if not True:\n    def f(): ...", MISSING),
        ("if 1: ...\nelse:\n    def f(): ...", MISSING),
        ("while False:\n    def f(): ...", MISSING),
        ("if 1 == 2:\n    def f(): ...", MISSING),
        ("if 2 > 1:\n    def f(): ...", FOUND),
        ("if 1 in (2, 3):\n    def f(): ...", MISSING),
        ("if 1 is not None and not 'x':\n    def f(): ...", MISSING),
        ("if x and False:\n    def f(): ...", MISSING),
        ("if x or False:\n    def f(): ...", FOUND),
        ("if x or 1:\n    pass\nelse:\n    def f(): ...", MISSING),
        ("if TYPE_CHECKING and x:\n    def f(): ...", MISSING),
        ("if not TYPE_CHECKING and True:\n    def f(): ...", FOUND),
        ("if 'a' > 1:\n    def f(): ...", FOUND),
        ("if sys.version_info > (3, 9):\n    def f(): ...", FOUND),
        ("if __name__ != '__main__':\n    def f(): ...", FOUND),
        ("if __name__ == 'm':\n    def f(): ...", FOUND),
        ("if x:\n    raise ImportError\n    def f(): ...", MISSING),
        ("raise ImportError\ndef f(): ...", MISSING),
        ("for x in y:\n    break\n    def f(): ...", MISSING),
        ("for x in ():\n    def f(): ...", MISSING),
        ("for x in []:\n    pass\nelse:\n    def f(): ...", FOUND),
        ("match x:\n    case 1 if False:\n        def f(): ...", MISSING),
        ("match x:\n    case 1 if x:\n        def f(): ...", FOUND),
        ("if False:\n    def f(): ...\ndef f(): ...", FOUND),
        ("if 1:\n    def f(): ...", FOUND),
        ("if __name__ == '__main__':\n    def f(): ...", MISSING),
        ("if '__main__' == x:\n    def f(): ...", FOUND),
        ("def f(): ...\ndel f", MISSING),
        ("def f(): ...\nif x:\n    del f", FOUND),
        ("del f\ndef f(): ...", FOUND),
        ("del a.f, f[0]\ndef f(): ...", FOUND),
        ("def f(): ...\nf = 3", NOT),
        ("f = 3\ndef f(): ...", FOUND),
        ("f = 3\nif x:\n    def f(): ...", FOUND),
        ("f = None\ndef g():\n    global f\n    f = x", UNKNOWN),
        ("def g():\n    global f\n    f = x", UNKNOWN),
        ("def __getattr__(name): ...", UNKNOWN),
        ("from a import __getattr__", UNKNOWN),
        ("globals()['f'] = x", UNKNOWN),
        ("vars()[name] = x", UNKNOWN),
        ("globals().update(x)", UNKNOWN),
        ("globals().setdefault('f', x)", UNKNOWN),
        ("print(globals()['g'])", MISSING),
        ("print(globals().get('g'))", MISSING),
        ("x.update(f=1)", MISSING),
        ("def g():\n    globals()['f'] = x", UNKNOWN),
        ("exec(code)", UNKNOWN),
        ("executor(code)", MISSING),
        ("setattr(sys.modules[__name__], 'f', x)", UNKNOWN),
        ("setattr(g, 'f', x)", MISSING),
        ("setattr()", MISSING),
        ("sys.modules[__name__] = x", UNKNOWN),
        ("module.__dict__['f'] = x", UNKNOWN),
        ("from .missing import *", UNKNOWN),
        ("from elsewhere import *", UNKNOWN),
        ("from elsewhere import *\ndef f(): ...", FOUND),
        ("from .missing import f", UNKNOWN),
        ("from m import f", MISSING),
        ("from ..... import f", UNKNOWN),
        ("f = f", UNKNOWN),
        ("f = print", FOUND),
        ("f = missing", UNKNOWN),
        ("f = g\ng = f", UNKNOWN),
        ("f = lambda: 1", FOUND),
        ("f = (lambda: 1, 2)", NOT),
        ("f = {}", NOT),
        ("f = g = 1", NOT),
        ("x.f = 1", MISSING),
        ("x[f] = 1", MISSING),
        ("def f(:", UNKNOWN),
        ("x = '\\d'\ndef f(): ...", FOUND),
        ("", MISSING),
        ("\0", UNKNOWN),
        ("# coding: nonsense\n", UNKNOWN),
        ("(" * 500, UNKNOWN),
        ("x = " + "-" * 100_000 + "1", UNKNOWN),
    ],
)
def test_whether_f_is_there(tmp_path, source, expected):
    assert answer(tmp_path, source, "f").answer is expected


def test_a_function_that_never_comes_to_be_is_told_with_its_line(tmp_path):
    source = "if False:\n    try:\n        def f(): ...\n    finally:\n        class G: ...\n"
    assert answer(tmp_path, source, "f").why == "m has f on line 3 alone, which never runs"
    assert answer(tmp_path, source, "G").why == "m has G on line 5 alone, which never runs"
    inner = "def g():\n    def f(): ...\nclass H:\n    def f(): ...\n"
    assert answer(tmp_path, inner, "f").why == "m has no f"


def test_a_source_in_another_encoding_is_read(tmp_path):
    source = "# coding: latin-1\ndef größe(): ...\n".encode("latin-1")
    assert answer(tmp_path, {"m.py": source}, "größe").answer is FOUND


# Followed through other modules


@pytest.mark.parametrize(
    ("files", "name", "expected"),
    [
        ({"p/__init__.py": "from .x import f", "p/x.py": "def f(): ..."}, "f", FOUND),
        ({"p/__init__.py": "from .x import g", "p/x.py": "def f(): ..."}, "g", MISSING),
        ({"p/__init__.py": "from .x import f as g", "p/x.py": "f = 1"}, "g", NOT),
        ({"p/__init__.py": "from p.x import f", "p/x.py": "def f(): ..."}, "f", FOUND),
        ({"p/__init__.py": "from . import x", "p/x.py": "def f(): ..."}, "x", NOT),
        ({"p/__init__.py": "from . import x", "p/x.py": "def f(): ..."}, "x.f", FOUND),
        ({"p/__init__.py": "", "p/x.py": "def f(): ..."}, "x.f", FOUND),
        ({"p/__init__.py": "", "p/x.py": "def f(): ..."}, "x.g", MISSING),
        ({"p/__init__.py": "", "p/x.py": ""}, "x", NOT),
        ({"p/__init__.py": "import p.x", "p/x.py": "def f(): ..."}, "p.x.f", FOUND),
        ({"p/__init__.py": "import p.x as y", "p/x.py": "def f(): ..."}, "y.f", FOUND),
        ({"p/__init__.py": "import p.x as y", "p/x.py": ""}, "y", NOT),
        ({"p/__init__.py": "from .x import *", "p/x.py": "def f(): ..."}, "f", FOUND),
        ({"p/__init__.py": "from .x import *", "p/x.py": "def _f(): ..."}, "_f", MISSING),
        (
            {"p/__init__.py": "from .x import *", "p/x.py": "__all__ = ['_f']\ndef _f(): ..."},
            "_f",
            FOUND,
        ),
        (
            {"p/__init__.py": "from .x import *", "p/x.py": "__all__ = ['g']\ndef f(): ..."},
            "f",
            MISSING,
        ),
        (
            {"p/__init__.py": "from .x import *", "p/x.py": "__all__ = ['f']"},
            "f",
            MISSING,
        ),
        (
            {
                "p/__init__.py": "from .x import *",
                "p/x.py": "__all__ = ['g']\n__all__ += ['f']\ndef f(): ...",
            },
            "f",
            FOUND,
        ),
        (
            {
                "p/__init__.py": "from .x import *",
                "p/x.py": "__all__ = ['f']\n__all__ = ['g']\ndef f(): ...",
            },
            "f",
            MISSING,
        ),
        (
            {
                "p/__init__.py": "from .x import *",
                "p/x.py": "__all__ = ['f']\nif a:\n    __all__ = ['g']\ndef f(): ...",
            },
            "f",
            FOUND,
        ),
        (
            {"p/__init__.py": "from .x import *", "p/x.py": "__all__ = a()\ndef f(): ..."},
            "f",
            UNKNOWN,
        ),
        (
            {"p/__init__.py": "from .x import *", "p/x.py": "__all__ = 3\ndef f(): ..."},
            "f",
            UNKNOWN,
        ),
        (
            {
                "p/__init__.py": "from .x import *",
                "p/x.py": "from .y import *",
                "p/y.py": "def f(): ...",
            },
            "f",
            FOUND,
        ),
        (
            {
                "p/__init__.py": "from .x import *",
                "p/x.py": "from . import *",
            },
            "f",
            MISSING,
        ),
        ({"p/__init__.py": "from .x import *", "p/x/a.txt": ""}, "f", MISSING),
        ({"p/__init__.py": "from .x import f", "p/x.so": ""}, "f", UNKNOWN),
        ({"p/__init__.py": "from .x import f", "p/x.pyi": "def f(): ..."}, "f", FOUND),
        ({"p/__init__.py": "from .x import f", "p/x.py": "def f(:"}, "f", UNKNOWN),
        ({"p/__init__.py": "from q import f", "q.py": "def g(): ..."}, "f", MISSING),
        ({"p/__init__.py": "from q import f", "q/a.txt": ""}, "f", FOUND),
        ({"p/__init__.py": "from json import f", "json.py": "def g(): ..."}, "f", FOUND),
        ({"p/__init__.py": "from p.gone import f"}, "f", UNKNOWN),
        ({"p/__init__.py": "from gone.deep import f"}, "f", FOUND),
        ({"p/__init__.py": "import gone"}, "gone", NOT),
        ({"p/__init__.py": "import gone"}, "gone.f", UNKNOWN),
        (
            {
                "p/__init__.py": "from .old import f",
                "p/old.py": f"{SHIM_MARK}q.new\nfrom q.new import *\n",
                "q/new.py": "def f(): ...",
            },
            "f",
            FOUND,
        ),
        (
            {"p/__init__.py": "from .x.y import f", "p/x/y.py": "from ..z import f", "p/z.py": ""},
            "f",
            MISSING,
        ),
        ({"p/a.txt": ""}, "f", MISSING),
        ({"p/x.py": "def f(): ..."}, "x.f", FOUND),
    ],
)
def test_names_are_followed_to_where_they_come_from(tmp_path, files, name, expected):
    assert answer(tmp_path, files, name, "p").answer is expected


@pytest.mark.parametrize(
    ("files", "name", "why"),
    [
        ({"p.py": ""}, "f", "p has no f"),
        ({"p.py": "from p import f"}, "f", "p takes f from itself"),
        ({"p.py": "from ... import f"}, "f", "p imports from beyond its top"),
        ({"p.py": "from ...q import *"}, "f", "p takes all of ..., not in this tree"),
        ({"p.py": "from q import *"}, "f", "p takes all of q, not in this tree"),
        ({"p.py": "from p.q import f"}, "f", "p imports p.q, which is not in this tree"),
        ({"p.py": "import q"}, "q.f", "q is not in this tree"),
        ({"p.py": "def __getattr__(n): ..."}, "f", "p makes names at run time"),
        ({"p.py": "def f(:"}, "f", "p cannot be read: invalid syntax, line 1"),
        ({"p.so": ""}, "f", "p is compiled"),
        ({"p.py": "import q as f"}, "f", "it is a module"),
        ({"p/__init__.py": "", "p/f.py": ""}, "f", "it is a module"),
        ({"p.py": "f = 1"}, "f", "it is a constant"),
        ({"p.py": "f = 1"}, "f.g", "what has g is made at run time"),
        ({"p.py": "f = q.x"}, "f", "p takes it from q.x, which was not found"),
        ({"p.py": "class f: ..."}, "f.g", "the class has no g"),
        ({"p.py": "class f(g()): ..."}, "f.g", "a base class is computed"),
        ({"p.py": "class f(int): ..."}, "f.g", "int has no g"),
        ({"p.py": "from abc import ABC\nclass f(ABC): ..."}, "f.g", "ABC has no g"),
        ({"p.py": "@x\nclass f: ..."}, "f.g", "g may be set at run time"),
        ({"p.py": "class f(p.Gone): ..."}, "f.g", "p has no p"),
        ({"p.py": "from q import *", "q.py": "_f = f"}, "_f", "q keeps _f to itself"),
        ({"p.py": "from q import *", "q.py": "__all__ = []"}, "f", "q does not list f in __all__"),
        (
            {"p.py": "from q import *", "q.py": "__all__ = x\ndef f(): ..."},
            "f",
            "q computes its __all__",
        ),
        ({"q.py": ""}, "f", "p is not in this tree"),
    ],
)
def test_the_reason_is_told(tmp_path, files, name, why):
    assert answer(tmp_path, files, name, "p").why == why


def test_where_it_leads_too_far_is_told(tmp_path):
    files = {f"m{n}.py": f"from m{n + 1} import f" for n in range(600)}
    assert answer(tmp_path, files, "f", "m0").why == "m0 leads through too many other modules"


def test_a_circle_of_imports_comes_to_an_end(tmp_path):
    files = {"a.py": "from b import *\nfrom b import f", "b.py": "from a import *\nfrom a import f"}
    assert answer(tmp_path, files, "f", "a").answer is MISSING


def test_a_long_way_is_not_walked_to_its_end(tmp_path):
    files = {f"m{n}.py": f"from m{n + 1} import f" for n in range(600)}
    assert answer(tmp_path, files, "f", "m0").answer is UNKNOWN


def test_relative_imports_count_from_where_the_file_lies(tmp_path):
    files = {"src/core/a.py": "from .b import f", "src/core/b.py": "def f(): ..."}
    lane = {"source_roots": ("src",), "aliases": {"acme": ("",)}}
    assert answer(tmp_path, files, "f", "acme.core.a", **lane).answer is FOUND


def test_a_link_out_of_the_tree_is_not_read(tmp_path):
    (tmp_path / "outside.py").write_text("def f(): ...")
    inside = tmp_path / "tree"
    inside.mkdir()
    (inside / "m.py").symlink_to(tmp_path / "outside.py")
    found = Lookup(inside, Lane()).function("m", "f")
    assert (found.answer, "link" in found.why) == (UNKNOWN, True)


def test_a_module_that_is_not_there_is_unknown(tmp_path):
    lookup = Lookup(tmp_path, Lane())
    assert lookup.function("m", "f").answer is UNKNOWN
    assert not lookup.has_module("m")
    assert lookup.names("m") == []


# Classes

CLASSES = """
import abc
from abc import ABC
from typing import Generic, Protocol, TypeVar
from elsewhere import Foreign
T = TypeVar("T")

class Plain(object):
    LIMIT = 3
    field: int
    value: int = make()
    alias = print
    def __init__(self, x):
        self.attribute = x
        other.wrong = x
    def method(self): ...
    @property
    def shown(self): ...
    @staticmethod
    def free():
        free.wrong = 1
    class Inner:
        def deep(self): ...

class Child(Plain): ...
class Bare(ABC): ...
class Boxed(Generic[T], Protocol): ...
class Other(Foreign):
    def own(self): ...
class Mixed(Foreign, Plain): ...
class Text(str): ...
class Computed(make()): ...
class Meta(metaclass=Magic): ...
class Abstract(metaclass=abc.ABCMeta): ...
class Spread(**options): ...
class Lazy:
    def __getattr__(self, name): ...
@dataclass
class Data:
    def method(self): ...
@dataclasses.dataclass(frozen=True)
class Frozen: ...
@register("x")
class Registered: ...
@a[0]
class Odd: ...
class Loop(Loop): ...
Alias = Child
"""


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("Plain.method", FOUND),
        ("Plain.shown", FOUND),
        ("Plain.free", FOUND),
        ("Plain.alias", FOUND),
        ("Plain.value", FOUND),
        ("Plain.Inner", FOUND),
        ("Plain.Inner.deep", FOUND),
        ("Plain.Inner.shallow", MISSING),
        ("Plain.LIMIT", NOT),
        ("Plain.field", MISSING),
        ("Plain.missing", MISSING),
        ("Plain.wrong", MISSING),
        ("Plain.attribute", UNKNOWN),
        ("Plain.method.more", UNKNOWN),
        ("Child.method", FOUND),
        ("Child.Inner.deep", FOUND),
        ("Child.missing", MISSING),
        ("Alias.method", FOUND),
        ("Bare.missing", MISSING),
        ("Boxed.missing", MISSING),
        ("Other.own", FOUND),
        ("Other.missing", UNKNOWN),
        ("Mixed.method", FOUND),
        ("Text.upper", FOUND),
        ("Text.missing", MISSING),
        ("Computed.missing", UNKNOWN),
        ("Meta.missing", UNKNOWN),
        ("Abstract.missing", MISSING),
        ("Spread.missing", UNKNOWN),
        ("Lazy.missing", UNKNOWN),
        ("Data.method", FOUND),
        ("Data.missing", MISSING),
        ("Frozen.missing", MISSING),
        ("Registered.missing", UNKNOWN),
        ("Odd.missing", UNKNOWN),
        ("Loop.missing", MISSING),
    ],
)
def test_a_method_is_looked_for_in_its_class_and_its_bases(tmp_path, name, expected):
    assert answer(tmp_path, CLASSES, name).answer is expected


# The gate


def contract(**changes) -> Contract:
    value = {"module": "core", **changes}
    return Contract("c.json", json.dumps(value, indent=1).encode(), value)


def api(*names):
    return {"public_api": [{"fn": name, "stability": "stable"} for name in names]}


def policies(*names):
    return {"api_policies": [{"fn": name} for name in names]}


def test_a_policy_is_for_a_public_function():
    found, offered = offers(contract(interface=api("get(x)", "put"), identity=policies("get")))
    assert (found, offered) == ([], {0: "get", 1: "put"})


@pytest.mark.parametrize("name", ["gets", "Store.get", "get.x"])
def test_a_policy_for_another_function_is_told(name):
    (fault,), _ = offers(contract(interface=api("get"), identity=policies("get()", name)))
    assert (fault.rule, fault.keys) == (
        "matriz.policy-function",
        ("identity", "api_policies", 1, "fn"),
    )
    assert fault.message.startswith(f"a policy for {json.dumps(name)}, which is not in public_api")
    assert fault.remedy == "offer the function in interface.public_api, or remove the policy"


@pytest.mark.parametrize(
    ("value", "places"),
    [
        ({"interface": []}, ["interface"]),
        ({"interface": {"public_api": {}}}, ["interface/public_api"]),
        ({"interface": {"public_api": ["get"]}}, ["interface/public_api/0"]),
        ({"interface": {"public_api": [{}]}}, ["interface/public_api/0"]),
        ({"interface": {"public_api": [{"fn": 3}]}}, ["interface/public_api/0/fn"]),
        ({"interface": {"public_api": [{"fn": "a b"}]}}, ["interface/public_api/0/fn"]),
        ({"identity": {"api_policies": None}}, ["identity/api_policies"]),
        ({"identity": {"api_policies": [{"fn": ""}]}}, ["identity/api_policies/0/fn"]),
        ({"identity": None}, []),
    ],
)
def test_odd_shapes_are_told(value, places):
    found, offered = offers(contract(**value))
    assert [(fault.rule, "/".join(map(str, fault.keys))) for fault in found] == [
        ("matriz.shape", place) for place in places
    ]
    assert offered == {}


def of_the_gate(tmp_path, source, *names, **context):
    value = {
        "schema_version": "1.0.0",
        "module": "core",
        "owner": {"team": "core", "codeowners": ["@core"]},
        "gates": [{"metric": "x", "op": "==", "value": 1}],
        "identity": {
            "requires_auth": False,
            "required_tiers": ["guest"],
            "required_tiers_numeric": [0],
        },
        "interface": api(*names),
    }
    files = {"matrix_a.json": json.dumps(value, indent=1)}
    files |= {} if source is None else {"core.py": source}
    report = run_gate(gate, files, tmp_path=tmp_path, **context)
    return report, [it for it in report.findings if it.rule.startswith("matriz.function")]


def test_a_missing_function_is_told_with_the_nearest_name(tmp_path):
    report, (finding,) = of_the_gate(tmp_path, "def total(): ...", "total", "totals(x)")
    assert report.verdict is Verdict.FAIL
    assert (finding.rule, finding.pointer) == (
        "matriz.function-missing",
        "/interface/public_api/1/fn",
    )
    assert finding.message == 'core has no function totals; did you mean "total"?'
    assert finding.line
    assert finding.remedy == (
        "define totals in core, correct the name, or take it out of the contract"
    )
    assert finding.evidence == {
        "module": "core",
        "function": "totals",
        "why": "core has no totals",
    }


def test_why_a_name_is_no_function_is_told(tmp_path):
    _, (finding,) = of_the_gate(tmp_path, "total = 3", "total")
    assert finding.message == "core has no function total: it is a constant"


def test_what_cannot_be_told_leaves_the_verdict_open(tmp_path):
    report, (finding,) = of_the_gate(tmp_path, "def __getattr__(name): ...", "total")
    assert (report.verdict, finding.severity) == (Verdict.UNKNOWN, Severity.UNKNOWN)
    assert finding.evidence["why"] == "core makes names at run time"
    assert finding.message == (
        "whether total is in core cannot be told: core makes names at run time"
    )
    assert finding.remedy == "bind total in core by a statement"
    assert finding.pointer == "/interface/public_api/0/fn"


def test_a_module_that_is_not_there_is_told_once(tmp_path):
    report, found = of_the_gate(tmp_path, None, "total", "other")
    assert (report.verdict, found) == (Verdict.WARN, [])
    assert "2 public functions of modules that are not here left out" in report.summary


SHAPES = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text(max_size=4),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["fn", "public_api", "api_policies"]), inner, max_size=3)
    ),
    max_leaves=10,
)


@given(SHAPES, SHAPES)
def test_any_interface_is_judged(interface, identity):
    document = contract(interface=interface, identity=identity)
    found, _ = offers(document)
    assert all(item.line for item in located(document, found, {}))


@given(st.binary(max_size=60))
def test_any_bytes_are_a_namespace(source):
    assert namespace(source) is not None
