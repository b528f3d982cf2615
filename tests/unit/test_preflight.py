from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import replace

import pytest

from pytest_cockpit.api import Lane
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.plan import Plan
from pytest_cockpit.promotion.preflight import RULES
from pytest_cockpit.promotion.selector import make_plan

GOOD = {
    "candidate/__init__.py": "",
    "candidate/good/__init__.py": '"""Good."""\n',
    "candidate/good/one.py": "ONE = 1\n",
    "candidate/good/two.py": "from candidate.good.one import ONE\n",
}
GOOD_SOURCES = {path for path in GOOD if path != "candidate/__init__.py"}


@pytest.fixture
def plan_of(make_repository):
    """Plan a repository of good files with some more, and check that the good ones move."""

    def plan(files: Mapping[str, object], **lane: object) -> Plan:
        repository = make_repository({**GOOD, **files})
        config = replace(Config(), lane=Lane(**lane))  # type: ignore[arg-type]  # one test's lane
        made = make_plan(Repository.discover(repository.root), config)
        assert Plan.read(made.to_bytes(), "plan").to_bytes() == made.to_bytes()
        assert {row.move.source for row in made.moves} >= GOOD_SOURCES
        for refusal in made.refusals:
            assert "\n" not in refusal.message
        return made

    return plan


def refused(plan: Plan) -> dict[str, str]:
    """Rule by refused path."""
    return {refusal.source: refusal.rule for refusal in plan.refusals}


def message(plan: Plan, path: str) -> str:
    """The words for one refused path."""
    return next(refusal.message for refusal in plan.refusals if refusal.source == path)


def moved(plan: Plan) -> set[str]:
    """What moves besides the good files."""
    return {row.move.source for row in plan.moves} - GOOD_SOURCES


def test_syntax_error(plan_of):
    plan = plan_of({"candidate/bad.py": "x = 1\ndef f(:\n"})
    assert refused(plan) == {"candidate/bad.py": "syntax-error"}
    version = f"(Python {sys.version_info.major}.{sys.version_info.minor})"
    assert message(plan, "candidate/bad.py").startswith("line 2: ")
    assert version in message(plan, "candidate/bad.py")


def test_syntax_error_that_only_the_compiler_sees(plan_of):
    plan = plan_of(
        {
            "candidate/bad.py": "def f(a, a):\n    pass\n",
            "candidate/needs.py": "from candidate import bad\n",
        }
    )
    assert refused(plan) == {
        "candidate/bad.py": "syntax-error",
        "candidate/needs.py": "needs-refused",
    }


def test_unresolved_import(plan_of):
    plan = plan_of(
        {
            "candidate/lost.py": "import os\nfrom candidate.good import one\n"
            "import candidate.good.three, candidate.four\n",
            "candidate/good/guarded.py": "try:\n    from . import three\nexcept ImportError:\n"
            "    three = None\n",
            "candidate/good/typed.py": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n"
            "    from . import three\n",
            "candidate/lazy.py": "def f():\n    from candidate.good.three import x\n",
            "dynamic/__init__.py": "def __getattr__(name):\n    return 1\n",
            "candidate/served.py": "import dynamic.three\n",
            "candidate/installed.py": "import numpy.linalg\n",
        }
    )
    assert refused(plan) == {
        "candidate/lost.py": "unresolved-import",
        "candidate/lazy.py": "unresolved-import",
    }
    assert message(plan, "candidate/lost.py").startswith(
        'line 3: nothing serves "candidate.good.three" and 1 more;'
    )


def test_unresolved_import_below_an_alias(plan_of):
    files = {
        "acme/__init__.py": "def __getattr__(name):\n    return 1\n",
        "candidate/good/served.py": "import acme.good.one\n",
        "candidate/lost.py": "import acme.three\n",
    }
    plan = plan_of(files, aliases={"acme": ("", "candidate")})
    assert refused(plan) == {"candidate/lost.py": "unresolved-import"}


def test_target_exists(plan_of):
    plan = plan_of(
        {
            "candidate/x.py": "x = 1\n",
            "x.py": "x = 2\n",
            "candidate/pkg/__init__.py": "y = 1\n",
            "pkg/__init__.py": "",
            "candidate/pkg/free.py": "from . import other\n",
            "candidate/pkg/sibling.py": "from candidate.pkg.leaf import z\n",
            "candidate/pkg/leaf.py": "z = 1\n",
        }
    )
    # Siblings need the package's file only where they import names from it.
    assert refused(plan) == {
        "candidate/x.py": "target-exists",
        "candidate/pkg/__init__.py": "target-exists",
        "candidate/pkg/free.py": "needs-refused",
    }
    assert moved(plan) == {"candidate/pkg/sibling.py", "candidate/pkg/leaf.py"}
    assert '"x.py" exists with other content' in message(plan, "candidate/x.py")


