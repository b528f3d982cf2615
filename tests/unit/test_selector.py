from __future__ import annotations

import os
import secrets
import subprocess
import sys
from collections.abc import Iterable, Mapping
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Lane
from pytest_cockpit.config import Batch, Config, Rank
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.plan import Plan, PlannedMove
from pytest_cockpit.promotion.selector import make_plan

MARKER = {"candidate/__init__.py": ""}


@pytest.fixture
def plan_of(make_repository):
    """Plan a repository of the given files."""

    def plan(files: Mapping[str, object], config: Config | None = None, **asked: object) -> Plan:
        repository = make_repository({**MARKER, **files})
        found = Repository.discover(repository.root)
        return make_plan(found, config or Config(), **asked)  # type: ignore[arg-type]  # passed on

    return plan


def sources(plan: Plan) -> list[str]:
    """Moved files in order, without the lane's name."""
    return [row.move.source.removeprefix("candidate/") for row in plan.moves]


def row(plan: Plan, name: str) -> PlannedMove:
    """The move of one lane file."""
    return next(row for row in plan.moves if row.move.source == f"candidate/{name}")


def refused(plan: Plan) -> dict[str, str]:
    """Rule by refused lane file."""
    return {item.source.removeprefix("candidate/"): item.rule for item in plan.refusals}


def test_a_plan_of_nothing_but_the_marker(plan_of):
    plan = plan_of({})
    assert plan.moves == ()
    assert plan.refusals == ()
    assert plan.header.counts["lane"] == 0


def test_a_row_says_what_it_moves(plan_of):
    plan = plan_of({"candidate/core/x.py": ("100755", "x = 1\n"), "candidate/core/__init__.py": ""})
    planned = row(plan, "core/x.py")
    assert planned.move.target == "core/x.py"
    assert planned.move.mode == "100755"
    assert (planned.old_module, planned.new_module) == ("candidate.core.x", "core.x")
    assert planned.because == "rank"
    package = row(plan, "core/__init__.py")
    assert package.old_module == "candidate.core"
    assert package.notes == ("empty file: git cannot follow its history",)


def test_rank_by_importers(plan_of):
    plan = plan_of(
        {
            "candidate/often.py": "",
            "candidate/once.py": "",
            "candidate/never.py": "",
            "app/a.py": "import candidate.often\nfrom candidate import often\n",
            "app/b.py": "def f():\n    from candidate import often, once\n",
        }
    )
    assert sources(plan) == ["often.py", "once.py", "never.py"]
    assert [row.reasons["import_frequency"] for row in plan.moves] == [1.0, 0.5, 0.0]
    assert [row.score for row in plan.moves] == [0.9, 0.55, 0.2]


def test_rank_by_recency(make_repository):
    repository = make_repository({**MARKER, "candidate/b.py": "1", "candidate/a.py": "1"})
    repository.commit({"candidate/c.py": "1"}, when=1_700_000_100)
    repository.commit({"candidate/a.py": "2"}, when=1_700_000_200)
    plan = make_plan(Repository.discover(repository.root), Config())
    assert sources(plan) == ["a.py", "c.py", "b.py"]
    assert [row.reasons["recency"] for row in plan.moves] == [1.0, 0.5, 0.0]


def test_rank_by_criticality(plan_of):
    rank = Rank(import_frequency=0, recency=0, criticality=2, critical=("candidate/pay/**",))
    plan = plan_of(
        {"candidate/a.py": "", "candidate/pay/b.py": "", "candidate/z.py": ""},
        replace(Config(), rank=rank),
    )
    assert sources(plan) == ["pay/b.py", "a.py", "z.py"]
    assert [row.score for row in plan.moves] == [1.0, 0.0, 0.0]


def test_ties_are_broken_by_path(plan_of):
    names = ["b.py", "a/z.py", "a/b.py", "A.py", "\u039b.py"]
    assert sources(plan_of({f"candidate/{name}": "x = 1\n" for name in names})) == sorted(names)


