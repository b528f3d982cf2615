from __future__ import annotations

import dataclasses
import json
import os
import py_compile
import subprocess
import sys
import tempfile
import textwrap
import time
import venv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_cockpit import child, testing
from pytest_cockpit.analysis import spoken
from pytest_cockpit.analysis.layout import Layout
from pytest_cockpit.api import SHIM_MARK, CockpitError, Context, Lane, Move, Severity, Verdict
from pytest_cockpit.promotion import shims
from pytest_cockpit.records import artifacts, baselines
from pytest_cockpit_gates.imports import gate
from pytest_cockpit_gates.imports.check import measure
from pytest_cockpit_gates.imports.classify import classify
from pytest_cockpit_gates.imports.pool import Outcome, Pool
from pytest_cockpit_gates.imports.selection import Job, Tree, matches
from pytest_cockpit_gates.imports.settings import Settings
from tests.packages_apart import apart

ALONE = {"together": False}
linux = pytest.mark.skipif(sys.platform != "linux", reason="needs /proc and prctl")
MOVE = Move("candidate/core/tide.py", "core/tide.py", "0" * 40)
TOUCHED = (MOVE.source, MOVE.target)
SHIM = f"""{SHIM_MARK}core.tide
import importlib
import sys

sys.modules[__name__] = importlib.import_module("core.tide")
"""
MOVED = {
    "candidate/__init__.py": "",
    "candidate/core/__init__.py": "",
    "candidate/core/tide.py": SHIM,
    "core/__init__.py": "",
    "core/tide.py": "HEIGHT = 3\n",
}


def lay(root, files):
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        data = content.encode() if isinstance(content, str) else content
        path.write_bytes(data)


@pytest.fixture
def judge(tmp_path):
    """Judge a tree made of files; what is judged can be looked at below `tmp_path`."""

    def run(files, **context):
        root, scratch = tmp_path / "tree", tmp_path / "scratch"
        scratch.mkdir(exist_ok=True)
        lay(root, files)
        return child.judge(gate, Context(root=root, scratch=scratch, **context))

    return run


def seen(report):
    return {(finding.rule, finding.path) for finding in report.findings}


def classes(report):
    return {f.path: f.evidence.get("class") for f in report.findings if "class" in f.evidence}


def baseline_of(entries, **meta):
    data = baselines.dump(baselines.Baseline("imports", entries, meta))
    return {".cockpit/baselines/imports.json": data}


# --- proofs


def test_every_rule_has_a_proof():
    assert testing.check_proofs(gate) == []


@pytest.mark.parametrize("proof", gate.proofs(), ids=lambda proof: proof.name)
def test_proof(proof, tmp_path):
    report = testing.prove(gate, proof, tmp_path)
    assert testing.shortcomings(gate, proof, report) == []


# --- defects: the file core/tide.py is never healthy

OTHER = "core/port.py"
DEFECTS = {
    # name: (files, class, rule)
    "unclosed-bracket": ({"": "x = (\n"}, "syntax", "syntax-error"),
    "tabs-and-blanks": ({"": "if 1:\n\tx = 1\n        y = 2\n"}, "syntax", "syntax-error"),
    "null-byte": ({"": b"x = 1\n\0\n"}, "syntax", "syntax-error"),
    "no-utf-8": ({"": b"x = '\xff'\n"}, "syntax", "syntax-error"),
    "unknown-encoding": ({"": "# coding: nowhere\nx = 1\n"}, "syntax", "syntax-error"),
    "nested-too-deeply": ({"": "x = " + "(" * 3000 + ")" * 3000}, "syntax", "syntax-error"),
    "return-outside": ({"": "return 1\n"}, "syntax", "syntax-error"),
    "name-error": ({"": "EOF\n"}, "exception", "import-fails"),
    "abstract-class": (
        {
            "": """
            import abc
            class A(abc.ABC):
                @abc.abstractmethod
                def run(self): ...
            DEFAULT = A()
            """
        },
        "exception",
        "import-fails",
    ),
    "dataclass-order": (
        {
            "": """
            import dataclasses
            @dataclasses.dataclass
            class A:
                a: int = 1
                b: int
            """
        },
        "exception",
        "import-fails",
    ),
    "interrupt": ({"": "raise KeyboardInterrupt\n"}, "exception", "import-fails"),
    "recursion": ({"": "def f(): f()\nf()\n"}, "exception", "import-fails"),
    "unprintable-error": (
        {"": "class E(Exception):\n    def __str__(self): raise self\nraise E\n"},
        "exception",
        "import-fails",
    ),
    "file-not-there": ({"": "open('nowhere.yaml')\n"}, "exception", "import-fails"),
    "implicit-submodule": ({"": "import xml\nxml.etree\n"}, "exception", "import-fails"),
    "leaves-sys-modules": (
        {"": "import sys\ndel sys.modules[__name__]\nraise ValueError\n"},
        "exception",
        "import-fails",
    ),
    "circle": (
        {"": "from core.port import b\na = 1\n", OTHER: "from core.tide import a\nb = 1\n"},
        "transitive",
        "import-fails",
    ),
    "missing-module": ({"": "import core.quay\n"}, "missing-first-party", "import-fails"),
    "missing-relative": ({"": "from . import quay\n"}, "missing-first-party", "import-fails"),
    "missing-name": (
        {"": "from core.port import quay\n", OTHER: ""},
        "missing-first-party",
        "import-fails",
    ),
    "beyond-the-top": ({"": "from ... import quay\n"}, "exception", "import-fails"),
    "lane-is-gone": ({"": "import candidate.core.quay\n"}, "missing-first-party", "import-fails"),
    "missing-in-installed": ({"": "import pytest.quay\n"}, "exception", "import-fails"),
    "missing-name-in-installed": ({"": "from json import quay\n"}, "exception", "import-fails"),
    "missing-in-standard": ({"": "import json.quay\n"}, "exception", "import-fails"),
    "other-raises": ({"": "import core.port\n", OTHER: "1 / 0\n"}, "transitive", "import-fails"),
    "other-has-no-syntax": (
        {"": "import core.port\n", OTHER: "x = (\n"},
        "transitive",
        "import-fails",
    ),
    "other-misses": (
        {"": "import core.port\n", OTHER: "import core.quay\n"},
        "transitive",
        "import-fails",
    ),
    "package-raises": ({"": "", "core/__init__.py": "1 / 0\n"}, "transitive", "import-fails"),
    "exit-zero": ({"": "import sys\nsys.exit(0)\n"}, "exit", "exits"),
    "exit-by-other": ({"": "import core.port\n", OTHER: "raise SystemExit\n"}, "exit", "exits"),
    "hard-exit-zero": ({"": "import os\nos._exit(0)\n"}, "exit", "exits"),
    "becomes-another-program": (
        {"": "import os\nos.execv('/bin/sh', ['sh', '-c', 'exit 0'])\n"},
        "exit",
        "exits",
    ),
    "only-the-fork-goes-on": ({"": "import os\nif os.fork(): os._exit(0)\n"}, "exit", "exits"),
    "abort": ({"": "import os\nos.abort()\n"}, "crash", "crash"),
    "bad-pointer": ({"": "import ctypes\nctypes.string_at(0)\n"}, "crash", "crash"),
    "kills-its-group": (
        {"": "import os, signal\nos.killpg(os.getpgrp(), signal.SIGKILL)\n"},
        "crash",
        "crash",
    ),
    "kills-its-parent": (
        {"": "import os, time\nos.kill(os.getppid(), 9)\ntime.sleep(9)\n"},
        "crash",
        "crash",
    ),
    "sleeps": ({"": "import time\ntime.sleep(60)\n"}, "hang", "hang"),
    "spins-and-ignores-signals": (
        {
            "": """
            import signal
            for number in (signal.SIGABRT, signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: None)
            while True: pass
            """
        },
        "hang",
        "hang",
    ),
    "sleeps-in-other": (
        {"": "import core.port\n", OTHER: "import time\ntime.sleep(60)\n"},
        "hang",
        "hang",
    ),
    "package-beside": ({"": "", "core/tide/__init__.py": ""}, "not-found", "import-fails"),
    "replaced-by-package-code": (
        {"": "", "core/__init__.py": "import sys\nsys.modules['core.tide'] = sys\n"},
        "not-found",
        "import-fails",
    ),
    "garbage-then-error": (
        {
            "": """
            import os
            for number in range(1, 300):
                try: os.write(number, b'\\0{"error": null}\\n')
                except OSError: pass
            1 / 0
            """
        },
        "exception",
        "import-fails",
    ),
    "closes-all-then-error": (
        {"": "import os\nos.closerange(0, 4096)\n1 / 0\n"},
        "exception",
        "import-fails",
    ),
}


