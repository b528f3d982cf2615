"""Every place in a JSON document, and the document with something else in one of them."""

from __future__ import annotations

import copy
from typing import Any

Place = tuple[str | int, ...]


def places(document: Any, most: int | None = None, here: Place = ()) -> list[Place]:
    """Where a document holds something, itself left out.

    `most`: how many items of each list are looked at, from its first; None looks at all of them.
    """
    items: list[tuple[Any, Any]] = []
    if isinstance(document, dict):
        items = list(document.items())
    elif isinstance(document, list):
        items = list(enumerate(document[:most]))
    return [
        place for key, item in items for place in ((*here, key), *places(item, most, (*here, key)))
    ]


def put(document: Any, place: Place, value: Any) -> Any:
    """A copy with `value` at `place`; `...` leaves out what is there."""
    changed = copy.deepcopy(document)
    table = changed
    for key in place[:-1]:
        table = table[key]
    if value is ...:
        del table[place[-1]]
    else:
        table[place[-1]] = value
    return changed
