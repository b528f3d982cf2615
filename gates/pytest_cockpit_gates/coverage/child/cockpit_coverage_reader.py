"""Asks the repository's own coverage.py two things, each a JSON request answered by a JSON file.

`probe`: what the repository configures. `read`: what the data files say of each source file.
It runs in the repository's interpreter, because statements and branches are counted by the
parser of one Python and one coverage.py, and those must be the ones that measured.
"""

from __future__ import annotations

import concurrent.futures
import hashlib
import itertools
import json
import os
import platform
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import CoverageException, NoDataError
from coverage.files import GlobMatcher

_OPTIONS = (
    "run:concurrency",
    "run:core",
    "run:disable_warnings",
    "run:omit",
    "run:patch",
    "run:plugins",
    "run:sigterm",
    "run:timid",
    "report:exclude_lines",
    "report:omit",
    "report:partial_branches",
    "report:partial_branches_always",
)
_PARSING = (
    "run:plugins",
    "report:exclude_lines",
    "report:partial_branches",
    "report:partial_branches_always",
)
"""What else than its source decides which statements and branches a file has."""

_SERIAL = 400
_CHUNK = 50


def probe(request: dict[str, Any]) -> dict[str, Any]:
    """Versions, and the options of the configuration found in the current folder."""
    configured = coverage.Coverage()
    plugins = configured.get_option("run:plugins")
    options = {name: configured.get_option(name) for name in _OPTIONS}
    parser = [coverage.__version__, sys.version_info[:2], *(options[name] for name in _PARSING)]
    return {
        "parser": hashlib.sha256(json.dumps(parser).encode()).hexdigest()[:16],
        "versions": {
            "coverage": coverage.__version__,
            "python": platform.python_version(),
            "implementation": platform.python_implementation(),
        },
        "options": options,
        "plugins": {
            name: configured.config.get_plugin_options(name)
            for name in (plugins if isinstance(plugins, list) else ())
        },
    }


def read(request: dict[str, Any]) -> dict[str, Any]:
    """Statements and untaken branches of each file that no pattern omits."""
    data = str(Path(request["data"]) / ".coverage")
    measured = _combine(data, request)
    omitted = _matcher(request["omit"], request["root"])
    kept = [path for path in request["files"] if not omitted.match(f"/{path}")]
    executed = _executed(data, request) if measured else set()
    same = [path for path in kept if path not in executed and _same(path, request)]
    return {
        "omitted": sorted(set(request["files"]) - set(kept)),
        "same": same,
        "files": dict(_analysed(sorted(set(kept) - set(same)), data, request)),
    }


def _combine(data: str, request: dict[str, Any]) -> bool:
    """Merge what the processes left; whether any of them left anything."""
    combined = coverage.Coverage(data_file=data, config_file=request["rcfile"])
    try:
        combined.combine([request["data"]], strict=True, keep=True)
    except NoDataError:
        return False
    combined.save()
    return True


def _executed(data: str, request: dict[str, Any]) -> set[str]:
    """Paths of the files with a line that ran."""
    found = coverage.CoverageData(data)
    found.read()
    prefix = os.path.join(request["root"], "")  # noqa: PTH118 - a prefix of recorded strings
    return {name.removeprefix(prefix) for name in found.measured_files() if found.lines(name)}


def _same(path: str, request: dict[str, Any]) -> bool:
    """Whether the file's bytes are those whose counts are known to whoever asks."""
    digest = request["known"].get(path)
    return digest is not None and digest == _digest(Path(request["root"], path))


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()[:16]


def _matcher(patterns: Iterable[str], root: str) -> GlobMatcher:
    """Coverage's own patterns, held to paths that begin at the root of the tree.

    Coverage matches absolute paths, where `*/tests/*` omits everything in a checkout that lies
    below a folder called `tests`.
    """
    below = []
    for pattern in patterns:
        local = pattern.removeprefix(root)
        below.append(local)
        if not local.startswith(("*", "?", "/")):
            below.append("/" + local.removeprefix("./"))
    return GlobMatcher(below)


def _analysed(
    paths: list[str], data: str, request: dict[str, Any]
) -> Iterator[tuple[str, dict[str, Any]]]:
    arguments = (data, request["rcfile"], request["root"])
    if len(paths) <= _SERIAL:
        yield from _chunk(paths, *arguments)
        return
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with concurrent.futures.ProcessPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for rows in pool.map(_chunk, chunks, *map(itertools.repeat, arguments)):
            yield from rows


def _chunk(paths: list[str], data: str, rcfile: str, root: str) -> list[tuple[str, dict[str, Any]]]:
    found = coverage.Coverage(data_file=data, config_file=rcfile)
    found.load()
    return [(path, _file(found, root, path)) for path in paths]


def _file(found: coverage.Coverage, root: str, path: str) -> dict[str, Any]:
    name = os.path.join(root, path)  # noqa: PTH118 - the very string that coverage recorded
    try:
        _, statements, _, missing, shown = found.analysis2(name)
        branches = found.branch_stats(name)
    except (CoverageException, SyntaxError, ValueError, RecursionError, OSError) as error:
        said = str(error).partition("\n")[0].replace(name, path)
        return {"error": said or type(error).__name__}
    return {
        "source": _digest(Path(name)),
        "statements": len(statements),
        "missing": missing,
        "shown": shown.replace(" ", ""),
        "untaken": [
            [line, total - taken]
            for line, (total, taken) in sorted(branches.items())
            if total > taken
        ],
    }


def main(action: str, source: str, target: str) -> None:
    """Answer the request in the file `source` into the file `target`."""
    request = json.loads(Path(source).read_text(encoding="utf-8"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = {"probe": probe, "read": read}[action](request)
    notes = sorted({str(found.message) for found in caught})
    text = json.dumps({**answer, "warnings": notes})
    Path(target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