CHAIN = {
    "candidate/top.py": "from candidate import middle\n",
    "candidate/middle.py": "from .low import x\n",
    "candidate/low.py": "x = 1\n",
    "app.py": "import candidate.top\n",
    "bpp.py": "import candidate.top\n",
}


def test_what_a_file_needs_comes_first(plan_of):
    plan = plan_of(CHAIN)
    assert sources(plan) == ["low.py", "middle.py", "top.py"]
    assert [row.because for row in plan.moves] == [
        "needed by candidate/middle.py",
        "needed by candidate/top.py",
        "rank",
    ]


def test_what_does_not_fit_as_a_whole_waits(plan_of):
    # The best-ranked file needs two others; those may still come on their own account.
    assert sources(plan_of(CHAIN, size=2)) == ["low.py", "middle.py"]


def test_a_batch_of_one(plan_of):
    assert sources(plan_of(CHAIN, size=1)) == ["low.py"]


CYCLE = {
    "candidate/ring/a.py": "from candidate.ring import b\n",
    "candidate/ring/b.py": "def f():\n    from . import c\n",
    "candidate/ring/c.py": "try:\n    import candidate.ring.a\nexcept ImportError:\n    pass\n",
    "candidate/ring/user.py": "import candidate.ring.c\n",
    "candidate/alone.py": "x = 1\n",
}


def test_a_cycle_moves_together(plan_of):
    plan = plan_of(CYCLE, size=3)
    assert set(sources(plan)) == {"ring/a.py", "ring/b.py", "ring/c.py"}
    because = {row.because for row in plan.moves}
    assert "rank" in because
    assert all(word == "rank" or word.startswith("cycle with candidate/ring/") for word in because)


def test_cycle_too_large(plan_of):
    plan = plan_of(CYCLE, size=2)
    assert refused(plan) == {
        "ring/a.py": "cycle-too-large",
        "ring/b.py": "cycle-too-large",
        "ring/c.py": "cycle-too-large",
        "ring/user.py": "needs-refused",
    }
    assert "--cockpit-batch-size 3" in plan.refusals[0].message
    assert sources(plan) == ["alone.py"]
    assert plan.header.counts == {
        "lane": 5, "movable": 1, "moves": 1, "refusals": 4, "shims": 0,
    }  # fmt: skip


def test_needs_refused_names_the_root(plan_of):
    plan = plan_of({**CHAIN, "candidate/low.py": "x = (\n"})
    words = {item.source: item.message for item in plan.refusals}
    assert refused(plan) == {
        "low.py": "syntax-error",
        "middle.py": "needs-refused",
        "top.py": "needs-refused",
    }
    assert words["candidate/middle.py"] == (
        'needs "candidate/low.py", which is refused (syntax-error); repair that first'
    )
    assert words["candidate/top.py"] == (
        'needs "candidate/middle.py" and through it "candidate/low.py", which is refused '
        "(syntax-error); repair that first"
    )


def test_one_bad_file_refuses_its_cycle(plan_of):
    plan = plan_of({**CYCLE, "candidate/ring/b.py": "from . import c\nimport candidate.nowhere\n"})
    words = {item.source: item.message for item in plan.refusals}
    assert words["candidate/ring/a.py"].startswith('needs "candidate/ring/b.py", which is')
    assert words["candidate/ring/c.py"] == (
        'in a cycle that needs "candidate/ring/b.py", which is refused (unresolved-import); '
        "repair that first"
    )
    assert sources(plan) == ["alone.py"]


def test_a_refusal_below_a_cycle_refuses_it_whole(plan_of):
    files = {**CYCLE, "candidate/ring/b.py": "from . import c\nimport candidate.bad\n"}
    plan = plan_of({**files, "candidate/bad.py": "x = (\n"})
    assert refused(plan) == {
        "bad.py": "syntax-error",
        **dict.fromkeys(["ring/a.py", "ring/b.py", "ring/c.py", "ring/user.py"], "needs-refused"),
    }
    assert all("candidate/bad.py" in item.message for item in plan.refusals[1:])


