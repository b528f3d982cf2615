"""Imports and import paths of Python files after modules have moved."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import textwrap

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from pytest_cockpit.promotion import shims
from pytest_cockpit.promotion.rewriter import Edit, Reference, rewrite, shadowing

MOVED = {
    "candidate.core": "core",
    "candidate.core.common": "core.common",
    "candidate.bridge": "bridge",
    "candidate.ident.user": "ident.user",
    "candidate.old": "fresh.name",
}
KNOWN = frozenset(
    {
        *MOVED,
        "candidate",
        "candidate.app",
        "candidate.core.stay",
        "candidate.core.stay.deep",
        "candidate.ident",
        "candidate.ident.other",
        "candidate.corefile",
        "other.tool",
    }
)


def run(source, module="other.tool", new_module=None, *, is_package=False, **options):
    content = source if isinstance(source, bytes) else textwrap.dedent(source).encode()
    own = {"module": module, "new_module": new_module or module, "is_package": is_package}
    given_options = {"moved": MOVED, "known": KNOWN, **options}
    done = rewrite(content, path="f.py", **own, **given_options)
    again = rewrite(
        done.content, path="f.py", **{**own, "module": own["new_module"]}, **given_options
    )
    assert again.content == done.content, "rewriting twice is not rewriting once"
    if not done.edits:
        assert done.content is content
    return done


def after(source, *arguments, **options):
    return run(source, *arguments, **options).content.decode()


def reasons(source, *arguments, **options):
    return [(item.line, item.why) for item in run(source, *arguments, **options).reported]


def check(before, expected, *arguments, **options):
    assert after(before, *arguments, **options) == textwrap.dedent(expected)


@pytest.mark.parametrize(
    "before, expected",
    [
        ("import candidate.core.common as cc", "import core.common as cc"),
        ("import candidate.core as core", "import core as core"),
        ("import candidate.app, candidate.core.common", "import candidate.app, core.common"),
        ("import os, candidate.bridge as b, sys", "import os, bridge as b, sys"),
        ("import candidate . bridge", "import bridge"),
        ("import candidate.core.common; x = 1", "import core.common; x = 1"),
        ("from candidate import core", "import core"),
        ("from candidate import core as c", "import core as c"),
        ("from candidate import core as core", "import core as core"),
        ("from candidate import old", "from fresh import name as old"),
        ("from candidate import old as o", "from fresh import name as o"),
        ("from candidate import bridge, core", "import bridge\nimport core"),
        ("from candidate import core, app", "from candidate import app\nimport core"),
        ("from candidate.core import common", "from core import common"),
        ("from candidate.core import common, NAME as N", "from core import common, NAME as N"),
        (
            "from candidate.core import NAME, stay, common",
            "from candidate.core import stay\nfrom core import NAME, common",
        ),
        ("from candidate.core.common import X as Y, Z", "from core.common import X as Y, Z"),
        ("from candidate.core.common import *", "from core.common import *"),
        ("from candidate.core import *", "from core import *"),
        ("from candidate.old import X", "from fresh.name import X"),
        ("if 1: from candidate import core, app", "if 1: from candidate import app; import core"),
        (
            "from candidate import core, app; import os",
            "from candidate import app; import core; import os",
        ),
        (
            "from candidate import core, app  # noqa: F401",
            "from candidate import app  # noqa: F401\nimport core  # noqa: F401",
        ),
        ("from candidate import \\\n    bridge", "import bridge"),
        ("from candidate import app, \\\n    bridge", "from candidate import app\nimport bridge"),
        ("from candidate.core \\\n    import X", "from core \\\n    import X"),
        ("from candidate import (core)", "import core"),
        ("from candidate.core import(X)", "from core import(X)"),
    ],
)
def test_import_statements_follow_what_they_import(before, expected):
    check(before, expected)
    indented = f"def f():\n\tif x:\n\t\t{before}\n"
    if ";" not in before and "if 1" not in before and "*" not in before:
        rest = expected.replace("\nimport", "\n\t\timport").replace("\nfrom", "\n\t\tfrom")
        assert after(indented.encode()) == f"def f():\n\tif x:\n\t\t{rest}\n"


@pytest.mark.parametrize(
    "source",
    [
        "import candidate",
        "import candidate.corefile",
        "import candidate.core.stay.deep",
        "from candidate.core.stay import deep, X",
        "from candidate.corefile import core",
        "from candidate.core import stay as common",
        "from candidate import app, ident",
        "import mycandidate.core.common",
        "import x.candidate.core.common",
        "candidate.core.common.X",
        "from __future__ import annotations\nimport core",
        "",
    ],
)
def test_what_does_not_move_stays_byte_for_byte(source):
    assert run(source).edits == ()


def test_layout_and_comments_of_a_split_import_stay_with_their_names():
    check(
        """\
        from __future__ import annotations

        from candidate import (  # what we need
            # the application
            app,  # app
            # the core,
            # in two lines
            core as kernel,  # core
            # the rest
            ident,
            # the end
        )  # type: ignore
        x = 1
        """,
        """\
        from __future__ import annotations

        from candidate import (  # what we need
            # the application
            app,  # app
            # the rest
            ident,
            # the end
        )  # type: ignore
        # the core,
        # in two lines
        import core as kernel  # core  # type: ignore
        x = 1
        """,
    )
    check(
        "from candidate.core.common import (\n    X,  # x\n    # y\n    Y\n)\n",
        "from core.common import (\n    X,  # x\n    # y\n    Y\n)\n",
    )
    check(
        "from candidate import (\n    core,  # c\n    app\n    # end\n)\n",
        "from candidate import (\n    app\n    # end\n)\nimport core  # c\n",
    )
    check(
        "from candidate import (app,\n                       core)\n",
        "from candidate import (app)\nimport core\n",
    )
    check(
        "from candidate import (\n    # lead\n    core, app)\n",
        "from candidate import (\n    app)\n# lead\nimport core\n",
    )
    check(
        "from candidate import (\n    app,  # a\n    core)\n",
        "from candidate import (\n    app  # a\n    )\nimport core\n",
    )
    check(
        "if x:\n  from candidate import (  # why\n    core,  # c\n    # end\n  )\n",
        "if x:\n  # why\n  # end\n  import core  # c\n",
    )
    check(
        "from candidate import (app, core,)\n",
        "from candidate import (app,)\nimport core\n",
    )


@pytest.mark.parametrize(
    "source",
    [
        "if 1: from candidate import (\n    core,  # why\n    app)",
        "from candidate import (core  # here\n    as c, app)",
    ],
)
def test_a_comment_is_never_lost(source):
    done = run(source)
    assert done.edits == ()
    assert [item.why.partition(":")[0] for item in done.reported] == ["left alone"]


def test_bytes_around_an_edit_are_kept():
    crlf = b"\xef\xbb\xbf# caf\xc3\xa9\r\nfrom candidate import app, core # \xe2\x82\xac\r\n\x0c\r\nx\t=1 \r\n"
    assert run(crlf).content == (
        b"\xef\xbb\xbf# caf\xc3\xa9\r\nfrom candidate import app # \xe2\x82\xac\r\n"
        b"import core # \xe2\x82\xac\r\n\x0c\r\nx\t=1 \r\n"
    )
    latin = b"# -*- coding: latin-1 -*-\n# \xe9\nimport candidate.bridge as b  # \xe9\n'\xe9'"
    assert run(latin).content == latin.replace(b"candidate.bridge", b"bridge")
    mixed = b"x = 1\r\ny = 2\nfrom candidate import core, app\rz = '\xe2\x80\xa8'\n\x0cimport candidate.old as o"
    assert run(mixed).content == (
        b"x = 1\r\ny = 2\nfrom candidate import app\rimport core\rz = '\xe2\x80\xa8'\n"
        b"\x0cimport fresh.name as o"
    )
    page = b"x = 1\n\x0cfrom candidate import core, app\n"
    assert run(page).content == b"x = 1\n\x0cfrom candidate import app\nimport core\n"
    wide = "é = '☃'; import candidate.core.common; f('☃', candidate.core.common.X, 'é')\n"
    assert after(wide) == wide.replace("candidate.core.common", "core.common")
    typed = "x = []  # type: list[candidate.core.common.X]\nimport candidate.bridge as b\n"
    assert after(typed) == typed.replace("import candidate.bridge", "import bridge")


def test_guarded_and_late_imports_are_imports():
    check(
        """\
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import candidate.core.common
        try:
            import candidate.bridge as bridge
        except ImportError:
            bridge = None
        def f(x: "candidate.core.common.X", y: "list[candidate.core.common.Y]") -> "candidate.core.common.Z":
            from candidate import ident, bridge as b
            z: Literal["candidate.core.common"] = cast("candidate.core.common.T", y)
            a: Annotated["candidate.core.common.A", "candidate.core.common"]
        """,
        """\
        from typing import TYPE_CHECKING
        if TYPE_CHECKING:
            import core.common
        try:
            import bridge as bridge
        except ImportError:
            bridge = None
        def f(x: "core.common.X", y: "list[core.common.Y]") -> "core.common.Z":
            from candidate import ident
            import bridge as b
            z: Literal["candidate.core.common"] = cast("core.common.T", y)
            a: Annotated["core.common.A", "candidate.core.common"]
        """,
    )


def test_uses_of_a_plain_import_are_renamed_with_it():
    check(
        """\
        import candidate.core.common
        import candidate.app
        X = candidate.core.common.X, candidate.app.X, candidate . core.common . Y
        def f(a=candidate.core.common.Z):
            candidate.core.common.Q = 1
            del candidate.core.common.Q
            return [candidate.core.common.W for x in candidate.core.common.L], lambda: candidate.app
        class C(candidate.core.common.Base):
            candidate.core.common.X
        @candidate.core.common.decorator
        async def g():
            global candidate
            return candidate.core.common.X, f"{candidate.core.common.X!r}"
        """,
        """\
        import core.common
        import candidate.app
        X = core.common.X, candidate.app.X, core.common . Y
        def f(a=core.common.Z):
            core.common.Q = 1
            del core.common.Q
            return [core.common.W for x in core.common.L], lambda: candidate.app
        class C(core.common.Base):
            core.common.X
        @core.common.decorator
        async def g():
            global candidate
            return core.common.X, f"{core.common.X!r}"
        """,
    )


@pytest.mark.parametrize(
    "before, expected",
    [
        # What the statement loaded on its way is still loaded for those who use it.
        (
            "import candidate.ident.user\ncandidate.ident.user.X, candidate.ident.X\n",
            "import candidate.ident, ident.user\nident.user.X, candidate.ident.X\n",
        ),
        (
            "import candidate.ident.user\nimport candidate.ident\ncandidate.ident.X\n",
            "import ident.user\nimport candidate.ident\ncandidate.ident.X\n",
        ),
        (
            "import candidate.ident.user\nif x:\n    import candidate.ident\ncandidate.ident.X\n",
            "import candidate.ident, ident.user\nif x:\n    import candidate.ident\ncandidate.ident.X\n",
        ),
        (
            "import candidate.ident.user\ncandidate.ident.X\nimport candidate.ident\n",
            "import candidate.ident, ident.user\ncandidate.ident.X\nimport candidate.ident\n",
        ),
        (
            "import candidate.bridge\ncandidate.app.X\n",
            "import candidate, bridge\ncandidate.app.X\n",
        ),
        (
            "import candidate.core\ncandidate.core.stay.X, candidate.core.Y\n",
            "import candidate, core\ncandidate.core.stay.X, core.Y\n",
        ),
        (
            "import candidate.ident.user\ncandidate.app.X, candidate.ident.Y\n",
            "import candidate.ident, ident.user\ncandidate.app.X, candidate.ident.Y\n",
        ),
        (
            "import candidate.core.common\ncandidate.core.stay.X\n",
            "import candidate, core.common\ncandidate.core.stay.X\n",
        ),
        # What stays loads its package, which does not.
        (
            "import candidate.core.stay\ncandidate.core.X, candidate.core.stay.X\n",
            "import core, candidate.core.stay\ncore.X, candidate.core.stay.X\n",
        ),
        # The new name is bound already, or bound by somebody else for himself.
        (
            "import core.else_\nimport candidate.core\ncore.else_.X, candidate.core.X\n",
            "import core.else_\nimport core\ncore.else_.X, core.X\n",
        ),
        (
            "import candidate.bridge\ncandidate.bridge.X\ndef f(bridge): return bridge\n",
            "import bridge\nbridge.X\ndef f(bridge): return bridge\n",
        ),
        # The package of a moved module moves too, so importing one loads the other.
        ("import candidate.core.common\ncandidate.core.X\n", "import core.common\ncore.X\n"),
        (
            "from candidate import core\nimport candidate.core.common\n",
            "import core\nimport core.common\n",
        ),
        # Each function has its own.
        (
            "import candidate.app\ndef f():\n    import candidate.bridge\n    candidate.bridge.X\n",
            "import candidate.app\ndef f():\n    import bridge\n    bridge.X\n",
        ),
    ],
)
def test_other_uses_of_the_name_keep_what_they_need(before, expected):
    check(before, expected)


@pytest.mark.parametrize(
    "source, why",
    [
        ("candidate = 3", "`candidate` is also bound otherwise"),
        ("del candidate", "`candidate` is also bound otherwise"),
        ("for candidate in x: pass", "`candidate` is also bound otherwise"),
        ("import other as candidate", "`candidate` is also bound otherwise"),
        ("def candidate(): pass", "`candidate` is also bound otherwise"),
        ("(candidate := 3)", "`candidate` is also bound otherwise"),
        ("[0 for x in y if (candidate := x)]", "`candidate` is also bound otherwise"),
        ("try: pass\nexcept E as candidate: pass", "`candidate` is also bound otherwise"),
        ("match x:\n  case {**candidate}: pass", "`candidate` is also bound otherwise"),
        ("match x:\n  case [*candidate]: pass", "`candidate` is also bound otherwise"),
        ("def f():\n  global candidate\n  candidate = 3", "`candidate` is also bound otherwise"),
        ("f(candidate)", "`candidate` is used as a value in line 2"),
        ("__all__ = ['candidate']", "`candidate` is in __all__"),
        ("candidate.bridge = None", "cannot be renamed in line 2"),
        ("(candidate\n.bridge.X)", "cannot be renamed in line 2"),
        ("def f(bridge): return candidate.bridge.X", "`bridge` means something else here"),
        ("bridge = candidate.bridge.X", "`bridge` means something else here"),
        ("from x import bridge", "`bridge` means something else here"),
        ("print(bridge)", "`bridge` means something else here"),
        ("def f(): return bridge", "`bridge` means something else here"),
        ("class A:\n  bridge = 1\n  x = candidate.bridge.X", "`bridge` means something else here"),
        ("from candidate import bridge as candidate", "`candidate` is also bound otherwise"),
    ],
)
def test_a_plain_import_that_cannot_follow_is_left_and_reported(source, why):
    done = run(f"import candidate.bridge\n{source}\n")
    assert done.content.startswith(b"import candidate.bridge\n")
    assert any(item.line == 1 and why in item.why for item in done.reported), done.reported


def test_a_new_name_that_would_become_global_is_left_alone():
    source = "def f():\n  global bridge\n  import candidate.bridge\n  candidate.bridge.X\n"
    assert run(source).edits == ()


def test_shadowed_names_are_other_names():
    check(
        """\
        import candidate.bridge
        def f(candidate): return candidate.bridge.X
        def g():
            candidate = 3
            return candidate.bridge.X
        def h():
            return [candidate.bridge.X for candidate in y], candidate.bridge.X
        class C:
            candidate = 3
            x = [y for y in candidate.bridge.X], [candidate.bridge.X for y in z]
            def m(self): return candidate.bridge.X
        """,
        """\
        import bridge
        def f(candidate): return candidate.bridge.X
        def g():
            candidate = 3
            return candidate.bridge.X
        def h():
            return [candidate.bridge.X for candidate in y], bridge.X
        class C:
            candidate = 3
            x = [y for y in candidate.bridge.X], [bridge.X for y in z]
            def m(self): return bridge.X
        """,
    )


def test_uses_that_rely_on_somebody_elses_import_are_reported_and_kept_working():
    assert reasons("import candidate.app\ncandidate.bridge.X\n") == [
        (2, "uses candidate.bridge without an import of its own under this name")
    ]
    source = "from candidate import ident\nimport candidate.ident.user as u\nident.user.X\n"
    done = run(source)
    assert done.content.decode() == source.replace("candidate.ident.user as", "ident.user as")
    assert [item.line for item in done.reported] == [3]
    # Package and module move together here, so that nothing changes for the use.
    assert reasons("from candidate import core\ncore.common.X\n") == []
    # The function's use lives off the import above, which therefore stays.
    source = "import candidate.bridge\ndef f():\n  import candidate.app\n  candidate.bridge.X\n"
    done = run(source)
    assert done.edits == ()
    assert [item.line for item in done.reported] == [1, 4]


def test_relative_imports_of_a_file_that_stays_become_absolute_where_they_must():
    check(
        """\
        from .core import stay, thing
        from . import core
        from .core.common import X
        from . import app, bridge as b
        from .app import core
        from .core import *
        from.bridge import y
        from . \\
            import bridge
        """,
        """\
        from .core import stay
        from core import thing
        import core
        from core.common import X
        from . import app
        import bridge as b
        from .app import core
        from core import *
        from bridge import y
        import bridge
        """,
        "candidate.app",
    )


def test_relative_imports_of_a_file_that_moves_stay_where_they_still_hold():
    check(
        """\
        from . import stay, attr, common
        from .common import X
        from .stay import deep
        from .. import app
        from ..ident import user, other
        from ..ident.user import U
        """,
        """\
        from . import attr, common
        from candidate.core import stay
        from .common import X
        from candidate.core.stay import deep
        from candidate import app
        from ident import user
        from candidate.ident import other
        from ident.user import U
        """,
        "candidate.core",
        "core",
        is_package=True,
    )
    check(
        "from . import x, common\nfrom .common import y\nfrom .stay import z\n",
        "from . import x, common\nfrom .common import y\nfrom candidate.core.stay import z\n",
        "candidate.core.more",
        "core.more",
        moved={**MOVED, "candidate.core.more": "core.more"},
    )


def test_a_relative_import_of_what_does_not_exist_is_left_alone():
    source = "try:\n    from .nowhere import x\nexcept ImportError:\n    x = None\n"
    own = ("candidate.core.more", "core.more")
    moved = {"candidate.core.more": "core.more"}
    known = frozenset({"candidate", "candidate.core", "candidate.core.more"})
    done = run(source, *own, moved=moved, known=known)
    assert done.edits == ()
    assert "what does not exist" in done.reported[0].why
    # Unless it would find something else from its new place.
    assert after(source, *own, moved=moved, known=known | {"core.nowhere"}) == source.replace(
        "from .nowhere", "from candidate.core.nowhere"
    )


def test_relative_imports_of_a_file_that_comes_to_the_top_name_what_they_mean():
    check(
        "from . import core\nfrom . import core as c, app\nfrom .core import X\nfrom .app import Y\n",
        "import core\nfrom candidate import app\nimport core as c\nfrom core import X\nfrom candidate.app import Y\n",
        "candidate.bridge",
        "bridge",
    )


def test_relative_imports_without_a_package_are_not_guessed():
    source = "from . import core\nfrom .core import X\nfrom ... import y\n"
    assert run(source, None).edits == ()
    assert run(source, "tool").edits == ()
    assert reasons("from ... import y\n", "candidate.bridge", "bridge") == [
        (1, "left alone: relative import beyond the top package")
    ]
    source = "from .. import core\nfrom ..core import X\nfrom . import core\n"
    assert after(source, "candidate.app") == source.replace("from . import", "import")


def test_import_paths_in_calls_follow():
    check(
        """\
        from unittest.mock import patch
        pytest_plugins = ["candidate.core.common", 'candidate.bridge', "candidate.app"]
        @patch("candidate.core.common.Class.method")
        @mock.patch.object("candidate.bridge.C", "x")
        @mock.patch.dict('''candidate.bridge.TABLE''', {})
        @mocker.patch.multiple(target=r"candidate.bridge", x=1)
        def test(monkeypatch, client):
            monkeypatch.setattr("candidate.core.common.X", 1)
            monkeypatch.delattr(target="candidate.bridge.X")
            importlib.import_module("candidate.core.stay")
            import_module(name="candidate.core.common")
            __import__("candidate.bridge", fromlist=["x"])
            __import__("candidate.bridge", None, None, ["x"])
            find_spec("candidate.bridge"); importlib.util.find_spec(u"candidate.bridge")
            pytest.importorskip("candidate.bridge", reason="candidate")
            runpy.run_module("candidate.bridge")
            pkgutil.resolve_name("candidate.core.common:Class.method")
            client.patch("/candidate.core.common")
        """,
        """\
        from unittest.mock import patch
        pytest_plugins = ["core.common", 'bridge', "candidate.app"]
        @patch("core.common.Class.method")
        @mock.patch.object("bridge.C", "x")
        @mock.patch.dict('''bridge.TABLE''', {})
        @mocker.patch.multiple(target=r"bridge", x=1)
        def test(monkeypatch, client):
            monkeypatch.setattr("core.common.X", 1)
            monkeypatch.delattr(target="bridge.X")
            importlib.import_module("candidate.core.stay")
            import_module(name="core.common")
            __import__("bridge", fromlist=["x"])
            __import__("bridge", None, None, ["x"])
            find_spec("bridge"); importlib.util.find_spec(u"bridge")
            pytest.importorskip("bridge", reason="candidate")
            runpy.run_module("bridge")
            pkgutil.resolve_name("core.common:Class.method")
            client.patch("/candidate.core.common")
        """,
    )


@pytest.mark.parametrize(
    "line, why",
    [
        ("logging.getLogger('candidate.bridge')", "logger name"),
        ("x = 'see candidate.bridge.'", "string"),
        ("x = 'candidate.bridge'  # not a call", "string"),
        ("sys.modules['candidate.bridge']", "string"),
        ("__all__ = ['candidate.bridge']", "string"),
        ("x = f'candidate.bridge {y}'", "f-string"),
        ("patch(f'candidate.bridge.{y}')", "f-string"),
        ("x = '#'  # candidate.bridge", "comment"),
        (
            "__import__('candidate.bridge').bridge",
            "import path whose first part alone is the result",
        ),
        ("patch('candidate.' 'bridge.X'  'candidate.bridge')", "import path"),
        ("patch('candidate.bridge.\\x58')", "import path"),
        ("patch('candidate.bridge.X:y')", "import path"),
        ("setattr('candidate.bridge', 'x', 1)", "string"),
        ("model.dict('candidate.bridge')", "string"),
        ("x: 'candidate.bridge.X'", "annotation"),
    ],
)
def test_other_mentions_are_reported_with_their_line(line, why):
    done = run(f"\n\n{line}\n")
    assert done.edits == ()
    assert done.reported == (Reference("f.py", 3, line, why),)


def test_docstrings_and_doctests_are_reported_line_by_line():
    source = '''
    def f():
        """See candidate.bridge.

        >>> import candidate.bridge
        ... candidate.bridge.x
        """
    '''
    assert reasons(source) == [(3, "docstring"), (5, "doctest"), (6, "doctest")]
    long = f"# candidate.bridge {'x' * 300}"
    assert len(run(long).reported[0].text) == 200


def test_relative_import_paths_are_reported_when_they_mean_something_that_moves():
    source = "import_module('.bridge', 'candidate')\nimport_module('.app', __package__)\n"
    assert reasons(source) == [(1, "relative import path of candidate.bridge")]
    assert reasons("import_module('.common', __name__)", "candidate.core", is_package=True) == [
        (1, "relative import path of candidate.core.common")
    ]
    assert reasons("import_module('.app', __package__)", "candidate.bridge", "bridge") == [
        (1, "relative import path of candidate.app")
    ]
    assert reasons("import_module('.common', __package__)", "candidate.core.x", "core.x") == []


def test_relative_imports_over_two_lines_are_seen_without_any_other():
    check("from . \\\n  import core\n", "import core\n", "candidate.app")


def test_what_was_rewritten_is_not_reported_too():
    source = "from candidate.bridge import (  # candidate.bridge\n  X)\npatch('candidate.bridge.X')"
    assert run(source).reported == ()


def test_edits_tell_line_before_and_after():
    done = run("x = 1\nimport candidate.bridge as b\npatch('candidate.bridge.X')\n")
    assert done.edits == (
        Edit(2, "import candidate.bridge as b", "import bridge as b"),
        Edit(3, "candidate.bridge.X", "bridge.X"),
    )


def test_without_known_modules_the_longest_moved_name_decides():
    source = (
        "import candidate.core\npatch('candidate.core.stay.X')\nfrom candidate.core import stay\n"
    )
    assert after(source, known=frozenset()) == (
        "import core\npatch('core.stay.X')\nfrom core import stay\n"
    )
    # A module that the file itself imports is known to be one.
    source = "import candidate.core, candidate.core.stay\ncandidate.core.stay.X\n"
    assert after(source, known=frozenset()) == (
        "import core, candidate.core.stay\ncandidate.core.stay.X\n"
    )


def test_a_name_that_its_package_binds_to_something_else_is_left_alone():
    init = b"from .user import user\nimport logging\nfrom . import other\nother_name = 1\n"
    taken = shadowing(init, "candidate.ident")
    assert taken == {f"candidate.ident.{name}" for name in ("user", "logging", "other_name")}
    assert shadowing(b"\xff(", "x") == frozenset()
    source = "from candidate.ident import user\npatch('candidate.ident.user.X')\n"
    assert run(source, shadowed=taken).edits == ()
    assert reasons(source, shadowed=taken) == [
        (1, "left alone: candidate.ident binds `user` itself"),
        (2, "import path"),
    ]
    source = "import candidate.ident.user\ncandidate.ident.user.X\n"
    assert run(source, shadowed=taken).edits == ()
    source = "from candidate import core\ncore.X\n"
    assert reasons(source, shadowed=frozenset({"candidate.core"})) == [
        (1, "left alone: candidate binds `core` itself")
    ]
    # The module itself is meant by everybody who names it in full,
    check("from candidate.ident.user import X", "from ident.user import X", shadowed=taken)
    # and a package that moves along takes its names with it.
    source = "from candidate.core import common\npatch('candidate.core.common.X')\n"
    assert after(source, shadowed=frozenset({"candidate.core.common"})) == (
        "from core import common\npatch('core.common.X')\n"
    )
    assert reasons(source, shadowed=frozenset({"candidate.core.common"})) == []


@pytest.mark.parametrize(
    "source",
    [
        b"import candidate.bridge\nprint 'two'\n",
        b"import candidate.bridge\n\xff\n",
        b"# coding: nonsense\nimport candidate.bridge\n",
        b"# coding: rot13\nimport candidate.bridge\n",
        b"import candidate.bridge\n\0",
        b"import candidate.bridge\n" + b"(" * 5000,
        b"import candidate.bridge\nx = " + b"-" * 200_000 + b"1",
    ],
)
def test_a_file_that_cannot_be_read_is_unchanged_and_reported_once(source):
    done = run(source)
    assert done.content is source
    [report] = done.reported
    assert "candidate.bridge" in report.text
    assert report.why.startswith("not rewritten: ")


def test_a_broken_file_that_names_nothing_moved_is_not_reported():
    assert run(b"print 'candidate common'\n").reported == ()
    assert run(b"from .app import x\nprint 'core'\n", "candidate.bridge").reported == ()
    source = b"print 'candidate ident user'\n"
    assert run(source, moved={"candidate.ident.user": "ident.user"}).reported == ()
    [report] = run(b"from .core import x\nprint 'two'\n", "candidate.app").reported
    assert report.why.startswith("not rewritten: ")


def test_deep_expressions_do_not_exhaust_the_stack():
    source = "import candidate.bridge\nx = " + " + ".join(["candidate.bridge.X"] * 900) + "\n"
    assert after(source) == source.replace("candidate.bridge", "bridge")


def test_a_new_name_that_no_statement_can_spell_is_reported():
    done = run("import candidate.bridge as b\n", moved={"candidate.bridge": "class.bridge"})
    assert done.edits == ()
    assert done.reported[0].why.startswith("not rewritten: cannot be parsed")


def test_a_new_name_that_the_files_encoding_cannot_spell_is_reported():
    done = run(
        b"# coding: ascii\nimport candidate.bridge as b\n", moved={"candidate.bridge": "Λ.bridge"}
    )
    assert done.edits == ()
    assert done.reported[0].why.startswith("not rewritten: cannot spell the new name")


STATEMENTS = st.sampled_from(
    [
        "import candidate.core.common",
        "import candidate.bridge, candidate.app",
        "import candidate.ident.user as u",
        "import candidate.core",
        "from candidate import core, app, bridge as b  # c",
        "from candidate import (\n    core,  # c\n    # a\n    app,\n)",
        "from candidate.core import stay, common, X",
        "from .core import stay, common",
        "from . import core, app",
        "from .ident.user import *",
        "x = candidate.core.common.X + candidate.app.Y",
        "x = candidate.core.stay, candidate.bridge.Z, 'é'",
        "def f(core): return candidate.core.common",
        "def g():\n    import candidate.bridge\n    return candidate.bridge.x, candidate.core.y",
        "f(candidate)",
        "candidate = None",
        "core = 1",
        "patch('candidate.core.common.X')",
        "'candidate.core'  # candidate.bridge",
        "if 1: from candidate import core, app",
    ]
)
NOISE = st.text(
    st.characters(exclude_categories=["Cs", "Cc"], exclude_characters="\r\n"), max_size=20
).map(lambda text: f"{text!r}  # {text}")


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.one_of(STATEMENTS, NOISE), min_size=1, max_size=10),
    st.sampled_from(["\n", "\r\n"]),
    st.sampled_from([("candidate.app", None), ("candidate.bridge", "bridge"), ("tool", None)]),
)
def test_any_mixture_is_rewritten_once_and_for_all_and_keeps_the_rest(lines, newline, modules):
    source = newline.join(lines).replace("\n", newline).replace("\r\r", "\r").encode()
    done = run(source, *modules)
    ast.parse(done.content)
    noise = [line for line in lines if line.startswith(("'", '"')) and "candidate" not in line]
    kept = done.content.decode().split(newline)
    assert [line for line in kept if line in noise] == noise


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.binary(), st.text().map(str.encode)), st.booleans())
@example(b"\xef\xbb\xbf# coding: latin-1\n", True)
@example(b"\\\n", True)
@example(b"from.\\\n.core import x\\\n", True)
def test_no_bytes_make_it_fail(data, is_package):
    for extra in (b"", b"\nfrom .core import x, stay\nimport candidate.bridge\n"):
        for module in (None, "candidate.app"):
            rewrite(
                data + extra,
                path="f.py",
                module=module,
                new_module="core.app" if module else None,
                is_package=is_package,
                moved=MOVED,
                known=KNOWN,
            )


# What follows lays real packages down, moves modules and lets real interpreters import them.

ORDER = ("lane/z.py", "lane/q/w.py", "lane/p/x.py", "lane/p/__init__.py", "lane/p/y.py", "app.py")
MOVABLE = ORDER[:-1]
MODULE_HEAD = """\
import builtins
builtins.LOADED.append({path!r})
__all__ = ["only_{ident}"]
MARK = only_{ident} = {path!r}
SEEN = []
"""
DRIVER = """
import builtins, importlib, json, sys
builtins.LOADED = []
seen = {name: importlib.import_module(name).SEEN for name in sys.argv[1:]}
print(json.dumps([seen, sorted(builtins.LOADED)]))
"""


def dotted(path):
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def statements(importer, target):
    """Ways to import one file from another, and what to look at then."""
    name = dotted(target)
    parent, _, last = name.rpartition(".")
    ident = name.replace(".", "_")
    ways = [
        (f"import {name}", f"{name}.MARK"),
        (f"import sys, {name}", f"{name}.MARK"),
        (f"import {name} as m", "m.MARK"),
        (f"from {parent} import {last}", f"{last}.MARK"),
        (f"from {parent} import ({last} as m,)", "m.MARK"),
        (f"from {name} import MARK as mk", "mk"),
        (f"from {name} import *", f"only_{ident}"),
        (f"def f():\n    import {name}\n    return {name}.MARK", "f()"),
        (f"import importlib; m = importlib.import_module('{name}')", "m.MARK"),
        (f"try: import {name} as m\nexcept ImportError: m = None", "m.MARK"),
        (f"import {parent}, {name}", f"[{name}.MARK, {parent}.__name__ and 1]"),
    ]
    if parent == "lane.p":
        ways.append((f"from lane.p import {last}, MARK as pm", f"[{last}.MARK, pm]"))
        ways.append((f"import {name}", f"[{name}.MARK, lane.p.MARK]"))
    if importer == "lane/p/__init__.py":
        # While the package is imported, its parent does not have it yet.
        ways = [way for way in ways if "lane.p." not in way[1] and "return lane.p." not in way[0]]
    return ways + list(relative_statements(importer, name, last))


def relative_statements(importer, name, last):
    package = (
        dotted(importer)
        if importer.endswith("__init__.py")
        else dotted(importer).rpartition(".")[0]
    )
    for level in range(1, package.count(".") + 2 if package else 0):
        base = package.rsplit(".", level - 1)[0]
        if name.startswith(f"{base}."):
            rest = name.removeprefix(f"{base}.")
            inner = rest.rpartition(".")[0]
            yield f"from {'.' * level}{rest} import MARK as mk", "mk"
            yield f"from {'.' * level}{inner} import {last}", f"{last}.MARK"
            yield f"from {'.' * level}{rest} import *", f"only_{name.replace('.', '_')}"


@st.composite
def trees(draw):
    """Files that import each other in every way, and which of them move."""
    # The last one keeps the folder: it has no __init__.py, and is imported itself.
    files = {"lane/__init__.py": "", "lane/q/stays.py": "SEEN = []"}
    for number, importer in enumerate(ORDER):
        text = MODULE_HEAD.format(path=importer, ident=dotted(importer).replace(".", "_"))
        ways = [way for target in ORDER[:number] for way in statements(importer, target)]
        if ways:
            for code, look in draw(st.lists(st.sampled_from(ways), min_size=1, max_size=5)):
                text += f"{code}\nSEEN.append({look})\n"
        files[importer] = text
    moving = draw(st.sets(st.sampled_from(MOVABLE), min_size=1))
    return files, sorted(moving)


def lay(root, files):
    for path, content in files.items():
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content if isinstance(content, bytes) else content.encode())


def look(root, paths):
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", DRIVER, *map(dotted, paths)],
        cwd=root,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def promoted(files, moving):
    """The tree after the move without and with shims, and whether everything could follow."""
    targets = {path: path.removeprefix("lane/") for path in moving}
    moved = {dotted(old): dotted(new) for old, new in targets.items()}
    known = frozenset(map(dotted, files))
    bare, shimmed, followed = {}, {}, True
    for path, text in files.items():
        new = targets.get(path, path)
        is_package = path.endswith("__init__.py")
        done = rewrite(
            text.encode(),
            path=path,
            module=dotted(path),
            new_module=dotted(new),
            is_package=is_package,
            moved=moved,
            known=known,
        )
        followed = followed and not done.reported
        bare[new] = done.content
        if path != new:
            shimmed[path] = shims.render(
                dotted(path), dotted(new), old_path=path, new_path=new, is_package=is_package
            )
    return bare, {**bare, **shimmed}, followed


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(trees())
def test_every_import_binds_what_it_bound_before(tmp_path_factory, tree):
    files, moving = tree
    root = tmp_path_factory.mktemp("tree")
    lay(root / "before", files)
    names = list(ORDER)
    seen, loaded = look(root / "before", names)
    bare, shimmed, followed = promoted(files, moving)
    for variant, layout in (("bare", bare), ("shimmed", shimmed)):
        if variant == "bare" and not followed:
            continue
        lay(root / variant, layout)
        new = {path: path.removeprefix("lane/") if path in moving else path for path in names}
        now, loaded_now = look(root / variant, new.values())
        assert {dotted(path): now[dotted(new[path])] for path in names} == seen, variant
        assert loaded_now == loaded, f"{variant}: a file is loaded twice"
