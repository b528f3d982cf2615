"""Ways to break an import, each with a twin that does the same and is healthy.

`core/tide.py` is the file with the defect; `core/port.py` stands beside it. No defect may be
found healthy, and no twin unhealthy.
"""

from __future__ import annotations

import re
import textwrap
from dataclasses import dataclass, field
from typing import Any

import pytest

from pytest_cockpit import child
from pytest_cockpit.api import Context, Report, Severity, Verdict
from pytest_cockpit_gates.imports import gate
from tests.packages_apart import apart

HERE = "core/tide.py"
OTHER = "core/port.py"


@dataclass(frozen=True)
class Defect:
    """What breaks, the rule that says so, and the twin that is in order."""

    source: str | bytes
    rule: str
    twin: str | bytes
    files: dict[str, str | bytes] = field(default_factory=dict)
    twin_files: dict[str, str | bytes] | None = None
    kind: str | None = None
    path: str = HERE
    settings: dict[str, object] = field(default_factory=dict)


def fails(source, twin, kind="exception", **more):
    return Defect(source, "import-fails", twin, kind=kind, **more)


def syntax(source, twin):
    return Defect(source, "syntax-error", twin, kind="syntax")


def hangs(source, twin, **more):
    return Defect(source, "hang", twin, kind="hang", settings={"timeout_s": 0.6}, **more)


def tolerable(rule, source, twin, **more):
    return Defect(source, rule, twin, **more)


