"""What needs no process to be judged: circles, declarations, effects, and the baseline."""

from __future__ import annotations

import itertools
import json
import tempfile
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Context, Finding, Lane, Move, Severity
from pytest_cockpit.records import artifacts
from pytest_cockpit_gates.imports import (
    circles,
    contracts,
    cycles,
    declared,
    dependencies,
    effects,
    facts,
    gate,
    ratchet,
    rules,
    static,
)
from pytest_cockpit_gates.imports import document as json_document
from pytest_cockpit_gates.imports.classify import Failure
from pytest_cockpit_gates.imports.dependencies import Use
from pytest_cockpit_gates.imports.effects import Effect
from pytest_cockpit_gates.imports.facts import Fact, Facts
from pytest_cockpit_gates.imports.judge import Judged
from pytest_cockpit_gates.imports.pool import Outcome, Tour
from pytest_cockpit_gates.imports.selection import Job, Tree
from pytest_cockpit_gates.imports.settings import Settings


def lay(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def test_a_tree_without_circles_has_no_inner_edges():
    assert cycles.inner({"a": {"b": 1, "c": 2}, "b": {"c": 3}, "c": {}, "d": {"a": 1}}) == {}


def test_only_edges_on_a_circle_are_inner():
    edges = {
        "a": {"b": 1, "x": 9},
        "b": {"a": 2, "c": 3},
        "c": {"d": 4, "away": 5},
        "d": {"c": 6},
        "x": {"a": 7},
    }
    assert cycles.inner(edges) == {
        "a": {"b": 1, "x": 9},
        "b": {"a": 2},
        "x": {"a": 7},
        "c": {"d": 4},
        "d": {"c": 6},
    }


def test_the_shortest_circle_is_shown_from_the_edge_that_closed_it():
    edges = {"a": {"b": 1}, "b": {"c": 2, "d": 3}, "c": {"d": 4}, "d": {"a": 5}}
    (cycle, longer) = cycles.unagreed(cycles.inner(edges), (), {"d"})
    assert (cycle.path, cycle.line, cycle.files) == ("d", 5, ("d", "a", "b", "d"))
    assert longer.files == ("b", "c", "d", "a", "b")


def test_an_agreed_edge_is_not_told_and_may_lie_on_a_new_circle():
    edges = {"a": {"b": 1}, "b": {"a": 2, "c": 3}, "c": {"a": 4}}
    agreed = {("a", "b"), ("b", "a")}
    (cycle,) = cycles.unagreed(edges, agreed, ())
    assert cycle.files == ("b", "c", "a", "b")
    assert list(cycles.unagreed(edges, agreed | {("b", "c"), ("c", "a")}, ())) == []


graphs = st.dictionaries(
    st.sampled_from("abcdefgh"),
    st.dictionaries(st.sampled_from("abcdefgh"), st.integers(1, 9)),
).map(
    lambda edges: {
        path: {n: v for n, v in needs.items() if n != path} for path, needs in edges.items()
    }
)


@given(graphs)
def test_inner_edges_are_those_with_a_way_back(edges):
    def reaches(start, end):
        seen, pending = set(), [start]
        while pending:
            one = pending.pop()
            if one == end:
                return True
            if one not in seen:
                seen.add(one)
                pending += edges.get(one, {})
        return False

    wanted = {(a, b) for a, needs in edges.items() for b in needs if b in edges and reaches(b, a)}
    inner = cycles.inner(edges)
    assert {(a, b) for a, needs in inner.items() for b in needs} == wanted
    found = list(cycles.unagreed(inner, (), ()))
    for cycle in found:
        assert cycle.files[0] == cycle.files[-1] == cycle.path
        assert len(set(cycle.files)) == len(cycle.files) - 1
        assert all(b in inner[a] for a, b in itertools.pairwise(cycle.files))
    assert {pair for it in found for pair in itertools.pairwise(it.files)} == wanted


DECLARATIONS = {
    "project": (
        "pyproject.toml",
        "[project]\nname = 'x'\ndependencies = ['Tide_Table>=1; python_version>\"3\"']\n",
    ),
    "extra": (
        "pyproject.toml",
        "[project]\nname = 'x'\n[project.optional-dependencies]\na = ['tide-table[sea]~=2']\n",
    ),
    "group": (
        "pyproject.toml",
        "[dependency-groups]\ndev = ['tide.table', {include-group = 'a'}]\na = []\n",
    ),
    "poetry": ("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3'\ntide-table = '^1'\n"),
    "poetry-group": ("pyproject.toml", "[tool.poetry.group.dev.dependencies]\ntide-table = '^1'\n"),
    "uv": ("pyproject.toml", "[tool.uv]\ndev-dependencies = ['tide-table']\n"),
    "pdm": ("pyproject.toml", "[tool.pdm.dev-dependencies]\ntest = ['tide-table']\n"),
    "setup.cfg": ("setup.cfg", "[options]\ninstall_requires =\n    tide-table >= 1\n"),
    "setup.cfg-extra": ("setup.cfg", "[options.extras_require]\nsea = tide-table\n"),
    "setup.py": (
        "setup.py",
        "from setuptools import setup\nsetup(install_requires=['tide-table'])\n",
    ),
    "setup.py-extra": (
        "setup.py",
        "import setuptools\nsetuptools.setup(extras_require={'a': ['tide-table']})\n",
    ),
    "requirements": ("requirements.txt", "# sea\n\ntide-table==1.0 --hash=sha256:00 # why\n"),
    "requirements-of-a-kind": ("requirements-dev.txt", "tide-table\n"),
    "requirements-folder": ("requirements/base.in", "tide-table\n"),
    "egg": ("requirements.txt", "git+https://example.org/tide.git@main#egg=tide-table\n"),
    "at-an-address": ("requirements.txt", "tide-table @ https://example.org/tide.zip\n"),
}


@pytest.mark.parametrize(("file", "text"), DECLARATIONS.values(), ids=DECLARATIONS)
def test_declarations_are_read(tmp_path, file, text):
    lay(tmp_path, {file: text})
    found = declared.read(tmp_path)
    assert found.names == {"tide-table"}
    assert found.files == (file,)
    assert found.opaque == ()


NOTHING = {
    "python-of-poetry": ("pyproject.toml", "[tool.poetry.dependencies]\npython = '^3'\n"),
    "options": (
        "requirements.txt",
        "--index-url https://example.org/\n-c constraints.txt\n-e .\n./local\n",
    ),
    "an-address-alone": ("requirements.txt", "https://example.org/tide.zip\n"),
    "an-empty-list": ("pyproject.toml", "[project]\nname = 'x'\ndependencies = []\n"),
}


@pytest.mark.parametrize(("file", "text"), NOTHING.values(), ids=NOTHING)
def test_what_names_nothing(tmp_path, file, text):
    lay(tmp_path, {file: text})
    assert declared.read(tmp_path).names == set()
    assert declared.read(tmp_path).files == (file,)


UNSAID = {
    "tools-only": ("pyproject.toml", "[tool.ruff]\nline-length = 100\n"),
    "setup.cfg": ("setup.cfg", "[flake8]\nmax-line-length = 100\n"),
    "setup.py": ("setup.py", "from setuptools import setup\nsetup()\n"),
}


@pytest.mark.parametrize(("file", "text"), UNSAID.values(), ids=UNSAID)
def test_a_file_that_declares_nothing_is_none(tmp_path, file, text):
    lay(tmp_path, {file: text})
    assert declared.read(tmp_path) == declared.Declared()


OPAQUE = {
    "dynamic": ("pyproject.toml", "[project]\nname = 'x'\ndynamic = ['dependencies']\n"),
    "computed": ("setup.py", "from setuptools import setup\nsetup(install_requires=read())\n"),
    "no-python": ("setup.py", "setup(\n"),
    "conda": ("environment.yml", "dependencies: [tide]\n"),
    "pipfile": ("Pipfile", "[packages]\ntide = '*'\n"),
    "file-of-setup.cfg": ("setup.cfg", "[options]\ninstall_requires = file: needs.txt\n"),
}


@pytest.mark.parametrize(("file", "text"), OPAQUE.values(), ids=OPAQUE)
def test_what_cannot_be_read_without_running_is_opaque(tmp_path, file, text):
    lay(tmp_path, {file: text})
    assert declared.read(tmp_path).opaque == (file,)


def test_requirements_are_followed_inside_the_repository_only(tmp_path):
    lay(tmp_path, {"away.txt": "outside\n"})
    root = tmp_path / "tree"
    lay(
        root,
        {
            "requirements.txt": "-r more/base.txt\n-r ../away.txt\n--requirement=requirements.txt\n",
            "more/base.txt": "-r deep.txt\ntide \\\n  >=1\n",
            "more/deep.txt": "ebb\n",
        },
    )
    (root / "requirements-x.txt").symlink_to(tmp_path / "away.txt")
    found = declared.read(root)
    assert found.names == {"tide", "ebb"}
    assert found.opaque == ("requirements-x.txt",)


def test_setuptools_reads_extras_from_files_too(tmp_path):
    text = (
        "[project]\nname = 'x'\ndynamic = ['dependencies', 'optional-dependencies']\n"
        "[tool.setuptools.dynamic]\ndependencies = {file = 'needs.txt'}\n"
        "[tool.setuptools.dynamic.optional-dependencies]\nsea = {file = ['a.txt', 'b.txt']}\nbad = 3\n"
    )
    files = {"needs.txt": "tide\n", "a.txt": "ebb\n", "b.txt": "flow\n"}
    lay(tmp_path, {"pyproject.toml": text, **files})
    found = declared.read(tmp_path)
    assert found.names == {"tide", "ebb", "flow"}
    assert found.opaque == ()


def test_every_declaration_counts(tmp_path):
    files = {
        "pyproject.toml": "[project]\nname = 'x'\ndependencies = ['a']\n[project.optional-dependencies]\n"
        "x = ['b']\n[dependency-groups]\ny = ['c']\n[tool.poetry.dependencies]\nd = '*'\n"
        "[tool.poetry.dev-dependencies]\ne = '*'\n[tool.poetry.group.g.dependencies]\nf = '*'\n",
        "setup.cfg": "[options]\ninstall_requires = g\n[options.extras_require]\nx =\n  h\n  i\n",
        "setup.py": "setup(install_requires=['j'], extras_require={'x': ['k'], 'y': ['l']})\n",
        "requirements.txt": "m\n",
        "requirements/n.txt": "n\n",
        "Pipfile": "",
    }
    lay(tmp_path, files)
    found = declared.read(tmp_path)
    assert found.names == set("abcdefghijklmn")
    assert found.files == (
        "pyproject.toml",
        "setup.cfg",
        "setup.py",
        "Pipfile",
        "requirements/n.txt",
        "requirements.txt",
    )
    assert found.opaque == ("Pipfile",)


def test_a_file_that_cannot_be_read_is_an_error(tmp_path, monkeypatch):
    lay(tmp_path, {"requirements.txt": "a\n"})

    def refuse(path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "read_bytes", refuse)
    said = r"^requirements\.txt: cannot read \(Permission denied\); make it readable and run again$"
    with pytest.raises(CockpitError, match=said):
        declared.read(tmp_path)


def test_setuptools_reads_its_dynamic_dependencies_from_files(tmp_path):
    text = "[project]\ndynamic = ['dependencies']\n[tool.setuptools.dynamic]\ndependencies = {file = ['needs.txt']}\n"
    lay(tmp_path, {"pyproject.toml": text, "needs.txt": "tide\n"})
    assert declared.read(tmp_path) == declared.Declared(frozenset({"tide"}), ("pyproject.toml",))


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("pyproject.toml", "[", r"^pyproject\.toml: not TOML"),
        ("setup.cfg", "x", r"^setup\.cfg: not INI"),
    ],
)
def test_a_broken_declaration_is_an_error(tmp_path, file, text, said):
    lay(tmp_path, {file: text})
    with pytest.raises(CockpitError, match=said):
        declared.read(tmp_path)