def defect(files):
    tree = {"core/__init__.py": "", "core/tide.py": ""}
    for path, content in files.items():
        text = textwrap.dedent(content).lstrip("\n") if isinstance(content, str) else content
        tree[path or "core/tide.py"] = text
    return tree


@pytest.mark.parametrize("hang", [False, True])
def test_no_defect_is_healthy(judge, hang):
    """In one tree, each in a package of its own: nobody takes another along, or hides it."""
    tree: dict[str, str | bytes] = {}
    expected = {}
    chosen = [it for it in DEFECTS.values() if (it[1] == "hang") == hang]
    for number, (files, kind, rule) in enumerate(chosen):
        tree |= apart(number, defect(files))
        expected[f"core{number}/tide.py"] = (kind, f"imports.{rule}")
    report = judge(tree, settings={**ALONE, "timeout_s": 0.5 if hang else 30})
    assert report.verdict is Verdict.FAIL
    assert {(rule, path) for path, (_, rule) in expected.items()} - seen(report) == set()
    found = classes(report)
    assert {path: found.get(path) for path in expected} == {
        path: kind for path, (kind, _) in expected.items()
    }


HEALTHY = {
    "closes-every-descriptor": "import os\nos.closerange(0, 4096)\n",
    "lies-about-its-file": "__file__ = '/nowhere'\n",
    "patches-os": "import os\nos._exit = os.getpid = lambda *_: 0\n",
    "patches-json": "import json\njson.dumps = None\n",
    "disables-the-fault-handler": "import faulthandler\nfaulthandler.disable()\n",
    "catches-what-is-absent": "try:\n    import nowhere_at_all\nexcept ImportError:\n    pass\n",
    "allows-nothing": "import resource\nresource.setrlimit(resource.RLIMIT_NOFILE, (0, 0))\n",
    "reads-stdin": "import sys\nassert sys.stdin.read() == ''\n",
    "is-not-main": "import __main__\nassert not hasattr(__main__, '__file__')\n",
}


@pytest.mark.parametrize("source", HEALTHY.values(), ids=HEALTHY)
def test_odd_but_healthy(judge, source):
    report = judge({"core/__init__.py": "", "core/tide.py": source}, settings={"timeout_s": 5})
    assert report.findings == ()
    assert report.verdict is Verdict.PASS
    assert report.checked == 2


# --- what a finding says


def test_a_cause_is_named_with_its_line(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "import os\nimport core.port\n",
        "core/port.py": "\n\nraise ValueError('no sea')\n",
    }
    report = judge(files)
    finding = next(f for f in report.findings if f.path == "core/tide.py")
    assert finding.line == 2
    assert finding.message == "core.tide: core/port.py:3: ValueError: no sea"
    assert finding.evidence["cause"] == {"path": "core/port.py", "line": 3, "class": "exception"}


def test_a_crash_is_named_with_its_line(judge):
    files = {"core/__init__.py": "", "core/Λ.py": "import os\n\nos.abort()\n"}
    (finding,) = judge(files).findings
    assert (finding.path, finding.line) == ("core/Λ.py", 3)
    assert finding.message == "core.Λ: killed by SIGABRT at core/Λ.py:3"


def test_a_hang_is_named_with_its_place(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "import core.port\n",
        "core/port.py": "import time\ntime.sleep(60)\n",
    }
    report = judge(files, settings={"timeout_s": 0.5})
    finding = next(f for f in report.findings if f.path == "core/tide.py")
    assert finding.line == 1
    assert "at core/port.py:2" in finding.message
    assert finding.evidence["cause"]["path"] == "core/port.py"