DEFECTS = {
    # --- what the compiler refuses
    "byte-order-mark-and-other-encoding": syntax(
        b"\xef\xbb\xbf# coding: latin-1\nx = 'a'\n", b"\xef\xbb\xbf# coding: utf-8\nx = 'a'\n"
    ),
    "null-byte-in-a-string": syntax(b"x = 'a\0b'\n", b"x = 'a\\0b'\n"),
    "tabs-against-blanks": syntax("if 1:\n\tx = 1\n        y = 2\n", "if 1:\n\tx = 1\n\ty = 2\n"),
    "conflict-markers": syntax("<<<<<<< HEAD\nx = 1\n=======\n", "x = 1  # <<<<<<< HEAD\n"),
    "await-outside": syntax("await x\n", "async def f(x):\n    await x\n"),
    "nonlocal-at-the-top": syntax("nonlocal x\n", "def f(x):\n    def g():\n        nonlocal x\n"),
    "two-arguments-of-one-name": syntax("def f(a, a): ...\n", "def f(a, b): ...\n"),
    "future-too-late": syntax(
        "x = 1\nfrom __future__ import annotations\n", "from __future__ import annotations\n"
    ),
    "unterminated-f-string": syntax("x = f'{1'\n", "x = f'{1}'\n"),
    "print-statement": syntax("print 'tide'\n", "def show():\n    print('tide')\n"),
    # --- names of the repository
    "one-dot-too-many": fails(
        "from ..port import X\n", "from .port import X\n", files={OTHER: "X = 1\n"}
    ),
    "one-dot-too-few": fails(
        "from .core import port\n",
        "from ..core import port\n".replace("..", ""),
        "missing-first-party",
        files={OTHER: ""},
    ),
    "upper-case": fails(
        "import core.Port\n", "import core.port\n", "missing-first-party", files={OTHER: ""}
    ),
    "circle-with-an-attribute": fails(
        "import core.port\nHEIGHT = core.port.DEPTH\n",
        "import core.port\ndef height(): return core.port.DEPTH\n",
        files={OTHER: "import core.tide\nDEPTH = core.tide.HEIGHT\n"},
        twin_files={OTHER: "DEPTH = 1\n"},
        path=OTHER,
        kind="transitive",
    ),
    "getattr-of-a-module-raises": fails(
        "from core.port import anything\n",
        "from core.port import anything\n",
        files={OTHER: "def __getattr__(name): raise ValueError(name)\n"},
        twin_files={OTHER: "def __getattr__(name): return name\n"},
    ),
    "star-import-of-a-broken-all": fails(
        "from core.port import *\n",
        "from core.port import *\n",
        files={OTHER: "__all__ = ['gone']\n"},
        twin_files={OTHER: "__all__ = ['here']\nhere = 1\n"},
    ),
    "lazy-submodule-missing": Defect(
        "def __getattr__(name):\n    import core.gone\n    return core.gone\n",
        "unresolved-first-party",
        "def __getattr__(name):\n    import core.port\n    return core.port\n",
        files={OTHER: ""},
    ),
    "namespace-hidden-by-a-module": fails(
        "import core.sub.deep\n",
        "import core.sub.deep\n",
        "missing-first-party",
        files={"core/sub.py": "", "core/sub/deep.py": ""},
        twin_files={"core/sub/deep.py": ""},
    ),
    "submodule-not-imported-by-its-package": fails(
        "import core\ncore.port\n", "import core.port\ncore.port\n", files={OTHER: ""}
    ),
    "only-imported-for-typing": fails(
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from core.port import X\nY = X\n",
        "from core.port import X\nY = X\n",
        files={OTHER: "X = 1\n"},
    ),
    "a-main-module-is-assumed": fails(
        "from __main__ import app\n", "import __main__\napp = getattr(__main__, 'app', None)\n"
    ),
    "not-on-this-version": fails(
        "import sys\nif sys.version_info >= (3, 0):\n    import core.gone\n",
        "import sys\nif sys.version_info < (3, 0):\n    import core.gone\n",
        "missing-first-party",
        twin_files={"core/gone.py": ""},
    ),
    "not-on-this-platform": fails(
        "import sys\nif sys.platform != 'win32':\n    import winreg\n",
        "import sys\nif sys.platform == 'win32':\n    import winreg\n",
    ),
    # --- code that raises
    "code-in-a-string": fails("exec('x = (')\n", "exec('x = ()')\n"),
    "removes-itself": fails(
        "import sys\ndel sys.modules[__name__]\n", "import sys\nsys.modules.get(__name__)\n"
    ),
    "metaclass-conflict": fails(
        "import abc\nclass M(type): ...\nclass A(metaclass=M): ...\nclass B(A, abc.ABC): ...\n",
        "import abc\nclass M(abc.ABCMeta): ...\nclass A(metaclass=M): ...\nclass B(A, abc.ABC): ...\n",
    ),
    "no-consistent-order-of-bases": fails(
        "class A: ...\nclass B(A): ...\nclass C(A, B): ...\n",
        "class A: ...\nclass B(A): ...\nclass C(B, A): ...\n",
    ),
    "slots-against-a-default": fails(
        "class A:\n    __slots__ = ('a',)\n    a = 1\n", "class A:\n    __slots__ = ('a',)\n"
    ),
    "dataclass-with-a-mutable-default": fails(
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    a: list = []\n",
        "import dataclasses\n@dataclasses.dataclass\nclass A:\n    a: list = dataclasses.field(default_factory=list)\n",
    ),
    "annotation-that-is-evaluated": fails(
        "def f() -> Gone: ...\nimport typing\ntyping.get_type_hints(f)\n",
        "def f() -> 'Gone': ...\n",
    ),
    "enum-with-a-value-twice": fails(
        "import enum\n@enum.unique\nclass E(enum.Enum):\n    A = 1\n    B = 1\n",
        "import enum\n@enum.unique\nclass E(enum.Enum):\n    A = 1\n    B = 2\n",
    ),
    "pattern-that-does-not-compile": fails(
        "import re\nre.compile('(')\n", "import re\nre.compile('()')\n"
    ),
    "data-file-missing": fails(
        "from pathlib import Path\nPath(__file__).with_name('tide.txt').read_text()\n",
        "from pathlib import Path\nPath(__file__).with_name('tide.txt').read_text()\n",
        twin_files={"core/tide.txt": "high"},
    ),
    "environment-variable-demanded": fails(
        "import os\nos.environ['TIDE_TABLE']\n", "import os\nos.environ.get('TIDE_TABLE')\n"
    ),
    "environment-found-relative-to-another-folder": fails(
        "open('tide.txt')\n", "open('core/tide.txt').close()\n", twin_files={"core/tide.txt": ""}
    ),
    "shared-library-missing": fails(
        "import ctypes\nctypes.CDLL('libtide_of_nowhere.so.9')\n",
        "import ctypes\nctypes.CDLL(None)\n",
    ),
    "extension-that-is-no-library": fails(
        "import core._fast\n",
        "try:\n    import core._fast\nexcept ImportError:\n    pass\n",
        files={"core/_fast.abi3.so": b"no library"},
    ),
    "warnings-as-errors": fails(
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('error')\n    warnings.warn('old')\n",
        "import warnings\nwith warnings.catch_warnings():\n    warnings.simplefilter('ignore')\n    warnings.warn('old')\n",
    ),
    "decorator-that-gives-nothing": fails(
        "def deco(f): pass\n@deco\ndef f(): ...\nf.cache = 1\n",
        "def deco(f): return f\n@deco\ndef f(): ...\nf.cache = 1\n",
    ),
    "an-assertion": fails("assert 0, 'no sea'\n", "assert 1, 'no sea'\n"),
    "deep-recursion": fails("def f(): f()\nf()\n", "def f(): f()\n"),
    "generator-exit": fails("raise GeneratorExit\n", "GeneratorExit\n"),
    "group-of-exceptions": fails(
        "raise ExceptionGroup('all', [ImportError('one')])\n",
        "ExceptionGroup('all', [ImportError()])\n",
    ),
    "loop-that-is-not-there": fails(
        "import asyncio\nasyncio.get_running_loop()\n",
        "import asyncio\ndef loop(): return asyncio.get_running_loop()\n",
    ),
    "reads-what-nobody-types": fails("input()\n", "def ask(): return input()\n"),
    "an-import-hook-refuses": fails(
        """
        import sys
        class Hook:
            def find_spec(self, name, path=None, target=None):
                if name == 'core.port': raise ImportError('refused', name=name)
        sys.meta_path.insert(0, Hook())
        import core.port
        """,
        "import core.port\n",
        "missing-first-party",
        files={OTHER: ""},
    ),
    "third-party-missing": Defect(
        "import tide_of_nowhere\n",
        "third-party-missing",
        "try:\n    import tide_of_nowhere\nexcept ImportError:\n    tide_of_nowhere = None\n",
        kind="missing-third-party",
    ),
    # --- the end of the process
    "hard-exit-zero": Defect(
        "import os\nos._exit(0)\n",
        "exits",
        "def stop():\n    import os\n    os._exit(0)\n",
        kind="exit",
    ),
    "exit-in-a-finally": Defect(
        "import sys\ntry:\n    1 / 0\nfinally:\n    sys.exit(0)\n",
        "exits",
        "try:\n    1\nfinally:\n    pass\n",
        kind="exit",
    ),
    "hard-exit-in-a-thread": Defect(
        "import os, threading\nt = threading.Thread(target=os._exit, args=[0])\nt.start()\nt.join()\n",
        "exits",
        "import threading\nt = threading.Thread(target=int)\nt.start()\nt.join()\n",
        kind="exit",
    ),
    "bad-pointer": Defect(
        "import ctypes\nctypes.string_at(0)\n",
        "crash",
        "import ctypes\nctypes.string_at(b'a')\n",
        kind="crash",
    ),
    "abort": Defect("import os\nos.abort()\n", "crash", "import os\nos.abort\n", kind="crash"),
    "stack-overflow-in-c": Defect(
        "import sys\nsys.setrecursionlimit(10**7)\ndef f(): return list(map(lambda _: f(), [1]))\nf()\n",
        "crash",
        "def f(): return list(map(lambda _: 1, [1]))\nf()\n",
        kind="crash",
    ),
    "alarm-without-a-handler": Defect(
        "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 0.05)\ntime.sleep(5)\n",
        "crash",
        "import signal, time\nsignal.setitimer(signal.ITIMER_REAL, 5)\nsignal.setitimer(signal.ITIMER_REAL, 0)\n",
        kind="crash",
    ),
    "endless-loop": hangs("while True: pass\n", "while False: pass\n"),
    "sleep": hangs("import time\ntime.sleep(60)\n", "import time\ntime.sleep(0.01)\n"),
    "lock-taken-twice": hangs(
        "import threading\nlock = threading.Lock()\nlock.acquire()\nlock.acquire()\n",
        "import threading\nlock = threading.RLock()\nlock.acquire()\nlock.acquire()\n",
    ),
    "import-in-a-thread-that-is-waited-for": hangs(
        "import threading\nt = threading.Thread(target=lambda: __import__('core.tide').tide.X)\nt.start()\nt.join()\nX = 1\n",
        "X = 1\n",
    ),
    "too-much-memory-slowly": Defect(
        "rows = []\nwhile len(rows) < 10**5: rows.append(bytearray(b'x') * (1 << 20))\n",
        "memory",
        "rows = [bytearray(b'x') * (1 << 20)]\n",
        kind="memory",
        settings={"growth_mb": 128},
    ),
    "too-much-memory-at-once": Defect(
        "row = bytearray(b'x') * (256 << 20)\n",
        "memory",
        "row = b'x'\n",
        kind="memory",
        settings={"growth_mb": 128},
    ),
    "no-memory": Defect("raise MemoryError\n", "memory", "MemoryError\n", kind="memory"),
    "bomb-of-forks": fails(
        "import os\nwhile True: os.fork()\n", "import os\nos.fork\n", settings={"timeout_s": 10}
    ),
    "another-thing-under-the-name-of-a-file": Defect(
        "", "import-fails", "", files={"core/tide/__init__.py": ""}, twin_files={}, kind="not-found"
    ),
    "writes-beside-itself": Defect(
        "open(__file__ + '.log', 'w')\n",
        "writes-tree",
        "open(__file__).close()\n",
        kind="writes-tree",
    ),
    # --- what can be tolerated, and is told
    "prints": tolerable("prints", "print('up')\n", "def show():\n    print('up')\n"),
    "floods-its-output": tolerable("prints", "print('x' * 3_000_000)\n", "len('x' * 3_000_000)\n"),
    "prints-past-python": tolerable(
        "prints", "import os\nos.write(1, b'up')\n", "import os\nos.write\n"
    ),
    "logs-to-the-terminal": tolerable(
        "prints", "import logging\nlogging.warning('up')\n", "import logging\nlogging.debug('up')\n"
    ),
    "asks-the-network": tolerable(
        "network",
        "import socket\ntry:\n    socket.create_connection(('127.0.0.1', 9), 0.1)\nexcept OSError:\n    pass\n",
        "import socket\nsocket.socket().close()\n",
    ),
    "opens-a-port": tolerable(
        "network",
        "import socket\ns = socket.socket()\ns.bind(('127.0.0.1', 0))\n",
        "import socket\na, b = socket.socketpair()\n",
    ),
    "writes-elsewhere": tolerable(
        "writes-outside",
        "import os\ntry:\n    os.mkdir('/tide-of-nowhere/x')\nexcept OSError:\n    pass\n",
        "import tempfile\ntempfile.mkdtemp()\n",
    ),
    "starts-a-program": tolerable(
        "starts-process",
        "import subprocess\nsubprocess.run(['true'], check=True)\n",
        "import subprocess\nsubprocess.run\n",
    ),
    "forks": tolerable("starts-process", "import os\nos.fork()\n", "import os\nos.fork\n"),
    "leaves-a-program": tolerable(
        "left-running",
        "import subprocess\nsubprocess.Popen(['sleep', '60'])\n",
        "import subprocess\nsubprocess.Popen\n",
    ),
    "leaves-a-thread": tolerable(
        "left-running",
        "import threading, time\nthreading.Thread(target=time.sleep, args=[60], daemon=True).start()\n",
        "import threading\nthreading.Thread(target=int).run()\n",
    ),
    "raises-at-exit": tolerable(
        "fails-at-exit",
        "import atexit\natexit.register(lambda: 1 / 0)\n",
        "import atexit\natexit.register(int)\n",
    ),
    "crashes-at-exit": tolerable(
        "fails-at-exit",
        "import atexit, os\natexit.register(os.abort)\n",
        "import atexit\natexit.register(int)\n",
    ),
    "ends-otherwise-at-exit": tolerable(
        "fails-at-exit",
        "import atexit, os\natexit.register(os._exit, 3)\n",
        "import atexit\natexit.register(int)\n",
    ),
    "promises-a-name": tolerable(
        "names-lost", "__all__ = ['gone']\n", "__all__ = ['here']\nhere = 1\n"
    ),
    "promises-a-submodule": tolerable(
        "names-lost",
        "",
        "",
        files={"core/__init__.py": "__all__ = ['gone']\n"},
        twin_files={"core/__init__.py": "__all__ = ['tide']\n"},
        path="core/__init__.py",
    ),
    "all-is-no-list-of-names": tolerable("names-lost", "__all__ = 3\n", "__all__ = ()\n"),
    "literal-compared-by-identity": tolerable(
        "syntax-warning", "x = 3\nx is 3\n", "x = 3\nx == 3\n"
    ),
    "only-after-another": tolerable(
        "order-dependent",
        "import sys\nassert 'core.port' not in sys.modules\n",
        "import sys\nassert 'core.gone' not in sys.modules\n",
        files={OTHER: ""},
    ),
    "only-in-the-folder-it-expects": tolerable(
        "order-dependent",
        "open('core/tide.txt').close()\n",
        "import os\nopen(os.path.join(os.path.dirname(__file__), 'tide.txt')).close()\n",
        files={"core/tide.txt": "", "core/a.py": "import os\nos.chdir('/')\n"},
        twin_files={"core/tide.txt": "", "core/a.py": ""},
    ),
    "changes-the-search-path": tolerable(
        "global-state", "import sys\nsys.path.insert(0, '/tide')\n", "import sys\nsys.path[:]\n"
    ),
    "changes-the-folder": tolerable(
        "global-state", "import os\nos.chdir('/')\n", "import os\nos.getcwd()\n"
    ),
    "changes-the-environment": tolerable(
        "global-state", "import os\nos.environ['TIDE'] = 'high'\n", "import os\nos.environ.copy()\n"
    ),
    "installs-a-signal-handler": tolerable(
        "global-state",
        "import signal\nsignal.signal(signal.SIGUSR1, print)\n",
        "import signal\nsignal.SIGUSR1\n",
    ),
    "leaves-an-alarm": tolerable(
        "global-state", "import signal\nsignal.alarm(50)\n", "import signal\nsignal.alarm(0)\n"
    ),
    "installs-a-finder": tolerable(
        "global-state",
        "import sys\nsys.meta_path.append(None)\n",
        "import sys\nlist(sys.meta_path)\n",
    ),
    "is-replaced-by-an-object": tolerable(
        "global-state",
        "import sys\nsys.modules[__name__] = object()\n",
        "import sys\nsys.modules[__name__]\n",
    ),
    "replaces-a-standard-module": tolerable(
        "global-state",
        "import sys\nsys.modules['os'] = object()\n",
        "import sys\nsys.modules['os']\n",
    ),
    "replaces-a-builtin": tolerable(
        "global-state",
        "import builtins\nbuiltins.open = None\n",
        "import builtins\nbuiltins.open\n",
    ),
    "replaces-standard-output": tolerable(
        "global-state", "import io, sys\nsys.stdout = io.StringIO()\n", "import io\nio.StringIO()\n"
    ),
}
KINDS_AT_LEAST = 40