@given(
    st.sampled_from(["pyproject.toml", "setup.cfg", "setup.py", "requirements.txt"]),
    st.one_of(
        st.binary(),
        st.text().map(str.encode),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text()),
            lambda inner: st.one_of(st.lists(inner), st.dictionaries(st.text(), inner)),
        ).map(lambda value: f"[project]\nname = 1\ndependencies = {json.dumps(value)}\n".encode()),
    ),
)
def test_no_declaration_breaks_the_reader(file, data):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / file).write_bytes(data)
        try:
            found = declared.read(Path(folder))
        except CockpitError as error:
            said = str(error)
        else:
            said = f"{file}: "
            assert all(name == declared.normal(name) for name in found.names)
    assert said.startswith(f"{file}: ")
    assert "\n" not in said


def told(uses, names=(), known=None, named=None, optional=(), opaque=()):
    asked = []

    def providers():
        asked.append(1)
        return known or {}

    found = dependencies.facts(
        [Use(top, "core/tide.py", 3) for top in uses],
        declared.Declared(frozenset(names), ("pyproject.toml",), tuple(opaque)),
        providers,
        named or {},
        frozenset(optional),
    )
    return [(it.message, it.severity) for it in found], len(asked)


def test_the_same_name_needs_nobody_asked():
    assert told(["tide_table"], ["tide-table"]) == ([], 0)


