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
import re
import sys
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import coverage
from coverage.exceptions import CoverageException, NoDataError
from coverage.files import GlobMatcher
from coverage.python import PythonFileReporter, get_python_source

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
_EXCLUDING = _PARSING[1:]
_COMMENTS = ("# pragma: no cover", "# pragma: no branch")
_COMMENT = re.compile(r"pragma|no.?(cov|branch)|skip.?cov", re.IGNORECASE)
_NEVER = "(?!)"
"""Matches nothing. Without any pattern, coverage would take every line for a match."""

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
        "measurer": str(Path(coverage.__file__).resolve()),
        "patterns": sorted(
            {
                text
                for name in _EXCLUDING
                for text in _patterns(configured, name)
                if not _of_comments(text)
            }
        ),
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
        "same": {path: _digest(Path(request["root"], path)) for path in same},
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
    known = request["known"].get(path)
    return known is not None and known["source"] == _seal(
        _digest(Path(request["root"], path)), known["counts"]
    )


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _seal(sha256: str, counts: Iterable[int]) -> str:
    # As the gate's model has it, which this interpreter cannot import.
    return hashlib.sha256(" ".join([sha256, *map(str, counts)]).encode()).hexdigest()[:16]


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
    shared = {name: request[name] for name in ("rcfile", "root", "policy", "changed")}
    if len(paths) <= _SERIAL:
        yield from _chunk(paths, data, shared)
        return
    chunks = [paths[start : start + _CHUNK] for start in range(0, len(paths), _CHUNK)]
    with concurrent.futures.ProcessPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        for rows in pool.map(_chunk, chunks, itertools.repeat(data), itertools.repeat(shared)):
            yield from rows


def _chunk(
    paths: list[str], data: str, request: dict[str, Any]
) -> list[tuple[str, dict[str, Any]]]:
    found = _Found(data, request)
    return [(path, found.file(path)) for path in paths]


class _Found:
    """Data files read twice: as configured, and without what excludes more than `policy` does."""

    def __init__(self, data: str, request: dict[str, Any]) -> None:
        self.root = request["root"]
        self.changed = request["changed"]
        self.configured = coverage.Coverage(data_file=data, config_file=request["rcfile"])
        self.configured.load()
        self.plain = coverage.Coverage(data_file=data, config_file=request["rcfile"])
        policy = set(request["policy"])
        escapes = []
        for name in _EXCLUDING:
            patterns = _patterns(self.configured, name)
            escapes += [text for text in patterns if text not in policy]
            self.plain.set_option(name, [_NEVER, *(text for text in patterns if text in policy)])
        self.plain.load()
        either = "|".join(f"(?:{text})" for text in escapes)
        self.escapes = re.compile(either or _NEVER, re.MULTILINE)

    def file(self, path: str) -> dict[str, Any]:
        """What is known of one file, or why nothing is."""
        name = os.path.join(self.root, path)  # noqa: PTH118 - the very string that was recorded
        try:
            return self._counted(name, path)
        except (CoverageException, SyntaxError, ValueError, RecursionError, OSError) as error:
            said = str(error).partition("\n")[0].replace(name, path)
            return {"error": said or type(error).__name__}

    def _counted(self, name: str, path: str) -> dict[str, Any]:
        _, statements, _, missing, shown = self.configured.analysis2(name)
        branches = self.configured.branch_stats(name)
        return {
            "sha256": _digest(Path(name)),
            "statements": len(statements),
            "missing": missing,
            "shown": shown.replace(" ", ""),
            "untaken": [
                [line, total - taken]
                for line, (total, taken) in sorted(branches.items())
                if total > taken
            ],
            "branches": _exits(branches),
            **self._excluded(name, len(statements), branches),
            "patch": self._patch(name, path, statements),
        }

    def _excluded(
        self, name: str, statements: int, branches: dict[int, tuple[int, int]]
    ) -> dict[str, Any]:
        """How much less is counted than without the escapes, and where these are."""
        text = get_python_source(name)
        lines = [text.count("\n", 0, found.start()) + 1 for found in self.escapes.finditer(text)]
        if not lines:
            return {}
        _, all_statements, _, _, _ = self.plain.analysis2(name)
        gone = _exits(self.plain.branch_stats(name)) - _exits(branches)
        # The exits of a line that need not all be taken are counted, and never missing.
        waved = PythonFileReporter(name, self.configured).no_branch_lines()
        waved -= PythonFileReporter(name, self.plain).no_branch_lines()
        free = _exits({line: exits for line, exits in branches.items() if line in waved})
        return {
            "excluded_lines": max(0, len(all_statements) - statements),
            "excluded_branches": max(0, gone) + free,
            "escapes": sorted(set(lines)),
        }

    def _patch(self, name: str, path: str, statements: list[int]) -> list[int]:
        """Statements that a changed line is part of."""
        spans = self.changed.get(path)
        if not spans:
            return []
        lines = {line for first, last in spans for line in range(first, last + 1)}
        # The one way to the first line of a statement of several lines; plugins' files have none.
        reporter = PythonFileReporter(name, self.configured)
        return sorted(set(reporter.translate_lines(lines)) & set(statements))


def _exits(branches: dict[int, tuple[int, int]]) -> int:
    return sum(total for total, _ in branches.values())


def _of_comments(pattern: str) -> bool:
    """Whether it excludes one place by its comment; any other pattern is the repository's rule."""
    return bool(
        "#" in pattern
        or _COMMENT.search(pattern)
        or any(re.search(pattern, it) for it in _COMMENTS)
    )


def _patterns(configured: coverage.Coverage, name: str) -> list[str]:
    found = configured.get_option(name)
    return [str(text) for text in found] if isinstance(found, list) else []


def main(action: str, source: str, target: str) -> None:
    """Answer the request in the file `source` into the file `target`."""
    request = json.loads(Path(source).read_text(encoding="utf-8"))
    # At the end: plugins of coverage may lie in the tree, and nothing there shadows the rest.
    sys.path += request["path"]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        answer = {"probe": probe, "read": read}[action](request)
    notes = sorted({str(found.message) for found in caught})
    text = json.dumps({**answer, "warnings": notes})
    Path(target).write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
