"""Small trees side by side in one, each in a package of its own."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import overload


def apart(number: int, files: Mapping[str, str | bytes]) -> dict[str, str | bytes]:
    """The same files with a package of this number wherever `core` is named."""
    return {_named(path, number): _named(text, number) for path, text in files.items()}


@overload
def _named(text: str, number: int) -> str: ...
@overload
def _named(text: bytes, number: int) -> bytes: ...
def _named(text: str | bytes, number: int) -> str | bytes:
    if isinstance(text, bytes):
        return re.sub(rb"\bcore\b", b"core%d" % number, text)
    return re.sub(r"\bcore\b", f"core{number}", text)
