"""Which modules of the standard library are worth loading once for all imports."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pytest_cockpit_gates.imports.selection import Job

_IMPORT = re.compile(rb"^(?:import|from)[ \t]+([a-z_.]+)", re.MULTILINE)
_SAMPLE = 400
_OFTEN = 3

# Modules whose import starts no thread, opens no file, prints nothing, and reads nothing that a
# module under judgement could have changed before it. Their own imports come along.
QUIET = frozenset(
    (
        "abc",
        "argparse",
        "array",
        "ast",
        "asyncio",
        "base64",
        "bisect",
        "calendar",
        "collections",
        "concurrent.futures",
        "configparser",
        "contextlib",
        "contextvars",
        "copy",
        "csv",
        "dataclasses",
        "datetime",
        "decimal",
        "difflib",
        "email",
        "enum",
        "fnmatch",
        "fractions",
        "functools",
        "glob",
        "gzip",
        "hashlib",
        "heapq",
        "hmac",
        "html",
        "http",
        "http.client",
        "importlib",
        "importlib.metadata",
        "importlib.util",
        "inspect",
        "io",
        "ipaddress",
        "itertools",
        "json",
        "locale",
        "logging",
        "logging.handlers",
        "math",
        "mimetypes",
        "numbers",
        "operator",
        "os",
        "pathlib",
        "pickle",
        "pkgutil",
        "platform",
        "pprint",
        "queue",
        "random",
        "re",
        "secrets",
        "shlex",
        "shutil",
        "socket",
        "sqlite3",
        "ssl",
        "statistics",
        "string",
        "struct",
        "subprocess",
        "tempfile",
        "textwrap",
        "threading",
        "time",
        "timeit",
        "traceback",
        "types",
        "typing",
        "unicodedata",
        "unittest",
        "unittest.mock",
        "urllib.error",
        "urllib.parse",
        "urllib.request",
        "uuid",
        "warnings",
        "weakref",
        "zipfile",
        "zlib",
        "zoneinfo",
    )
)


def used(root: Path, jobs: Sequence[Job]) -> list[str]:
    """Those that several of the modules import, by a look at some of them."""
    counted: Counter[str] = Counter()
    for job in jobs[:: max(1, len(jobs) // _SAMPLE)]:
        try:
            found = _IMPORT.findall((root / job.path).read_bytes())
        except OSError:
            continue
        counted.update({name.decode() for name in found} & QUIET)
    return sorted(name for name, count in counted.items() if count >= _OFTEN)