def test_the_environment_knows_who_provides_a_name():
    assert told(["yaml"], ["pyyaml"], {"yaml": ["PyYAML"]}) == ([], 1)
    ((message, severity),), _ = told(["yaml"], ["tide"], {"yaml": ["PyYAML"]})
    assert message == "it imports yaml, and no file declares PyYAML"
    assert severity is Severity.ERROR


def test_a_well_known_name_that_is_not_installed_is_judged():
    assert told(["yaml"], ["pyyaml"])[0] == []
    assert told(["yaml"])[0][0][1] is Severity.ERROR


def test_a_name_that_nothing_knows_is_unknown():
    ((message, severity),), _ = told(["tide"])
    assert message == "it imports tide, not declared under that name and not installed here"
    assert severity is Severity.UNKNOWN


def test_an_opaque_declaration_makes_it_unknown():
    ((message, severity),), _ = told(["yaml"], opaque=["setup.py"])
    assert message == "it imports yaml, and setup.py may declare it: it is not read"
    assert severity is Severity.UNKNOWN


def test_the_settings_come_first():
    known = {"tide": ["wrong"]}
    assert told(["tide"], ["sea"], known, {"tide": "Sea"}) == ([], 0)
    ((message, _),), asked = told(["tide"], ["wrong"], known, {"tide": "Sea"})
    assert message == "it imports tide, and no file declares Sea"
    assert asked == 0
    assert told(["tide"], optional=["tide"]) == ([], 0)


def test_one_of_several_providers_is_enough():
    assert told(["google"], ["google-auth"], {"google": ["protobuf", "google-auth"]})[0] == []


USES = {
    "twice": ("import pluggy\nimport pluggy._manager\n", [("pluggy", 1)]),
    "from": ("from pluggy.hooks import x\n", [("pluggy", 1)]),
    "lazy": ("def f():\n    import pluggy\n", [("pluggy", 2)]),
    "guarded": ("try:\n    import pluggy\nexcept ImportError: pass\n", []),
    "for-typing": ("import typing\nif typing.TYPE_CHECKING:\n    import pluggy\n", []),
    "relative": ("from . import pluggy\n", []),
    "standard": ("import os, __main__\n", []),
    "ours": ("import core.port, app, notes.deep\n", []),
    "alias": ("import acme.tide\n", []),
    "beside": ("import neighbour, kin.x\n", []),
}


@pytest.mark.parametrize(("source", "uses"), USES.values(), ids=USES)
def test_what_counts_as_the_use_of_a_third_party(tmp_path, source, uses):
    files = {
        "core/__init__.py": "",
        "core/tide.py": source,
        "core/port.py": "",
        "app.py": "",
        "notes/deep.py": "",
        "core/neighbour.py": "",
        "core/kin/__init__.py": "",
    }
    lay(tmp_path, files)
    tree = Tree(Context(root=tmp_path, scratch=tmp_path, lane=Lane(aliases={"acme": ("",)})))
    reader = static.Reader(tree)
    reader.scan(["core/tide.py"])
    assert [(it.top, it.line) for it in reader.uses(["core/tide.py"])] == uses


INI = """[importlinter]
root_package = core

[importlinter:contract:first]
name = The tide knows no port
type = forbidden
source_modules = core.tide
forbidden_modules = core.port

[importlinter:contract:second]
name = Quays stand alone
type = independence
modules =
    core.quay
    core.dock
"""


NAMES = ["The tide knows no port", "Quays stand alone"]


def test_contracts_of_one_name_are_told_apart(tmp_path):
    text = INI.replace(NAMES[1], NAMES[0])
    lay(tmp_path, {".importlinter": text})
    assert contracts.configured(tmp_path) == (
        ".importlinter",
        (NAMES[0], f"{NAMES[0]} (2)"),
    )


@pytest.mark.parametrize("file", ["setup.cfg", ".importlinter", "pyproject.toml"])
@given(data=st.one_of(st.binary(), st.text().map(str.encode)))
def test_no_configuration_breaks_the_names(file, data):
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / file).write_bytes(data)
        assert contracts.configured(Path(folder)) in {("", ()), (file, ())}


ODD_TABLES = [
    "[tool]\nimportlinter = 3\n",
    "[tool.importlinter]\ncontracts = 3\n",
    "[tool.importlinter]\ncontracts = [3]\n",
    "tool = 3\n",
]


@pytest.mark.parametrize("text", ODD_TABLES)
def test_odd_tables_name_nothing(tmp_path, text):
    lay(tmp_path, {"pyproject.toml": text})
    assert contracts.configured(tmp_path)[1] == ()


entries = st.dictionaries(
    st.sampled_from(["a.py", "b.py", "c.py"]),
    st.fixed_dictionaries(
        {},
        optional={
            "edges": st.dictionaries(
                st.sampled_from([rules.CYCLE, rules.CONTRACT]), st.integers(1, 3)
            ),
            "circle": st.lists(st.sampled_from("xyz"), unique=True).map(sorted),
            "effects": st.lists(st.sampled_from(["prints", "writes"]), unique=True).map(sorted),
        },
    ).flatmap(
        lambda entry: st.sampled_from(["syntax", "exception", None]).map(
            lambda kind: {**entry, "class": kind, "message": kind} if kind else entry
        )
    ),
)


