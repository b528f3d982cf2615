"""JSON of artifacts and ledgers read with care: what is no table counts as an empty one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def table(value: Any) -> Mapping[str, Any]:
    """The value where it is a table; otherwise {}."""
    return value if isinstance(value, Mapping) else {}


def tables(value: Any) -> list[Mapping[str, Any]]:
    """The tables of a list; [] of anything else."""
    return [it for it in value if isinstance(it, Mapping)] if isinstance(value, list) else []