def test_output_is_kept_and_bounded(judge):
    source = "print('begin')\nprint('x' * 100_000)\nprint('end')\n1 / 0\n"
    (finding,) = judge({"core/__init__.py": "", "core/tide.py": source}).findings
    output = finding.evidence["output"]
    assert output.startswith("begin")
    assert output.endswith("end")
    assert len(output) < 5000


def test_messages_hold_no_absolute_path_and_no_address(judge):
    source = "raise ValueError(f'{__file__} {object()}')\n"
    (finding,) = judge({"core/__init__.py": "", "core/tide.py": source}).findings
    assert finding.message == "core.tide: ValueError: core/tide.py <object object at …>"


def test_the_artifact_lists_the_failures(judge, tmp_path):
    judge({"core/__init__.py": "", "core/tide.py": "\n1 / 0\n"})
    path = tmp_path / "scratch/artifacts/import_failures.json"
    document = artifacts.read(path, "import_failures")
    assert document["failures"] == [
        {
            "module": "core.tide",
            "path": "core/tide.py",
            "class": "exception",
            "message": "ZeroDivisionError: division by zero",
            "line": 2,
            "permitted": False,
        }
    ]
    assert document["edges"] == []
    judge({"core/tide.py": ""})
    assert artifacts.read(path, "import_failures")["failures"] == []


# --- third parties


def test_what_is_not_installed_is_unknown_and_named(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "import nowhere_at_all.sub\n",
        "core/port.py": """try:
    import nowhere_at_all
except ImportError as error:
    raise ImportError("please install it") from error
""",
        "core/quay.py": "from core import tide\n",
    }
    report = judge(files)
    assert report.verdict is Verdict.UNKNOWN
    assert {f.evidence["needs"] for f in report.findings} == {"nowhere_at_all"}
    assert len(report.findings) == 3
    tolerant = judge(files, settings={"optional": ["nowhere_at_all"]})
    assert tolerant.verdict is Verdict.PASS
    assert {f.severity for f in tolerant.findings} == {Severity.INFO}


def test_optional_does_not_excuse_a_name_lost_in_what_is_installed(judge):
    files = {"core/__init__.py": "", "core/tide.py": "import pytest.quay\n"}
    assert judge(files, settings={"optional": ["pytest"]}).verdict is Verdict.FAIL