documents = st.fixed_dictionaries(
    {
        "entries": entries,
        "meta": st.dictionaries(st.sampled_from(["modules", "python"]), st.integers(0, 5)),
    }
).map(lambda it: ratchet.join(it, it))


@given(documents, documents, documents)
def test_join_is_a_semilattice(a, b, c):
    join = gate.join
    assert join(a, a) == a
    assert join(a, b) == join(b, a)
    assert join(a, join(b, c)) == join(join(a, b), c)


@given(documents)
def test_the_words_of_an_error_are_no_bound(a):
    reworded = json.loads(json.dumps(a))
    for entry in reworded["entries"].values():
        entry["message"] = "other words"
    assert gate.bounds(reworded) == gate.bounds(a)
    for path, entry in reworded["entries"].items():
        entry["edges"] = {"imports.lane-import": 10**6}
        assert gate.bounds(reworded)[path] != gate.bounds(a)[path]


@given(documents, documents)
def test_the_join_is_the_most_that_both_permit(a, b):
    both = ratchet.join(a, b)
    assert list(ratchet.loosened(a, both, "x")) == []
    assert list(ratchet.loosened(b, both, "x")) == []
    # Nothing looser than it is as tight as both.
    for document in (a, b):
        if not list(ratchet.loosened(a, document, "x")) + list(ratchet.loosened(b, document, "x")):
            assert list(ratchet.loosened(both, document, "x")) == []


def document(**entry):
    return {"entries": {"a.py": entry} if entry else {}, "meta": {}}


LOOSER = {
    "another-class": ({"class": "syntax"}, {"class": "exception"}, "class"),
    "a-class": ({}, {"class": "exception"}, "class"),
    "one-import-more": ({"edges": {"r": 1}}, {"edges": {"r": 2}}, "edges"),
    "another-rule": ({"edges": {"r": 1}}, {"edges": {"r": 1, "s": 1}}, "edges"),
    "a-circle": ({"circle": ["x"]}, {"circle": ["x", "y"]}, "circle"),
    "an-effect": ({"class": "syntax"}, {"class": "syntax", "effects": ["prints"]}, "effects"),
}


@pytest.mark.parametrize(("base", "now", "part"), LOOSER.values(), ids=LOOSER)
def test_a_looser_baseline_is_told(base, now, part):
    (finding,) = ratchet.loosened(document(**base), document(**now), "b.json")
    assert finding.message.endswith(f"at the base commit: {part}")
    assert (finding.path, finding.pointer) == ("b.json", "/entries/a.py")
    assert finding.severity is Severity.ERROR
    tighter = ratchet.loosened(document(**now), document(**base), "b.json")
    assert [it.message for it in tighter] == (
        [] if part != "class" or not base else [finding.message]
    )


def test_another_message_loosens_nothing():
    base = document(**{"class": "syntax", "message": "b"})
    now = document(**{"class": "syntax", "message": "a"})
    assert list(ratchet.loosened(base, now, "x")) == []


def test_counts_leave_out_what_is_told_elsewhere():
    found = [
        Fact(rules.CYCLE, "a.py", 1, "", ""),
        Fact(rules.CYCLE, "a.py", 2, "", ""),
        Fact(rules.SYNTAX, "b.py", 1, "", ""),
        Fact(rules.SYNTAX, "d.py", 1, "", ""),
        Fact(rules.UNDECLARED, "c.py", 1, "", "", Severity.UNKNOWN),
    ]
    assert facts.counts(Facts(tuple(found), 3), {"b.py"}) == {
        "a.py": {rules.CYCLE: 2},
        "c.py": {rules.UNDECLARED: 1},
        "d.py": {rules.SYNTAX: 1},
    }


def test_what_is_unknown_can_be_permitted_like_a_package_that_is_missing():
    fact = Fact(rules.UNDECLARED, "a.py", 1, "m", "", Severity.UNKNOWN)
    permitted = {"a.py": {"edges": {rules.UNDECLARED: 1}}}
    (finding,) = facts.findings(Facts((fact,), 1), permitted, (), skip=frozenset())
    assert finding.severity is Severity.INFO
    (finding,) = facts.findings(Facts((fact,), 1), {}, (), skip=frozenset())
    assert (finding.severity, finding.message) == (Severity.UNKNOWN, "m")


# --- effects, failures and the document


def outcome(module="core.tide", output="", after=None, status="done", first=None, **report):
    whole = {
        "error": None,
        "notes": [],
        "warned": [],
        "threads": 0,
        "children": 0,
        "replaced": False,
        "states": [],
        "ran": [],
        "same": None,
        **report,
    }
    job = Job(module, f"{module.replace('.', '/')}.py")
    return Outcome(job, status, report=whole, output=output, after=after, first=first)


def judged(*outcomes):
    return [Judged(it, None) for it in outcomes]


def effects_of(*outcomes):
    with tempfile.TemporaryDirectory() as folder:
        names = [it.job.path for it in outcomes]
        lay(Path(folder), dict.fromkeys(names, ""))
        tree = Tree(Context(root=Path(folder), scratch=Path(folder)))
        placed = [
            replace(
                it,
                report={
                    **it.report,
                    "notes": [
                        [kind, what, file and f"{tree.root}/{file}", *rest]
                        for kind, what, file, *rest in it.report["notes"]
                    ],
                },
            )
            for it in outcomes
        ]
        return effects.found(judged(*placed), tree)


def short(found):
    return [(it.kind, it.path, it.line, it.message, it.foreign) for it in found]


HERE = "core/tide.py"


def test_what_a_line_of_the_file_does_is_the_files():
    found = effects_of(outcome(notes=[["network", "socket.connect x", HERE, 3, False]]))
    assert short(found) == [
        ("network", HERE, 3, "its import uses the network: socket.connect x", False)
    ]