PACKAGE = {
    "candidate/core/__init__.py": "from candidate.core.helper import x\n",
    "candidate/core/helper.py": "x = 1\n",
    "candidate/core/sub/__init__.py": '"""Sub."""\n',
    "candidate/core/sub/deep.py": "y = 1\n",
    "app.py": "import candidate.core.sub.deep\n",
    "bpp.py": "import candidate.core.sub.deep\n",
}


def test_packages_come_along_with_what_they_need(plan_of):
    plan = plan_of(PACKAGE, size=4)
    assert set(sources(plan)) == {
        "core/helper.py", "core/__init__.py", "core/sub/__init__.py", "core/sub/deep.py",
    }  # fmt: skip
    assert sources(plan).index("core/helper.py") < sources(plan).index("core/__init__.py")
    assert row(plan, "core/sub/deep.py").because == "rank"
    assert row(plan, "core/__init__.py").because == "package of candidate/core/sub/deep.py"
    assert row(plan, "core/helper.py").because == "needed by candidate/core/__init__.py"
    assert all(not row.notes for row in plan.moves)


def test_packages_that_do_not_fit_are_noted(plan_of):
    plan = plan_of(PACKAGE, size=2)
    assert sorted(sources(plan)) == ["core/sub/__init__.py", "core/sub/deep.py"]
    assert row(plan, "core/sub/deep.py").notes == (
        'core stays a namespace package until "candidate/core/__init__.py" moves',
    )


def test_packages_that_are_refused_are_noted(plan_of):
    plan = plan_of({**PACKAGE, "candidate/core/__init__.py": "x = (\n"})
    assert refused(plan) == {"core/__init__.py": "syntax-error"}
    assert row(plan, "core/sub/deep.py").notes == (
        'core stays a namespace package until "candidate/core/__init__.py" moves',
    )


def test_a_folder_without_a_marker_is_noted(plan_of):
    plan = plan_of({"candidate/plain/x.py": "x = 1\n"})
    assert plan.moves[0].notes == ('no package marker: "candidate/plain" has no __init__.py',)


def test_a_package_that_is_there_already_is_not_noted(plan_of):
    plan = plan_of(
        {
            "candidate/core/x.py": "x = 1\n",
            "candidate/core/__init__.py": "y = 1\n",
            "core/__init__.py": "z = 1\n",
        }
    )
    assert row(plan, "core/x.py").notes == ()


def test_notes_on_content(plan_of):
    plan = plan_of(
        {
            "candidate/p/__init__.py": "",
            "candidate/p/empty.py": "\n",
            "candidate/p/twin.py": "x = 1\n",
            "candidate/p/other.py": "x = 1\n",
            "candidate/p/third.py": "x = 1\n",
            "candidate/p/long.py": "x = '" + "a" * 28_576 + "'\n",
            "candidate/p/mark.py": "\ufeffx = '\u200d'\ny = '\u200d'\n",
        }
    )
    assert row(plan, "p/empty.py").notes == ("empty file: git cannot follow its history",)
    assert row(plan, "p/twin.py").notes == ('same content as "candidate/p/other.py" and 1 more',)
    assert row(plan, "p/long.py").notes == ("a line of 28582 bytes",)
    assert row(plan, "p/mark.py").notes == ("invisible characters on line 1 and 1 more",)


def test_data_files_that_are_named_are_noted(plan_of):
    plan = plan_of(
        {
            "candidate/p/__init__.py": "",
            "candidate/p/x.py": (
                "A = 'defaults.json'\nB = f'{here}/schema.yaml'\nC = '\\d'  # comment.txt\n"
            ),
            "candidate/p/defaults.json": "{}",
            "candidate/p/schema.yaml": "",
            "candidate/p/comment.txt": "",
            "candidate/p/unnamed.txt": "",
            "candidate/p/lts.json": "",
        }
    )
    assert row(plan, "p/x.py").notes == (
        'data file left behind: "defaults.json"',
        'data file left behind: "schema.yaml"',
    )


