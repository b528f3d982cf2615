"""`MODULE_REGISTRY.json`: every module with what it has."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pytest_cockpit.phases import Place
from pytest_cockpit.records import artifacts
from pytest_cockpit.registry import contents, public_api
from pytest_cockpit.registry.modules import Module
from pytest_cockpit.registry.public_api import PublicApi

SCHEMA = "pytest-cockpit/module_registry/1"


def document(place: Place, modules: Sequence[Module]) -> dict[str, Any]:
    """The registry of these modules; the same for every clone of the tree, whenever it is made."""
    apis = public_api.of_all(place, modules)
    return {
        "schema": SCHEMA,
        "module_count": len(modules),
        "modules": [_row(place, module, apis[module.path]) for module in modules],
    }


def _row(place: Place, module: Module, api: PublicApi) -> dict[str, Any]:
    declared = module.declared
    return {
        "name": module.name,
        "path": artifacts.printable(module.path),
        "manifest": artifacts.printable(module.manifest),
        "description": _text(declared.get("description")),
        "status": _text(declared.get("status")) or "unknown",
        "lane": _text(_table(declared.get("matrix")).get("lane")) or "unknown",
        "tags": _texts(declared.get("tags")),
        "docs": [
            artifacts.printable(path)
            for path in contents.documents(module, place.settings.registry)
        ],
        "tests": [artifacts.printable(path) for path in contents.tests(module)],
        "api": {
            "count": len(api.names),
            "names": {name: str(what) for name, what in api.names.items()},
        },
        "faults": [
            *(
                {"file": artifacts.printable(module.manifest), "pointer": "", "what": what}
                for what in module.faults
            ),
            *(
                {
                    "file": artifacts.printable(fault.file),
                    "pointer": fault.pointer,
                    "what": artifacts.printable(fault.what),
                }
                for fault in api.faults
            ),
        ],
    }


def _table(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""


def _texts(value: Any) -> list[str]:
    found = value if isinstance(value, list) else []
    return sorted({item.strip() for item in found if isinstance(item, str) and item.strip()})
