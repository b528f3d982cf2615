from __future__ import annotations

import itertools
from collections.abc import Mapping
from importlib.machinery import FileFinder, ModuleSpec, SourceFileLoader
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_cockpit.analysis.graph import Missing, Resolution, Resolver, components, edges
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.analysis.scan import Facts, scan
from pytest_cockpit.api import Lane

TREE = {
    "candidate/__init__.py": "",
    "candidate/core/__init__.py": "",
    "candidate/core/x.py": "",
    "candidate/core/y.py": "",
    "candidate/plain/z.py": "",
    "lib/__init__.py": "",
    "lib/a.py": "",
    "lib/deep/b.py": "",
    "docker/compose.py": "",
    "tool.py": "",
}


def resolver(
    files: Mapping[str, str] = TREE, lane: Lane | None = None, opaque: tuple[str, ...] = ()
) -> Resolver:
    facts = {path: scan(text.encode()) for path, text in files.items()}
    return Resolver(files, Layout(lane or Lane()), facts, opaque)


def resolve(source: str, importer: str = "app.py", **given: object) -> Resolution:
    [imp] = scan(source.encode()).imports
    return resolver(**given).resolve(importer, imp)  # type: ignore[arg-type]  # passed through


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("import candidate.core.x", ["candidate/core/x.py"]),
        ("import candidate.core", ["candidate/core/__init__.py"]),
        ("import candidate.core.__init__", ["candidate/core/__init__.py"]),
        ("import candidate.plain", []),
        ("from candidate.core import x", ["candidate/core/x.py"]),
        ("from candidate.core import x, y", ["candidate/core/x.py", "candidate/core/y.py"]),
        (
            "from candidate.core import x, other",
            ["candidate/core/x.py", "candidate/core/__init__.py"],
        ),
        ("from candidate.core import *", ["candidate/core/__init__.py"]),
        ("from candidate.core.x import other", ["candidate/core/x.py"]),
        ("from candidate import core", ["candidate/core/__init__.py"]),
        ("from candidate.plain import z", ["candidate/plain/z.py"]),
        ("from candidate import plain", []),
        ("import tool", ["tool.py"]),
        ("import os.path", []),
        ("from numpy import array", []),
    ],
)
def test_absolute_imports(source, paths):
    found = resolve(source)
    assert list(found.paths) == paths
    assert found.missing == ()


def test_modules_are_the_names_of_the_paths():
    found = resolve("from candidate.core import x, other")
    assert found.modules == ("candidate.core.x", "candidate.core")


@pytest.mark.parametrize(
    ("source", "importer", "paths"),
    [
        ("from . import x", "candidate/core/y.py", ["candidate/core/x.py"]),
        ("from .x import other", "candidate/core/__init__.py", ["candidate/core/x.py"]),
        ("from . import other", "candidate/core/y.py", ["candidate/core/__init__.py"]),
        ("from ..plain.z import other", "candidate/core/y.py", ["candidate/plain/z.py"]),
        ("from .. import plain", "candidate/core/__init__.py", []),
        ("from ...tool import other", "candidate/core/__init__.py", []),
    ],
)
def test_relative_imports(source, importer, paths):
    assert list(resolve(source, importer).paths) == paths


def test_a_relative_import_beyond_the_top_is_missing():
    assert resolve("from ...tool import other", "candidate/core/y.py").missing == ("...tool",)
    assert resolve("from . import other", "tool.py").missing == (".",)


def test_a_file_without_a_module_name_has_no_relatives():
    files = {**TREE, "candidate/my-script.py": ""}
    assert resolve("from .core import x", "candidate/my-script.py", files=files) == Resolution()


@pytest.mark.parametrize(
    ("source", "missing"),
    [
        ("import candidate.core.nowhere", ["candidate.core.nowhere"]),
        ("from candidate.core.nowhere import x", ["candidate.core.nowhere"]),
        ("from candidate.nowhere import x, y", ["candidate.nowhere"]),
        ("import candidate.core.x.deeper", ["candidate.core.x.deeper"]),
        ("import tool.deeper", ["tool.deeper"]),
        ("from candidate.plain import other", ["candidate.plain.other"]),
        ("import lib.deep.nowhere", ["lib.deep.nowhere"]),
        ("import nowhere", []),
        # A folder does not hide an installed package, a regular package does.
        ("import docker.errors", []),
        ("import lib.errors", ["lib.errors"]),
    ],
)
def test_missing_names(source, missing):
    assert list(resolve(source).missing) == missing


def test_the_standard_library_is_never_missing():
    files = {"logging/__init__.py": "", "types.py": "", "candidate/platform.py": ""}
    assert resolve("import logging.handlers", files=files).missing == ()
    assert resolve("import types", files=files).paths == ("types.py",)
    # Built into the interpreter: no file of ours is ever asked.
    assert resolve("import sys", files={"sys.py": ""}).paths == ()
    # What is not there yet must not catch the imports of today's standard library.
    assert resolve("import platform", files=files).paths == ()


