"""Hidden modules of the standard library come back as a fresh import leaves them."""

from __future__ import annotations

import json
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from pytest_cockpit_gates.imports import pool
from pytest_cockpit_gates.imports.standard import QUIET

FOLDER = Path(pool.__file__).parent

# Prints, for each module, what importing it alone adds to sys.modules and which of that its
# parent package has as an attribute. Each is imported in a fork of its own.
LOOK = """
import sys
CLEAN = frozenset(sys.modules)
import json, os
sys.path.insert(0, {folder!r})
import probe_standard
del sys.path[0]
names = json.loads(sys.argv[1])
for name in sorted(set(sys.modules) - CLEAN, reverse=True):
    module = sys.modules.pop(name)
    parent, _, leaf = name.rpartition(".")
    if parent in sys.modules and vars(sys.modules[parent]).get(leaf) is module:
        delattr(sys.modules[parent], leaf)
if sys.argv[2] == "hidden":
    probe_standard.Standard(names).install()
for name in names:
    if os.fork():
        os.wait()
        continue
    before = frozenset(sys.modules)
    try:
        __import__(name)
    except ImportError:
        os._exit(0)
    new = sorted(set(sys.modules) - before)
    held = [
        one for one in new
        if (found := sys.modules.get(one.rpartition(".")[0])) is not None
        and one.rpartition(".")[2] in vars(found)
    ]
    specs = [one for one in new if getattr(getattr(sys.modules[one], "__spec__", None), "name", one)
             != getattr(sys.modules[one], "__name__", one)]
    text = json.dumps([name, new, held, specs]) + "\\n"
    os.write(1, text.encode())
    os._exit(0)
"""


def looked(names, how):
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-c", LOOK.format(folder=str(FOLDER)), json.dumps(names), how],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stderr == ""
    return {row[0]: row[1:] for row in map(json.loads, done.stdout.splitlines())}


def test_every_quiet_module_comes_back_as_a_fresh_import_leaves_it():
    names = sorted(QUIET)
    assert looked(names, "hidden") == looked(names, "fresh")


def ran(code):
    script = LOOK.format(folder=str(FOLDER)).partition("for name in names:")[0] + code
    names = json.dumps(["json", "xml.etree.ElementTree", "logging", "collections"])
    done = subprocess.run(
        [sys.executable, "-P", "-s", "-c", script, names, "hidden"],
        capture_output=True,
        check=False,
        text=True,
    )
    assert done.stderr == ""
    return done.stdout.strip()


SERVED = {
    "nothing-is-seen-before": (
        "print('json' in sys.modules, 'logging' in sys.modules)",
        "False False",
    ),
    "a-parent-lost-its-attribute": ("import xml\nprint(hasattr(xml, 'etree'))", "False"),
    "and-gets-it-back": ("import xml.etree.ElementTree\nprint(hasattr(xml, 'etree'))", "True"),
    "a-part-is-the-part-of-the-whole": (
        """
        import json.decoder, json
        print(json.JSONDecoder is json.decoder.JSONDecoder)
        """,
        "True",
    ),
    "a-builtin-first": (
        """
        import itertools, _collections, collections
        print(collections.deque is _collections.deque)
        """,
        "True",
    ),
    "another-way-first": (
        """
        import importlib.machinery as m
        spec = m.PathFinder.find_spec('re')
        re = m.SourceFileLoader('re', spec.origin).load_module()
        import json
        print(json.decoder.re is re)
        """,
        "True",
    ),
    "a-path-in-front": (
        """
        import tempfile
        with tempfile.TemporaryDirectory() as folder:
            open(folder + '/logging.py', 'w').write('MINE = True')
            sys.path.insert(0, folder)
            import logging
        print(logging.MINE)
        """,
        "True",
    ),
    "a-finder-of-its-own": (
        """
        class Refuses:
            def find_spec(self, name, path=None, target=None):
                if name == 'logging': raise ImportError('refused')
        sys.meta_path.insert(0, Refuses())
        try: import logging
        except ImportError as error: print(error)
        """,
        "refused",
    ),
    "a-finder-after-it": (
        """
        class Mine:
            def find_spec(self, name, path=None, target=None):
                print('asked for', name)
        sys.meta_path.insert(1, Mine())
        import _collections
        """,
        "asked for _collections",
    ),
    "the-spec-is-its-own": (
        """
        import json
        print(json.__spec__.origin == json.__file__, json.__loader__ is json.__spec__.loader)
        """,
        "True True",
    ),
    "it-can-be-reloaded": ("import importlib, json\nprint(importlib.reload(json) is json)", "True"),
}


@pytest.mark.parametrize(("code", "printed"), SERVED.values(), ids=SERVED)
def test_what_is_served(code, printed):
    assert ran(textwrap.dedent(code)) == printed