def test_target_exists_as_a_folder_or_below_a_file(plan_of):
    plan = plan_of(
        {
            "candidate/odd.py": "x = 1\n",
            "odd.py/readme": "a folder",
            "candidate/tools/x.py": "x = 1\n",
            "tools": "#!/bin/sh\n",
        }
    )
    assert refused(plan) == {
        "candidate/odd.py": "target-exists",
        "candidate/tools/x.py": "target-exists",
    }


def test_already_there(plan_of):
    plan = plan_of(
        {
            "candidate/empty/__init__.py": "",
            "empty/__init__.py": "",
            "candidate/empty/x.py": "x = 1\n",
            "empty/x.py": "x = 1\n",
            "candidate/empty/y.py": "y = 1\n",
        }
    )
    assert refused(plan) == {
        "candidate/empty/__init__.py": "already-there",
        "candidate/empty/x.py": "already-there",
    }
    assert moved(plan) == {"candidate/empty/y.py"}


LINK = "120000"
SUBMODULE = ("160000", "1" * 40)


def test_symlink(plan_of):
    plan = plan_of(
        {
            "candidate/alive.py": (LINK, "good/one.py"),
            "candidate/dangling.py": (LINK, "../scripts/nowhere.py"),
            "candidate/data.json": (LINK, "nowhere"),
            "candidate/user.py": "import candidate.alive\n",
        }
    )
    assert refused(plan) == {
        "candidate/alive.py": "symlink",
        "candidate/dangling.py": "symlink",
    }
    # What the link leads to is not known, so nothing is claimed of its importers.
    assert moved(plan) == {"candidate/user.py"}


def test_target_under_symlink(plan_of):
    plan = plan_of(
        {
            "candidate/tools/x.py": "x = 1\n",
            "tools": (LINK, "/elsewhere"),
            "candidate/y.py": "y = 1\n",
        }
    )
    assert refused(plan) == {"candidate/tools/x.py": "target-under-symlink"}
    assert '"tools" is a symbolic link' in message(plan, "candidate/tools/x.py")


def test_gitlink(plan_of):
    plan = plan_of(
        {
            "candidate/vendor": SUBMODULE,
            "candidate/lib/x.py": "x = 1\n",
            "lib": SUBMODULE,
            "candidate/user.py": "import candidate.vendor.thing\n",
        }
    )
    assert refused(plan) == {"candidate/vendor": "gitlink", "candidate/lib/x.py": "gitlink"}
    assert moved(plan) == {"candidate/user.py"}


def test_module_beside_package(plan_of):
    plan = plan_of(
        {
            "candidate/a/x.py": "x = 1\n",
            "candidate/a/x/__init__.py": "",
            "candidate/b/y.py": "y = 1\n",
            "candidate/b/y/deep/z.py": "z = 1\n",
        }
    )
    assert refused(plan) == {
        "candidate/a/x.py": "module-beside-package",
        "candidate/b/y/deep/z.py": "module-beside-package",
    }
    assert moved(plan) == {"candidate/a/x/__init__.py", "candidate/b/y.py"}


def test_target_module_package_clash(plan_of):
    plan = plan_of(
        {
            "candidate/a/x.py": "x = 1\n",
            "a/x/__init__.py": "",
            "candidate/b/y.py": "y = 1\n",
            "b/y/deep/z.py": "z = 1\n",
            "candidate/c/w/__init__.py": "",
            "c/w.py": "w = 1\n",
            "candidate/d/v/u/t.py": "t = 1\n",
            "d/v.py": "v = 1\n",
            "candidate/e/s.py": "s = 1\n",
            "e/s/data.json": "{}",
            "candidate/f/r/q.py": "q = 1\n",
            "f/r.py": "r = 1\n",
            "f/r/__init__.py": "",
        }
    )
    assert refused(plan) == dict.fromkeys(
        [
            "candidate/a/x.py",
            "candidate/b/y.py",
            "candidate/c/w/__init__.py",
            "candidate/d/v/u/t.py",
        ],
        "target-module-package-clash",
    )
    assert moved(plan) == {"candidate/e/s.py", "candidate/f/r/q.py"}


