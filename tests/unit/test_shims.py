"""Shims, tried by real interpreters on real files."""

from __future__ import annotations

import ast
import os
import posixpath
import subprocess
import sys
import textwrap

import pytest

from pytest_cockpit.api import SHIM_MARK, CockpitError
from pytest_cockpit.promotion import shims

MODULE = """
    LIMIT = 7
    _private = "p"
    class Box:
        pass
    def read():
        return LIMIT
"""


class Tree:
    """A folder of modules, and the interpreter that runs code in it."""

    def __init__(self, root):
        self.root = root

    def write(self, path, text=""):
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(textwrap.dedent(text), encoding="utf-8")

    def shim(self, old_path, new_path):
        is_package = old_path.endswith("/__init__.py")
        old, new = (
            path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
            for path in (old_path, new_path)
        )
        source = shims.render(old, new, old_path=old_path, new_path=new_path, is_package=is_package)
        self.write(old_path, source.decode())
        return source

    def python(self, *arguments, cwd=None, **environment):
        cleaned = {name: value for name, value in os.environ.items() if name[:6] != "PYTHON"}
        return subprocess.run(
            [sys.executable, *arguments],
            cwd=cwd or self.root,
            env={**cleaned, "PYTHONDONTWRITEBYTECODE": "1", **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def run(self, code, *options):
        """Run code that asserts; the answer is its standard error."""
        done = self.python(
            "-W", "ignore::DeprecationWarning", *options, "-c", textwrap.dedent(code)
        )
        assert done.returncode == 0, done.stderr
        return done.stderr


@pytest.fixture
def tree(tmp_path):
    return Tree(tmp_path)


@pytest.fixture
def moved(tree):
    """`candidate/core/common.py` became `core/common.py`; the packages stayed where they were."""
    tree.write("candidate/__init__.py")
    tree.write("candidate/core/__init__.py")
    tree.write("core/__init__.py")
    tree.write("core/common.py", MODULE)
    tree.shim("candidate/core/common.py", "core/common.py")
    return tree


@pytest.fixture
def package(tree):
    """`candidate/core/__init__.py` became `core/__init__.py`; `stays.py` did not move."""
    tree.write("candidate/__init__.py")
    tree.write("core/__init__.py", "NAME = __name__")
    tree.write("core/common.py", MODULE)
    tree.shim("candidate/core/__init__.py", "core/__init__.py")
    tree.shim("candidate/core/common.py", "core/common.py")
    tree.write("candidate/core/stays.py", "WHO = __name__")
    return tree


def source_of(*, is_package):
    name = "candidate/core/__init__.py" if is_package else "candidate/core/common.py"
    target = posixpath.relpath(name, "candidate")
    return shims.render(
        "candidate.core", "core", old_path=name, new_path=target, is_package=is_package
    ).decode()


@pytest.mark.parametrize("is_package", [False, True])
def test_a_shim_names_its_target_first_and_is_valid_for_python_3_8(is_package):
    source = source_of(is_package=is_package)
    assert source.splitlines()[0] == f"{SHIM_MARK}core"
    ast.parse(source, feature_version=(3, 8))
    imported = {
        alias.name if isinstance(node, ast.Import) else node.module
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    }
    assert {name.partition(".")[0] for name in imported} <= sys.stdlib_module_names


def test_a_shim_stays_small():
    sizes = [
        sum(bool(line.strip()) for line in source_of(is_package=kind).splitlines())
        for kind in (False, True)
    ]
    assert sizes[0] <= 16
    assert sizes[1] <= 50


def test_a_module_that_keeps_its_name_gets_no_shim():
    with pytest.raises(CockpitError, match=r"lane/x\.py: x\.py is imported as x too"):
        shims.render("x", "x", old_path="lane/x.py", new_path="x.py", is_package=False)


def test_names_beyond_ascii_and_paths_that_are_no_text_are_spelled(tmp_path):
    source = shims.render(
        "candidate.Λ",
        "Λ",
        old_path="candidate/Λ.py",
        new_path=os.fsdecode(b"s\xff'rc/\xce\x9b.py"),
        is_package=False,
    )
    assert source.splitlines()[0].decode() == f"{SHIM_MARK}Λ"
    compile(source, "shim", "exec")


@pytest.mark.parametrize(
    "code",
    [
        "import candidate.core.common; old = candidate.core.common",
        "import candidate.core.common as old",
        "from candidate.core import common as old",
        "import importlib; old = importlib.import_module('candidate.core.common')",
        "import importlib; old = importlib.import_module('.common', 'candidate.core')",
        "old = __import__('candidate.core.common', fromlist=['LIMIT'])",
        "import pkgutil; old = pkgutil.resolve_name('candidate.core.common')",
    ],
)
@pytest.mark.parametrize("first", ["", "import core.common"])
def test_the_old_name_gives_the_same_module_object(moved, code, first):
    moved.run(
        f"""
        import sys
        {first}
        {code}
        import core.common
        assert old is core.common
        assert sys.modules["candidate.core.common"] is sys.modules["core.common"]
        assert sys.modules["candidate.core"].common is core.common
        assert old.__name__ == "core.common" and old.__spec__.name == "core.common"
        """
    )


def test_names_private_names_and_star_come_from_the_new_module(moved):
    moved.run(
        """
        from candidate.core.common import LIMIT, _private, read
        from candidate.core.common import *
        import core.common
        assert (LIMIT, _private) == (7, "p") and read is core.common.read
        assert Box is core.common.Box
        try:
            from candidate.core.common import absent
        except ImportError as error:
            assert "cannot import name 'absent' from 'core.common'" in str(error), error
        else:
            raise SystemExit("absent was found")
        """
    )


def test_pickles_patches_and_reloads_reach_the_new_module(moved):
    moved.run(
        """
        import importlib, pickle
        from unittest import mock
        box = pickle.loads(b"ccandidate.core.common\\nBox\\n.")
        import candidate.core.common as old, core.common as new
        assert box is new.Box
        with mock.patch("candidate.core.common.LIMIT", 9):
            assert new.read() == 9
        before = new.Box
        assert importlib.reload(old) is new
        assert new.Box is not before and old.Box is new.Box
        """
    )


WARNING = "DeprecationWarning: candidate.core.common moved to core.common"


@pytest.mark.parametrize(
    "line",
    [
        "import candidate.core.common",
        "from candidate.core import common",
        "from candidate.core.common import LIMIT",
        "importlib.import_module('candidate.core.common')",
    ],
)
def test_one_warning_names_the_line_that_imports(moved, line):
    moved.write("user.py", f"import importlib\n\n{line}\n{line}\nimport core.common")
    done = moved.python("-W", "always::DeprecationWarning", "user.py")
    warnings = [text for text in done.stderr.splitlines() if "DeprecationWarning" in text]
    assert done.returncode == 0, done.stderr
    assert [text.rpartition("user.py")[2] for text in warnings] == [f":3: {WARNING}"]


def test_as_an_error_the_warning_is_raised_at_the_importer_and_nothing_else_is(moved):
    moved.write("user.py", "import core.common\nimport candidate.core.common\n")
    done = moved.python("-W", "error::DeprecationWarning", "user.py")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == WARNING
    assert 'user.py", line 2' in done.stderr
    moved.run(
        """
        import sys, warnings
        for _ in range(2):
            try:
                import candidate.core.common
            except DeprecationWarning:
                assert "candidate.core.common" not in sys.modules
            else:
                raise SystemExit("no warning")
        warnings.simplefilter("ignore")
        import candidate.core.common as old, core.common as new
        assert old is new
        """,
        "-W",
        "error::DeprecationWarning:__main__",
    )


def test_errors_of_the_new_module_surface_unchanged(moved):
    moved.write("core/common.py", "import nowhere.at_all")
    moved.write("core/other.py", "raise RuntimeError('mine')")
    moved.shim("candidate/core/other.py", "core/other.py")
    moved.shim("candidate/core/gone.py", "core/gone.py")
    moved.run(
        """
        import importlib, sys
        def fails(name):
            try:
                importlib.import_module("candidate.core." + name)
            except Exception as error:
                assert "candidate.core." + name not in sys.modules
                return error
        for _ in range(2):
            assert fails("common").name == "nowhere"
            assert str(fails("other")) == "mine"
            assert fails("gone").name == "core.gone"
        """
    )


def test_cycles_between_old_and_new_names_give_one_module(moved):
    moved.write(
        "core/common.py",
        """
        EARLY = 1
        import user
        LATE = 2
        """,
    )
    moved.write(
        "user.py",
        """
        import candidate.core.common
        import candidate.core.common as module
        from candidate.core import common
        from candidate.core.common import EARLY
        import core.common as new
        assert module is common is new
        """,
    )
    for name in ("candidate.core.common", "core.common", "user"):
        moved.run(
            f"""
            import {name}
            import sys, user
            assert user.module is sys.modules["core.common"]
            assert sys.modules["candidate.core.common"] is user.module and user.module.LATE == 2
            """
        )


def test_threads_that_import_both_names_at_once_see_one_module(moved):
    moved.write("core/common.py", "import time\nRUNS = []\ntime.sleep(0.05)\nDONE = True")
    moved.run(
        """
        import importlib, sys, threading
        sys.setswitchinterval(1e-6)
        start = threading.Barrier(8)
        seen, failed = [], []
        def work(number):
            start.wait()
            try:
                if number % 4 == 0:
                    import core.common as module
                elif number % 4 == 1:
                    import candidate.core.common as module
                elif number % 4 == 2:
                    from candidate.core.common import DONE
                    module = sys.modules["candidate.core.common"]
                else:
                    module = importlib.import_module("candidate.core.common")
                assert module.DONE
                seen.append(module)
            except BaseException as error:
                failed.append(error)
        for _ in range(20):
            for name in ("core.common", "candidate.core.common"):
                sys.modules.pop(name, None)
            threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
            [thread.start() for thread in threads]
            [thread.join() for thread in threads]
            start.reset()
            assert not failed, failed
            # Compared by what they hold: a thread may hold the shim's own module, which answers
            # with everything that the new module has.
            assert len({id(module.RUNS) for module in seen}) == 1
            assert sys.modules["core.common"] is sys.modules["candidate.core.common"]
            seen.clear()
        """
    )


MAIN = """
    import pickle, sys
    if __name__ == "__main__":
        class Row: pass
        import {sibling}
        print(__file__, sys.argv, {sibling}.HERE)
        assert pickle.loads(pickle.dumps(Row())).__class__ is Row
        raise SystemExit(3)
"""


def test_python_m_with_the_old_name_runs_the_new_file_as_main(moved):
    moved.write("core/common.py", MAIN.format(sibling="core.near") + "    from . import near\n")
    moved.write("core/near.py", "HERE = 'new'")
    done = moved.python("-m", "candidate.core.common", "-x", "1")
    path = str(moved.root / "core/common.py")
    assert (done.returncode, done.stdout) == (3, f"{path} {[path, '-x', '1']} new\n"), done.stderr


@pytest.mark.parametrize("unmoved", [False, True])
@pytest.mark.parametrize("cwd", [".", "candidate"])
def test_python_with_the_old_path_runs_the_new_file_as_main(moved, cwd, unmoved):
    moved.write("core/common.py", MAIN.format(sibling="near"))
    if unmoved:
        moved.write("candidate/core/near.py", "HERE = 'old'")
    else:
        moved.write("core/near.py", "HERE = 'new'")
        moved.shim("candidate/core/near.py", "core/near.py")
    script = os.path.relpath(moved.root / "candidate/core/common.py", moved.root / cwd)
    done = moved.python(script, "y", cwd=moved.root / cwd)
    path = str(moved.root / "core/common.py")
    where = "old" if unmoved else "new"
    assert (done.returncode, done.stdout) == (3, f"{path} {[path, 'y']} {where}\n"), done.stderr


def test_a_safe_path_stays_safe(moved):
    moved.write("core/common.py", "import sys; print([p for p in sys.path if 'core' in p])")
    done = moved.python("-P", "candidate/core/common.py")
    assert done.stdout == "[]\n", done.stderr


def test_a_package_is_one_object_and_its_children_are_loaded_once(package):
    package.run(
        """
        import sys
        import candidate.core as old
        import candidate.core.common, candidate.core.stays
        from candidate.core.stays import WHO
        from candidate.core import common, stays, NAME
        import core, core.common
        assert old is core and NAME == "core" and WHO == "candidate.core.stays"
        assert sys.modules["candidate"].core is core
        assert common is core.common and candidate.core.common is core.common
        assert sys.modules["candidate.core.common"] is core.common
        assert sys.modules["candidate.core.stays"] is stays
        files = [m.__file__ for m in set(sys.modules.values()) if getattr(m, "__file__", None)]
        assert len(files) == len(set(files)), files
        """
    )


@pytest.mark.parametrize(
    "line",
    [
        "import candidate.core.stays as stays",
        "import candidate.core.stays; stays = candidate.core.stays",
        "from candidate.core import stays",
        "import importlib; stays = importlib.import_module('.stays', 'candidate.core')",
    ],
)
def test_what_did_not_move_is_still_a_child_of_the_old_name(package, line):
    package.run(
        f"""
        import core
        {line}
        import sys
        assert stays is sys.modules["candidate.core.stays"]
        # The import system sets a child on its parent, and the parent is the new package now.
        assert core.stays is stays
        # That does not make it importable by the name it will have one day.
        try:
            import core.stays
        except ModuleNotFoundError as error:
            assert error.name == "core.stays"
        else:
            raise SystemExit("core.stays is importable")
        """
    )


def test_a_file_of_the_new_folder_alone_has_no_old_name(package):
    package.write("core/fresh.py")
    package.run(
        """
        import candidate.core, core.fresh
        try:
            import candidate.core.fresh
        except ModuleNotFoundError as error:
            assert error.name == "candidate.core.fresh"
            assert str(error) == "No module named 'candidate.core.fresh'"
        else:
            raise SystemExit("loaded a second time")
        from candidate.core import fresh
        assert fresh is core.fresh
        """
    )


def test_a_shim_without_its_target_fails_for_the_target(package):
    (package.root / "core/common.py").unlink()
    package.run(
        """
        import candidate.core
        for statement in ("import candidate.core.common", "import core.common"):
            try:
                exec(statement)
            except ModuleNotFoundError as error:
                assert error.name == "core.common", error
            else:
                raise SystemExit("found")
        """
    )


def test_the_finder_is_there_once_however_often_the_shim_runs(package):
    package.run(
        """
        import importlib, sys
        import candidate.core as old
        for _ in range(3):
            importlib.reload(old)
            del sys.modules["candidate.core"]
            import candidate.core
        finders = [finder for finder in sys.meta_path if type(finder).__name__ == "OldFolder"]
        assert len(finders) == 1
        import candidate.core.stays, core
        assert candidate.core is core and core.stays is candidate.core.stays
        """
    )


def test_packages_in_packages_find_their_own_children(package):
    package.write("core/inner/__init__.py", "from core.inner import leaf")
    package.write("core/inner/leaf.py")
    package.shim("candidate/core/inner/__init__.py", "core/inner/__init__.py")
    package.shim("candidate/core/inner/leaf.py", "core/inner/leaf.py")
    package.write("candidate/core/inner/late.py", "from . import leaf\nfrom .. import stays")
    package.run(
        """
        import candidate.core.inner.late as late
        import candidate.core.inner.leaf
        import core.inner.leaf
        assert late.__name__ == "candidate.core.inner.late"
        assert candidate.core.inner is core.inner and late.leaf is core.inner.leaf
        assert late.stays.WHO == "candidate.core.stays"
        """
    )


def test_an_unmoved_package_below_a_moved_one_keeps_its_relative_imports(package):
    package.write("candidate/core/kept/__init__.py", "from . import near\nfrom .. import common")
    package.write("candidate/core/kept/near.py", "from ..stays import WHO")
    package.run(
        """
        import candidate.core.kept.near as near
        import candidate.core.kept as kept, core.common
        assert kept.common is core.common and kept.near is near and near.WHO
        """
    )


def test_a_folder_without_init_at_both_places_is_one_namespace(package):
    package.write("core/space/y.py", "WHO = __name__")
    package.write("core/space/new.py")
    package.shim("candidate/core/space/y.py", "core/space/y.py")
    package.write("candidate/core/space/z.py", "WHO = __name__")
    package.run(
        """
        import core.space.new
        import candidate.core.space.z as z
        import candidate.core.space.y as y
        import core.space.y, candidate.core, importlib
        importlib.invalidate_caches()
        from candidate.core.space import z as again
        assert candidate.core.space is core.space and core.space.new
        assert again is z and z.WHO == "candidate.core.space.z"
        assert y is core.space.y and y.WHO == "core.space.y"
        try:
            import candidate.core.space.new
        except ModuleNotFoundError as error:
            assert error.name == "candidate.core.space.new"
        else:
            raise SystemExit("loaded a second time")
        """
    )


def test_a_folder_without_init_at_the_old_place_alone_is_found_there(package):
    package.write("candidate/core/only/z.py", "WHO = __name__")
    package.run(
        """
        import candidate.core.only.z as z
        import importlib
        importlib.invalidate_caches()
        assert z.WHO == "candidate.core.only.z"
        from candidate.core import only
        assert only.z is z
        """
    )


def test_a_child_of_the_old_folder_does_not_take_the_place_of_a_new_one(package):
    package.write("core/twin.py", "WHO = 'new'")
    package.write("candidate/core/twin.py", "WHO = 'old'")
    for order in (
        "import core.twin; import candidate.core.twin",
        "import candidate.core.twin; import core.twin",
    ):
        package.run(
            f"""
            {order}
            import core
            from candidate.core.twin import WHO
            assert WHO == "old" and core.twin.WHO == "new"
            core.twin = None
            assert core.twin is None
            del core.twin
            """
        )


def test_a_name_that_the_package_binds_after_its_child_stays_bound(package):
    package.write("core/__init__.py", "from candidate.core.stays import WHO as stays")
    package.run(
        """
        from candidate.core import stays
        import candidate.core.stays, core
        assert stays == core.stays == "candidate.core.stays"
        """
    )


def test_a_package_that_imports_its_old_self_and_what_stayed(package):
    package.write(
        "core/__init__.py",
        """
        EARLY = 1
        import candidate.core
        from candidate.core import EARLY as again
        from candidate.core import stays
        """,
    )
    package.write("candidate/core/stays.py", "from candidate.core import EARLY\nimport core")
    for name in ("core", "candidate.core", "candidate.core.stays"):
        package.run(
            f"""
            import {name}
            import core, candidate.core, candidate.core.stays
            assert core is candidate.core and core.again == 1
            assert core.stays is candidate.core.stays
            """
        )


def test_unmoved_children_that_import_each_other(package):
    package.write("candidate/core/stays.py", "from candidate.core import other\nWHO = 1")
    package.write("candidate/core/other.py", "from candidate.core import stays")
    for name in ("stays", "other"):
        package.run(
            f"""
            import candidate.core.{name}
            import candidate.core.stays as stays, candidate.core.other as other
            assert stays.other is other and other.stays is stays
            """
        )


def test_the_one_cycle_that_a_moved_package_breaks(package):
    package.write("candidate/core/stays.py", "import candidate.core.other as other")
    package.write("candidate/core/other.py", "import candidate.core.stays as stays")
    package.run(
        """
        try:
            import candidate.core.stays
        except ImportError as error:
            assert "partially initialized module" in str(error) or "cannot import" in str(error)
        else:
            raise SystemExit("it works: say so in the documentation of shims")
        """
    )
    package.write("candidate/core/stays.py", "import candidate.core.other")
    package.write("candidate/core/other.py", "import candidate.core.stays")
    package.run("import candidate.core.stays, candidate.core.other")


def test_python_m_with_a_package_runs_its_main(package):
    package.write("core/__main__.py", "print(__name__, __package__)")
    package.shim("candidate/core/__main__.py", "core/__main__.py")
    done = package.python("-m", "candidate.core")
    assert done.stdout == "__main__ core\n", done.stderr
    package.write("candidate/core/tool.py", "print(__name__, __package__)")
    done = package.python("-m", "candidate.core.tool")
    assert done.stdout == "__main__ candidate.core\n", done.stderr


def test_python_with_the_old_path_of_a_package_runs_the_new_file(package):
    package.write("core/__init__.py", "print(__name__, __file__)")
    done = package.python("candidate/core/__init__.py")
    assert done.stdout == f"__main__ {package.root / 'core/__init__.py'}\n", done.stderr


def test_a_package_warns_once_for_each_name(package):
    package.write("user.py", "import core\n\nimport candidate.core.common\nimport candidate.core")
    done = package.python("-W", "always::DeprecationWarning", "user.py")
    lines = [text for text in done.stderr.splitlines() if "DeprecationWarning" in text]
    assert [text.partition("user.py")[2] for text in lines] == [
        ":3: DeprecationWarning: candidate.core moved to core",
        f":3: {WARNING}",
    ]


def test_spawned_processes_find_what_a_shim_ran(moved):
    moved.write(
        "core/common.py",
        """
        import multiprocessing
        def double(number):
            return 2 * number
        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.map(double, [4]))
        """,
    )
    for arguments in (["-m", "candidate.core.common"], ["candidate/core/common.py"]):
        done = moved.python(*arguments)
        assert done.stdout == "[8]\n", done.stderr
