"""Text cut to what a forge takes: at the end of a line, with a note of what was left out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

COMMENT = 65_535
"""Characters of one comment, as `characters` counts them."""
SUMMARY = 1024 * 1024
"""Bytes that one step may leave in its job summary."""
ANNOTATIONS = 10
"""Annotations of each level that one step may make."""

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_OPENS, _CLOSES = "<details>", "</details>"


def characters(text: str) -> int:
    """The size of a comment: UTF-16 units, in which an emoji is two.

    Forges count code points in one place and these units in another; nothing counts more.
    """
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def octets(text: str) -> int:
    """The size of a file in UTF-8."""
    return len(text.encode("utf-8", "surrogatepass"))


def cut(text: str, limit: int, *, size: Callable[[str], int], rest: str) -> str:
    """As many lines of Markdown as fit, then how many are missing and where they are.

    What a kept line has opened, a code fence or `<details>`, is closed before the note. Where not
    even the note fits, nothing is left.

    Parameters
    ----------
    size: how the limit is counted; of two texts together it is the sum of both.
    rest: where the rest is, in words.
    """
    if size(text) <= limit:
        return text
    lines = text.split("\n")
    used, state, best = 0, _State(), None
    for kept in range(len(lines)):
        end = state.end(len(lines) - kept, rest)
        if used + size(end) <= limit:
            best = kept, end
        used += size(lines[kept] + "\n")
        if used > limit:
            break
        state = state.after(lines[kept])
    if best is None:
        return ""
    kept, end = best
    return "".join(f"{line}\n" for line in lines[:kept]) + end


def short(text: str, limit: int) -> str:
    """One line of at most `limit` characters, the cut shown by its last one."""
    return text if len(text) <= limit else f"{text[: limit - 1]}…"


@dataclass(frozen=True, slots=True)
class _State:
    """What the lines so far have opened and not closed."""

    fence: str = ""
    depth: int = 0

    def after(self, line: str) -> _State:
        """The state after one more line."""
        if self.fence:
            closed = line.strip().startswith(self.fence) and not line.strip().strip(self.fence[0])
            return _State("", self.depth) if closed else self
        opened = _FENCE.match(line)
        if opened:
            return _State(opened[1], self.depth)
        return _State("", max(0, self.depth + line.count(_OPENS) - line.count(_CLOSES)))

    def end(self, missing: int, rest: str) -> str:
        """The text's last lines."""
        closers = f"{self.fence}\n" if self.fence else ""
        closers += f"\n{_CLOSES}\n" * self.depth
        lines = f"{missing:,} more line{'' if missing == 1 else 's'}"
        return f"{closers}\n*{lines}: {rest}*\n"
