"""Starts coverage.py as `python -m coverage` does, but for the real one.

A `coverage` in the current folder, on PYTHONPATH or put into `sys.modules` by a `sitecustomize`
would otherwise measure in its place.
"""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Import coverage as if no folder of the tree were on PYTHONPATH, then run it."""
    whole = list(sys.path)
    root = os.path.realpath(os.getcwd())  # noqa: PTH109 - pathlib is a name a tree may have, too
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    held = {path for path in given if _below(os.path.realpath(path), root)}
    sys.path[:] = [path for path in whole if path not in held]
    for name in [name for name in sys.modules if name.partition(".")[0] == "coverage"]:
        del sys.modules[name]
    from coverage import cmdline

    sys.path[:] = whole
    sys.exit(cmdline.main(sys.argv[1:]))


def _below(path: str, root: str) -> bool:
    return os.path.commonpath([path, root]) == root


if __name__ == "__main__":
    main()