def tree(source, *more):
    files = {"core/__init__.py": "", HERE: source}
    for one in more:
        files |= one
    return {
        path: textwrap.dedent(text).lstrip("\n") if isinstance(text, str) else text
        for path, text in files.items()
    }


@pytest.fixture
def judge(tmp_path):
    def run(files, settings):
        root, scratch = tmp_path / "tree", tmp_path / "scratch"
        scratch.mkdir()
        for name, content in files.items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        return child.judge(gate, Context(root=root, scratch=scratch, settings=settings))

    return run


def by_name(report, names):
    """The findings of each of several in one tree, its files named as if it were alone there."""
    found: dict[str, list[Any]] = {name: [] for name in names}
    for it in report.findings:
        folder, _, rest = it.path.partition("/")
        found[names[int(folder.removeprefix("core"))]].append((f"core/{rest}", it))
    return found


ALONE = [name for name, it in DEFECTS.items() if it.rule == "order-dependent" or it.settings]
"""What depends on its company, and what takes the time or the memory that there is."""
BESIDE = [name for name in DEFECTS if name not in ALONE]


def misjudged(name, findings):
    """What is wrong with what was said of a defect; nothing where it is as it should be."""
    defect = DEFECTS[name]
    found = [
        it for path, it in findings if (it.rule, path) == (f"imports.{defect.rule}", defect.path)
    ]
    if not found or not all(it.remedy for it in found):
        return f"not found, or without a remedy: {findings}"
    verdict = Report.judge("", checked=1, findings=found).verdict
    if defect.rule == "global-state":
        wanted = {it.severity for it in found} == {Severity.INFO}
    elif defect.kind is None:
        wanted = not verdict.opens or verdict is Verdict.WARN
    else:
        kinds = {it.evidence["class"] for it in found}
        wanted = not verdict.opens and defect.kind in kinds
    return "" if wanted else f"of another severity or kind: {found}"