MODULES = {
    "candidate/core/a.py": "from candidate.shared import s\n",
    "candidate/core/deep/b.py": "",
    "candidate/identity/c.py": "",
    "candidate/shared.py": "s = 1\n",
    "candidate/cores/d.py": "",
}


@pytest.mark.parametrize(
    ("modules", "expected"),
    [
        (["core"], {"shared.py", "core/a.py", "core/deep/b.py"}),
        (["core.deep"], {"core/deep/b.py"}),
        (["core/deep/"], {"core/deep/b.py"}),
        (["identity", "shared"], {"identity/c.py", "shared.py"}),
    ],
)
def test_modules_limit_where_ranked_files_come_from(plan_of, modules, expected):
    plan = plan_of(MODULES, modules=modules)
    assert set(sources(plan)) == expected
    assert plan.header.modules == tuple(modules)
    assert plan.header.counts["movable"] == 5


def test_modules_and_size_of_the_configuration(plan_of):
    config = replace(Config(), batch=Batch(size=1, modules=("identity",)))
    plan = plan_of(MODULES, config)
    assert sources(plan) == ["identity/c.py"]
    assert plan.header.size == 1


def test_an_unknown_module(plan_of):
    with pytest.raises(CockpitError) as caught:
        plan_of(MODULES, modules=["identiti"])
    assert str(caught.value) == (
        'modules: nothing in candidate/ is called "identiti"; did you mean "identity"?'
    )


def test_a_module_that_was_promoted_as_a_whole_is_no_error(plan_of):
    assert plan_of({**MODULES, "old/x.py": ""}, modules=["old"]).moves == ()


@pytest.mark.parametrize("size", [0, -1])
def test_a_size_below_one(plan_of, size):
    with pytest.raises(CockpitError, match="expected at least 1"):
        plan_of(CHAIN, size=size)


def test_gates_of_the_configuration(plan_of):
    config = replace(
        Config(), gates=("imports", "matriz"), gate={"matriz": {"skip": "no contracts"}}
    )
    assert plan_of(CHAIN, config).gates == (("imports", None), ("matriz", "no contracts"))


def test_a_lane_that_is_not_there(plan_of):
    with pytest.raises(
        CockpitError, match=r"^lanes/x: no such folder at .*tool\.cockpit\.lane\.path"
    ):
        plan_of(CHAIN, replace(Config(), lane=Lane(path="lanes/x")))


@pytest.mark.parametrize(
    ("lane", "key"),
    [
        (Lane(source_roots=("src",)), "tool.cockpit.lane.path"),
        (Lane(path="src/next-gen", root="src", source_roots=("src",)), "tool.cockpit.lane.path"),
        (Lane(path="src/a", root="lib", source_roots=("src",)), "tool.cockpit.lane.root"),
    ],
)
def test_a_lane_without_module_names(plan_of, lane, key):
    files = {"src/next-gen/x.py": "", "src/a/x.py": ""}
    with pytest.raises(CockpitError, match=f"^{key}: .*source_roots"):
        plan_of(files, replace(Config(), lane=lane))


def test_a_lane_within_a_source_root(plan_of):
    lane = Lane(path="src/acme/candidate", root="src/acme", source_roots=("src",))
    files = {
        "src/acme/__init__.py": "from .candidate.x import y\n",
        "src/acme/candidate/x.py": "from ..lib import z\nfrom . import w\n",
        "src/acme/candidate/w.py": "",
        "src/acme/lib.py": "",
    }
    plan = plan_of(files, replace(Config(), lane=lane))
    assert [(row.old_module, row.new_module, row.move.target) for row in plan.moves] == [
        ("acme.candidate.w", "acme.w", "src/acme/w.py"),
        ("acme.candidate.x", "acme.x", "src/acme/x.py"),
    ]
    assert plan.moves[1].reasons["import_frequency"] == 1.0


