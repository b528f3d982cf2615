"""The static rules: circles, declarations, contracts, and the baseline that permits them."""

from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import child
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Context, Lane, Move, Severity, Verdict
from pytest_cockpit.records import artifacts, baselines
from pytest_cockpit_gates.imports import (
    circles,
    contracts,
    cycles,
    declared,
    dependencies,
    facts,
    gate,
    ratchet,
    rules,
    static,
)
from pytest_cockpit_gates.imports.check import measure
from pytest_cockpit_gates.imports.dependencies import Use
from pytest_cockpit_gates.imports.facts import Fact, Facts
from pytest_cockpit_gates.imports.selection import Tree
from pytest_cockpit_gates.imports.settings import Settings

ALONE = {"together": False}


def lay(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def judge(tmp_path):
    def run(files, **context):
        root, scratch = tmp_path / "tree", tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        lay(root, {"core/__init__.py": "", **files})
        return child.judge(gate, Context(root=root, scratch=scratch, **context))

    return run


def permitting(entries):
    return {
        ".cockpit/baselines/imports.json": baselines.dump(baselines.Baseline("imports", entries))
    }


def of(report, rule):
    return [it for it in report.findings if it.rule == rule]


# --- circles


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


CIRCLE = {"core/tide.py": "import core.port\n", "core/port.py": "\nimport core.tide\n"}


def test_a_new_circle_is_told_with_its_line(judge):
    (finding,) = of(judge(CIRCLE, settings=ALONE), rules.CYCLE)
    assert (finding.path, finding.line) == ("core/port.py", 2)
    assert finding.evidence["files"] == ["core/port.py", "core/tide.py", "core/port.py"]


NO_CIRCLE = {
    "lazy": "def f():\n    import core.tide\n",
    "for-typing": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.tide\n",
    "itself": "import core.port\n",
}


@pytest.mark.parametrize("source", NO_CIRCLE.values(), ids=NO_CIRCLE)
def test_what_does_not_run_closes_no_circle(judge, source):
    report = judge({**CIRCLE, "core/port.py": source}, settings=ALONE)
    assert of(report, rules.CYCLE) == []


def test_a_guarded_import_closes_a_circle(judge):
    source = "try:\n    import core.tide\nexcept ImportError:\n    pass\n"
    assert of(judge({**CIRCLE, "core/port.py": source}, settings=ALONE), rules.CYCLE)


def test_a_permitted_circle_is_tolerated_and_its_end_is_slack(judge):
    entries = {
        "core/tide.py": {"circle": ["core/port.py"]},
        "core/port.py": {"circle": ["core/tide.py"]},
    }
    assert judge({**CIRCLE, **permitting(entries)}).verdict is Verdict.PASS
    report = judge({"core/port.py": ""})
    assert {it.path for it in of(report, rules.SLACK)} == {"core/port.py", "core/tide.py"}
    assert report.verdict is Verdict.WARN


def test_a_circle_in_the_lane_stays_permitted_when_one_end_moves(judge, tmp_path):
    lane = {
        "candidate/core/tide.py": "import candidate.core.port\n",
        "candidate/core/port.py": "import candidate.core.tide\n",
    }
    lay(tmp_path / "tree", lane)
    context = Context(root=tmp_path / "tree", scratch=tmp_path)
    tree = Tree(context)
    permitted = circles.permitted(static.read_circles(Settings(), tree), tree.layout)
    assert permitted == {
        "candidate/core/port.py": ["core/tide.py"],
        "candidate/core/tide.py": ["core/port.py"],
    }
    moves = (Move("candidate/core/tide.py", "core/tide.py", "0" * 40),)
    entries = {path: {"circle": edges} for path, edges in permitted.items()}
    renamed = baselines.renamed(baselines.Baseline("imports", entries), moves)
    layout = Layout(Lane())
    circular = {
        "core/tide.py": {"candidate/core/port.py": 1},
        "candidate/core/port.py": {"core/tide.py": 1},
    }
    found = circles.findings(
        circular, renamed.entries, layout, ["core/tide.py"], frozenset({"core/tide.py"})
    )
    assert list(found) == []


def test_a_batch_is_told_of_circles_through_its_own_files_only(judge):
    move = Move("candidate/core/dock.py", "core/dock.py", "0" * 40)
    files = {**CIRCLE, "core/dock.py": "import core.quay\n", "core/quay.py": "import core.dock\n"}
    batch = {"moves": (move,), "changed": (move.target,), "lane": Lane(shims=False)}
    report = judge(files, settings=ALONE, **batch)
    (finding,) = of(report, rules.CYCLE)
    assert (finding.path, finding.line) == ("core/dock.py", 1)


def test_a_circle_through_a_shim_is_a_circle(judge):
    shim = '# cockpit: moved to core.tide\nimport importlib, sys\nsys.modules[__name__] = importlib.import_module("core.tide")\n'
    files = {
        "candidate/__init__.py": "",
        "candidate/core/__init__.py": "",
        "candidate/core/tide.py": shim,
        "core/tide.py": "import core.port\n",
        "core/port.py": "import candidate.core.tide\n",
    }
    (finding,) = of(judge(files, settings=ALONE), rules.CYCLE)
    assert set(finding.evidence["files"]) == {"core/tide.py", "core/port.py"}


# --- declared dependencies


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


def test_an_undeclared_dependency_is_found_and_can_be_permitted(judge, tmp_path):
    files = {"core/tide.py": "import pluggy\n", "requirements.txt": "iniconfig\n"}
    (finding,) = judge(files).findings
    assert (finding.rule, finding.path, finding.line) == (rules.UNDECLARED, "core/tide.py", 1)
    assert finding.remedy.startswith("add pluggy to requirements.txt")
    entry = {"core/tide.py": {"edges": {rules.UNDECLARED: 1}}}
    assert judge(permitting(entry)).verdict is Verdict.PASS


def test_where_nothing_is_declared_nothing_is_demanded(judge):
    report = judge({"core/tide.py": "import pluggy\n"})
    assert report.verdict is Verdict.PASS
    assert next(it.data for it in report.evidence if it.name == "declared") == {"files": []}


def test_an_environment_that_cannot_answer_is_an_error(tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\necho '[1]'\n")
    python.chmod(0o755)
    context = Context(root=tmp_path, scratch=tmp_path, python=str(python))
    with pytest.raises(CockpitError, match=r"^imports: .*cannot list its packages \(exit 0\)"):
        dependencies.providers(context)


# --- contracts

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
TOML = """[tool.importlinter]
root_package = "core"
[[tool.importlinter.contracts]]
name = "The tide knows no port"
type = "forbidden"
source_modules = ["core.tide"]
forbidden_modules = ["core.port"]
[[tool.importlinter.contracts]]
name = "Quays stand alone"
type = "independence"
modules = ["core.quay", "core.dock"]
"""
NAMES = ["The tide knows no port", "Quays stand alone"]
BROKEN = {
    "core/tide.py": "\nimport core.quay\n",
    "core/port.py": "",
    "core/quay.py": "import core.port\n",
    "core/dock.py": "",
}


@pytest.mark.parametrize("file", ["setup.cfg", ".importlinter", "pyproject.toml"])
def test_contracts_are_cases(judge, tmp_path, file):
    text = TOML if file == "pyproject.toml" else INI
    report = judge({**BROKEN, file: text})
    context = Context(root=tmp_path / "tree", scratch=tmp_path)
    assert list(gate.cases(context)) == [f"contract:{name}" for name in NAMES]
    assert [(case.name, case.verdict) for case in report.cases] == [
        (f"contract:{NAMES[0]}", Verdict.FAIL),
        (f"contract:{NAMES[1]}", Verdict.PASS),
    ]
    (finding,) = of(report, rules.CONTRACT)
    assert (finding.path, finding.line) == ("core/tide.py", 2)
    assert finding.evidence["chain"] == "core.tide -> core.quay -> core.port"
    assert report.verdict is Verdict.FAIL
    assert "core.tide may not import core.port" in report.cases[0].message


def test_a_broken_contract_can_be_permitted(judge):
    entry = {"core/tide.py": {"edges": {rules.CONTRACT: 1}}}
    report = judge({**BROKEN, ".importlinter": INI, **permitting(entry)})
    assert {case.verdict for case in report.cases} == {Verdict.PASS}
    assert report.verdict is Verdict.PASS


def test_nothing_is_left_in_the_tree_by_the_check_of_contracts(judge, tmp_path):
    judge({**BROKEN, ".importlinter": INI})
    left = {path.name for path in (tmp_path / "tree").rglob("*")}
    assert left == {"core", ".importlinter", "__init__.py", *(Path(p).name for p in BROKEN)}


def test_contracts_can_be_left_out(judge, tmp_path):
    settings = {"contracts": False}
    report = judge({**BROKEN, ".importlinter": INI}, settings=settings)
    assert report.cases == ()
    context = Context(root=tmp_path / "tree", scratch=tmp_path, settings=settings)
    assert list(gate.cases(context)) == []


UNCHECKED = {
    "no-such-package": INI.replace("root_package = core", "root_package = nowhere"),
    "no-such-type": INI.replace("type = forbidden", "type = forbade"),
    "no-such-option": INI.replace("source_modules = core.tide", ""),
}


@pytest.mark.parametrize("text", UNCHECKED.values(), ids=UNCHECKED)
def test_a_contract_that_cannot_be_checked_is_unknown(judge, text):
    report = judge({**BROKEN, ".importlinter": text})
    assert report.cases[0].verdict is Verdict.UNKNOWN
    assert report.verdict is Verdict.UNKNOWN
    assert {it.severity for it in of(report, rules.CONTRACT)} == {Severity.UNKNOWN}


def test_a_file_that_does_not_parse_leaves_contracts_unknown(judge):
    report = judge({**BROKEN, ".importlinter": INI, "core/dock.py": "x = (\n"})
    assert {case.verdict for case in report.cases} == {Verdict.UNKNOWN}


def test_without_import_linter_contracts_are_unknown(judge, tmp_path, monkeypatch):
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = str(tmp_path / "env/bin/python")
    monkeypatch.setattr(sys, "executable", python)
    report = judge({**BROKEN, ".importlinter": INI}, python=python)
    assert {case.verdict for case in report.cases} == {Verdict.UNKNOWN}
    (finding,) = of(report, rules.CONTRACT)
    assert "No module named 'importlinter'" in finding.message
    assert "pip install 'pytest-cockpit[imports]'" in finding.remedy


def test_the_gates_own_interpreter_helps_out(judge, tmp_path):
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    report = judge({**BROKEN, ".importlinter": INI}, python=str(tmp_path / "env/bin/python"))
    assert report.cases[0].verdict is Verdict.FAIL


def test_a_contract_type_of_the_repository_runs_in_a_process_of_its_own(judge):
    files = {
        **BROKEN,
        "core/own.py": (
            "import os\nfrom importlinter import Contract, ContractCheck\n"
            "class Own(Contract):\n"
            "    def check(self, graph, verbose): return ContractCheck(kept=False)\n"
            "    def render_broken_contract(self, check): print('no such luck', os.getpid())\n"
        ),
        ".importlinter": (
            "[importlinter]\nroot_package = core\ncontract_types =\n    own: core.own.Own\n"
            "[importlinter:contract:1]\nname = Own\ntype = own\n"
        ),
    }
    report = judge(files)
    (finding,) = of(report, rules.CONTRACT)
    assert finding.path == ".importlinter"
    assert finding.message.startswith("Own: no such luck ")
    assert not finding.message.endswith(str(os.getpid()))


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


ODD = [
    "[tool]\nimportlinter = 3\n",
    "[tool.importlinter]\ncontracts = 3\n",
    "[tool.importlinter]\ncontracts = [3]\n",
    "tool = 3\n",
]


@pytest.mark.parametrize("text", ODD)
def test_odd_tables_name_nothing(tmp_path, text):
    lay(tmp_path, {"pyproject.toml": text})
    assert contracts.configured(tmp_path)[1] == ()


# --- the baseline


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


def git(root, *arguments):
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull}
    options = ("-c", "user.name=x", "-c", "user.email=x@example.org")
    done = subprocess.run(
        ["git", *options, *arguments],
        cwd=root,
        check=True,
        capture_output=True,
        text=True,
        env=environment,
    )
    return done.stdout.strip()


def test_a_bound_that_follows_its_file_is_not_loosened(judge, tmp_path):
    root = tmp_path / "tree"
    move = Move("candidate/core/tide.py", "core/tide.py", "0" * 40)
    entry = {"class": "exception", "message": ""}
    lay(root, {move.source: "1 / 0\n", "core/__init__.py": "", **permitting({move.source: entry})})
    git(root, "init", "-q")
    git(root, "add", "-A")
    git(root, "commit", "-qm", "base")
    base = git(root, "rev-parse", "HEAD")
    (root / move.source).unlink()
    files = {move.target: "1 / 0\n", **permitting({move.target: entry})}
    batch = {"moves": (move,), "changed": (move.target,), "lane": Lane(shims=False)}
    assert judge(files, base=base, **batch).verdict is Verdict.PASS
    (finding,) = of(judge(files, base=base), rules.LOOSENED)
    assert finding.pointer == "/entries/core~1tide.py"


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


def test_a_script_that_does_not_parse_can_be_permitted(judge, tmp_path):
    lay(tmp_path / "tree", {"core/__init__.py": "", "scripts/run.py": "x = (\n"})
    measured = measure(Context(root=tmp_path / "tree", scratch=tmp_path))
    assert measured.entries == {"scripts/run.py": {"edges": {rules.SYNTAX: 1}}}
    assert judge(permitting(measured.entries)).verdict is Verdict.PASS
    assert of(judge({"scripts/run.py": ""}), rules.SLACK)


def test_what_is_unknown_can_be_permitted_like_a_package_that_is_missing():
    fact = Fact(rules.UNDECLARED, "a.py", 1, "m", "", Severity.UNKNOWN)
    permitted = {"a.py": {"edges": {rules.UNDECLARED: 1}}}
    (finding,) = facts.findings(Facts((fact,), 1), permitted, (), skip=frozenset())
    assert finding.severity is Severity.INFO
    (finding,) = facts.findings(Facts((fact,), 1), {}, (), skip=frozenset())
    assert (finding.severity, finding.message) == (Severity.UNKNOWN, "m")


def test_a_whole_baseline_is_measured_and_holds(judge, tmp_path):
    files = {
        **CIRCLE,
        "core/loud.py": "print('up')\nimport pluggy\n",
        "requirements.txt": "iniconfig\n",
        ".importlinter": INI.replace("core.quay\n", "core.loud\n").replace(
            "core.dock", "core.tide"
        ),
    }
    report = judge(files)
    assert report.verdict is Verdict.FAIL
    document = artifacts.read(
        tmp_path / "scratch/artifacts/import_failures.json", "import_failures"
    )
    assert document["edges"] == [
        {"path": "core/loud.py", "rule": rules.UNDECLARED, "count": 1, "permitted": 0},
        {"path": "core/tide.py", "rule": rules.CONTRACT, "count": 1, "permitted": 0},
    ]
    measured = measure(Context(root=tmp_path / "tree", scratch=tmp_path))
    assert measured.entries == {
        "core/loud.py": {"edges": {rules.UNDECLARED: 1}, "effects": ["prints"]},
        "core/tide.py": {"circle": ["core/port.py"], "edges": {rules.CONTRACT: 1}},
        "core/port.py": {"circle": ["core/tide.py"]},
    }
    held = judge(permitting(measured.entries))
    assert held.verdict is Verdict.PASS
    assert of(held, rules.SLACK) == []
    mended = judge({"core/loud.py": ""})
    assert {
        it.evidence.get("rule", it.evidence.get("effect")) for it in of(mended, rules.SLACK)
    } == {
        rules.UNDECLARED,
        "prints",
    }
