"""Texts within a forge's limits, and the hidden marks by which we know our own again."""

from __future__ import annotations

import re

from pytest_cockpit.forge.api import ForgeError

GITHUB_BODY = 65_536
GITLAB_BODY = 1_048_576

_KEY = re.compile(r"[a-z0-9][a-z0-9._/:-]{0,99}")
_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})", re.MULTILINE)


def length(text: str) -> int:
    """How long a forge finds a text: characters beyond the first plane count twice for some."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def shortened(text: str, most: int, rest: str) -> str:
    """`text` in at most `most` characters; where lines are left out, the last one says so."""
    if length(text) <= most:
        return text
    note = f"\n\n*Shortened to what the forge takes; the rest is in {rest}.*\n"
    # Room for the end of a fence that is cut open.
    room = most - length(note) - 8
    kept = _cut(text, room)
    whole, _, _ = kept.rpartition("\n")
    kept = whole or kept
    fences = _FENCE.findall(kept)
    close = f"\n{fences[-1][:3]}" if len(fences) % 2 else ""
    return kept + close + note


def line(text: str, most: int) -> str:
    """`text` as one line of at most `most` characters."""
    joined = " ".join(text.split())
    return joined if length(joined) <= most else _cut(joined, most - 1) + "…"


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
    return head + shortened(text, most - length(head), "the artifacts of the session")
