"""Asks the repository's own coverage.py which statements files have.

It runs in the repository's interpreter, after the tests: statements are counted by the parser of
one Python and one coverage.py, and those must be the ones that measured.
"""

from __future__ import annotations

import concurrent.futures
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import CoverageException
from coverage.python import PythonFileReporter

_SERIAL = 200
_CHUNK = 40


def read(files: list[tuple[str, list[int]]], root: str, settings: str) -> list[dict[str, Any]]:
    """Of each file its statements, and the first lines of those that ran."""
    configured = coverage.Coverage(data_file=None, config_file=settings)
    return [_file(path, lines, root, configured) for path, lines in files]


def _file(path: str, lines: list[int], root: str, configured: coverage.Coverage) -> dict[str, Any]:
    name = os.path.join(root, path)  # noqa: PTH118 - compared with recorded strings
    try:
        reporter = PythonFileReporter(name, configured)
        statements = sorted(reporter.lines())
        firsts = [(line, *reporter.translate_lines([line])) for line in lines]
    except (CoverageException, SyntaxError, ValueError, RecursionError, OSError) as error:
        said = str(error).partition("\n")[0].replace(name, path)
        return {"path": path, "error": said or type(error).__name__}
    # A line is its own first one, unless its statement began above.
    moved = [[line, first] for line, first in firsts if line != first]
    return {"path": path, "statements": statements, "moved": moved}


def main(source: str, target: str) -> None:
    """Answer the request in the file `source` into the file `target`."""
    request = json.loads(Path(source).read_text(encoding="utf-8"))
    files = list(request["files"].items())
    shared = (request["root"], request["settings"])
    if len(files) <= _SERIAL:
        rows = read(files, *shared)
    else:
        chunks = [files[start : start + _CHUNK] for start in range(0, len(files), _CHUNK)]
        with concurrent.futures.ProcessPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
            parts = pool.map(read, chunks, *(itertools.repeat(each) for each in shared))
            rows = [row for part in parts for row in part]
    Path(target).write_text(json.dumps(rows), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