def test_what_another_files_line_does_is_not():
    notes = [
        ["prints", "<stdout>", "core/port.py", 3, False],
        ["prints", "<stdout>", None, None, False],
        ["threads", "_thread.start_new_thread", HERE, 3, False],
    ]
    assert effects_of(outcome(notes=notes), outcome("core.port")) == []


def test_a_line_is_told_once_for_each_kind_and_doer():
    notes = [
        ["prints", "<stdout>", HERE, 3, False],
        ["prints", "<stderr>", HERE, 3, False],
        ["prints", "<stderr>", HERE, 3, True],
        ["writes", "/x", HERE, 3, False],
        ["programs", "true", HERE, 4, False],
    ]
    assert [(it[0], it[2], it[4]) for it in short(effects_of(outcome(notes=notes)))] == [
        ("prints", 3, False),
        ("prints", 3, True),
        ("writes", 3, False),
        ("programs", 4, False),
    ]


UNPLACED = {
    "output": ({"output": " up\n"}, ("prints", "its import prints past Python's own streams")),
    "blank-output": ({"output": " \n"}, None),
    "output-of-the-compiler": (
        {"output": "x", "warned": [[3, "W: x"]]},
        ("syntax-warning", "the compiler warns: W: x"),
    ),
    "output-that-was-heard": (
        {"output": "x", "notes": [["prints", "<stdout>", "core/port.py", 1, False]]},
        None,
    ),
    "a-thread": ({"threads": 1}, ("running", "its import leaves 1 thread running")),
    "threads": ({"threads": 2}, ("running", "its import leaves 2 threads running")),
    "a-process": ({"children": 1}, ("running", "its import leaves 1 process running")),
    "processes": ({"children": 3}, ("running", "its import leaves 3 processes running")),
    "replaced": (
        {"replaced": True},
        ("state", "it puts another object into its place in sys.modules"),
    ),
    "state": ({"states": ["sys.path changed"]}, ("state", "its import changes sys.path changed")),
    "names": (
        {"after": {"stage": "end", "lost": ["a", "b"], "failed": []}},
        ("names", "__all__ promises what cannot be had: a, b"),
    ),
    "names-that-kill": (
        {"after": {"stage": "names", "lost": [], "failed": []}},
        ("names", "asking for what __all__ promises ends the process"),
    ),
    "at-exit": (
        {"after": {"stage": "end", "lost": [], "failed": [{"type": "E", "message": "m"}]}},
        ("at-exit", "a function for the end of the process raises E: m"),
    ),
    "no-exit": (
        {"after": {"stage": "exit", "lost": [], "failed": []}},
        ("at-exit", "a function for the end of the process ends it or does not return"),
    ),
    "a-good-end": ({"after": {"stage": "end", "lost": [], "failed": []}}, None),
}


@pytest.mark.parametrize(("report", "told"), UNPLACED.values(), ids=UNPLACED)
def test_what_is_known_of_the_process(report, told):
    found = short(effects_of(outcome(**report)))
    line = 3 if told and told[0] == "syntax-warning" else None
    assert found == ([(told[0], HERE, line, told[1], False)] if told else [])


def test_what_an_imported_module_does_by_itself_is_not_told_again():
    loud = outcome("core.port", threads=1, states=["sys.path changed"])
    found = effects_of(
        outcome(threads=1, states=["sys.path changed"], ran=["core.port", "x"]), loud
    )
    assert [it.path for it in found] == ["core/port.py", "core/port.py"]
    more = effects_of(outcome(threads=2, ran=["core.port"]), loud)
    assert [it.path for it in more if it.message.endswith("2 threads running")] == [HERE]


def test_a_module_that_fails_has_no_effects():
    failed = Failure("core.tide", HERE, "exception", "m")
    noisy = outcome(threads=1)
    with tempfile.TemporaryDirectory() as folder:
        tree = Tree(Context(root=Path(folder), scratch=Path(folder)))
        assert effects.found([Judged(noisy, failed)], tree) == []
        assert effects.found([Judged(replace(noisy, report=None), None)], tree) == []


def test_a_module_that_fails_in_company_is_told_with_the_first_order():
    tours = [Tour((), {"core.tide": "E: a"}), Tour((), {"core.tide": "E: b", "core.port": "E: c"})]
    paths = {"core.tide": HERE, "core.port": "core/port.py"}
    assert [
        (it.path, it.message, (it.evidence or {})["order"]) for it in effects.of_tours(tours, paths)
    ] == [
        (
            "core/port.py",
            "core.port imports alone, and not after the others in reversed order: E: c",
            "reversed",
        ),
        (HERE, "core.tide imports alone, and not after the others in sorted order: E: a", "sorted"),
    ]


def effect(kind="prints", path=HERE, **more):
    return Effect(kind, path, 1, "m", **more)


def test_effects_become_findings_of_the_set_severity():
    settings = Settings.read({"severity": {"prints": "error"}})
    found = list(effects.findings([effect(), effect("writes")], {}, settings, [], company=True))
    assert [(it.rule, it.severity, it.message, it.line, it.path) for it in found] == [
        (rules.PRINTS, Severity.ERROR, "m", 1, HERE),
        (rules.WRITES, Severity.WARNING, "m", 1, HERE),
    ]
    assert all(it.remedy for it in found)
    assert found[0].evidence == {"effect": "prints"}


def test_a_permitted_or_foreign_effect_is_a_note():
    entries = {HERE: {"effects": ["prints"]}}
    settings = Settings.read({})
    found = effects.findings(
        [effect(), effect("writes"), effect("network", foreign=True)],
        entries,
        settings,
        [],
        company=True,
    )
    assert [(it.severity, it.message) for it in found] == [
        (Severity.INFO, "m (tolerated by the baseline)"),
        (Severity.WARNING, "m"),
        (Severity.INFO, "m (by a package it imports)"),
    ]


def test_only_a_few_effects_of_a_kind_are_shown_for_a_file():
    found = list(effects.findings([effect()] * 9, {}, Settings.read({}), [], company=True))
    assert len(found) == 3


