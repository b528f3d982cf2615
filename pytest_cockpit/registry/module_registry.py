"""`MODULE_REGISTRY.json`: every module with what it has."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import contents, manifests, public_api
from pytest_cockpit.registry.faults import Fault
from pytest_cockpit.registry.modules import Module, Survey
from pytest_cockpit.registry.public_api import PublicApi

SCHEMA = "pytest-cockpit/module_registry/1"
UNKNOWN = "unknown"


def document(place: Place, found: Survey) -> dict[str, Any]:
    """The registry of a survey; the same for every clone of the tree, whenever it is made."""
    tests = contents.tests(place, found.modules)
    apis = public_api.of_all(place, found.modules)
    odd = manifests.faults(place, found.modules)
    loose = Counter(path.partition("/")[0] for path in found.loose if "/" in path)
    return {
        "schema": SCHEMA,
        "module_count": len(found.modules),
        "modules": [
            _row(place, module, tests[module.path], apis[module.path], odd[module.path])
            for module in found.modules
        ],
        "without_manifest": [
            {"path": artifacts.printable(path), "python": count}
            for path, count in sorted(loose.items())
        ],
        "artefacts": [
            {"path": artifacts.printable(path), "files": count}
            for path, count in found.artefacts.items()
        ],
    }


def names(rows: Iterable[Mapping[str, Any]]) -> tuple[int, bool]:
    """How many public names modules have, and whether there may be more: some file is unread."""
    found = list(rows)
    told = (fault["what"] for row in found for fault in row["faults"])
    return sum(row["api"]["count"] for row in found), public_api.UNPARSED in told


def _row(
    place: Place,
    module: Module,
    tests: Sequence[str],
    api: PublicApi,
    odd: Sequence[Fault],
) -> dict[str, Any]:
    declared = module.declared
    lane = declared.get("lane", _table(declared.get("matrix")).get("lane"))
    docs = contents.documents(module, place.settings.registry)
    return {
        "name": module.name,
        "path": artifacts.printable(module.path),
        "manifest": artifacts.printable(module.manifest),
        "description": _text(declared.get("description")),
        "status": _text(declared.get("status")) or UNKNOWN,
        "lane": _text(lane) or UNKNOWN,
        "tags": _texts(declared.get("tags")),
        "docs": [artifacts.printable(path) for path in docs],
        "tests": [artifacts.printable(path) for path in tests],
        "api": {
            "count": len(api.names),
            "names": {name: str(what) for name, what in api.names.items()},
        },
        "faults": [
            {
                "file": artifacts.printable(fault.file),
                "pointer": fault.pointer,
                "what": artifacts.printable(fault.what),
            }
            for fault in (*odd, *api.faults)
        ],
    }


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else []
    return sorted({item.strip() for item in found if isinstance(item, str) and item.strip()})
