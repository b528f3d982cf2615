"""Unified diffs for `git apply`: of whole new files, and of texts before and after."""

from __future__ import annotations

import difflib
import re

_PLAIN = re.compile(r"[A-Za-z0-9_./+-]+")
_NO_NEWLINE = "\\ No newline at end of file\n"


def between(path: str, before: bytes | None, after: bytes) -> str | None:
    """The patch that turns `before` into `after`; None where it cannot be written down.

    It cannot where a name has characters that git quotes, or a text is no UTF-8.
    """
    if not _PLAIN.fullmatch(path) or before == after:
        return None
    try:
        old, new = (before or b"").decode(), after.decode()
    except UnicodeDecodeError:
        return None
    rows = [*_lines(old, new)]
    if not rows:
        return None
    head = f"diff --git a/{path} b/{path}\n"
    if before is None:
        head += "new file mode 100644\n"
    start = "/dev/null" if before is None else f"a/{path}"
    return f"{head}--- {start}\n+++ b/{path}\n" + "".join(rows)


def _lines(old: str, new: str) -> list[str]:
    """The hunks. Lines end where git says they do: at a line feed, and nowhere else."""
    told = difflib.unified_diff(_split(old), _split(new), n=3)
    rows = []
    for row in list(told)[2:]:
        rows.append(row)
        if not row.endswith("\n"):
            rows[-1] += "\n"
            rows.append(_NO_NEWLINE)
    return rows


def _split(text: str) -> list[str]:
    return [line for line in re.split(r"(?<=\n)", text) if line]


def renamed(old: str, new: str) -> str | None:
    """The patch that moves a file and changes nothing of it; None where names have to be quoted."""
    if not (_PLAIN.fullmatch(old) and _PLAIN.fullmatch(new)):
        return None
    return (
        f"diff --git a/{old} b/{new}\nsimilarity index 100%\nrename from {old}\nrename to {new}\n"
    )