def test_a_permission_that_nothing_uses_is_slack():
    entries = {HERE: {"effects": ["order", "prints", "writes"]}}
    whole, settings = judged(outcome()), Settings.read({})
    found = list(effects.findings([effect()], entries, settings, whole, company=True))
    assert [it.evidence.get("effect") for it in found] == ["prints", "order", "writes"]
    assert [it.rule for it in found[1:]] == [rules.SLACK, rules.SLACK]
    found = list(effects.findings([effect()], entries, settings, whole, company=False))
    assert [it.evidence["effect"] for it in found] == ["prints", "writes"]
    failed = [Judged(outcome(), Failure("core.tide", HERE, "exception", "m"))]
    assert list(effects.findings([], entries, settings, failed, company=True)) == []


def test_a_baseline_lists_kinds_of_effects_but_no_state_and_nothing_foreign():
    found = [
        effect("writes"),
        effect("prints"),
        effect("prints"),
        effect("state"),
        effect("network", foreign=True),
    ]
    assert effects.kinds(found) == {HERE: ["prints", "writes"]}


def test_the_document_says_what_is_permitted():
    failures = [
        Judged(outcome("core.b"), Failure("core.b", "core/b.py", "exception", "m", 3)),
        Judged(outcome("core.a"), Failure("core.a", "core/a.py", "syntax", "s")),
        Judged(outcome(), None),
    ]
    counts = {"z.py": {rules.CYCLE: 1}, "core/a.py": {rules.LANE_IMPORT: 3, rules.CONTRACT: 1}}
    entries = {
        "core/a.py": {"class": "exception", "edges": {rules.LANE_IMPORT: 2}},
        "core/b.py": {"class": "exception"},
        "core/c.py": {"class": "syntax"},
        "core/d.py": {"effects": ["prints"]},
        "gone.py": {"class": "syntax"},
    }
    present = frozenset(entries) - {"gone.py"}
    whole = json_document.failures(failures, counts, entries, present, whole=False)
    assert (whole["whole"], whole["tried"]) == (False, 3)
    assert whole["untried"] == [{"path": "core/c.py", "class": "syntax"}]
    assert artifacts.validate(whole, "import_failures") == []
    assert whole["failures"] == [
        {
            "module": "core.a",
            "path": "core/a.py",
            "class": "syntax",
            "message": "s",
            "line": None,
            "permitted": False,
        },
        {
            "module": "core.b",
            "path": "core/b.py",
            "class": "exception",
            "message": "m",
            "line": 3,
            "permitted": True,
        },
    ]
    assert [tuple(row.values()) for row in whole["edges"]] == [
        ("core/a.py", rules.CONTRACT, 1, 0),
        ("core/a.py", rules.LANE_IMPORT, 3, 2),
        ("z.py", rules.CYCLE, 1, 0),
    ]


# --- facts against the baseline


def held(count, permitted, **more):
    found = tuple(Fact(rules.LANE_IMPORT, HERE, line, f"m{line}", "r") for line in range(count))
    entries = {HERE: {"edges": {rules.LANE_IMPORT: permitted}}} if permitted else {}
    whole = Facts(found, 1, judged=frozenset({HERE, "b.py"}))
    told = facts.findings(
        whole, more.pop("entries", entries), more.pop("moves", ()), skip=frozenset()
    )
    return [(it.rule, it.severity, it.message, it.line) for it in told]


def test_within_its_count_a_fact_is_a_note():
    note = " (tolerated by the baseline)"
    assert held(1, 1) == [(rules.LANE_IMPORT, Severity.INFO, f"m0{note}", 0)]
    assert held(1, 0) == [(rules.LANE_IMPORT, Severity.ERROR, "m0", 0)]
    assert [it[1] for it in held(2, 1)] == [Severity.ERROR] * 2
    assert [it[1] for it in held(2, 2)] == [Severity.INFO] * 2


def test_what_is_permitted_beyond_the_count_is_slack():
    *_, slack = held(1, 3)
    text = f"the baseline tolerates {HERE}, which breaks {rules.LANE_IMPORT} 1 times, not 3"
    assert slack == (rules.SLACK, Severity.WARNING, text, None)
    (slack,) = held(0, 2)
    assert slack[2].endswith("0 times, not 2")


def test_a_moved_files_bound_is_found_under_its_old_path():
    moves = (Move("candidate/core/tide.py", HERE, "0" * 40),)
    entries = {"candidate/core/tide.py": {"edges": {rules.LANE_IMPORT: 1}}}
    assert [it[1] for it in held(1, 0, entries=entries, moves=moves)] == [Severity.INFO]
    assert [it[1] for it in held(1, 0, entries=entries)] == [Severity.ERROR]


def test_a_syntax_error_is_permitted_by_its_class_and_told_once():
    fact = Fact(rules.SYNTAX, HERE, 1, "m", "r")
    entries = {HERE: {"class": "syntax"}}
    whole = Facts((fact,), 1)
    (finding,) = facts.findings(whole, entries, (), skip=frozenset())
    assert finding.severity is Severity.INFO
    (finding,) = facts.findings(whole, {HERE: {"class": "exception"}}, (), skip=frozenset())
    assert finding.severity is Severity.ERROR
    assert list(facts.findings(whole, entries, (), skip=frozenset({HERE}))) == []


def test_old_paths_elsewhere_are_one_note():
    (finding,) = facts.findings(Facts((), 1, elsewhere=4), {}, (), skip=frozenset())
    assert (finding.rule, finding.severity) == (rules.LANE_IMPORT, Severity.INFO)
    assert finding.message == (
        "4 more imports go through the lane in files this batch leaves alone"
    )
    assert finding.evidence == {"count": 4}


# --- circles against the baseline


def round_trip(entries, changed=(), judged=frozenset({"a.py", "b.py"})):
    circular = {"a.py": {"b.py": 1}, "b.py": {"a.py": 2}}
    return list(circles.findings(circular, entries, Layout(Lane()), changed, judged))


def test_a_circle_is_told_once_with_all_its_files():
    (finding,) = round_trip({})
    assert (finding.rule, finding.path, finding.line) == (rules.CYCLE, "a.py", 1)
    assert finding.message == "it closes a circle of imports: a.py -> b.py -> a.py"
    assert finding.evidence == {"files": ["a.py", "b.py", "a.py"]}
    assert finding.severity is Severity.ERROR
    (finding,) = round_trip({}, changed=["b.py"])
    assert (finding.path, finding.line) == ("b.py", 2)


