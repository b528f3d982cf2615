"""What is generated from all modules: the same for every clone, and no more than text."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
from datetime import UTC, datetime
from urllib.parse import unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.api import CockpitError, Verdict
from pytest_cockpit.config import Config, Registry
from pytest_cockpit.git import Entry, Repository
from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts, globs
from pytest_cockpit.records.text import sha256
from pytest_cockpit.registry import (
    comparing,
    contents,
    documentation_map,
    documents,
    module_index,
    module_registry,
    phase,
    surface,
    surfaces,
)
from pytest_cockpit.registry.modules import artefact_above, survey

NAME = "module.manifest.json"
REGISTRY = "docs/_generated/MODULE_REGISTRY.json"
FILES = {
    f"quay/{NAME}": json.dumps(
        {
            "module": "quay",
            "description": "Where ships lie.\nAnd *more*.",
            "tags": ["b", "a", "b", 5],
            "matrix": {"lane": "L2"},
            "layout": {"paths": {"tests": "../tests/quay"}},
        }
    ),
    "quay/__init__.py": "from .crane import Crane\n",
    "quay/crane.py": "class Crane:\n    def __init__(self, reach): ...\n",
    "quay/readme.md": "# Quay\n",
    "quay/a b (1).rst": "",
    "quay/test_quay.py": "",
    "tests/quay/test_crane.py": "",
    "tests/quay/tool.py": "",
    f"quay/inner/{NAME}": json.dumps({"module": "quay.inner", "lane": "L1", "status": "done"}),
    "quay/inner/README.md": "# Inner\n",
    f"tides/{NAME}": json.dumps({"module": "tides"}),
    "tides/broken.py": "def (",
}


def placed(root, settings=None, tree=None):
    repository = Repository.discover(root)
    head = repository.resolve("HEAD")
    day = datetime(2026, 1, 2, tzinfo=UTC)
    return Place(repository, settings or Config(), tree or head, head, day)


@pytest.fixture
def place(make_repository):
    """A place over files, those of the example where none are given."""

    def make(files=None, settings=None):
        return placed(make_repository(FILES if files is None else files).root, settings)

    return make


def registry(place):
    return json.loads(documents.generate(place)[REGISTRY])


def test_a_row_of_the_registry(place):
    found = registry(place())
    assert artifacts.validate(found, "module_registry") == []
    assert found["module_count"] == 3
    assert [row["path"] for row in found["modules"]] == ["quay", "quay/inner", "tides"]
    quay, inner, tides = found["modules"]
    assert quay == {
        "name": "quay",
        "path": "quay",
        "manifest": f"quay/{NAME}",
        "description": "Where ships lie.\nAnd *more*.",
        "status": "unknown",
        "lane": "L2",
        "tags": ["a", "b"],
        "docs": ["quay/a b (1).rst", "quay/readme.md"],
        "tests": ["quay/test_quay.py", "tests/quay/test_crane.py"],
        "api": {
            "count": 2,
            "names": {"Crane": "import .crane.Crane", "crane.Crane": "class (reach)"},
        },
        "faults": [
            {
                "file": f"quay/{NAME}",
                "pointer": "/tags",
                "what": 'expected each item once, got "b" twice',
            },
            {"file": f"quay/{NAME}", "pointer": "/tags/3", "what": "expected string, got 5"},
        ],
    }
    assert (inner["lane"], inner["status"]) == ("L1", "done")
    assert tides["faults"] == [{"file": "tides/broken.py", "pointer": "", "what": "does not parse"}]
    assert found["without_manifest"] == [{"path": "tests", "python": 2}]


def test_what_builds_leave_behind_is_in_no_module_and_said(place):
    files = {
        f"quay/{NAME}": "{}",
        "quay/a.py": "",
        "quay/__pycache__/a.py": "",
        f"quay/__pycache__/{NAME}": "{}",
        "quay/node_modules/x/node_modules/README.md": "",
        "quay/node_modules/x/y.md": "",
        f"quay.egg-info/{NAME}": "{}",
        "quay-1.dist-info/RECORD": "",
        "egg-info/a.py": "",
    }
    here = place(files)
    (module,) = survey(here).modules
    assert module.files == ("quay/a.py", f"quay/{NAME}")
    found = registry(here)
    assert found["artefacts"] == [
        {"path": "quay-1.dist-info", "files": 1},
        {"path": "quay.egg-info", "files": 1},
        {"path": "quay/__pycache__", "files": 2},
        {"path": "quay/node_modules", "files": 2},
    ]
    assert found["without_manifest"] == [{"path": "egg-info", "python": 1}]
    lines = phase.run(here).text.splitlines()
    assert "  quay/__pycache__: 2 tracked files that a build left behind" in lines
    assert "  egg-info: 1 Python file in no module" in lines


def test_of_two_manifests_in_a_folder_the_first_by_name_counts(place):
    settings = Config(registry=Registry(manifests=("**/*.manifest.json",)))
    here = place({"quay/b.manifest.json": "{}", "quay/a.manifest.json": "{}"}, settings)
    assert [module.manifest for module in survey(here).modules] == ["quay/a.manifest.json"]


def test_two_clones_give_identical_bytes_and_what_is_generated_counts_for_nothing(
    make_repository, tmp_path
):
    files = {**FILES, f"docs/{NAME}": "{}", "docs/guide.md": ""}
    root = make_repository(files).root
    made = documents.generate(placed(root))
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "-q", str(root), str(clone)], check=True)
    for path, content in made.items():
        (clone / path).parent.mkdir(parents=True, exist_ok=True)
        (clone / path).write_bytes(content)
    commit(clone)
    surfaces.forget()
    again = phase.run(placed(clone))
    assert (dict(again.changes.files), again.facts["changed"]) == ({}, [])
    assert documents.generate(placed(clone)) == made


def commit(root):
    who = ["-c", "user.name=Port", "-c", "user.email=port@example.org"]
    for command in (["add", "-A"], ["commit", "-q", "-m", "written"]):
        subprocess.run(["git", *who, *command], cwd=root, check=True)


def test_every_link_of_the_index_leads_somewhere(place):
    files = {
        **FILES,
        f"a (b)[c]/{NAME}": "{}",
        "a (b)[c]/só.md": "",
        "odd.rst": "",
        NAME: "{}",
    }
    here = place(files)
    page = documents.generate(here)["docs/_generated/MODULE_INDEX.md"].decode()
    targets = [unquote(found) for found in re.findall(r"\]\(([^)\s]+)\)", page)]
    assert len(targets) == 5
    assert {
        f"docs/_generated/{target}".replace("docs/_generated/../../", "") for target in targets
    } == {
        "quay/readme.md",
        "quay/inner/README.md",
        f"tides/{NAME}",
        "a (b)[c]/só.md",
        "odd.rst",
    }
    assert page.splitlines()[:6] == [
        "# Module index",
        "",
        "## Lane L1",
        "",
        "- [quay.inner](../../quay/inner/README.md)",
        "",
    ]
    assert r"- [quay](../../quay/readme.md) — Where ships lie. And \*more\*." in page


def test_modules_of_one_name_are_told_apart_in_every_document(place):
    here = place({f"{path}/{NAME}": '{"module": "quay"}' for path in ("a", "b")})
    made = documents.generate(here)
    index = made["docs/_generated/MODULE_INDEX.md"].decode()
    assert f"- [quay](../../a/{NAME}) (`a`)\n- [quay](../../b/{NAME}) (`b`)\n" in index
    assert [row["path"] for row in json.loads(made[REGISTRY])["modules"]] == ["a", "b"]
    meta = json.loads(made["docs/_generated/META_REGISTRY.json"])
    assert [(row["module"], row["path"]) for row in meta["modules"]] == [
        ("quay", "a"),
        ("quay", "b"),
    ]
    table = made["docs/_generated/DOCUMENTATION_MAP.md"].decode()
    assert all(f"| `{path}` |" in table for path in ("a", "b"))


def test_paths_that_look_alike_once_written_keep_their_own_row(place):
    # The first folder's name is no UTF-8; the second is how that is written.
    folders = {"\udcff": "first", "\\udcff": "second"}
    here = place(
        {
            f"{path}/{NAME}": json.dumps({"module": "x", "lane": lane})
            for path, lane in folders.items()
        }
    )
    made = json.loads(documents.generate(here)["docs/_generated/META_REGISTRY.json"])
    assert sorted(row["lane"] for row in made["modules"]) == ["first", "second"]


def test_the_map_counts(place):
    page = documents.generate(place())["docs/_generated/DOCUMENTATION_MAP.md"].decode()
    assert page.splitlines()[2:7] == [
        "3 modules, 3 documents, 2 test files, at least 2 public names.",
        "",
        "| module | status | documents | test files | public names | path |",
        "|---|---|---:|---:|---:|---|",
        "| quay | unknown | 2 | 2 | 2 | `quay` |",
    ]
    assert page.splitlines()[-1].endswith("| ≥ 0 | `tides` |"), "its one file does not parse"


TEXT = st.text(max_size=20) | st.sampled_from(
    ["|", "`|`", "[x](y)", "<b>", "@me", "*", "a\nb", "\\"]
)


@given(TEXT.filter(str.strip), TEXT, TEXT)
def test_whatever_a_manifest_says_stays_one_row_and_one_link(name, about, tag):
    row = {
        "name": name,
        "path": tag or "x",
        "manifest": "m/module.manifest.json",
        "description": about,
        "status": tag,
        "lane": tag,
        "docs": [],
        "tests": [],
        "api": {"count": 0, "names": {}},
        "faults": [],
    }
    document = {"modules": [row], "without_manifest": [], "artefacts": []}
    table = documentation_map.page(document).splitlines()
    assert len(table) == 7
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\|", table[6])) == 7
    index = module_index.page(document, "docs").splitlines()
    assert len(index) == 5
    assert len(re.findall(r"(?<!\\)(?:\\\\)*\]\(", index[4])) == 1
    assert "<b>" not in "".join(index)


def test_the_phase_writes_only_what_differs_and_warns_of_oddities(place):
    here = place()
    found = phase.run(here)
    assert found.verdict is Verdict.WARN
    assert sorted(found.changes.files) == sorted(documents.generate(here))
    assert found.facts["modules"] == 3
    assert found.facts["faults"] == 3
    assert found.summary == (
        "5 documents, 5 of them changed; 3 modules, 3 documents, 2 test files, "
        "at least 2 public names; 1 folder of Python files without a manifest"
    )


def test_without_an_oddity_the_phase_is_green(place):
    found = phase.run(place({f"quay/{NAME}": json.dumps({"module": "quay"})}))
    assert (found.verdict, found.text) == (Verdict.PASS, "")


def test_the_rarest_oddity_is_said_first_and_many_are_cut(place):
    files = {f"m{index:02d}/{NAME}": '{"module": ""}' for index in range(30)}
    files |= {f"m{index:02d}/broken{index}.py": "(" for index in range(2)}
    files |= {f"m00/a{index:02d}.py": f"__all__ = ['gone{index}']" for index in range(30)}
    lines = phase.run(place(files)).text.splitlines()
    assert lines[1] == "  m00/a00.py __all__: lists 'gone0', which the file does not have"
    assert lines[-1] == "  … and 12 more, in MODULE_REGISTRY.json"


def test_what_is_said_of_a_path_stays_one_line(place):
    folder = "a\n::error::b\x1b[2J"
    here = place({f"{folder}/{NAME}": "{", f"{folder}/node_modules/x": "", "\x1b/a.py": ""})
    text = phase.run(here).text
    lines = text.splitlines()
    assert all(line.isprintable() for line in lines)
    assert len(lines) == 2
    made = documents.generate(here)["docs/_generated/MODULE_INDEX.md"].decode().splitlines()
    assert len(made) == 5


def test_without_a_module_nothing_is_known_and_nothing_written(place):
    found = phase.run(place({"a.py": ""}))
    assert (found.verdict, bool(found.changes)) == (Verdict.UNKNOWN, False)
    assert found.text.endswith("name them in registry.manifests")


def test_a_manifest_that_was_never_added_is_told(make_repository):
    here = placed(make_repository({"a.py": ""}).root)
    (here.repository.root / "b").mkdir()
    (here.repository.root / "b" / NAME).write_text("{}")
    found = phase.run(here)
    assert found.verdict is Verdict.UNKNOWN
    assert found.summary.endswith("; 1 untracked file matches: git add it")


@pytest.mark.parametrize(
    ("content", "said"),
    [("{,}", "not JSON"), ("[]", "expected an object"), (("120000", "x"), "is no file")],
)
def test_a_manifest_that_cannot_be_read_is_red_and_nothing_is_written(place, content, said):
    found = phase.run(place({**FILES, f"tides/{NAME}": content}))
    assert (found.verdict, bool(found.changes)) == (Verdict.FAIL, False)
    assert found.summary == f"tides/{NAME}: {said}; correct it first"
    assert found.text.startswith(f"tides/{NAME}: {said}\n")


def test_of_many_manifests_that_cannot_be_read_some_are_named(place):
    found = phase.run(place({f"m{index:02d}/{NAME}": "{" for index in range(30)}))
    assert found.summary == f"m00/{NAME}: not JSON (and 29 more); correct it first"
    assert "  … and 10 more" in found.text


def test_documents_go_where_the_configuration_says(place):
    settings = Config(registry=Registry(output=".", trends="data/trends"))
    made = documents.generate(place(settings=settings))
    assert set(made) == {
        "MODULE_REGISTRY.json",
        "DOCUMENTATION_MAP.md",
        "MODULE_INDEX.md",
        "META_REGISTRY.json",
        "data/trends/coverage_trend.csv",
    }
    assert "(quay/readme.md)" in made["MODULE_INDEX.md"].decode()


def test_each_way_in_which_a_document_can_differ(place):
    made = b"a\nb\nc\n"
    here = place({"x.md": "a\nB\x1b[2J\nc\nd\n", "y.md": made, "z.md": made})
    assert comparing.compare(here, "y.md", made).verdict is Verdict.PASS
    assert comparing.compare(here, "none.md", None).verdict is Verdict.SKIP
    untracked = comparing.compare(here, "none.md", made)
    assert untracked.text == f"none.md: is no tracked file\n  {comparing.REMEDY}"
    stale = comparing.compare(here, "z.md", None)
    assert stale.text == "z.md: nothing in the tree and its ledger gives it\n  remove it"
    found = comparing.compare(here, "x.md", made)
    assert found.verdict is untracked.verdict is stale.verdict is Verdict.FAIL
    assert found.summary == r"x.md: line 2 is 'B\\x1b[2J', would be 'b'"
    assert found.text.splitlines() == [
        "x.md: is not as it would be written",
        "  line 2:",
        r"    is       B\x1b[2J",
        "    would be b",
        "  line 4:",
        "    is       d",
        "    would be ",
        "  line 5:",
        "    is       ",
        "    would be (not there)",
        f"  {comparing.REMEDY}",
    ]


def test_a_blob_that_is_not_here_is_said(make_repository):
    root = make_repository(FILES).root
    oid = placed(root).entries["tides/broken.py"].oid
    (root / ".git/objects" / oid[:2] / oid[2:]).unlink()
    surfaces.forget()
    with pytest.raises(CockpitError, match=r"tides/broken\.py: its content is not in this clone"):
        documents.generate(placed(root))


class Memory:
    """A tree that was never in git, its paths in any order."""

    def __init__(self, paths, common_dir):
        self.settings = Config()
        self.repository = Repository(common_dir, common_dir)
        oids = {path: sha256(FILES[path].encode()) for path in paths}
        self.entries = {path: Entry(path, "100644", "blob", oids[path]) for path in paths}

    def read_all(self, paths):
        return [(path, FILES[path].encode()) for path in paths]


@given(st.permutations(list(FILES)), st.booleans())
def test_the_order_of_paths_changes_nothing(tmp_path_factory, paths, forget):
    folder = tmp_path_factory.getbasetemp()
    if forget:
        surfaces.forget()
    found = [
        module_registry.document(memory, survey(memory))  # type: ignore[arg-type] # enough of one
        for memory in (Memory(paths, folder), Memory(list(FILES), folder))
    ]
    assert artifacts.canonical(found[0]) == artifacts.canonical(found[1])


def test_surfaces_are_kept_between_processes_and_a_broken_cache_costs_no_answer(make_repository):
    root = make_repository(FILES).root
    surfaces.forget()
    made = documents.generate(placed(root))
    cache = root / ".git/cockpit" / f"surfaces-{surfaces.SCHEMA}.sqlite"
    assert cache.is_file()
    # Nothing is read anew: the content is not even here.
    oid = placed(root).entries["quay/crane.py"].oid
    blob = root / ".git/objects" / oid[:2] / oid[2:]
    content = blob.read_bytes()
    blob.unlink()
    surfaces.forget()
    assert documents.generate(placed(root)) == made
    blob.write_bytes(content)
    for broken in (b"", b"no database" * 100):
        cache.write_bytes(broken)
        surfaces.forget()
        assert documents.generate(placed(root)) == made
    with sqlite3.connect(cache) as database:
        database.execute("UPDATE facts SET data = '[1, 2]'")
    database.close()
    surfaces.forget()
    assert documents.generate(placed(root)) == made


@given(st.lists(st.sampled_from(["a", "b"])), st.booleans())
def test_a_kept_surface_is_the_one_that_was_read(names, dynamic):
    source = f"from .x import *\n__all__ = {names!r} + y.__all__\ndef a(b): ...\nimport c as c\n"
    source += "globals()\n" * dynamic
    for text in (source, "x = 1", "def ("):
        found = surface.read(text.encode())
        assert surfaces._decoded(surfaces._encoded(found)) == found


PART = st.sampled_from(["a", "b", "**", "*", "a*", ".", "x.py"])
GLOBS = st.lists(st.lists(PART, max_size=5).map("/".join), max_size=3)
PATHS = st.lists(st.lists(st.sampled_from(["a", "b", "ab", "x.py", "."]), max_size=5).map("/".join))


@given(GLOBS, PATHS)
def test_globs_read_once_match_as_globs_read_each_time(patterns, paths):
    matcher = globs.Matcher(patterns)
    assert [matcher.matches(path) for path in paths] == [
        globs.matches(path, patterns) for path in paths
    ]


@pytest.mark.parametrize(
    ("path", "above"),
    [
        ("a/__pycache__/b.pyc", "a/__pycache__"),
        ("node_modules/a/node_modules/b", "node_modules"),
        ("a/b.egg-info/c", "a/b.egg-info"),
        (".eggs/c", ".eggs"),
        ("a/egg-info/c", ""),
        ("a/__pycache__", ""),
        ("my_node_modules/a", ""),
    ],
)
def test_which_folder_a_build_left_behind(path, above):
    assert artefact_above(path) == above


def test_generated_paths_are_those_that_generate_gives_at_most(place):
    here = place()
    assert set(documents.generate(here)) <= set(contents.generated(here.settings.registry))