def environment(folder, files):
    """An interpreter with these files installed."""
    venv.create(folder, with_pip=False, symlinks=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    lay(folder / "lib" / version / "site-packages", files)
    return str(folder / "bin" / "python")


def test_an_installed_copy_is_never_the_tree(judge, tmp_path):
    python = environment(
        tmp_path / "env", {"core/__init__.py": "", "core/tide.py": "", "port.py": "", "old.py": ""}
    )
    # Without core/__init__.py the folder gives way to the installed package of the same name.
    files = {"core/tide.py": "", "app/__init__.py": "", "app/main.py": "import port\n"}
    report = judge(files, python=python, settings={"include": ["core/**", "app/**"]})
    assert classes(report) == {"core/tide.py": "outside-tree"}
    assert report.verdict is Verdict.FAIL


def test_the_tree_comes_before_what_is_installed(judge, tmp_path):
    python = environment(tmp_path / "env", {"core/__init__.py": "1 / 0\n"})
    assert (
        judge({"core/__init__.py": "", "core/tide.py": ""}, python=python).verdict is Verdict.PASS
    )


def test_a_moved_module_served_by_an_installed_copy_is_not_healthy(judge, tmp_path):
    python = environment(tmp_path / "env", {"waiting.py": ""})
    move = Move("lane/waiting.py", "core/waiting.py", "0" * 40)
    files = {
        "core/__init__.py": "",
        "core/waiting.py": "",
        "core/port.py": "import waiting\n",
    }
    report = judge(
        files,
        python=python,
        lane=Lane(path="lane", source_roots=(".", "lane"), shims=False),
        moves=(move,),
        changed=(move.source, move.target, "core/port.py"),
    )
    assert classes(report) == {"core/port.py": "outside-tree"}


def test_a_link_out_of_the_tree_is_not_healthy(judge, tmp_path):
    (tmp_path / "tree/core").mkdir(parents=True)
    (tmp_path / "away.py").write_text("")
    (tmp_path / "tree/core/tide.py").symlink_to(tmp_path / "away.py")
    report = judge({"core/__init__.py": ""})
    assert classes(report) == {"core/tide.py": "outside-tree"}


def test_a_dangling_link_is_not_healthy(judge, tmp_path):
    (tmp_path / "tree/core").mkdir(parents=True)
    (tmp_path / "tree/core/tide.py").symlink_to("nowhere.py")
    report = judge({"core/__init__.py": ""})
    assert report.verdict is Verdict.FAIL
    assert ("imports.syntax-error", "core/tide.py") in seen(report)


def test_stale_bytecode_is_not_believed(judge, tmp_path):
    source = tmp_path / "tree/core/tide.py"
    lay(tmp_path / "tree", {"core/__init__.py": "", "core/tide.py": "1 / 1\n"})
    stamp = 1_700_000_000
    os.utime(source, (stamp, stamp))
    py_compile.compile(str(source), doraise=True)
    source.write_text("1 / 0\n")
    os.utime(source, (stamp, stamp))
    assert classes(judge({})) == {"core/tide.py": "exception"}


def test_no_bytecode_is_written_to_the_tree(judge, tmp_path):
    judge({"core/__init__.py": "", "core/tide.py": ""})
    assert not list((tmp_path / "tree").rglob("*.pyc"))


# --- isolation


WROTE = {("imports.writes-outside", "core/tide.py")}


def test_a_module_sees_a_clean_process(judge, tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PYTEST_ADDOPTS", "-x")
    source = f"""
import os, sys
names = sorted(sys.modules)
import json
with open({str(tmp_path / "seen")!r}, "w") as stream:
    json.dump([names, sys.path, sorted(os.environ), sys.argv], stream)
"""
    assert seen(judge({"core/__init__.py": "", "core/tide.py": source})) == WROTE
    names, path, variables, argv = json.loads((tmp_path / "seen").read_bytes())
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-c", "import sys; print(*sys.modules)"],
        capture_output=True,
        check=True,
        text=True,
        env={key: value for key, value in os.environ.items() if not key.startswith("PYTHON")},
    )
    assert set(names) - {"core", "core.tide"} == set(done.stdout.split())
    assert path.index(str(tmp_path / "tree")) > path.index(str(Path(os.__file__).parent))
    assert not any("site-packages" in entry for entry in path[: path.index(str(tmp_path / "tree"))])
    assert not {"PYTHONPATH", "PYTEST_ADDOPTS"} & set(variables)
    assert argv == [""]


@pytest.mark.skipif(not os.access("/dev/shm", os.W_OK), reason="no folder in memory")  # noqa: S108
def test_a_file_in_memory_is_one_outside(judge):
    left = Path(f"/dev/shm/cockpit-{os.getpid()}")  # noqa: S108 - removed below
    source = f"open({str(left)!r}, 'w').close()\nopen('/dev/null', 'w').close()\n"
    try:
        found = judge({"core/__init__.py": "", "core/tide.py": source})
        assert seen(found) == WROTE
        assert [str(left) in it.message for it in found.findings] == [True]
    finally:
        left.unlink(missing_ok=True)


def test_one_module_does_not_see_another(judge):
    files = {
        "core/__init__.py": "",
        "core/a.py": "import sys\nsys.poisoned = True\nimport xml.etree\n",
        "core/b.py": (
            "import sys\nassert not hasattr(sys, 'poisoned')\nassert 'xml' not in sys.modules\n"
        ),
    }
    assert seen(judge(files)) == {
        # In one process b does see what a has done.
        ("imports.order-dependent", "core/b.py"),
    }


@linux
def test_nothing_is_left_running(judge, tmp_path):
    note = str(tmp_path / "pid")
    source = f"""
import os, time
if not os.fork():
    os.setsid()
    if not os.fork():
        with open({note!r} + ".part", "w") as stream:
            stream.write(str(os.getpid()))
        os.rename({note!r} + ".part", {note!r})
        time.sleep(600)
    os._exit(0)
while not os.path.exists({note!r}):
    time.sleep(0.01)
"""
    began = time.monotonic()
    report = judge({"core/__init__.py": "", "core/tide.py": source}, settings=ALONE)
    assert report.verdict is Verdict.WARN
    assert time.monotonic() - began < 20
    pid = int(Path(note).read_text())
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_the_killer_of_the_server_is_found_among_the_innocent(judge):
    files = {f"core/m{number}.py": "" for number in range(20)}
    killer = "import os, signal, time\nos.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(30)\n"
    report = judge({"core/__init__.py": "", **files, "core/m7.py": killer})
    assert classes(report) == {"core/m7.py": "crash"}
    assert report.checked == 21


def test_the_killer_of_its_group_takes_nobody_along(judge):
    killer = "import os, signal\nos.killpg(os.getpgrp(), signal.SIGKILL)\n"
    (finding,) = judge({"core/__init__.py": "", "core/tide.py": killer}).findings
    assert finding.message == "core.tide: killed by SIGKILL"


def test_a_hanging_package_is_waited_for_in_full_only_once(tmp_path):
    (tmp_path / "scratch").mkdir()
    names = [f"core/m{number}.py" for number in range(6)]
    lay(tmp_path / "tree", {"core/__init__.py": "import time\ntime.sleep(600)\n"})
    lay(tmp_path / "tree", dict.fromkeys(names, ""))
    context = Context(root=tmp_path / "tree", scratch=tmp_path / "scratch")
    tree = Tree(context)
    pool = Pool(context, Settings(timeout_s=2), tree)
    outcomes = pool.probe([Job(tree.modules[path], path) for path in names])
    assert {outcome.status for outcome in outcomes} == {"hang"}
    workers = min(len(os.sched_getaffinity(0)), 6)
    assert sum(outcome.wall_ms > 1900 for outcome in outcomes) <= workers


def test_memory_is_limited(judge):
    files = {"core/__init__.py": "", "core/tide.py": "x = bytearray(1 << 30)\n"}
    (finding,) = judge(files, settings={"memory_mb": 256}).findings
    assert "MemoryError" in finding.message


def test_preloaded_modules_are_seen(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "import sys\nassert 'colorsys' in sys.modules\n",
    }
    assert judge(files).verdict is Verdict.FAIL
    assert judge(files, settings={"preload": ["colorsys"]}).verdict is Verdict.PASS


def test_a_server_that_cannot_start_is_an_error(judge):
    files = {"core/__init__.py": ""}
    report = judge(files, settings={"preload": ["nowhere_at_all"]})
    assert report.verdict is Verdict.ERROR
    assert "No module named 'nowhere_at_all'" in report.summary


@pytest.mark.parametrize(
    "settings",
    [{"timeout_s": 0}, {"timeout_s": "1"}, {"optional": ["a b"]}, {"memory_mb": 1}, {"other": 1}],
)
def test_wrong_settings_are_refused(judge, settings):
    assert judge({"core/__init__.py": ""}, settings=settings).verdict is Verdict.ERROR


# --- the tree stays as it is

WRITES = {
    "opens": "open('new.txt', 'w')\n",
    "appends": "open('data.txt', 'a')\n",
    "opens-low": "import os\nos.open('data.txt', os.O_RDWR)\n",
    "touches": "import pathlib\npathlib.Path('data.txt').touch()\n",
    "makes-folders": "import os\nos.makedirs('logs/today')\n",
    "renames": "import os\nos.rename('data.txt', 'other.txt')\n",
    "renames-into": "import os, tempfile\nos.rename(tempfile.mkdtemp(), 'logs')\n",
    "removes": "import pathlib\npathlib.Path(__file__).unlink()\n",
    "removes-trees": "import shutil\nshutil.rmtree('core')\n",
    "removes-quietly": "import shutil\nshutil.rmtree('folder', ignore_errors=True)\n",
    "links": "import os\nos.symlink('core', 'hull')\n",
    "links-hard": "import os\nos.link('data.txt', 'hull')\n",
    "truncates": "import os\nos.truncate('data.txt', 0)\n",
    "changes-modes": "import os\nos.chmod('data.txt', 0)\n",
    "makes-databases": "import sqlite3\nsqlite3.connect('tide.db')\n",
    "logs": "import logging\nlogging.basicConfig(filename='tide.log')\n",
    "moves": "import shutil, tempfile\nshutil.move('data.txt', tempfile.gettempdir())\n",
    "copies": "import shutil\nshutil.copy(__file__, 'copy.py')\n",
    "through-a-folder": ("import os\nos.unlink('data.txt', dir_fd=os.open('.', os.O_RDONLY))\n"),
    "swallows": "try:\n    open('new.txt', 'w')\nexcept OSError:\n    pass\n",
    "explains": (
        "try:\n    open('new.txt', 'w')\nexcept OSError as error:\n"
        "    raise RuntimeError('no log') from error\n"
    ),
    "in-a-fork": (
        "import os\npid = os.fork()\nif not pid:\n    open('new.txt', 'w')\n    os._exit(0)\n"
        "open('new.txt', 'w')\n"
    ),
}


def contents(root):
    return {
        str(path.relative_to(root)): path.read_bytes() if path.is_file() else None
        for path in root.rglob("*")
    }


def sources(named):
    """Files of these sources, by their names."""
    return {f"core/{name.replace('-', '_')}.py": source for name, source in named.items()}


def test_no_import_writes_into_its_tree(judge, tmp_path):
    files = {"core/__init__.py": "", "data.txt": "1", "folder/x": "1", **sources(WRITES)}
    lay(tmp_path / "tree", files)
    before = contents(tmp_path / "tree")
    report = judge({}, settings=ALONE)
    assert classes(report) == dict.fromkeys(sources(WRITES), "writes-tree")
    assert report.verdict is Verdict.FAIL
    assert contents(tmp_path / "tree") == before


LEAVES = {
    "reads": "assert open('data.txt').read() == '1'\n",
    "makes-what-is-there": "import os\nos.makedirs('folder', exist_ok=True)\n",
    "removes-what-is-not-there": "import pathlib\npathlib.Path('no').unlink(missing_ok=True)\n",
    "writes-elsewhere": "import tempfile\nopen(tempfile.mkdtemp() + '/x', 'w').close()\n",
    "keeps-a-database-in-memory": "import sqlite3\nsqlite3.connect(':memory:')\n",
    "opens-descriptors": "import os\nopen(os.pipe()[1], 'wb').close()\n",
    "loads-a-file": (
        "import importlib.util as u\ns = u.spec_from_file_location('x', 'core/port.py')\n"
        "s.loader.exec_module(u.module_from_spec(s))\n"
    ),
}


def test_what_does_not_write_is_let_be(judge, tmp_path):
    files = {"core/__init__.py": "", "data.txt": "1", "folder/x": "1", "core/port.py": ""}
    lay(tmp_path / "tree", files)
    report = judge(sources(LEAVES))
    assert (report.findings, report.checked) == ((), len(LEAVES) + 2)
    assert not list((tmp_path / "tree").rglob("*.pyc"))


def test_a_write_that_another_module_lives_with_is_its_own_failure(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "import core.port\n",
        "core/port.py": "\ntry:\n    open('new.txt', 'w')\nexcept OSError:\n    pass\n",
    }
    (finding,) = judge(files).findings
    assert (finding.path, finding.line) == ("core/port.py", 3)
    assert finding.message == "core.port: its import writes new.txt (open)"


def test_a_script_that_rewrites_its_repository_when_imported_changes_nothing(judge, tmp_path):
    script = """
        import os
        import pathlib

        for path in sorted(pathlib.Path(".").rglob("*tide*.py")):
            try:
                path.write_text(path.read_text().replace("tide", "flood"))
                path.rename(path.with_name(path.name.replace("tide", "flood")))
            except OSError as error:
                print(error)
    """
    files = {f"core/tide_{number}.py": f"tide = {number}\n" for number in range(5)}
    lay(tmp_path / "tree", {**files, "core/__init__.py": ""})
    report = judge({"core/rename.py": textwrap.dedent(script)})
    assert classes(report) == {"core/rename.py": "writes-tree"}
    assert {name for name in contents(tmp_path / "tree") if "flood" in name} == set()


def test_a_program_that_writes_is_noticed(judge):
    source = "import os, subprocess\nsubprocess.run(['touch', __file__], check=True)\n"
    report = judge({"core/__init__.py": "", "core/tide.py": source})
    assert seen(report) == {
        ("imports.writes-tree", "core/tide.py"),
        ("imports.starts-process", "core/tide.py"),
    }
    changed = next(it for it in report.findings if it.rule == "imports.writes-tree")
    assert "programs were started by core.tide" in changed.message
    assert report.verdict is Verdict.FAIL


def test_nothing_is_measured_on_a_tree_that_changes(tmp_path):
    source = "import subprocess\nsubprocess.run(['touch', __file__], check=True)\n"
    lay(tmp_path / "tree", {"core/__init__.py": "", "core/tide.py": source})
    with pytest.raises(
        CockpitError, match=r"^imports: core/tide\.py changed while modules were imported"
    ):
        measure(Context(root=tmp_path / "tree", scratch=tmp_path))


# --- selection


def left_out(report):
    return next(it.data["left_out"] for it in report.evidence if it.name == "selection")


def test_what_is_left_out_is_counted(judge):
    files = {
        "core/__init__.py": "",
        "core/__main__.py": "1 / 0\n",
        "core/tests/__init__.py": "1 / 0\n",
        "core/test_tide.py": "1 / 0\n",
        "core/not-a-name.py": "1 / 0\n",
        "conftest.py": "1 / 0\n",
        "setup.py": "1 / 0\n",
        "docs/conf.py": "1 / 0\n",
        "scripts/deploy.py": "1 / 0\n",
        "deploy.py": "#!/usr/bin/env python\n1 / 0\n",
        "single.py": "",
        "candidate/core/tide.py": "x = (\n",
        "env/pyvenv.cfg": "",
        "env/lib/broken.py": "x = (\n",
        ".hidden/broken.py": "x = (\n",
        "node_modules/broken.py": "x = (\n",
    }
    report = judge(files)
    assert report.verdict is Verdict.PASS
    assert report.checked == 2
    assert left_out(report) == {
        "lane": 1,
        "tests": 3,
        "docs": 1,
        "build scripts": 1,
        "entry points": 1,
        "no module name": 1,
        "scripts": 1,
        "folders without __init__.py": 1,
    }


def test_globs_decide_where_given(judge):
    files = {
        "core/__init__.py": "",
        "core/gpu/__init__.py": "1 / 0\n",
        "scripts/deploy.py": "",
        "other/__init__.py": "1 / 0\n",
    }
    settings = {"include": ["core", "scripts/*.py"], "exclude": ["**/gpu"]}
    report = judge(files, settings=settings)
    assert report.verdict is Verdict.PASS
    assert report.checked == 2
    assert left_out(report) == {"excluded": 1, "not included": 1}


def test_nothing_to_import_is_unknown(judge):
    assert judge({"docs/conf.py": ""}).verdict is Verdict.UNKNOWN


def test_a_source_root_below_the_top(judge):
    files = {"src/acme/__init__.py": "", "src/acme/sub/tide.py": "import acme\n", "setup.py": "1/0"}
    report = judge(files, lane=Lane(path="lane", source_roots=("src",)))
    assert report.verdict is Verdict.PASS
    assert report.checked == 2


def test_names_that_are_no_utf_8_are_left_out(judge, tmp_path):
    (tmp_path / "tree/core").mkdir(parents=True)
    Path(os.fsdecode(bytes(tmp_path / "tree/core") + b"/\xff.py")).write_text("x = (\n")
    report = judge({"core/__init__.py": ""})
    assert left_out(report) == {"no module name": 1}
    assert seen(report) == {("imports.syntax-error", "core/\udcff.py")}


@given(st.lists(st.text("abλ.-", min_size=1), min_size=1, max_size=4).map("/".join))
def test_a_plain_glob_matches_itself_and_what_lies_below(path):
    assert matches(path, path)
    assert matches(f"{path}/x.py", path)
    assert matches(f"{path}/x/y.py", f"{path}/**")
    assert matches(f"{path}/x.py", "**/x.py")
    assert not matches(f"{path}/x/y.py", f"{path}/*.py")
    assert not matches(f"{path}z", path)


# --- a batch


def batch(judge, files, *changed, **context):
    return judge({**MOVED, **files}, moves=(MOVE,), changed=(*TOUCHED, *changed), **context)


def test_a_batch_imports_what_it_touched_and_nothing_else(judge):
    report = batch(judge, {"other/__init__.py": "1 / 0\n", "candidate/broken.py": "x = (\n"})
    assert report.verdict is Verdict.PASS
    assert report.checked == 2


def test_a_batch_imports_the_changed_importers(judge):
    files = {"app/__init__.py": "", "app/main.py": "import core.tide\n1 / 0\n"}
    assert classes(batch(judge, files, "app/main.py", "gone.py")) == {"app/main.py": "exception"}


def test_a_moved_file_fails(judge):
    report = batch(judge, {"core/tide.py": "1 / 0\n"})
    # Its shim cannot be judged, and is not blamed.
    assert seen(report) == {("imports.import-fails", "core/tide.py")}
    assert report.verdict is Verdict.FAIL


def test_a_moved_test_is_imported_too(judge):
    move = Move("candidate/core/test_tide.py", "core/test_tide.py", "0" * 40)
    shim = SHIM.replace("core.tide", "core.test_tide")
    files = {**MOVED, move.source: shim, move.target: "1 / 0\n"}
    assert classes(judge(files, moves=(move,), changed=())) == {move.target: "exception"}


HIDES = """
import candidate.core

class Package(type(candidate.core)):
    tide = property(lambda self: 1, lambda self, value: None)

candidate.core.__class__ = Package
"""
SHIMS = {
    "copies-names": f"{SHIM_MARK}core.tide\nfrom core.tide import *\n",
    "is-the-file-itself": "HEIGHT = 3\n",
    "raises": "1 / 0\n",
    "warns-as-error": "import warnings\nwarnings.simplefilter('error')\nwarnings.warn('moved')\n",
    "exits": "raise SystemExit\n",
    "hangs": "import time\ntime.sleep(60)\n",
    "gives-another": SHIM.replace('module("core.tide")', 'module("core")'),
    "hides-in-its-package": SHIM + HIDES,
}


@pytest.mark.parametrize("shim", SHIMS.values(), ids=SHIMS)
def test_no_wrong_shim_passes(judge, shim):
    timeout = 0.5 if "sleep" in shim else 30
    report = batch(judge, {MOVE.source: shim}, settings={"timeout_s": timeout})
    assert seen(report) == {("imports.shim-not-same", MOVE.source)}
    assert report.verdict is Verdict.FAIL
    kinds = next(it.data for it in report.evidence if it.name == "shims")
    assert kinds[MOVE.source] not in {"same", "healthy"}


def test_rendered_shims_pass(judge):
    names = ["core/__init__.py", "core/tide.py", "core/sub/__init__.py", "core/sub/port.py"]
    moves = tuple(Move(f"candidate/{name}", name, "0" * 40) for name in names)
    layout = Layout(Lane())
    files: dict[str, str | bytes] = dict.fromkeys(names, "")
    for move in moves:
        files[move.source] = shims.render(
            layout.module_of(move.source) or "",
            layout.module_of(move.target) or "",
            old_path=move.source,
            new_path=move.target,
            is_package=layout.is_package(move.source),
        )
    report = judge(files, moves=moves, changed=(*files,))
    assert report.findings == ()
    assert report.checked == 8


def test_a_warning_names_the_line_that_imports(judge):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "\nimport core.port\n",
        "core/port.py": "import warnings\nwarnings.warn('moved', UserWarning, 2)\n1 / 0\n",
    }
    report = judge(files)
    finding = next(f for f in report.findings if f.path == "core/tide.py")
    assert "core/tide.py:2: UserWarning: moved" in finding.evidence["output"]


