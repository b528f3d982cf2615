"""The public names of modules: several files, each with its own custom."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pytest_cockpit.api import Lane
from pytest_cockpit.config import Bench, Config
from pytest_cockpit.git import Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.registry import contents, public_api
from pytest_cockpit.registry.modules import discover
from pytest_cockpit.sweep.suite import suites

NAME = "module.manifest.json"


def placed(made, lane=None):
    repository = Repository.discover(made.root)
    head = repository.resolve("HEAD")
    day = datetime(2026, 1, 2, tzinfo=UTC)
    return Place(repository, Config(lane=lane or Lane()), head, head, day)


@pytest.fixture
def api(make_repository):
    """The names of the one module of these files, and what is wrong with them."""

    def look(files, folder="m", lane=None):
        manifest = {
            f"{folder}/{NAME}".removeprefix("./"): json.dumps({"module": folder}),
        }
        place = placed(make_repository({**manifest, **files}), lane)
        (module,) = discover(place)
        found = public_api.of(place, module)
        faults = [(fault.file, fault.pointer, fault.what) for fault in found.faults]
        return {name: str(what) for name, what in found.names.items()}, faults

    return look


def test_a_package_gathers_what_its_files_have(api):
    found, faults = api(
        {
            "m/__init__.py": "import os\nfrom x import y\nfrom .part import Ledger, _own\n"
            "from m.part import total as sum_of\nfrom x import z as z\n",
            "m/part.py": "import json\nclass Ledger: ...\ndef total(rows): ...\n_own = 1\n",
        }
    )
    assert found == {
        "Ledger": "import .part.Ledger",
        "sum_of": "import m.part.total",
        "z": "import x.z",
        "part.Ledger": "class",
        "part.total": "function (rows)",
    }
    assert faults == []


def test_all_decides_and_what_it_lists_in_vain_is_a_fault(api):
    found, faults = api(
        {
            "m/__init__.py": "from x import y\n__all__ = ['y', 'part', 'deep', 'gone', 'no name']\n",
            "m/part.py": "__all__ = ()\ndef total(rows): ...\n",
            "m/deep/inner.py": "A = 1\n",
        }
    )
    assert found == {
        "y": "import x.y",
        "part": "module",
        "deep": "module",
        "deep.inner.A": "constant",
    }
    assert faults == [("m/__init__.py", "__all__", "lists 'gone', which the file does not have")]


def test_what_only_running_a_file_would_tell_is_unknown_and_no_fault(api):
    found, faults = api(
        {
            "m/a.py": "from elsewhere import *\n__all__ = ['x']\n",
            "m/b.py": "def __getattr__(name): ...\n__all__ = ['y']\n",
        }
    )
    assert (found, faults) == ({"a.x": "unknown", "b.y": "unknown"}, [])


def test_star_imports_and_the_all_of_others_are_followed_within_the_module(api):
    found, faults = api(
        {
            "m/__init__.py": "from . import part\nfrom .part import *\nfrom .more import *\n"
            "__all__ = part.__all__ + ['extra']\n",
            "m/part.py": "__all__ = ['total']\ndef total(): ...\ndef other(): ...\n",
            "m/more.py": "from m.part import *\nextra = 1\n_hidden = 2\n",
        }
    )
    assert found["total"] == "import .more.total"  # the later one
    assert found["extra"] == "import .more.extra"
    assert "more.total" not in found
    assert faults == []


def test_files_that_import_each_other_end(api):
    found, faults = api(
        {
            "m/a.py": "from .b import *\nfrom . import b\n__all__ = ['one']\n__all__ += b.__all__\none = 1\n",
            "m/b.py": "from .a import *\nfrom . import a\n__all__ = ['two']\n__all__ += a.__all__\ntwo = 2\n",
        }
    )
    assert (found["a.one"], found["a.two"]) == ("variable", "import .b.two")
    assert (found["b.one"], found["b.two"]) == ("import .a.one", "variable")
    assert faults == []


def test_tests_private_files_and_names_that_no_import_can_spell_are_left_out(api):
    found, faults = api(
        {
            "m/test_a.py": "A = 1",
            "m/tests/tool.py": "B = 1",
            "m/conftest.py": "C = 1",
            "m/_own.py": "D = 1",
            "m/_own/inner.py": "E = 1",
            "m/my-script.py": "F = 1",
            "m/part.py": "G = 1",
            "m/part_test.py": "H = 1",
            "m/class.py": "I = 1",
            "m/own__init__.py": "J = 1",
            "m/myconftest.py": "K = 1",
        }
    )
    assert list(found) == ["myconftest.K", "own__init__.J", "part.G"]
    assert faults == []


def test_benchmarks_and_what_only_they_use_are_no_code(make_repository):
    names = ("benchmarks/bench_x.py", "benchmarks/harness.py", "perf/bench_y.py", "x.py")
    files = {"m/module.manifest.json": "{}", **{f"m/{name}": "X = 1\n" for name in names}}
    place = placed(make_repository(files))
    (module,) = discover(place)
    assert contents.code(module, Bench()) == ("m/perf/bench_y.py", "m/x.py")
    assert contents.code(module, Bench(paths=("perf/",))) == (
        "m/benchmarks/bench_x.py",
        "m/benchmarks/harness.py",
        "m/x.py",
    )
    (suite,) = suites(place, [module])
    assert suite.own == ("m/perf/bench_y.py", "m/x.py")
    found = public_api.of(place, module)
    assert sorted(found.names) == ["perf.bench_y.X", "x.X"]


def test_what_does_not_parse_is_a_fault_wherever_it_is_code(api):
    found, faults = api({"m/a.py": "def (", "m/_own.py": "x = '\0'", "m/test_a.py": "def ("})
    assert found == {}
    assert faults == [("m/_own.py", "", "does not parse"), ("m/a.py", "", "does not parse")]


def test_a_link_is_no_code(api):
    assert api({"m/a.py": ("120000", "../b.py"), "b.py": "x = 1"}) == ({}, [])


def test_a_module_at_the_root_has_plain_names(api):
    found, _ = api(
        {"module.manifest.json": "{}", "part.py": "A = 1", "pack/__init__.py": "B = 1"}, "."
    )
    assert found == {"part.A": "constant", "pack.B": "constant"}


def test_an_absolute_import_below_a_source_root_is_followed(api):
    found, _ = api(
        {
            "src/m/__init__.py": "from m.part import *\nfrom m.part import total as again\n",
            "src/m/part.py": "def total(): ...\n",
        },
        "src/m",
        Lane(source_roots=("src",)),
    )
    assert found == {
        "again": "import m.part.total",
        "total": "import m.part.total",
        "part.total": "function ()",
    }


def test_many_files_that_star_import_all_others_take_no_longer_than_few(api):
    count = 60
    stars = "".join(f"from .f{number} import *\n" for number in range(count))
    found, faults = api({f"m/f{number}.py": f"{stars}N{number} = 1\n" for number in range(count)})
    assert found["f0.N0"] == "constant"
    assert faults == []


def test_a_long_chain_of_star_imports_is_followed_for_a_while(api):
    count = 400
    chain = {f"m/f{number}.py": f"from .f{number + 1} import *\n" for number in range(count)}
    chain["m/f0.py"] += "__all__ = ['last']\n"
    chain["m/f380.py"] += "__all__ = ['last']\n"
    found, faults = api({**chain, f"m/f{count}.py": "last = 1\n"})
    assert found == {
        "f0.last": "unknown",
        "f380.last": "import .f381.last",
        "f400.last": "variable",
    }
    assert faults == []


def test_what_a_package_lists_may_be_a_module_or_tests(make_repository):
    files = {
        f"m/{NAME}": '{"module": "m"}',
        f"m/inner/{NAME}": '{"module": "m.inner"}',
        "m/__init__.py": "__all__ = ['inner', 'tests', 'test_m', 'gone']",
        "m/inner/a.py": "",
        "m/tests/a.py": "",
        "m/test_m.py": "",
    }
    place = placed(make_repository(files))
    found = public_api.of_all(place, discover(place))["m"]
    assert {str(what) for what in found.names.values()} == {"module"}
    assert [fault.what for fault in found.faults] == ["lists 'gone', which the file does not have"]


def test_star_imports_of_what_does_not_parse_leave_it_open(api):
    found, faults = api({"m/a.py": "from .b import *\n__all__ = ['x']", "m/b.py": "def ("})
    assert found == {"a.x": "unknown"}
    assert faults == [("m/b.py", "", "does not parse")]
