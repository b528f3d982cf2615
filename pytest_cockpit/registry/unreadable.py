"""Manifests that cannot be read: what is generated then says less than the files do."""

from __future__ import annotations

from collections.abc import Iterable

from pytest_cockpit.api import Verdict
from pytest_cockpit.phases import Result
from pytest_cockpit.records.text import one_line, printable
from pytest_cockpit.registry.modules import Module

_LISTED = 20


def told(modules: Iterable[Module]) -> Result | None:
    """Red where a manifest cannot be read; None where all can."""
    found = [
        f"{one_line(printable(module.manifest))}: {one_line(module.unreadable)}"
        for module in modules
        if module.unreadable
    ]
    if not found:
        return None
    more = f" (and {len(found) - 1:,} more)" if len(found) > 1 else ""
    lines = [f"  {line}" for line in found[1:_LISTED]]
    if len(found) > _LISTED:
        lines.append(f"  … and {len(found) - _LISTED:,} more")
    text = "\n".join([found[0], *lines, "  correct what cannot be read before anything is written"])
    return Result(Verdict.FAIL, f"{found[0]}{more}; correct it first", text)