def test_a_package_hides_the_module_of_its_name():
    files = {"a/x.py": "", "a/x/__init__.py": "", "a/x/y.py": ""}
    assert resolve("import a.x", files=files).paths == ("a/x/__init__.py",)


def test_a_module_hides_the_folder_of_its_name():
    files = {"a/x.py": "", "a/x/y.py": ""}
    assert resolve("import a.x", files=files).paths == ("a/x.py",)
    assert resolve("import a.x.y", files=files) == Resolution(missing=("a.x.y",))
    assert resolve("from a.x import y", files=files).paths == ("a/x.py",)


def test_names_of_tomorrow_mean_lane_files():
    files = {"candidate/core/x.py": "", "candidate/deep/__init__.py": "", "deep/y.py": ""}
    assert resolve("import core.x", files=files).paths == ("candidate/core/x.py",)
    assert resolve("from deep import other", files=files).paths == ("candidate/deep/__init__.py",)
    assert resolve("from deep import y", files=files).paths == ("deep/y.py",)


def test_a_name_of_today_beats_the_name_of_tomorrow():
    files = {"candidate/core/x.py": "", "core/x.py": ""}
    assert resolve("import core.x", files=files).paths == ("core/x.py",)


def test_a_shim_is_no_file_of_tomorrow():
    files = {
        "candidate/core/x.py": "# cockpit: moved to core.x\nimport core.x\n",
        "core/__init__.py": "",
    }
    assert resolve("import core.x", files=files).missing == ("core.x",)
    assert resolve("import candidate.core.x", files=files).paths == ("candidate/core/x.py",)


def test_a_shim_is_as_dynamic_as_what_moved():
    files = {
        "candidate/core/__init__.py": "# cockpit: moved to core\nimport core\n",
        "core/__init__.py": "def __getattr__(name):\n    return 1\n",
        "candidate/odd/__init__.py": "# cockpit: moved to candidate.odd\nimport candidate.odd\n",
    }
    assert resolve("import candidate.core.nowhere", files=files) == Resolution()
    assert resolve("import candidate.odd.nowhere", files=files).missing == (
        "candidate.odd.nowhere",
    )
    files["core/__init__.py"] = ""
    assert resolve("import candidate.core.nowhere", files=files).missing


@pytest.mark.parametrize("source", ["import lib.errors", "from lib.errors import x"])
def test_names_below_a_dynamic_package_are_neither_found_nor_missing(source):
    files = {**TREE, "lib/__init__.py": "def __getattr__(name):\n    return 1\n"}
    assert resolve(source, files=files) == Resolution()
    assert resolve("import lib.a", files=files).paths == ("lib/a.py",)
    assert resolve("from lib import x", files=files).paths == ("lib/__init__.py",)


def test_a_package_without_facts_may_be_dynamic():
    facts: dict[str, Facts | None] = {}
    found = Resolver(TREE, Layout(Lane()), facts)
    [imp] = scan(b"import lib.errors").imports
    assert found.resolve("app.py", imp) == Resolution()
    assert found.unscanned == {"lib/__init__.py"}
    facts["lib/__init__.py"] = Facts()
    found.rescan()
    assert found.resolve("app.py", imp).missing == ("lib.errors",)
    assert not found.unscanned


@pytest.mark.parametrize(
    ("opaque", "source"),
    [
        ("lib/_fast.pyx", "from lib import _fast"),
        ("lib/_fast.cpython-311-x86_64-linux-gnu.so", "from lib._fast import x"),
        ("lib/submodule", "import lib.submodule.x"),
        ("lib/link.py", "import lib.link"),
    ],
)
def test_nothing_is_missing_below_what_cannot_be_known(opaque, source):
    assert resolve(source, opaque=(opaque,)).missing == ()
    assert resolve("import lib.errors", opaque=(opaque,)).missing == ("lib.errors",)


ALIASED = Lane(aliases={"acme": ("", "candidate"), "acme.own": ("lib",)})


@pytest.mark.parametrize(
    ("source", "paths", "missing"),
    [
        ("import acme.lib.a", ["lib/a.py"], []),
        ("import acme.core.x", ["candidate/core/x.py"], []),
        ("from acme.core import x", ["candidate/core/x.py"], []),
        ("from acme import core", ["candidate/core/__init__.py"], []),
        ("from acme.plain import z", ["candidate/plain/z.py"], []),
        ("import acme.plain", [], []),
        ("import acme.own.a", ["lib/a.py"], []),
        ("import acme.real", ["acme/real.py"], []),
        ("from acme import version", ["acme/__init__.py"], []),
        ("import acme.nowhere", [], ["acme.nowhere"]),
        ("from acme.core.nowhere import x", [], ["acme.core.nowhere"]),
    ],
)
def test_aliases(source, paths, missing):
    files = {
        **TREE,
        "acme/__init__.py": "def __getattr__(name):\n    return 1\n",
        "acme/real.py": "",
    }
    found = resolve(source, files=files, lane=ALIASED)
    assert list(found.paths) == paths
    assert list(found.missing) == missing