def test_case_collision(plan_of):
    plan = plan_of(
        {
            "candidate/Two.py": "x = 1\n",
            "candidate/two.py": "x = 2\n",
            "candidate/There.py": "x = 3\n",
            "there.py": "x = 4\n",
            "candidate/Docs/x.py": "x = 5\n",
            "docs/readme": "",
            "candidate/stra\u00dfe.py": "x = 6\n",
            "strasse.py": "",
            "candidate/\u039bx.py": "x = 7\n",
        }
    )
    assert refused(plan) == dict.fromkeys(
        [
            "candidate/Two.py",
            "candidate/two.py",
            "candidate/There.py",
            "candidate/Docs/x.py",
            "candidate/stra\u00dfe.py",
        ],
        "case-collision",
    )
    assert '"Two.py" and "two.py" are one path' in message(plan, "candidate/Two.py")
    assert moved(plan) == {"candidate/\u039bx.py"}


def test_what_is_refused_anyway_collides_with_nothing(plan_of):
    plan = plan_of({"candidate/Two.py": "x = (\n", "candidate/two.py": "x = 2\n"})
    assert refused(plan) == {"candidate/Two.py": "syntax-error"}


def test_two_unicode_forms_of_one_name(plan_of):
    plan = plan_of({"candidate/caf\u00e9.py": "x = 1\n", "cafe\u0301.py": "x = 2\n"})
    assert refused(plan) == {"candidate/caf\u00e9.py": "case-collision"}


@pytest.mark.parametrize(
    "name",
    [
        " leading.py",
        "trailing .py",
        "two words.py",
        "$(date +%Y-%m-%d).py",
        "=2.0.0.py",
        "\U0001f680.py",
        "with-hyphen.py",
        "\ufb01ligature.py",
        "cafe\u0301.py",
        "class.py",
        "1st.py",
        "new\nline.py",
        ".py",
        "my folder/x.py",
    ],
)
def test_not_a_module_name(plan_of, name):
    plan = plan_of({f"candidate/{name}": "x = 1\n"})
    assert refused(plan) == {f"candidate/{name}": "not-a-module-name"}
    odd = name.removesuffix(".py").partition("/")[0]
    assert message(plan, f"candidate/{name}").startswith(json.dumps(odd, ensure_ascii=False))


def test_letters_of_any_script_are_fine(plan_of):
    assert moved(plan_of({"candidate/\u039b\u0434\u540d.py": "x = 1\n"})) == {
        "candidate/\u039b\u0434\u540d.py"
    }


def test_non_utf8_name(plan_of):
    path = os.fsdecode(b"candidate/caf\xe9.py")
    plan = plan_of({path: "x = 1\n"})
    assert refused(plan) == {path: "non-utf8-name"}
    again = Plan.read(plan.to_bytes(), "plan")
    assert [refusal.source for refusal in again.refusals] == ["candidate/caf\\udce9.py"]


def test_shadows_stdlib(plan_of):
    plan = plan_of(
        {
            "candidate/types.py": "x = 1\n",
            "candidate/platform/x.py": "x = 1\n",
            "candidate/trace/x.py": "x = 1\n",
            "trace/__init__.py": "",
            "candidate/good/types.py": "x = 1\n",
        }
    )
    assert refused(plan) == {
        "candidate/types.py": "shadows-stdlib",
        "candidate/platform/x.py": "shadows-stdlib",
    }
    # That package hides the standard library already.
    assert moved(plan) == {"candidate/trace/x.py", "candidate/good/types.py"}


def test_virtual_environment(plan_of):
    plan = plan_of(
        {
            "candidate/env/pyvenv.cfg": "home = /usr/bin\n",
            "candidate/env/lib/python3.11/x.py": "x = 1\n",
            "candidate/other/site-packages/six.py": "x = 1\n",
        }
    )
    assert refused(plan) == {
        "candidate/env/lib/python3.11/x.py": "virtual-environment",
        "candidate/other/site-packages/six.py": "virtual-environment",
    }


def test_missing_object(make_repository):
    repository = make_repository({**GOOD, "candidate/gone.py": "x = 'gone'\n"})
    oid = repository.git("rev-parse", "main:candidate/gone.py")
    (repository.root / ".git" / "objects" / oid[:2] / oid[2:]).unlink()
    plan = make_plan(Repository.discover(repository.root), Config())
    assert refused(plan) == {"candidate/gone.py": "missing-object"}
    assert oid[:12] in message(plan, "candidate/gone.py")
    assert {row.move.source for row in plan.moves} == GOOD_SOURCES


def test_bidi_control(plan_of):
    plan = plan_of(
        {
            "candidate/trojan.py": "x = 1\naccess = 'user\u202e \u2066'\n",
            "candidate/faint.py": "x = '\u200b'\n",
        }
    )
    assert refused(plan) == {"candidate/trojan.py": "bidi-control"}
    assert message(plan, "candidate/trojan.py").startswith("line 2 ")
    [faint] = [row for row in plan.moves if row.move.source == "candidate/faint.py"]
    assert faint.notes == ("invisible characters on line 1",)


