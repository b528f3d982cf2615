"""The file left at a moved module's old place: importing it gives the module at the new place.

A shim is plain Python 3.8+ and needs nothing but the standard library, so that a repository
keeps working where this package is not installed. What each part is for:

- the shim takes its own name out of `sys.modules` before it imports the new module. Whoever
  imports the old name meanwhile, in a cycle or in another thread, runs or awaits the shim again
  and gets the new module, never the shim; `__getattr__` serves those who held the shim already;
- the frames of `importlib` between the shim and its importer are counted, so that the warning
  names the line that says `import` or calls `importlib.import_module`;
- run as a script, the shim runs the new file. The new folder goes before the old one into
  `sys.path`, where a script's sibling modules are looked for.

A package's shim leaves a finder behind for what still lies in the old folder:

- the import system would look for `old.child` along the new package's `__path__`, miss what has
  not moved and load what has moved a second time; the finder looks in the old folder alone;
- `from old import child` asks for `new.child`, since that is what the module calls itself. Where
  only the old folder holds the child, the finder imports it and sets it on the package;
- a folder without `__init__.py` that exists at both places becomes one module like the package;
- the import system sets every child it loads on the parent, here the new package. A child of the
  old folder does not replace a loaded child of the new one that only shares its name.

One thing is lost: unmoved children of a moved package that import each other in a cycle can do so
with `from old import child` and `import old.child`, but not with `import old.child as name`.
"""

from __future__ import annotations

import posixpath
from string import Template

from pytest_cockpit.api import SHIM_MARK, CockpitError

_HEAD = """\
${mark}
import importlib, os, sys, warnings
"""

_FINDER = """\
from importlib.machinery import ModuleSpec, PathFinder


class OldFolder:
    create_module = staticmethod(lambda spec: None)

    def __init__(self, old, new, path):
        self.old, self.new, self.path, self.package = old, new, list(path), sys.modules[new]
        others = [finder for finder in sys.meta_path if getattr(finder, "old", None) != old]
        sys.meta_path[:] = [self, *others]
        self.package.__class__ = type("Package", (type(self.package),), {"__setattr__": self.keep})

    def keep(self, name, value):
        is_old = getattr(value, "__name__", None) == self.old + "." + name
        if not (is_old and self.new + "." + name in sys.modules):
            object.__setattr__(self.package, name, value)

    def find_spec(self, name, path=None, target=None):
        parent, _, child = name.rpartition(".")
        if parent not in (self.old, self.new):
            return None
        old, new = self.old + "." + child, self.new + "." + child
        here = PathFinder.find_spec(old, self.path)
        there = PathFinder.find_spec(new, sys.modules[parent].__path__)
        if name == new:
            head = here and not there and here.loader and here.loader.get_data(here.origin)
            if here and not there and not (head or b"").startswith(b"${prefix}"):
                setattr(self.package, child, importlib.import_module(old))
            return None
        if here is None:
            raise ModuleNotFoundError("No module named " + repr(name), name=name)
        if there and here.loader is None:
            return ModuleSpec(old, self, loader_state=here.submodule_search_locations)
        return here

    def exec_module(self, module):
        old, new = module.__name__, self.new + module.__name__[len(self.old) :]
        sys.modules[old] = importlib.import_module(new)
        OldFolder(old, new, module.__spec__.loader_state)
"""

_ALIAS = """

def __getattr__(name):
    return getattr(importlib.import_module("${new}"), name)


if __name__ == "__main__":
    py, here = importlib.import_module("runpy"), os.path.dirname(os.path.realpath(__file__))
    file = os.path.normpath(os.path.join(here, ${path}))
    sys.path[:0] = [os.path.dirname(file)] * (not __spec__ and here in sys.path)
    py.run_module("${new}", None, __name__, True) if __spec__ else py.run_path(file, None, __name__)
else:
    frame, level = sys._getframe(1), 2
    while frame and frame.f_globals.get("__name__", "").startswith("importlib"):
        frame, level = frame.f_back, level + ("_bootstrap" not in frame.f_code.co_filename)
    warnings.warn("${old} moved to ${new}", DeprecationWarning, level)
    sys.modules.pop(__name__, None)
    sys.modules[__name__] = importlib.import_module("${new}")
"""
_INSTALL = """\
    OldFolder(__name__, "${new}", __path__)
"""

_MODULE = Template(_HEAD + _ALIAS)
_PACKAGE = Template(_HEAD + _FINDER + _ALIAS + _INSTALL)


def render(
    old_module: str, new_module: str, *, old_path: str, new_path: str, is_package: bool
) -> bytes:
    """The shim's source, for `old_path`, once `old_path` has become `new_path`.

    Raises
    ------
    CockpitError: when both names are the same, so that a shim would import itself.
    """
    if old_module == new_module:
        raise CockpitError(
            f"{old_path}: {new_path} is imported as {new_module} too, so no shim can stand for it; "
            "set `shims = false` in [tool.cockpit.lane]"
        )
    template = _PACKAGE if is_package else _MODULE
    source = template.substitute(
        mark=SHIM_MARK + new_module,
        prefix=SHIM_MARK,
        old=old_module,
        new=new_module,
        # Escaped, because a folder's name may hold anything, undecodable bytes included.
        path=ascii(posixpath.relpath(new_path, posixpath.dirname(old_path) or ".")),
    )
    return source.encode()