@pytest.mark.parametrize("dynamic", ["lib/__init__.py", "candidate/core/__init__.py"])
def test_what_serves_an_alias_may_be_dynamic_itself(dynamic):
    files = {**TREE, dynamic: "sys.modules['x'] = 1\n"}
    name = dynamic.removeprefix("candidate/").partition("/")[0]
    assert resolve(f"import acme.{name}.nowhere", files=files, lane=ALIASED) == Resolution()
    assert resolve("import acme.docker.nowhere", files=files, lane=ALIASED).missing


def test_two_source_roots():
    lane = Lane(path="src/candidate", root="src", source_roots=("src", "."))
    files = {"src/candidate/x.py": "", "src/lib/a.py": "", "tools/b.py": ""}
    for source, path in (
        ("import candidate.x", "src/candidate/x.py"),
        ("import lib.a", "src/lib/a.py"),
        ("import tools.b", "tools/b.py"),
        ("import x", "src/candidate/x.py"),
    ):
        assert resolve(source, files=files, lane=lane).paths == (path,)


def test_edges():
    files = {
        "candidate/a.py": (
            "import candidate.b\nimport candidate.b as again\nimport candidate.a\n"
            "import candidate.lost\nimport candidate.lost as twice\n"
            "try:\n    import candidate.guarded\nexcept ImportError:\n    import candidate.c\n"
            "if TYPE_CHECKING:\n    import candidate.typing_only\n"
            "def f():\n    import candidate.lazy\n"
            "try:\n    import elsewhere.guarded\nexcept ImportError:\n    pass\n"
        ),
        "candidate/b.py": "import candidate.c\n",
        "candidate/c.py": "",
        "app.py": "import candidate.b\n",
    }
    facts: dict[str, Facts | None] = {path: scan(text.encode()) for path, text in files.items()}
    facts["candidate/c.py"] = None
    graph = edges(files, facts, resolver({**files, "candidate/__init__.py": ""}))
    assert graph.needs == {
        "candidate/a.py": ("candidate/b.py", "candidate/c.py"),
        "candidate/b.py": ("candidate/c.py",),
        "app.py": ("candidate/b.py",),
    }
    assert graph.missing == {
        "candidate/a.py": (
            Missing("candidate.lost", 4),
            Missing("candidate.guarded", 7, optional=True),
            Missing("candidate.typing_only", 11, optional=True),
            Missing("candidate.lazy", 13),
        )
    }
    assert graph.importers() == {"candidate/b.py": 2, "candidate/c.py": 2}


def test_components_come_after_what_they_need():
    needs = {"a": ["b"], "b": ["c"], "c": ["b", "d"], "d": ["gone"], "e": []}
    assert components(needs) == [("d",), ("b", "c"), ("a",), ("e",)]


@given(
    st.dictionaries(
        st.sampled_from("abcdefgh"), st.lists(st.sampled_from("abcdefgh"), max_size=3), min_size=1
    )
)
def test_any_components(needs):
    groups = components(needs)
    place = {path: index for index, group in enumerate(groups) for path in group}
    assert sorted(place) == sorted(needs)
    reach = {path: _reach(needs, path) for path in needs}
    for path, needed in itertools.product(needs, needs):
        together = path == needed or (needed in reach[path] and path in reach[needed])
        assert (place[path] == place[needed]) is together
        if needed in reach[path]:
            assert place[needed] <= place[path]


def _reach(needs: Mapping[str, list[str]], start: str) -> set[str]:
    found: set[str] = set()
    pending = [start]
    while pending:
        for needed in needs.get(pending.pop(), ()):
            if needed in needs and needed not in found:
                found.add(needed)
                pending.append(needed)
    return found


PARTS = st.sampled_from(["a", "b", "c"])
FILES = st.sets(
    st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=3).flatmap(
        lambda parts: st.sampled_from(["/".join(parts) + ".py", "/".join(parts) + "/__init__.py"])
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(FILES, st.lists(PARTS, min_size=1, max_size=4))
def test_the_interpreter_s_own_finder_agrees(files, parts):
    """Python's import system looks for the same file, without anything being run."""
    name = ".".join(parts)
    with TemporaryDirectory() as folder:
        for path in files:
            target = Path(folder, path)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.touch()
        spec = _find(name, folder)
        found = resolve(f"import {name}", files=dict.fromkeys(files, ""))
        if spec is None:
            assert found.paths == ()
        elif spec.origin is None:
            assert found == Resolution()
        else:
            assert [str(Path(folder, path)) for path in found.paths] == [spec.origin]
            assert found.missing == ()


def _find(name: str, folder: str) -> ModuleSpec | None:
    above = name.rpartition(".")[0]
    places = [folder]
    if above:
        parent = _find(above, folder)
        if parent is None or parent.submodule_search_locations is None:
            return None
        places = parent.submodule_search_locations
    namespace = ModuleSpec(name, None, is_package=True)
    for place in places:
        spec = FileFinder(place, (SourceFileLoader, [".py"])).find_spec(name)
        if spec is not None and spec.loader is not None:
            return spec
        if spec is not None:
            namespace.submodule_search_locations = spec.submodule_search_locations
    return namespace if namespace.submodule_search_locations else None
