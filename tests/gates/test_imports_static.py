"""The static rules: circles, declarations, contracts, and the baseline that permits them."""

from __future__ import annotations

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest
from hypothesis import strategies as st

from pytest_cockpit import child
from pytest_cockpit.analysis import graph, scan
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import CockpitError, Context, Lane, Move, Severity, Verdict
from pytest_cockpit.records import artifacts, baselines
from pytest_cockpit_gates.imports import (
    circles,
    dependencies,
    gate,
    rules,
    static,
)
from pytest_cockpit_gates.imports.check import measure
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
    shim = "# cockpit: moved to core.tide\nfrom core.tide import *\n"
    files = {
        "candidate/__init__.py": "",
        "candidate/core/__init__.py": "",
        "candidate/core/tide.py": shim,
        "core/tide.py": "import core.port\n",
        "core/port.py": "import candidate.core.tide\n",
    }
    (finding,) = of(judge(files, settings=ALONE), rules.CYCLE)
    assert set(finding.evidence["files"]) == {"core/tide.py", "core/port.py"}


def test_an_undeclared_dependency_is_found_and_can_be_permitted(judge, tmp_path):
    files = {"core/tide.py": "import pluggy\n", "requirements.txt": "iniconfig\n"}
    (finding,) = judge(files).findings
    assert (finding.rule, finding.path, finding.line) == (rules.UNDECLARED, "core/tide.py", 1)
    assert finding.remedy.startswith("add pluggy to requirements.txt")
    entry = {"core/tide.py": {"edges": {rules.UNDECLARED: 1}}}
    assert judge(permitting(entry)).verdict is Verdict.PASS


def test_a_declaration_that_cannot_be_read_is_unknown(judge):
    report = judge({"pyproject.toml": "[project\n"})
    (finding,) = report.findings
    assert (finding.rule, finding.severity) == (rules.UNDECLARED, Severity.UNKNOWN)
    assert finding.path == "pyproject.toml"
    assert report.verdict is Verdict.UNKNOWN


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


def document(**entry):
    return {"entries": {"a.py": entry} if entry else {}, "meta": {}}


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


def test_a_script_that_does_not_parse_can_be_permitted(judge, tmp_path):
    lay(tmp_path / "tree", {"core/__init__.py": "", "scripts/run.py": "x = (\n"})
    measured = measure(Context(root=tmp_path / "tree", scratch=tmp_path))
    assert measured.entries == {"scripts/run.py": {"edges": {rules.SYNTAX: 1}}}
    assert judge(permitting(measured.entries)).verdict is Verdict.PASS
    assert of(judge({"scripts/run.py": ""}), rules.SLACK)


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


# --- the graph, held against grimp's


def test_the_edges_are_those_that_grimp_finds():
    grimp = pytest.importorskip("grimp")
    root = Path(__file__).parents[2]
    names = ("pytest_cockpit", "pytest_cockpit_gates")
    built = grimp.build_graph(*names, cache_dir=None)
    theirs = {
        (module, needed)
        for module in built.modules
        for needed in built.find_modules_directly_imported_by(module)
    }
    lane = Lane(source_roots=(".", "gates"))
    tree = Tree(Context(root=root, scratch=root, lane=lane))
    paths = [path for path, name in tree.modules.items() if name.partition(".")[0] in names]
    known = scan.collect(lambda wanted: ((one, (root / one).read_bytes()) for one in wanted), paths)
    found = graph.edges(paths, known, graph.Resolver(tree.paths, tree.layout, known))
    ours = {
        (tree.modules[path], tree.modules[needed])
        for path, needs in found.needs.items()
        for needed in needs
    }
    assert len(ours) > 300
    assert ours == theirs
