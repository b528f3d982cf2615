"""Texts within a forge's limits, and the hidden marks by which we know our own again."""

from __future__ import annotations

import re

from pytest_cockpit.forge.api import ForgeError
from pytest_cockpit.records import limits

GITHUB_BODY = 65_536
GITLAB_BODY = 1_048_576
GITLAB_NOTE = 1_000_000

_KEY = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,99}")


def shortened(text: str, most: int, rest: str) -> str:
    """`text` in at most `most` characters; where lines are left out, the last one says so."""
    return limits.cut(text, most, size=limits.characters, rest=f"the rest is in {rest}")


def line(text: str, most: int) -> str:
    """`text` as one line of at most `most` characters."""
    joined = " ".join(text.split())
    return joined if limits.characters(joined) <= most else _cut(joined, most - 1) + "…"


def _cut(text: str, most: int) -> str:
    data = text.encode("utf-16-le", "surrogatepass")[: 2 * most]
    return data.decode("utf-16-le", "ignore")


def mark(key: str) -> str:
    """The hidden first line of the one comment with this key.

    Raises
    ------
    ForgeError: the key is none.
    """
    if not _KEY.fullmatch(key) or "--" in key:
        raise ForgeError(f"{key!r}: no key of a comment; use lower-case letters, digits and ._/:-")
    return f"<!-- pytest-cockpit:{key} -->"


def marked(key: str, text: str, most: int) -> str:
    """A comment's whole text."""
    head = mark(key) + "\n"
    return head + shortened(text, most - limits.characters(head), "the artifacts of the session")
