"""Whether what production imports from third parties is declared."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from pytest_cockpit import process
from pytest_cockpit.api import CockpitError, Context, Severity
from pytest_cockpit_gates.imports import rules
from pytest_cockpit_gates.imports.declared import Declared, normal
from pytest_cockpit_gates.imports.facts import Fact

Providers = Mapping[str, Sequence[str]]
"""Import name to the distributions that provide it."""

_ASK = (
    "import importlib.metadata, json, sys;"
    "json.dump(importlib.metadata.packages_distributions(), sys.stdout)"
)
_TIMEOUT_S = 120.0

# For what is not installed where the gate runs: distributions whose import name is another.
WELL_KNOWN: Providers = {
    "attr": ("attrs",),
    "bs4": ("beautifulsoup4",),
    "cv2": ("opencv-python", "opencv-python-headless", "opencv-contrib-python"),
    "Crypto": ("pycryptodome",),
    "dateutil": ("python-dateutil",),
    "docx": ("python-docx",),
    "dotenv": ("python-dotenv",),
    "faiss": ("faiss-cpu", "faiss-gpu"),
    "fitz": ("pymupdf",),
    "git": ("gitpython",),
    "jose": ("python-jose",),
    "jwt": ("pyjwt",),
    "magic": ("python-magic",),
    "multipart": ("python-multipart",),
    "nacl": ("pynacl",),
    "OpenSSL": ("pyopenssl",),
    "PIL": ("pillow",),
    "pkg_resources": ("setuptools",),
    "psycopg2": ("psycopg2", "psycopg2-binary"),
    "serial": ("pyserial",),
    "skimage": ("scikit-image",),
    "sklearn": ("scikit-learn",),
    "slugify": ("python-slugify",),
    "websocket": ("websocket-client",),
    "yaml": ("pyyaml",),
    "zmq": ("pyzmq",),
}


@dataclass(frozen=True, slots=True)
class Use:
    """One file's first import of a top-level name from a third party."""

    top: str
    path: str
    line: int


def facts(
    uses: Sequence[Use],
    declared: Declared,
    providers: Callable[[], Providers],
    named: Mapping[str, str],
    optional: frozenset[str],
) -> Iterator[Fact]:
    """Uses of what is not declared; `providers` is asked only where names alone do not tell.

    Parameters
    ----------
    named: import name to distribution, as the settings have it; they come first.
    optional: import names that need no declaration.
    """
    doubtful = [
        use
        for use in uses
        if use.top not in optional and normal(named.get(use.top, use.top)) not in declared.names
    ]
    known = providers() if any(use.top not in named for use in doubtful) else {}
    for use in doubtful:
        chosen = named.get(use.top)
        offered = [chosen] if chosen else known.get(use.top, ())
        expected = offered or WELL_KNOWN.get(use.top, ())
        if declared.names.isdisjoint(map(normal, expected)):
            yield _undeclared(use, declared, expected)


def providers(context: Context) -> Providers:
    """What the tree's interpreter has installed, and under which import names.

    Raises
    ------
    CockpitError: the interpreter cannot say.
    """
    done = process.run(
        [context.python, "-P", "-s", "-c", _ASK],
        cwd=context.scratch,
        env=process.environment(keep=context.pass_environment),
        timeout=_TIMEOUT_S,
    )
    try:
        found = json.loads(done.stdout)
        return {str(top): [str(name) for name in names] for top, names in found.items()}
    except (ValueError, AttributeError, TypeError) as error:
        raise CockpitError(
            f"imports: {context.python} cannot list its packages (exit {done.returncode});"
            " repair that environment and run again"
        ) from error


def is_foreign(top: str) -> bool:
    """Whether a top-level name is no module of the standard library."""
    return top not in sys.stdlib_module_names and top != "__main__"


def _undeclared(use: Use, declared: Declared, expected: Sequence[str]) -> Fact:
    name = " or ".join(expected) or use.top
    where = declared.files[0]
    if declared.opaque:
        message = f"it imports {use.top}, and {declared.opaque[0]} may declare it: it is not read"
        severity, where = Severity.UNKNOWN, declared.opaque[0]
    elif not expected:
        message = f"it imports {use.top}, not declared under that name and not installed here"
        severity = Severity.UNKNOWN
    else:
        message = f"it imports {use.top}, and no file declares {name}"
        severity = Severity.ERROR
    remedy = f"add {name} to {where}, or name it in tool.cockpit.gate.imports.distributions"
    told = {"import": use.top, "distributions": list(expected), "file": where}
    return Fact(rules.UNDECLARED, use.path, use.line, message, remedy, severity, told)