def test_without_shims_the_old_path_is_free(judge):
    files = {path: text for path, text in MOVED.items() if path != MOVE.source}
    lane = Lane(shims=False)
    report = judge(files, moves=(MOVE,), changed=TOUCHED, lane=lane)
    assert report.verdict is Verdict.PASS
    assert report.checked == 1


def test_an_excluded_batch_is_unknown(judge):
    assert batch(judge, {}, settings={"exclude": ["core/**"]}).verdict is Verdict.UNKNOWN


def test_a_changed_lane_file_is_held_to_its_baseline(judge):
    files = {"candidate/core/port.py": "1 / 0\n"}
    changed = "candidate/core/port.py"
    assert batch(judge, files, changed).verdict is Verdict.FAIL
    known = baseline_of({changed: {"class": "exception", "message": ""}})
    assert batch(judge, {**files, **known}, changed).verdict is Verdict.PASS


# --- the baseline


def test_a_baseline_is_measured_and_then_holds(judge, tmp_path):
    files = {
        "core/__init__.py": "",
        "core/tide.py": "1 / 0\n",
        "core/port.py": "try:\n    import candidate.quay\nexcept ImportError:\n    pass\n",
        "core/old.py": "x = (\n",
        "candidate/__init__.py": "",
        "candidate/quay.py": "import nowhere_at_all\n",
    }
    assert judge(files).verdict is Verdict.FAIL
    context = Context(root=tmp_path / "tree", scratch=tmp_path / "scratch")
    content = gate.baseline(context)
    assert content is not None
    assert {path: entry.get("class") for path, entry in content["entries"].items()} == {
        "core/tide.py": "exception",
        "core/old.py": "syntax",
        "core/port.py": None,
        "candidate/quay.py": "missing-third-party",
    }
    assert content["entries"]["core/port.py"] == {"edges": {"imports.lane-import": 1}}
    measured = measure(context)
    assert baselines.dump(measured) == baselines.dump(measure(context))
    lay(tmp_path / "tree", {".cockpit/baselines/imports.json": baselines.dump(measured)})
    report = judge({})
    assert report.verdict is Verdict.PASS
    assert {finding.severity for finding in report.findings} == {Severity.INFO}