def test_there_are_enough_kinds():
    assert len(DEFECTS) >= 2 * KINDS_AT_LEAST
    unhealthy = [it for it in DEFECTS.values() if it.kind or it.rule == "unresolved-first-party"]
    assert len(unhealthy) >= KINDS_AT_LEAST


@pytest.mark.parametrize("name", ALONE)
def test_no_defect_is_found_healthy(judge, name):
    defect = DEFECTS[name]
    report = judge(tree(defect.source, defect.files), defect.settings)
    assert misjudged(name, [(it.path, it) for it in report.findings]) == ""


def test_no_defect_among_others_is_found_healthy(judge):
    """In one tree, each in a package of its own: nobody takes another along, or hides it."""
    files: dict[str, Any] = {}
    for number, name in enumerate(BESIDE):
        files |= apart(number, tree(DEFECTS[name].source, DEFECTS[name].files))
    report = judge(files, {"together": False})
    assert report.verdict is Verdict.FAIL
    found = by_name(report, BESIDE)
    assert {name: said for name in BESIDE if (said := misjudged(name, found[name]))} == {}


@pytest.mark.parametrize("memory", [False, True])
def test_twins_are_healthy(judge, memory):
    """In one tree, and in one process one after the other, too."""
    names = [name for name, it in DEFECTS.items() if ("growth_mb" in it.settings) == memory]
    files: dict[str, Any] = {}
    for number, name in enumerate(names):
        defect = DEFECTS[name]
        more = defect.files if defect.twin_files is None else defect.twin_files
        files |= apart(number, tree(defect.twin, more))
    report = judge(files, {"growth_mb": 128} if memory else {})
    found = by_name(report, names)
    unhealthy = {
        name: ours
        for name in names
        if (ours := [one for one in found[name] if one[0] in (HERE, DEFECTS[name].path)])
    }
    assert unhealthy == {}
    assert report.verdict is Verdict.PASS


def test_a_kind_of_effect_can_be_made_an_error_or_a_note(judge):
    report = judge(tree("print('up')\n"), {"severity": {"prints": "error"}})
    assert report.verdict is Verdict.FAIL
    (finding,) = report.findings
    assert (finding.path, finding.line) == (HERE, 1)
    assert re.search(r"prints: <stdout>$", finding.message)