def test_a_circle_of_other_files_is_not_told():
    assert round_trip({}, judged=frozenset({"c.py"})) == []
    assert round_trip({}, judged=frozenset({"b.py"}))


def test_half_a_permission_is_none():
    (finding,) = round_trip({"a.py": {"circle": ["b.py"]}})
    assert finding.path == "b.py"
    assert round_trip({"a.py": {"circle": ["b.py"]}, "b.py": {"circle": ["a.py"]}}) == []


def test_a_permitted_edge_that_is_gone_is_slack():
    entries = {"a.py": {"circle": ["b.py", "c.py"]}, "b.py": {"circle": ["a.py"]}}
    (finding,) = round_trip(entries)
    assert (finding.rule, finding.path) == (rules.SLACK, "a.py")
    assert finding.message.endswith("no longer lies on a circle by importing c.py")
    assert finding.evidence == {"gone": ["c.py"]}
    assert round_trip(entries, judged=frozenset({"b.py"})) == []


def test_entries_are_put_together_by_path():
    assert ratchet.entries(
        {"a.py": {"class": "x", "message": "m"}},
        {"a.py": {"r": 1}, "b.py": {"r": 2}},
        {"b.py": ["a.py"]},
        {"c.py": ["prints"]},
    ) == {
        "a.py": {"class": "x", "message": "m", "edges": {"r": 1}},
        "b.py": {"edges": {"r": 2}, "circle": ["a.py"]},
        "c.py": {"effects": ["prints"]},
    }


def test_the_parts_of_a_join():
    a = {
        "class": "x",
        "message": "b",
        "edges": {"r": 3, "s": 1},
        "circle": ["p", "q"],
        "effects": ["prints", "writes"],
    }
    b = {
        "class": "x",
        "message": "a",
        "edges": {"r": 2, "t": 1},
        "circle": ["q"],
        "effects": ["writes"],
    }
    joined = ratchet.join(
        {"entries": {"f": a, "g": a}, "meta": {"modules": 3, "x": 1}},
        {"entries": {"f": b, "h": b}, "meta": {"modules": 2, "y": 1}},
    )
    assert joined == {
        "entries": {
            "f": {
                "class": "x",
                "message": "a",
                "edges": {"r": 2},
                "circle": ["q"],
                "effects": ["writes"],
            }
        },
        "meta": {"modules": 2, "x": 1, "y": 1},
    }


def test_a_loosened_entry_says_what_it_was_and_is():
    base, now = document(edges={"r": 1}), document(edges={"r": 2})
    (finding,) = ratchet.loosened(base, now, "b.json")
    assert finding.rule == rules.LOOSENED
    assert finding.message == "it permits a.py more than it did at the base commit: edges"
    assert finding.evidence == {
        "file": "a.py",
        "now": {"edges": {"r": 2}},
        "kept": {"edges": {"r": 1}},
    }
    odd = {"entries": {"~/a.py": {"class": "x"}}, "meta": {}}
    (finding,) = ratchet.loosened(document(), odd, "b.json")
    assert finding.pointer == "/entries/~0~1a.py"


# --- findings, whole


ODD = "core/\udcff.py"
PRINTED = artifacts.printable(ODD)


def test_a_fact_as_a_finding():
    fact = Fact(rules.LANE_IMPORT, ODD, 3, "m", "r", evidence={"k": 1})
    whole = Facts((fact,), 1)
    assert list(facts.findings(whole, {}, (), skip=frozenset())) == [
        Finding(rules.LANE_IMPORT, "m", Severity.ERROR, ODD, 3, None, "r", {"k": 1})
    ]
    permitted = {PRINTED: {"edges": {rules.LANE_IMPORT: 1}}}
    assert list(facts.findings(whole, permitted, (), skip=frozenset())) == [
        Finding(
            rules.LANE_IMPORT,
            "m (tolerated by the baseline)",
            Severity.INFO,
            ODD,
            3,
            None,
            "r",
            {"k": 1},
        )
    ]
    assert facts.counts(whole) == {PRINTED: {rules.LANE_IMPORT: 1}}


def test_slack_of_a_count_as_a_finding():
    permitted = {PRINTED: {"edges": {rules.LANE_IMPORT: 2}}}
    whole = Facts((), 1, judged=frozenset({ODD}))
    assert list(facts.findings(whole, permitted, (), skip=frozenset())) == [
        Finding(
            rules.SLACK,
            f"the baseline tolerates {ODD}, which breaks {rules.LANE_IMPORT} 0 times, not 2",
            Severity.WARNING,
            ODD,
            remedy="tighten the baseline: pytest --cockpit-ratchet=tighten, then commit it",
            evidence={"rule": rules.LANE_IMPORT, "permitted": 2, "count": 0},
        )
    ]


def test_a_bound_under_the_old_path_of_an_odd_name():
    moves = (Move("candidate/\udcff.py", ODD, "0" * 40),)
    permitted = {artifacts.printable("candidate/\udcff.py"): {"edges": {rules.LANE_IMPORT: 1}}}
    whole = Facts((Fact(rules.LANE_IMPORT, ODD, 3, "m", "r"),), 1)
    (finding,) = facts.findings(whole, permitted, moves, skip=frozenset())
    assert finding.severity is Severity.INFO
    new = {**permitted, PRINTED: {"class": "exception"}}
    (finding,) = facts.findings(whole, new, moves, skip=frozenset())
    assert finding.severity is Severity.ERROR


def test_an_effect_as_a_finding():
    found = [Effect("prints", ODD, 3, "m", evidence={"k": 1})]
    settings = Settings.read({})
    remedy = rules.EFFECT_REMEDY["prints"]
    evidence = {"effect": "prints", "k": 1}
    assert list(effects.findings(found, {}, settings, [], company=True)) == [
        Finding(rules.PRINTS, "m", Severity.WARNING, ODD, 3, None, remedy, evidence)
    ]
    permitted = {PRINTED: {"effects": ["prints"]}}
    (finding,) = effects.findings(found, permitted, settings, [], company=True)
    assert finding.severity is Severity.INFO
    assert effects.kinds(found) == {PRINTED: ["prints"]}