def test_there_is_no_baseline_of_nothing(tmp_path):
    (tmp_path / "tree").mkdir()
    assert gate.baseline(Context(root=tmp_path / "tree", scratch=tmp_path)) is None


def test_the_baseline_does_not_tolerate_another_class(judge):
    known = baseline_of({"core/tide.py": {"class": "syntax", "message": ""}})
    report = judge({**known, "core/__init__.py": "", "core/tide.py": "1 / 0\n"})
    assert report.verdict is Verdict.FAIL
    assert "the baseline tolerates syntax, this is exception" in report.findings[0].message


def test_an_entry_of_a_file_that_is_gone_is_slack(judge):
    known = baseline_of({"core/gone.py": {"class": "syntax", "message": ""}})
    report = judge({**known, "core/__init__.py": ""})
    assert seen(report) == {("imports.baseline-slack", "core/gone.py")}
    assert report.verdict is Verdict.WARN


def test_static_counts_are_tolerated_up_to_their_number(judge):
    files = {
        "core/__init__.py": "",
        "core/port.py": "def f():\n    import candidate.a\n    import candidate.b\n",
        "candidate/a.py": "",
        "candidate/b.py": "",
    }

    def permitting(count):
        entry = {"edges": {"imports.lane-import": count}}
        return judge({**files, **baseline_of({"core/port.py": entry})})

    assert permitting(1).verdict is Verdict.FAIL
    assert permitting(2).verdict is Verdict.PASS
    slack = permitting(3)
    assert slack.verdict is Verdict.WARN
    assert ("imports.baseline-slack", "core/port.py") in seen(slack)