def test_a_shallow_clone(make_repository, tmp_path):
    repository = make_repository({**MARKER, **CHAIN})
    repository.commit({"x": "1"})
    clone = tmp_path / "shallow"
    repository.git("clone", "-q", "--depth", "1", f"file://{repository.root}", str(clone))
    with pytest.raises(CockpitError, match="git fetch --unshallow"):
        make_plan(Repository.discover(clone), Config())


def test_a_repository_without_commits(tmp_path):
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    with pytest.raises(CockpitError, match="no commits yet"):
        make_plan(Repository.discover(tmp_path), Config())


def test_the_base_may_be_any_revision(make_repository):
    repository = make_repository({**MARKER, "candidate/a.py": "1"})
    first = repository.git("rev-parse", "main")
    repository.commit({"candidate/b.py": "1"})
    plan = make_plan(Repository.discover(repository.root), Config(), base="main~1")
    assert plan.header.base == first
    assert plan.header.batch_id.startswith(first[:7])
    assert sources(plan) == ["a.py"]


def test_the_work_tree_and_the_index_do_not_count(make_repository):
    repository = make_repository({**MARKER, **CHAIN})
    before = make_plan(Repository.discover(repository.root), Config()).to_bytes()
    repository.git("reset", "-q", "--hard")
    (repository.root / "candidate" / "low.py").write_text("x = (\n")
    (repository.root / "candidate" / "new.py").write_text("x = 1\n")
    (repository.root / "candidate" / "top.py").unlink()
    repository.git("add", "-A")
    assert make_plan(Repository.discover(repository.root), Config()).to_bytes() == before


PLAN_IN_A_CHILD = """\
import sys
from pathlib import Path
from pytest_cockpit.config import Config
from pytest_cockpit.git import Repository
from pytest_cockpit.promotion.selector import make_plan

sys.stdout.buffer.write(make_plan(Repository.discover(Path.cwd()), Config()).to_bytes())
"""


