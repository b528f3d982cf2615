"""A repository of modules that import each other, share fixtures, clash, fail and crash."""

from __future__ import annotations

import json
from collections.abc import Iterator
from textwrap import dedent

MODULES = (
    *("app", "broken", "clash_a", "clash_b", "core", "docker"),
    *("ender", "failing", "killer", "lazy", "twin_a", "twin_b", "unready", "untested"),
)
SOUND = ("app", "clash_a", "clash_b", "core", "docker", "failing", "lazy", "twin_a", "twin_b")


def files() -> dict[str, str]:
    """Every file by its path."""
    made = {f"{name}/module.manifest.json": _manifest(name) for name in MODULES}
    return made | {path: dedent(text) for path, text in (*_SHARED.items(), *_pairs())}


def _manifest(name: str) -> str:
    return json.dumps({"module": name, "testing": {}}, indent=2) + "\n"


def _pairs() -> Iterator[tuple[str, str]]:
    """Modules that clash: two by a registry, two by the names of their files alone."""
    for name in ("clash_a", "clash_b"):
        yield f"{name}/__init__.py", ""
        yield (
            f"{name}/thing.py",
            """\
            from core.base import register

            def go():
                register("thing")
                return 1
            """,
        )
        yield (
            f"{name}/tests/test_thing.py",
            f"from {name}.thing import go\n\ndef test_go():\n    assert go()\n",
        )
    for number, name in enumerate(("twin_a", "twin_b")):
        yield f"{name}/impl.py", f"def v():\n    return {number}\n\ndef unused():\n    pass\n"
        yield f"{name}/tests/helpers.py", f"EXPECTED = {number}\n"
        yield (
            f"{name}/tests/conftest.py",
            """\
            import sys
            from pathlib import Path
            sys.path.insert(0, str(Path(__file__).parent.parent))
            """,
        )
        yield (
            f"{name}/tests/test_unit.py",
            """\
            import helpers, impl

            def test_v():
                assert impl.v() == helpers.EXPECTED

            def test_again():
                from helpers import EXPECTED
                import impl as again
                assert again.v() == EXPECTED
            """,
        )


_SHARED = {
    "conftest.py": """\
        import pytest

        @pytest.fixture(scope="session")
        def shared():
            from core.base import Base
            return Base()
        """,
    "core/__init__.py": "from core.base import Base\n",
    "core/base.py": """\
        REGISTRY = {}

        class Base:
            def __init__(self):
                self.made = (
                    1,
                    2,
                )

            def one(self):
                return 1

            def two(self):
                return 2

        def register(name):
            if name in REGISTRY:
                raise ValueError(name)
            REGISTRY[name] = 1
        """,
    "core/tests/test_core.py": "def test_one(shared):\n    assert shared.one() == 1\n",
    "app/__init__.py": "from app import late\nfrom core import Base\n",
    "app/late.py": """\
        import core

        def use():
            return core.Base().two()

        def unused():
            return 0
        """,
    "app/tests/test_app.py": """\
        from app.late import use

        def test_use(shared):
            assert use() == 2
            assert shared.one()
        """,
    "lazy/__init__.py": "",
    "lazy/deep.py": "VALUE = 3\n\ndef get():\n    return VALUE\n",
    "lazy/never.py": "VALUE = 4\n",
    "lazy/helper.py": """\
        import app

        def load():
            from lazy import deep
            return deep.get()
        """,
    "lazy/tests/test_lazy.py": """\
        def test_load():
            import importlib
            assert importlib.import_module("lazy.helper").load() == 3
        """,
    "failing/__init__.py": "def f(x):\n    if x:\n        return 1\n    return 2\n",
    "failing/tests/test_f.py": """\
        from failing import f

        def test_f():
            assert f(1) == 2

        def test_ok():
            assert f(1)
        """,
    "broken/__init__.py": "X = 1\n",
    "broken/tests/test_b.py": "import no_such_thing\n\ndef test_x():\n    pass\n",
    "ender/__init__.py": "X = 1\n",
    "ender/tests/test_e.py": """\
        import pytest

        def test_first():
            import ender

        def test_last():
            pytest.exit("enough", returncode=0)

        def test_after():
            assert False
        """,
    "unready/__init__.py": "X = 1\n",
    # Loading the conftest.py fails, so that the folder is no collector in which to find a test.
    "unready/tests/__init__.py": "import no_such_package\n",
    "unready/tests/conftest.py": "",
    "unready/tests/test_u.py": "def test_u():\n    pass\n",
    "untested/__init__.py": "Y = 1\n",
    # Named like a package that may be installed; it is none itself.
    "docker/util.py": "def a():\n    return 1\n\ndef b():\n    return 2\n",
    "docker/tests/test_docker.py": """\
        import sys
        from pathlib import Path
        sys.path.insert(0, str(Path(__file__).parent.parent))
        import util

        def test_a():
            assert util.a() == 1
        """,
    "killer/__init__.py": "Z = 1\n",
    "killer/tests/test_k.py": """\
        import os, signal

        def test_k():
            os.kill(os.getpid(), signal.SIGKILL)
        """,
}
