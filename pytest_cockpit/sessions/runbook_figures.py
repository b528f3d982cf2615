"""What the generated documents of a tree count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_cockpit.registry import contents


def figures(read: Callable[[str], Mapping[str, Any]]) -> dict[str, int | float | None]:
    """Figures by name.

    Parameters
    ----------
    read: gives a generated document by the name of its file; {} where there is none.
    """
    modules = read(contents.MODULE_REGISTRY).get("modules", [])
    return {
        "modules": len(modules),
        "documents of modules": sum(len(module["docs"]) for module in modules),
        "test files of modules": sum(len(module["tests"]) for module in modules),
        "public names": sum(module["api"]["count"] for module in modules),
    }
