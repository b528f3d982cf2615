"""The semantic conventions, read from the source of `opentelemetry-semantic-conventions`.

Nothing of the package is imported: a name, its constant and the text below it are what it is
generated from, and all that is needed.
"""

from __future__ import annotations

import ast
import functools
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

PACKAGE = "opentelemetry-semantic-conventions"

Version = tuple[int, int, int]

_VERSION = re.compile(r"(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})\.(0|[1-9]\d{0,5})", re.ASCII)
_URL = re.compile(r"https://opentelemetry\.io/schemas/([0-9.]+)")
_GIVEN_UP = re.compile(r"^Deprecated: (.+)", re.MULTILINE)
_FIELD = re.compile(r"^(Instrument|Unit): (\S+)$", re.MULTILINE)
_LINK = re.compile(r"\[([^\]]+)\]\([^)]+\)")


@dataclass(frozen=True, slots=True)
class Metric:
    """What the conventions say of a metric."""

    kind: str
    unit: str


@dataclass(frozen=True, slots=True)
class Conventions:
    """One release of the package.

    Parameters
    ----------
    package: its version.
    versions: versions of the conventions that it knows of; the last is the one it holds.
    attributes, metrics: all names; a metric to its unit and instrument where it has them.
    deprecated: kind of name and name, to what is said of it.
    templates: attributes that are followed by a key of the user's.
    """

    package: str
    versions: tuple[Version, ...]
    attributes: frozenset[str]
    metrics: Mapping[str, Metric]
    deprecated: Mapping[tuple[str, str], str]
    templates: tuple[str, ...]

    @property
    def version(self) -> Version:
        """The version of the conventions that it holds."""
        return self.versions[-1]

    def attribute(self, name: str) -> str:
        """The name under which the conventions know an attribute; itself where they do not."""
        if name in self.attributes:
            return name
        # Of several prefixes of one name, the longest is the last in order.
        return max((one for one in self.templates if name.startswith(f"{one}.")), default=name)


def parsed(text: str) -> Version | None:
    """The parts of a version of the conventions; None where the text is none."""
    found = _VERSION.fullmatch(text)
    return (int(found[1]), int(found[2]), int(found[3])) if found else None


def shown(version: Version) -> str:
    """The version as the conventions write it."""
    return ".".join(map(str, version))


def version_of_url(url: str) -> Version | None:
    """The version that a schema URL of the conventions names."""
    found = _URL.fullmatch(url)
    return parsed(found[1]) if found else None


@functools.cache
def installed() -> Conventions | None:
    """The conventions beside this gate; None where the package is missing or empty."""
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError:
        return None
    folder = Path(str(package.locate_file("opentelemetry/semconv")))
    return load(folder, package.version)


@functools.cache
def first_deprecated() -> Mapping[tuple[str, str], Version]:
    """Kind of name and name, to the first version, of those packaged, that gave it up."""
    text = Path(__file__).with_name("deprecated.json").read_text(encoding="utf-8")
    table: Mapping[str, Mapping[str, list[str]]] = json.loads(text)
    return {
        (kind, name): version
        for kind, versions in table.items()
        for text, names in versions.items()
        if (version := parsed(text)) is not None
        for name in names
    }


def load(folder: Path, package: str) -> Conventions | None:
    """Read the package's source in `folder`; None where that is not it."""
    try:
        urls = _URL.findall((folder / "schemas.py").read_text(encoding="utf-8"))
        entries = [*_entries(folder)]
    except (OSError, SyntaxError, UnicodeDecodeError):
        return None
    versions = sorted(version for text in urls if (version := parsed(text)) is not None)
    if not versions or not entries:
        return None
    return Conventions(
        package,
        tuple(versions),
        frozenset(entry.name for entry in entries if entry.kind == "attribute"),
        {entry.name: _metric(entry.text) for entry in entries if entry.kind == "metric"},
        {
            (entry.kind, entry.name): _plain(found[1])
            for entry in entries
            if (found := _GIVEN_UP.search(entry.text)) is not None
        },
        tuple(entry.name for entry in entries if entry.constant.endswith("_TEMPLATE")),
    )


@dataclass(frozen=True, slots=True)
class _Entry:
    kind: str
    constant: str
    name: str
    text: str


def _entries(folder: Path) -> Iterator[_Entry]:
    """What the incubating conventions define, then what the stable ones do."""
    for base in (folder / "_incubating", folder):
        for kind in ("attribute", "metric"):
            for file in sorted((base / f"{kind}s").glob(f"*_{kind}s.py")):
                tree = ast.parse(file.read_text(encoding="utf-8"))
                yield from _constants(kind, tree.body)


def _constants(kind: str, body: Iterable[ast.stmt]) -> Iterator[_Entry]:
    """Constants that are text, each with the text that follows it."""
    held: tuple[str, str] | None = None
    for statement in body:
        match statement:
            case ast.AnnAssign(target=ast.Name(id=constant), value=ast.Constant(value=str(name))):
                held = constant, name
            case ast.Expr(value=ast.Constant(value=str(text))) if held is not None:
                yield _Entry(kind, *held, text)
                held = None
            case _:
                held = None


def _metric(text: str) -> Metric:
    fields = dict(_FIELD.findall(text))
    return Metric(fields.get("Instrument", ""), fields.get("Unit", ""))


def _plain(text: str) -> str:
    return _LINK.sub(r"\1", text).strip()
