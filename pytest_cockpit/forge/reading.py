"""What a forge answered, read with suspicion: the few fields that are used, of the right kind."""

from __future__ import annotations

from typing import Any, TypeVar

from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.records import text

T = TypeVar("T")


class Unreadable(ForgeError):
    """An answer that is none of the forge's."""


def parsed(content: bytes) -> Any:
    """The JSON of an answer."""
    try:
        return text.parse(content)
    except ValueError as error:
        raise Unreadable(f"an answer that is no JSON: {error}") from None


def table(value: Any, what: str) -> dict[str, Any]:
    """An object."""
    return _of(value, dict, what)


def rows(value: Any, what: str) -> list[dict[str, Any]]:
    """A list of objects."""
    return [table(row, what) for row in _of(value, list, what)]


def string(data: Any, *keys: str) -> str:
    """The text at `keys`."""
    return _of(_at(data, keys), str, ".".join(keys))


def number(data: Any, *keys: str) -> int:
    """The whole, positive number at `keys`."""
    value = _at(data, keys)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise Unreadable(f"an answer without {'.'.join(keys)}")
    return value


def address(data: Any, *keys: str) -> str:
    """The web address at `keys`, fit to be shown."""
    value = string(data, *keys)
    if not value.startswith(("https://", "http://")) or not _plain(value):
        raise Unreadable(f"an answer whose {'.'.join(keys)} is no web address")
    return value


def maybe(data: Any, *keys: str) -> Any:
    """What is at `keys`, or None."""
    for key in keys:
        data = data.get(key) if isinstance(data, dict) else None
    return data


def flag(data: Any, *keys: str) -> bool:
    """Whether `keys` lead to true; what is missing is false."""
    return maybe(data, *keys) is True


def _plain(value: str) -> bool:
    return value.isprintable() and not any(char.isspace() for char in value)


def _at(data: Any, keys: tuple[str, ...]) -> Any:
    for key in keys:
        data = table(data, ".".join(keys)).get(key)
    return data


def _of(value: Any, kind: type[T], what: str) -> T:
    if not isinstance(value, kind):
        raise Unreadable(f"an answer without {what}")
    return value
