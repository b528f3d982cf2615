"""What a template is told of a module. `docs/scaffolding.md` lists it for authors of templates."""

from __future__ import annotations

import ast
import json
import posixpath
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Any

from pytest_cockpit.analysis.layout import INIT, Layout
from pytest_cockpit.api import SHIM_MARK
from pytest_cockpit.phases import Place
from pytest_cockpit.records import markdown
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry import contents, public_api
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.registry.public_api import PublicApi
from pytest_cockpit.registry.surface import Name

NAMELESS = "has no name to be imported by"

# What a script has at the left margin; few files have it, so the others are not parsed.
_CALL = re.compile(
    rb"^(?:(?:asyncio|os|shutil|subprocess|sys)\.|"
    rb"(?!(?:assert|case|del|elif|except|for|if|match|raise|while|with)\b)[^\W\d]\w*[ \t]*\()",
    re.MULTILINE,
)
_STARTS = frozenset({"asyncio", "os", "shutil", "subprocess"})
# Names that are there only after something else has been imported, or perhaps not at all.
_LOOSE = frozenset({"module", "unknown"})


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one module.

    Parameters
    ----------
    facts: for a template.
    left_out: Python files with public names that no test imports, each with the reason.
    """

    facts: Mapping[str, Any]
    left_out: tuple[tuple[str, str], ...]


def of_all(place: Place, modules: Iterable[Module]) -> dict[str, Told]:
    """What is known of each module, by its path."""
    modules = list(modules)
    layout = Layout(place.settings.lane)
    offers = public_api.of_all(place, modules)
    bench = place.settings.bench
    paths = [
        path for module in modules for path in contents.public(contents.code(module, bench), module)
    ]
    reasons = {path: found for path, data in place.read_all(paths) if (found := _reason(data))}
    return {
        module.path: _Telling(place, module, offers[module.path], layout, reasons).told()
        for module in modules
    }


class _Telling:
    def __init__(
        self,
        place: Place,
        module: Module,
        offer: PublicApi,
        layout: Layout,
        reasons: Mapping[str, str],
    ) -> None:
        self.place, self.module, self.offer, self.layout = place, module, offer, layout
        broken = {fault.file: "does not parse" for fault in offer.faults if _unparsed(fault.what)}
        self.reasons = {**reasons, **broken}

    @cached_property
    def _public(self) -> tuple[str, ...]:
        own = contents.code(self.module, self.place.settings.bench)
        return tuple(contents.public(own, self.module))

    def told(self) -> Told:
        module = self.module
        imported, left_out = [], []
        dotted_of = {path: self.layout.module_of(path) for path in self._public}
        users = Counter(dotted_of.values())
        for path, dotted in dotted_of.items():
            reason = self.reasons.get(path, "" if dotted else NAMELESS)
            if dotted and users[dotted] > 1:
                reason = "has the name of a package"
            if reason:
                left_out.append((path, reason))
            else:
                imported.append((path, dotted))
        description = _line(module.declared.get("description"))
        facts = {
            "module": _line(module.name),
            "title": markdown.plain(module.name),
            "path": printable(module.path),
            "description": description,
            "summary": markdown.plain(description),
            "manifest": module.declared,
            "api": list(self._api()),
            "imports": [self._import(path, dotted) for path, dotted in imported],
            "sources": sorted({self._source(path) for path, _ in imported}),
            "package": bool(imported) and self._is_package(),
        }
        return Told(facts, tuple(left_out))

    def _api(self) -> Iterator[dict[str, Any]]:
        """Every public Python file that has names, as Markdown."""
        for file, names in self._by_file.items():
            rows = [
                {"name": markdown.code(name + _shown(what)), "kind": what.kind}
                for name, what in names.items()
            ]
            yield {"file": markdown.code(file), "names": rows}

    def _import(self, path: str, dotted: str | None) -> dict[str, Any]:
        names = self._by_file.get(self.module.inner(path), {})
        functions = {
            name: what.detail for name, what in names.items() if what.kind.endswith("function")
        }
        return {
            "module": dotted,
            "names": [name for name, what in names.items() if what.kind not in _LOOSE],
            "functions": [
                {"name": name, "parameters": _literal(shown)} for name, shown in functions.items()
            ],
        }

    @cached_property
    def _by_file(self) -> dict[str, dict[str, Name]]:
        """The public names by the file that has them, relative to the module."""
        files = {_prefix(self.module.inner(path)): self.module.inner(path) for path in self._public}
        found: dict[str, dict[str, Name]] = {}
        for full, what in self.offer.names.items():
            prefix, _, name = full.rpartition(".")
            found.setdefault(files[prefix], {})[name] = what
        return dict(sorted(found.items()))

    def _root(self, path: str) -> str:
        return next(root for root in self.layout.sources if path.startswith(root))

    def _source(self, path: str) -> str:
        """Where the names of a file are counted from, seen from the module's folder."""
        root = self._root(path) or "."
        return _literal(posixpath.relpath(root, self.module.path))

    def _is_package(self) -> bool:
        """Whether every folder from where names are counted down to the module is a package."""
        folder = "" if self.module.path == "." else f"{self.module.path}/"
        root = next((root for root in self.layout.sources if folder.startswith(root)), None)
        if root is None or folder == root:
            return False
        below = PurePosixPath(folder[len(root) :])
        folders = [below, *list(below.parents)[:-1]]
        return all(f"{root}{each.as_posix()}/{INIT}" in self.place.entries for each in folders)


def _reason(data: bytes) -> str:
    """Why a file is not imported, by its bytes; empty where it is."""
    if data.startswith(SHIM_MARK.encode()):
        return "is a compatibility module"
    return "acts when it is imported" if _CALL.search(data) and _acts(data) else ""


def _acts(data: bytes) -> bool:
    """Whether a file calls a bare name, or what ends, starts or deletes things, on import.

    That is the mark of a script, which a test that imports it would run.
    """
    with warnings.catch_warnings(), suppress(SyntaxError, ValueError, LookupError, RecursionError):
        warnings.simplefilter("ignore")
        calls = (
            node.value.func
            for node in ast.parse(data).body
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        )
        return any(isinstance(call, ast.Name) or _starts(call) for call in calls)
    return False


def _starts(call: ast.expr) -> bool:
    if not (isinstance(call, ast.Attribute) and isinstance(call.value, ast.Name)):
        return False
    return call.value.id in _STARTS or (call.value.id, call.attr) == ("sys", "exit")


def _unparsed(what: str) -> bool:
    return what.startswith("does not parse")


def _prefix(inner: str) -> str:
    dotted = inner.removesuffix(".py").replace("/", ".")
    return dotted.removesuffix("__init__").rstrip(".")


def _shown(what: Name) -> str:
    return what.detail if what.detail.startswith("(") else ""


def _literal(text: str) -> str:
    """A string of Python source that stands for a text."""
    return json.dumps(printable(text), ensure_ascii=False)


def _line(value: Any) -> str:
    """One line of text; empty for anything else."""
    return one_line(" ".join(printable(value).split())) if isinstance(value, str) else ""
