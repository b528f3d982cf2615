"""What the generated documents of a tree count."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from pytest_cockpit.registry import contents


def figures(read: Callable[[str], Mapping[str, Any]]) -> dict[str, int | float | None]:
    """Figures by name; None for what nothing is known of.

    Parameters
    ----------
    read: gives a generated document by the name of its file.
    """
    modules = read(contents.MODULE_REGISTRY)["modules"]
    summary = read(contents.META_REGISTRY)["summary"]
    return {
        "modules": len(modules),
        "documents of modules": sum(len(module["docs"]) for module in modules),
        "test files of modules": sum(len(module["tests"]) for module in modules),
        "public names": sum(module["api"]["count"] for module in modules),
        "modules with known coverage": summary["inputs"]["coverage"]["known"],
        "modules with known benchmarks": summary["inputs"]["benchmarks"]["known"],
        "modules with known health": summary["health"]["over"],
        "mean health": summary["health"]["mean"],
        "mean health by the published formula": summary["published"]["mean"],
    }