def test_slack_of_an_effect_as_a_finding():
    entries = {HERE: {"effects": ["prints"]}, "core/port.py": {"class": "syntax"}}
    both = judged(outcome(), outcome("core.port"), outcome("core.quay"))
    assert list(effects.findings([], entries, Settings.read({}), both, company=True)) == [
        Finding(
            rules.SLACK,
            f"the baseline tolerates {HERE}, which no longer does that",
            Severity.WARNING,
            HERE,
            remedy="tighten the baseline: pytest --cockpit-ratchet=tighten, then commit it",
            evidence={"effect": "prints"},
        )
    ]


def test_a_tour_as_effects():
    tours = [Tour((), {}), Tour((), {"core.tide": "E: b"})]
    assert effects.of_tours(tours, {"core.tide": HERE}) == [
        Effect(
            "order",
            HERE,
            None,
            "core.tide imports alone, and not after the others in reversed order: E: b",
            evidence={"module": "core.tide", "order": "reversed", "reason": "E: b"},
        )
    ]
    with pytest.raises(ValueError, match="zip"):
        effects.of_tours(tours[:1], {})


def whole_facts(top, known, opaque=()):
    declarations = declared.Declared(frozenset(), ("a.txt", "b.txt"), opaque)
    return list(
        dependencies.facts([Use(top, HERE, 3)], declarations, lambda: known, {}, frozenset())
    )


def test_an_undeclared_dependency_as_a_fact():
    end = ", or name it in tool.cockpit.gate.imports.distributions"
    assert whole_facts("x", {"x": ["A", "B"]}) == [
        Fact(
            rules.UNDECLARED,
            HERE,
            3,
            "it imports x, and no file declares A or B",
            f"add A or B to a.txt{end}",
            Severity.ERROR,
            {"import": "x", "distributions": ["A", "B"], "file": "a.txt"},
        )
    ]
    assert whole_facts("x", {}) == [
        Fact(
            rules.UNDECLARED,
            HERE,
            3,
            "it imports x, not declared under that name and not installed here",
            f"add x to a.txt{end}",
            Severity.UNKNOWN,
            {"import": "x", "distributions": [], "file": "a.txt"},
        )
    ]
    assert whole_facts("x", {}, ("b.txt",)) == [
        Fact(
            rules.UNDECLARED,
            HERE,
            3,
            "it imports x, and b.txt may declare it: it is not read",
            f"add x to b.txt{end}",
            Severity.UNKNOWN,
            {"import": "x", "distributions": [], "file": "b.txt"},
        )
    ]


def test_the_interpreter_says_what_it_has(tmp_path):
    found = dependencies.providers(Context(root=tmp_path, scratch=tmp_path))
    assert found["pluggy"] == ["pluggy"]
    assert found["_pytest"] == ["pytest"]


ANSWERS = ["echo nothing", "echo '[1]'", "echo '{\"a\": 3}'", "exit 3"]


@pytest.mark.parametrize("answer", ANSWERS)
def test_an_interpreter_that_cannot_say_is_an_error(tmp_path, answer):
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{answer}\n")
    python.chmod(0o755)
    context = Context(root=tmp_path, scratch=tmp_path, python=str(python))
    code = 3 if "exit" in answer else 0
    with pytest.raises(CockpitError) as caught:
        dependencies.providers(context)
    assert str(caught.value) == (
        f"imports: {python} cannot list its packages (exit {code});"
        " repair that environment and run again"
    )


def test_what_is_foreign():
    names = ["os", "__main__", "pluggy", "__future__"]
    assert [name for name in names if dependencies.is_foreign(name)] == ["pluggy"]


def test_permissions_of_circles_name_where_files_go():
    circular = {
        "candidate/a.py": {"candidate/c.py": 1, "b.py": 2},
        "b.py": {"candidate/a.py": 1},
        "candidate/c.py": {"candidate/a.py": 1},
    }
    layout = Layout(Lane())
    permitted = circles.permitted(circular, layout)
    assert permitted == {
        "candidate/a.py": ["b.py", "c.py"],
        "b.py": ["a.py"],
        "candidate/c.py": ["a.py"],
    }
    entries = {path: {"circle": needed} for path, needed in permitted.items()}
    everything = frozenset(circular)
    assert list(circles.findings(circular, entries, layout, (), everything)) == []
    moved = {
        "a.py": {"candidate/c.py": 1, "b.py": 2},
        "b.py": {"a.py": 1},
        "candidate/c.py": {"a.py": 1},
    }
    renamed = {**entries, "a.py": entries["candidate/a.py"]}
    del renamed["candidate/a.py"]
    assert list(circles.findings(moved, renamed, layout, (), frozenset(moved))) == []
    (finding,) = circles.findings(moved, {}, layout, (), frozenset({"b.py"}))
    assert finding.remedy is not None
    odd = {ODD: {"b.py": 1}, "b.py": {ODD: 1}}
    assert circles.permitted(odd, layout) == {PRINTED: ["b.py"], "b.py": [PRINTED]}
    entries = {path: {"circle": needed} for path, needed in circles.permitted(odd, layout).items()}
    assert list(circles.findings(odd, entries, layout, (), frozenset(odd))) == []


def test_an_entry_goes_back_to_the_lane_with_its_file_and_only_once():
    layout = Layout(Lane())
    entry, other = {"circle": ["core/b.py"]}, {"class": "hang"}
    base = {"core/a.py": entry, "app.py": other}
    for now, expected in (
        ({"candidate/core/a.py": entry}, {"candidate/core/a.py": entry, "app.py": other}),
        ({"candidate/core/a.py": entry, "core/a.py": entry}, base),
        ({"candidate/core/b.py": entry}, base),
        ({"core/a.py": entry}, base),
        ({"elsewhere/core/a.py": entry}, base),
    ):
        assert ratchet.returned(base, now, layout) == expected
    both = {"candidate/core/a.py": other, **base}
    assert ratchet.returned(both, {"candidate/core/a.py": entry}, layout) == both
