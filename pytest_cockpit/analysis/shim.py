"""Whether a file is a compatibility shim, and nothing more than that.

Files are excused from rules because they are shims. The first line alone, which everybody can
write, must not do for that: what follows it has to be what a move writes, or imports alone.
"""

from __future__ import annotations

import ast
import hashlib
import re

from pytest_cockpit.api import SHIM_MARK

_MARK = SHIM_MARK.encode()
_TEXT = re.compile(rb"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_WRITTEN = frozenset(
    {
        "78d64588601b2e5c25162bc8f55109af966b43c6ab1848528d7dedc144df09fc",
        "4185ed605bd9645378d3f69139fa6bb6b9779775fc5a1dbe988c2da806378b4e",
    }
)
"""Digests of the shims of a module and of a package, as `shape` has them. Older ones stay here
when the shims change: they are in repositories."""


def moved_to(data: bytes) -> str | None:
    """The new dotted name that the shim `data` stands for; None when it is no shim."""
    if not data.startswith(_MARK) or not (shape(data) in _WRITTEN or _imports_alone(data)):
        return None
    return data.partition(b"\n")[0][len(_MARK) :].decode("utf-8", "replace").strip()


def is_shim(data: bytes) -> bool:
    """Whether `data` is the source of a shim."""
    return moved_to(data) is not None


def shape(data: bytes) -> str:
    """A digest of all but the first line and the contents of string literals."""
    code = data.replace(b"\r\n", b"\n").partition(b"\n")[2]
    return hashlib.sha256(_TEXT.sub(b'""', code)).hexdigest()


def _imports_alone(data: bytes) -> bool:
    try:
        body = ast.parse(data).body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    told = [node for node in body if not _is_text(node)]
    return bool(told) and all(isinstance(node, ast.Import | ast.ImportFrom) for node in told)


def _is_text(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