def test_a_file_that_native_code_adds_is_seen(judge):
    source = (
        "import ctypes\n"
        "libc = ctypes.CDLL(None)\n"
        "libc.write(libc.open(b'core/ebb.py', 0o101, 0o644), b'x = 1', 5)\n"
    )
    report = judge({"core/__init__.py": "", "core/tide.py": source})
    assert seen(report) == {("imports.writes-tree", "core/ebb.py")}
    assert report.verdict is Verdict.FAIL


# --- the static pass


STATIC = {
    "lane": ("import candidate.tide\n", "lane-import"),
    "lane-from": ("from candidate import tide\n", "lane-import"),
    "lane-guarded": ("try:\n    import candidate.tide\nexcept ImportError: pass\n", "lane-import"),
    "lane-lazy": ("def f():\n    from candidate.tide import x\n", "lane-import"),
    "lane-typing": (
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import candidate.tide\n",
        "lane-import",
    ),
    "lane-called": (
        "import importlib\nm = importlib.import_module('candidate.tide')\n",
        "lane-import",
    ),
    "lane-called-lazily": (
        "from importlib import import_module\ndef f():\n    import_module('candidate')\n",
        "lane-import",
    ),
    "lane-called-plainly": ("__import__('candidate.tide')\n", "lane-import"),
    "lane-called-by-keyword": (
        "from importlib import import_module\nimport_module(name='candidate.tide')\n",
        "lane-import",
    ),
    "lane-called-from-a-package": (
        "from importlib import import_module\nimport_module('.tide', 'candidate')\n",
        "lane-import",
    ),
    "lane-in-code-that-is-run": ("exec('import candidate.tide')\n", "lane-import"),
    "lane-in-code-that-is-compiled": (
        "exec(compile('from candidate import tide', 's', 'exec'))\n",
        "lane-import",
    ),
    "lane-in-code-that-calls": ("x = eval('__import__(\"candidate.tide\")')\n", "lane-import"),
    "lost-lazily": ("def f():\n    import core.gone\n", "unresolved-first-party"),
    "still-in-the-lane": ("def f():\n    import tide\n", "unresolved-first-party"),
}