def test_two_clones_give_identical_bytes(make_repository, tmp_path):
    files = {
        **MARKER,
        **CHAIN,
        **CYCLE,
        **PACKAGE,
        "candidate/\u039b.py": "",
        "candidate/bad.py": "(",
    }
    repository = make_repository(files)
    repository.commit({"candidate/late.py": "x = 1\n"}, when=1_700_000_500)
    clone = tmp_path / "elsewhere" / "clone"
    repository.git("clone", "-q", str(repository.root), str(clone))
    expected = make_plan(Repository.discover(repository.root), Config()).to_bytes()
    assert Plan.read(expected, "plan").moves
    here = os.pathsep.join(filter(None, sys.path))
    for folder, environment in (
        (clone, {"TZ": "Pacific/Kiritimati", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "1"}),
        (clone, {"TZ": "UTC", "LC_ALL": "C", "PYTHONHASHSEED": "2"}),
        (clone / "candidate" / "core", {"PYTHONHASHSEED": "3"}),
    ):
        done = subprocess.run(
            [sys.executable, "-c", PLAN_IN_A_CHILD],
            cwd=folder,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": here, **environment},
            capture_output=True,
            check=False,
            umask=0o077,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout == expected


def test_cold_and_warm_give_identical_bytes(make_repository):
    repository = make_repository({**MARKER, **CHAIN, **CYCLE, **PACKAGE})
    found = Repository.discover(repository.root)
    cold = make_plan(found, Config()).to_bytes()
    assert (found.common_dir / "cockpit").is_dir()
    assert make_plan(found, Config()).to_bytes() == cold


def test_a_batch_is_closed_under_imports(make_repository):
    needs = {number: {number * 7 % 60, number // 2, 59} - {number} for number in range(60)}
    needs[59] = set()
    files = {
        f"candidate/m{number}.py": "".join(f"import candidate.m{one}\n" for one in sorted(wanted))
        for number, wanted in needs.items()
    }
    found = Repository.discover(make_repository({**MARKER, **files}).root)
    cycles = {name: group for group in _cycles(needs) for name in group}
    for size in (1, 5, 17, 59, 60):
        plan = make_plan(found, Config(), size=size)
        names = [int(name[1:-3]) for name in sources(plan)]
        assert names
        assert len(names) <= size
        for place, name in enumerate(names):
            for needed in needs[name]:
                assert needed in names
                assert names.index(needed) < place or cycles[needed] == cycles[name]


def _cycles(needs: Mapping[int, set[int]]) -> list[frozenset[int]]:
    """Groups by reachability both ways, the slow and plain way."""
    reach = {start: {start} for start in needs}
    for _ in needs:
        reach = {
            start: found.union(*(needs[one] for one in found)) for start, found in reach.items()
        }
    return [frozenset(other for other in reach[start] if start in reach[other]) for start in needs]


def test_a_long_chain_takes_no_recursion_and_no_square(make_repository):
    length = 2_000
    files = {f"candidate/m{n:04}.py": f"import candidate.m{n + 1:04}\n" for n in range(length - 1)}
    files[f"candidate/m{length - 1:04}.py"] = ""
    plan = make_plan(
        Repository.discover(make_repository({**MARKER, **files}).root), Config(), size=3
    )
    assert sources(plan) == ["m1999.py", "m1998.py", "m1997.py"]
    assert plan.header.counts["movable"] == length


NAMES = ["a", "b", "B", "__init__", "x y", "$(date)", "\u039b", "caf\u00e9", "cafe\u0301", "types",
         "conftest", "m\udce9", ".git2", "-", "class", "a\nb"]  # fmt: skip
TEXTS = [
    "", "x = 1\n", "x = (\n", "import candidate.a\n", "from . import b\n", "from .. import a, b\n",
    "from candidate.a import b\nimport b.a\n", "import candidate\n", "x = '\u202e'\n", "\ufeff\n",
    "def __getattr__(n): ...\n", "# cockpit: moved to a\n", "def f(a, a): ...\n", "import a.b.nowhere",
]  # fmt: skip
PATHS = st.builds(
    lambda top, parts, end: "/".join([*top, *parts]) + end,
    st.sampled_from([(), ("candidate",), ("candidate",)]),
    st.lists(st.sampled_from(NAMES), min_size=1, max_size=3),
    st.sampled_from([".py", ".py", ".py", "/__init__.py", "", ".json"]),
)
CONTENTS = st.one_of(
    st.sampled_from(TEXTS),
    st.sampled_from([("120000", "candidate/a.py"), ("160000", "1" * 40), ("100755", "x = 2\n")]),
    st.binary(max_size=20),
)


@settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(st.dictionaries(PATHS, CONTENTS, max_size=14), st.integers(1, 5))
def test_any_tree(make_repository, files, size):
    files = {path: content for path, content in files.items() if _is_leaf(path, files)}
    name = secrets.token_hex(8)
    repository = make_repository({**MARKER, "candidate/z.py": "", **files}, name)
    plan = make_plan(Repository.discover(repository.root), Config(), size=size)
    assert Plan.read(plan.to_bytes(), "plan").to_bytes() == plan.to_bytes()
    counts = plan.header.counts
    assert counts["lane"] == counts["movable"] + counts["refusals"]
    assert len(plan.moves) == min(size, counts["movable"]) or counts["moves"] < size
    for planned in plan.moves:
        assert planned.move.target not in files
        assert planned.move.target == planned.move.source.removeprefix("candidate/")
    for refusal in plan.refusals:
        assert refusal.message.isprintable()


def _is_leaf(path: str, files: Iterable[str]) -> bool:
    """Whether no other path needs a folder where this one is a file; git cannot hold both."""
    return not any(other.startswith(f"{path}/") for other in files)