@pytest.mark.parametrize(
    "glob",
    ["candidate/old", "candidate/old/**", "old/*.py", "**/old", "candidate/o?d/x.*", "[no]ld"],
)
def test_excluded(plan_of, glob):
    plan = plan_of({"candidate/old/x.py": "x = (\n"}, exclude=(glob,))
    assert refused(plan) == {"candidate/old/x.py": "excluded"}


def test_an_exclusion_that_matches_nothing(plan_of):
    plan = plan_of({"candidate/old/x.py": "x = 1\n"}, exclude=("ol", "*/x/y", "candidate/old/y"))
    assert refused(plan) == {}


def test_import_failure_baseline(plan_of):
    baseline = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "imports",
        "entries": {
            "candidate/sad.py": {"class": "KeyError", "message": "'HOME'\nin two lines"},
            "candidate/mute.py": {"class": ""},
            "candidate/fine.py": {"circle": ["candidate/mute.py"], "edges": {"x": 1}},
        },
        "meta": {},
    }
    plan = plan_of(
        {
            ".cockpit/baselines/imports.json": json.dumps(baseline),
            "candidate/sad.py": "import os\n",
            "candidate/mute.py": "import os\n",
            "candidate/fine.py": "import os\n",
        }
    )
    assert refused(plan) == {
        "candidate/sad.py": "import-failure-baseline",
        "candidate/mute.py": "import-failure-baseline",
    }
    assert "KeyError: 'HOME'" in message(plan, "candidate/sad.py")
    assert "no reason recorded" in message(plan, "candidate/mute.py")


def test_target_package_broken(plan_of):
    baseline = {
        "schema": "pytest-cockpit/baseline/1",
        "gate": "imports",
        "entries": {"core/__init__.py": {"class": "exception", "message": "no"}},
        "meta": {},
    }
    plan = plan_of(
        {
            ".cockpit/baselines/imports.json": json.dumps(baseline),
            "core/__init__.py": "raise RuntimeError('no')\n",
            "candidate/core/deep/fine.py": "x = 1\n",
            "candidate/other/fine.py": "x = 1\n",
        }
    )
    assert refused(plan) == {"candidate/core/deep/fine.py": "target-package-broken"}
    assert '"core/__init__.py"' in message(plan, "candidate/core/deep/fine.py")


def test_lane_import(plan_of):
    guarded = "try:\n    {}\nexcept ImportError:\n    x = None\n"
    plan = plan_of(
        {
            "candidate/core/__init__.py": "",
            "candidate/core/spelled.py": guarded.format("from candidate.core.gone import x"),
            "candidate/core/relative.py": guarded.format("from .gone import x"),
            "candidate/core/other.py": guarded.format("import nosuch_thing"),
        }
    )
    assert refused(plan) == {"candidate/core/spelled.py": "lane-import"}
    assert "line 2" in message(plan, "candidate/core/spelled.py")


def test_conftest(plan_of):
    plan = plan_of({"candidate/deep/conftest.py": "x = 1\n", "candidate/deep/y.py": "y = 1\n"})
    assert refused(plan) == {"candidate/deep/conftest.py": "conftest"}


def test_the_lane_s_marker_and_shims_do_not_wait(plan_of):
    plan = plan_of(
        {
            "candidate/gone.py": "# cockpit: moved to gone\nimport gone\n",
            "gone.py": "x = 1\n",
            "candidate/user.py": "import candidate.gone\n",
        }
    )
    assert refused(plan) == {}
    assert moved(plan) == {"candidate/user.py"}
    assert plan.header.counts == {
        "lane": 4, "movable": 4, "moves": 4, "refusals": 0, "shims": 1,
    }  # fmt: skip


def test_needs_lane_marker(plan_of):
    plan = plan_of(
        {
            "candidate/__init__.py": "VERSION = 1\n",
            "candidate/user.py": "from candidate import VERSION\n",
            "candidate/good/three.py": "from .. import VERSION\n",
        }
    )
    assert refused(plan) == {
        "candidate/user.py": "needs-lane-marker",
        "candidate/good/three.py": "needs-lane-marker",
    }


def test_the_user_s_word_comes_before_the_rules(plan_of):
    plan = plan_of(
        {"candidate/my-old.py": "x = (\n", "my-old.py": ""}, exclude=("candidate/my-old.py",)
    )
    assert refused(plan) == {"candidate/my-old.py": "excluded"}


def test_every_rule_is_seen_refusing():
    """Each rule has a test of its name in this file or, for the graph's rules, the selector's."""
    tests = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}
    assert {rule.replace("-", "_") for rule, _ in RULES} <= tests