def test_static_rules(judge):
    files = sources({name: source for name, (source, _) in STATIC.items()})
    report = judge({"core/__init__.py": "", "candidate/tide.py": "x = 1\n", **files})
    assert seen(report) == {
        (f"imports.{rule}", path) for path, (_, rule) in zip(files, STATIC.values(), strict=True)
    }
    assert report.verdict is Verdict.FAIL


UNBLAMED = {
    "guarded": "try:\n    import core.gone\nexcept ImportError:\n    pass\n",
    "typing": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import core.gone\n",
    "dynamic-package": "def f():\n    import core.dynamic.anything\n",
    "similar-name": "def f():\n    import candidates\n",
    "similar-name-called": "def f():\n    __import__('candidates.tide')\n",
    "called-without-a-name": (
        "import importlib\ndef f(name='candidate'):\n    importlib.import_module(name)\n"
        "    __import__(f'{name}.tide')\n    importlib.import_module()\n    __import__(3)\n"
        "    print('candidate.tide')\n    (f or f)('candidate.tide')\n"
        "    exec(name + 'import candidate.tide')\n    exec('import candidate.tide (')\n    exec()\n"
        "    importlib.import_module('.tide', name)\n    exec('from . import candidate')\n"
    ),
    "code-in-a-pattern": "import re\nPATTERN = re.compile('import candidate')\n",
    "code-that-runs-something-else": (
        "def f():\n    exec('import core.dynamic')\n    print('import candidate')\n"
    ),
}


def test_static_rules_do_not_guess(judge):
    files = {
        "core/__init__.py": "",
        "core/dynamic/__init__.py": "def __getattr__(name): return name\n",
        "candidate/tide.py": "",
        **sources(UNBLAMED),
    }
    report = judge(files)
    assert (report.findings, report.checked) == ((), len(UNBLAMED) + 2)


@given(st.one_of(st.binary(max_size=60), st.text(max_size=60).map(str.encode)))
def test_calls_are_looked_for_in_anything(content):
    for source in (content, b"exec(%r)" % content.decode("utf-8", "replace").encode()):
        for name, line in spoken.names(source):
            assert isinstance(name, str)
            assert line >= 1


def test_a_mark_of_an_environment_hides_nothing_that_git_tracks(tmp_path):
    files = {
        "core/__init__.py": "",
        "core/port.py": "import core.gone\n",
        "core/pyvenv.cfg": "home = /usr/bin\n",
        "env/pyvenv.cfg": "home = /usr/bin\n",
        "env/lib/broken.py": "x = (\n",
    }
    for path, content in files.items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(content)
    tree = Tree(Context(tmp_path, tmp_path))
    assert tree.paths == ()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    assert Tree(Context(tmp_path, tmp_path)).paths == ()
    subprocess.run(["git", "add", "core/port.py"], cwd=tmp_path, check=True)
    assert Tree(Context(tmp_path, tmp_path)).paths == ("core/__init__.py", "core/port.py")


def test_a_nested_lane_is_seen_through_relative_imports(judge):
    files = {
        "src/acme/__init__.py": "",
        "src/acme/labs/__init__.py": "",
        "src/acme/labs/tide.py": "",
        "src/acme/port.py": "from .labs import tide\nfrom . import labs\n",
    }
    lane = Lane(path="src/acme/labs", root="src/acme", source_roots=("src",))
    report = judge(files, lane=lane)
    assert [(f.rule, f.line) for f in report.findings] == [
        ("imports.lane-import", 1),
        ("imports.lane-import", 2),
    ]


def test_an_alias_serves_what_is_in_the_lane(judge):
    files = {
        "acme/__init__.py": "",
        "acme/port.py": "def f():\n    import acme.tide\n    import acme.gone\n",
        "candidate/tide.py": "",
    }
    report = judge(files, lane=Lane(aliases={"acme": ("", "candidate")}))
    assert [(f.rule, f.line) for f in report.findings] == [("imports.unresolved-first-party", 3)]


def test_a_shim_is_named_with_its_new_name(judge):
    files = {**MOVED, "core/port.py": "from candidate.core import tide\n"}
    (finding,) = judge(files).findings
    assert finding.remedy == "import core.tide"


def test_in_a_batch_old_paths_elsewhere_are_only_counted(judge):
    files = {
        "app/__init__.py": "",
        "app/main.py": "import candidate.core.tide\nimport candidate.core\n",
        "app/other.py": "import candidate.core.tide\n",
    }
    report = batch(judge, files)
    (finding,) = report.findings
    assert finding.severity is Severity.INFO
    assert finding.evidence == {"count": 3}
    assert report.verdict is Verdict.PASS
    assert batch(judge, files, "app/main.py").verdict is Verdict.FAIL


def test_a_syntax_error_is_reported_once(judge):
    report = judge({"core/__init__.py": "", "core/tide.py": "x = (\n"})
    assert [(f.rule, f.path, f.line) for f in report.findings] == [
        ("imports.syntax-error", "core/tide.py", 1)
    ]


def test_files_that_are_not_imported_are_still_parsed(judge):
    report = judge({"core/__init__.py": "", "scripts/run.py": "x = (\n"})
    assert seen(report) == {("imports.syntax-error", "scripts/run.py")}


# --- reading what a dying process left


@given(st.text(), st.text(), st.integers(-200, 200))
def test_a_fault_is_read_whatever_it_says(fault, trail, code):
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder), {"core.py": ""})
        tree = Tree(Context(root=Path(folder), scratch=Path(folder)))
        failure = classify(
            Outcome(Job("core", "core.py"), "signal", code, trail=("core", trail), fault=fault),
            tree,
        )
    assert failure is not None
    assert failure.kind == "crash"


def test_the_report_survives_its_way_through_json(judge):
    report = judge({"core/__init__.py": "", "core/tide.py": "import core.quay\n"})
    assert json.loads(json.dumps(report.to_json())) == json.loads(
        json.dumps(dataclasses.asdict(report))
    )
