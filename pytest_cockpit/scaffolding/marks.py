"""The line by which a file says that it came from the template, and whether it still is as it came.

The line holds a digest of all the others, so nobody has to keep a list: a file that people have
changed does not fit its own line any more, and counts as theirs.
"""

from __future__ import annotations

import re
from pathlib import PurePosixPath

from pytest_cockpit.records.text import sha256

_DIGITS = 32
_LINE = re.compile(
    rb"^(?:# |<!-- )cockpit: scaffold ([0-9a-f]{32})(?: -->)?(?:\n|\Z)", re.MULTILINE
)
_HASH = frozenset({".cfg", ".ini", ".py", ".pyi", ".sh", ".toml", ".yaml", ".yml"})
_MARKUP = frozenset({".html", ".markdown", ".md", ".svg", ".xml"})
# A line that has to be the first, or the second after such a one.
_OPENING = re.compile(rb"\A(?:#![^\n]*\n)?(?:#[^\n]*coding[:=][^\n]*\n)?")


def is_scaffold(content: bytes) -> bool:
    """Whether a file came from the template and nobody has changed it since."""
    return recorded(content) == digest(content)


def recorded(content: bytes) -> str | None:
    """The digest that a file came with; None where it did not come from the template.

    With two such lines somebody has joined files, and the whole is theirs.
    """
    found = _LINE.findall(_plain(content))
    return found[0].decode() if len(found) == 1 else None


def digest(content: bytes) -> str:
    """The digest of a file's other lines, however its lines end."""
    return sha256(bare(content))[:_DIGITS]


def bare(content: bytes) -> bytes:
    """The content without its line, with plain line ends."""
    return _LINE.sub(b"", _plain(content))


def marked(path: str, content: bytes) -> bytes:
    """The content with its line: first in code, last in markup.

    A kind of file that has no comments is left without, and so is one with such a line already.
    """
    suffix = PurePosixPath(path).suffix.lower()
    if suffix not in _HASH | _MARKUP or _LINE.search(_plain(content)):
        return content
    if suffix in _HASH:
        opening = _OPENING.match(content)
        start = opening.end() if opening else 0
        line = b"# cockpit: scaffold %s\n" % digest(content).encode()
        return content[:start] + line + content[start:]
    body = content if content.endswith(b"\n") or not content else content + b"\n"
    body += b"\n" if body else b""
    return body + b"<!-- cockpit: scaffold %s -->\n" % digest(body).encode()


def _plain(content: bytes) -> bytes:
    return content.replace(b"\r\n", b"\n") if b"\r" in content else content
